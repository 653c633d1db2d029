"""One step of gradient descent, with our own rule or any of Optax's, over one or more batches."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from . import _jaxcompat as compat
from ._arguments import called, check_callable
from ._errors import GradientTypeError, GradientValueError
from ._transform import value_and_grad
from ._trees import PyTree, is_float_leaf, leaf_paths, merge, partition, same_structure

Loss = Callable[..., Any]
History = Literal["all"] | int | None

# --- the optimiser of our own ---------------------------------------------------------------------


def gradient_descent(learning_rate: float | jax.Array) -> optax.GradientTransformation:
    """Vanilla gradient descent, ``w <- w - learning_rate * gradient``, as an Optax transformation.

    Args:
        learning_rate: the step size, a positive number or a scalar array.

    Returns:
        A stateless `optax.GradientTransformation`; it can be chained with any other.

    Raises:
        GradientValueError: the learning rate is negative or not finite.

    >>> rule = gradient_descent(0.5)
    >>> updates, _ = rule.update({"w": 4.0}, rule.init({"w": 1.0}))
    >>> float(updates["w"])
    -2.0
    """
    check_learning_rate(learning_rate)

    def init(params: PyTree) -> PyTree:
        del params
        return optax.EmptyState()

    def update(gradient: PyTree, state: PyTree, params: PyTree | None = None) -> Any:
        del params
        return jax.tree.map(lambda g: _scaled(learning_rate, g), gradient), state

    return optax.GradientTransformation(init, update)


def _scaled(learning_rate: Any, gradient: Any) -> Any:
    rate = jnp.asarray(learning_rate, getattr(gradient, "dtype", None))
    return -rate * gradient


def check_learning_rate(learning_rate: Any) -> None:
    """Raise for a rate that is known now and is no number, or negative, or not finite."""
    if isinstance(learning_rate, jax.core.Tracer):
        return
    if not isinstance(learning_rate, (int, float, np.ndarray, np.generic, jax.Array)):
        raise GradientTypeError(
            f"the learning rate must be a real number, but is {learning_rate!r:.60} of type "
            f"{type(learning_rate).__name__}"
        )
    if jnp.ndim(learning_rate) != 0:
        raise GradientValueError(
            f"the learning rate must be a scalar, but has shape {jnp.shape(learning_rate)}"
        )
    rate = float(learning_rate)
    if not 0 <= rate < float("inf"):
        raise GradientValueError(f"the learning rate must be positive and finite, but is {rate}")


# --- gradients over micro-batches -----------------------------------------------------------------


def accumulate_gradients(
    loss: Loss, params: PyTree, *data: Any, micro_batches: int = 1
) -> tuple[jax.Array, PyTree]:
    """The mean loss and mean gradient over equal micro-batches, in the memory of one of them.

    For a loss that is a mean over examples this is the loss and the gradient of the whole batch.

    Args:
        loss: a function ``loss(params, *data)`` with a real scalar output.
        params: a pytree of floating arrays.
        *data: pytrees of arrays; every array is split along its first axis.
        micro_batches: into how many parts; must divide the length of the first axis.

    Returns:
        The loss and the gradient.

    Raises:
        GradientValueError: the data cannot be split into so many equal parts.

    >>> import jax.numpy as jnp
    >>> loss = lambda w, x: jnp.mean((w - x) ** 2)
    >>> value, gradient = accumulate_gradients(loss, 0.0, jnp.arange(6.0), micro_batches=3)
    >>> float(value), float(gradient)
    (9.166666984558105, -5.0)
    """
    check_count("micro_batches", micro_batches, least=1)
    differentiated = value_and_grad(loss)
    if micro_batches == 1:
        value, gradient = differentiated(params, *data)
        return value, gradient
    parts = jax.tree.map(partial(_split_leading, micro_batches), data)
    value, gradient = jax.eval_shape(differentiated, params, *jax.tree.map(lambda x: x[0], parts))
    zeros = jax.tree.map(lambda t: jnp.zeros(t.shape, t.dtype), (value, gradient))

    def add(total: PyTree, part: tuple[Any, ...]) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, differentiated(params, *part)), None

    total, _ = lax.scan(add, zeros, parts)
    mean = jax.tree.map(lambda x: x / jnp.asarray(micro_batches, x.dtype), total)
    return mean[0], mean[1]


def _split_leading(parts: int, array: Any) -> jax.Array:
    length = jnp.shape(array)[0] if jnp.ndim(array) else 0
    if length == 0 or length % parts:
        raise GradientValueError(
            f"data of shape {jnp.shape(array)} cannot be split into {parts} equal micro-batches; "
            "micro_batches must divide the length of the first axis of every data array"
        )
    return jnp.reshape(array, (parts, length // parts, *jnp.shape(array)[1:]))


# --- one step -------------------------------------------------------------------------------------


def gd_step(loss: Loss, params: PyTree, learning_rate: float | jax.Array, *data: Any) -> PyTree:
    """One step of gradient descent; pure, so it can be jitted, mapped and differentiated.

    Args:
        loss: a function ``loss(params, *data)`` with a real scalar output.
        params: a pytree; its floating leaves are moved, the others stay.
        learning_rate: the step size.
        *data: further arguments of `loss`.

    Returns:
        Parameters of the same structure, shapes and dtypes.

    Raises:
        GradientValueError: the learning rate is negative or not finite.
        GradientTypeError: the loss is not a real scalar, or no leaf of `params` is floating.

    >>> float(gd_step(lambda w: (w - 3.0) ** 2, 0.0, 0.25))
    1.5
    """
    rule = gradient_descent(learning_rate)
    return optimizer_step(loss, rule, params, optax.EmptyState(), data).params


class Stepped(NamedTuple):
    """The result of one step of an optimiser: new parameters and state, and the loss before it."""

    params: PyTree
    state: PyTree
    loss: jax.Array


def optimizer_step(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    params: PyTree,
    state: PyTree,
    data: tuple[Any, ...],
    micro_batches: int = 1,
) -> Stepped:
    """One step of an Optax optimiser, with the gradient of our engine."""
    moving, fixed = split_moving(params)

    def of_moving(leaves: PyTree, *batch: Any) -> Any:
        return called(loss, (merge(leaves, fixed), *batch), {})

    of_moving.__name__ = getattr(loss, "__name__", "loss")
    value, gradient = accumulate_gradients(of_moving, moving, *data, micro_batches=micro_batches)
    updates, state = optimizer.update(gradient, state, moving)
    return Stepped(merge(optax.apply_updates(moving, updates), fixed), state, value)


def split_moving(params: PyTree) -> tuple[PyTree, PyTree]:
    """The floating leaves of a tree, and the others, which no step moves."""
    if not any(map(is_float_leaf, jax.tree.leaves(params))):
        raise GradientTypeError(
            f"no leaf of the parameters is of floating dtype, so nothing can be trained: {params!r}"
        )
    return partition(params, lambda _, leaf: is_float_leaf(leaf))


# --- arguments ------------------------------------------------------------------------------------


def as_arrays(params: PyTree) -> PyTree:
    """Numbers and numpy arrays as JAX arrays of a definite dtype, so that a loop can carry them."""
    for leaf, path in zip(jax.tree.leaves(params), leaf_paths(params), strict=True):
        try:
            compat.typeof(leaf)
        except TypeError as error:
            raise GradientTypeError(
                f"the parameters hold {leaf!r:.60} of type {type(leaf).__name__} at params{path}; "
                "an array or a number was expected: close over it instead of passing it"
            ) from error
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), params)


def check_loss(loss: Any) -> None:
    """Raise unless `loss` is a function that a compiled program can be kept for."""
    check_callable(loss, "a run of gradient descent")
    try:
        hash(loss)
    except TypeError as error:
        raise GradientValueError(
            f"the loss must be hashable, for its program is kept, but {type(loss).__name__} "
            f"{loss!r:.60} is not ({error}); pass a function or a method that calls it"
        ) from error


def check_optimizer(optimizer: Any) -> None:
    """Raise `GradientTypeError` unless this is an Optax transformation."""
    if not all(callable(getattr(optimizer, name, None)) for name in ("init", "update")):
        hint = "; call it, as in optax.sgd(0.1)" if callable(optimizer) else ""
        raise GradientTypeError(
            f"the optimizer must be an optax.GradientTransformation, but is {optimizer!r:.60} of "
            f"type {type(optimizer).__name__}{hint}"
        )


def check_state(optimizer: Any, params: PyTree, state: PyTree) -> None:
    """Raise `TreeError` unless a state given by the caller has the structure of the optimiser's."""
    expected = jax.eval_shape(lambda p: optimizer.init(split_moving(p)[0]), params)
    same_structure(
        jax.tree.structure(expected), jax.tree.structure(state), "the state of this optimizer"
    )


def check_count(name: str, value: Any, least: int = 0) -> None:
    """Raise `GradientValueError` unless `value` is a whole number of at least `least`."""
    try:
        count = operator.index(value)
    except TypeError:
        count = least - 1
    if isinstance(value, bool) or count < least:
        raise GradientValueError(
            f"{name} must be a whole number of at least {least}, but is {value!r}"
        )


def recorded_every(history: Any) -> int:
    """Of how many steps one is recorded, 0 for none; raise `GradientValueError` if that is unclear.

    >>> [recorded_every(history) for history in ("all", 10, None)]
    [1, 10, 0]
    """
    if history is None or (isinstance(history, str) and history == "all"):
        return 0 if history is None else 1
    try:
        check_count("history", history)
    except GradientValueError as error:
        raise GradientValueError(
            f'history must be "all", None, or a whole number k of at least 0 for every k-th step, '
            f"but is {history!r:.60}"
        ) from error
    return operator.index(history)
