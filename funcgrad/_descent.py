"""Whole runs of gradient descent as pure functions over pytrees; a run is one compiled program.

Gradients come from this package's engine. Leaves that carry no gradient (integers, keys) stay as
they are; `partition` and `merge` freeze leaves that could.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from ._errors import GradientTypeError, GradientValueError
from ._steps import (
    Loss,
    as_arrays,
    check_count,
    check_learning_rate,
    check_loss,
    check_optimizer,
    check_state,
    gradient_descent,
    optimizer_step,
    split_moving,
)
from ._trees import PyTree


class Descent(NamedTuple):
    """What a run of gradient descent returns.

    Attributes:
        params: the parameters after the last step.
        losses: the loss before each step, shape ``(steps,)``.
        path: with `keep_path`, the parameters before each step, each leaf with a leading axis of
            length ``steps``; else None.
        state: the optimiser's state after the last step, to go on from.

    >>> run = descend(lambda w: (w - 3.0) ** 2, 0.0, 0.25, 3, keep_path=True)
    >>> run.path.tolist(), run.losses.tolist()
    ([0.0, 1.5, 2.25], [9.0, 2.25, 0.5625])
    """

    params: PyTree
    losses: jax.Array
    path: PyTree
    state: PyTree


# --- whole runs -----------------------------------------------------------------------------------


def descend(
    loss: Loss,
    w0: PyTree,
    learning_rate: float | jax.Array,
    steps: int,
    *data: Any,
    keep_path: bool = False,
    donate: bool = False,
) -> Descent:
    """Vanilla gradient descent as one compiled program: w(t+1) = w(t) - learning_rate grad loss.

    Args:
        loss: a function ``loss(params, *data)`` with a real scalar output. The program is compiled
            once for each `loss` object, `steps` and set of shapes; the learning rate may change.
        w0: the first parameters, a pytree.
        learning_rate: the step size.
        steps: how many.
        *data: further arguments of `loss`.
        keep_path: also return the parameters before each step.
        donate: let the program reuse the memory of `w0`, whose arrays are gone afterwards.

    Returns:
        A `Descent`.

    Raises:
        GradientValueError: a negative number of steps, or an impossible learning rate.
        GradientTypeError: the loss is not a real scalar, or no leaf of `w0` is floating.

    >>> run = descend(lambda w: (w - 3.0) ** 2, 0.0, 0.25, 3)
    >>> float(run.params), run.losses.tolist()
    (2.625, [9.0, 2.25, 0.5625])
    """
    check_loss(loss)
    check_count("steps", steps)
    check_learning_rate(learning_rate)
    run = _descend_donating if donate else _descend
    result: Descent = run(
        loss, as_arrays(w0), learning_rate, data, steps=int(steps), keep_path=bool(keep_path)
    )
    return result


def _descend_program(
    loss: Loss, params: PyTree, learning_rate: Any, data: Any, *, steps: int, keep_path: bool
) -> Descent:
    rule = gradient_descent(learning_rate)
    return run_steps(loss, rule, params, optax.EmptyState(), data, 1, steps, keep_path)


def run_steps(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    params: PyTree,
    state: PyTree,
    data: tuple[Any, ...],
    micro_batches: int,
    steps: int,
    keep_path: bool,
) -> Descent:
    """A number of steps as one loop on the device; to be called inside a compiled program."""

    def body(carry: tuple[PyTree, PyTree], _: None) -> tuple[tuple[PyTree, PyTree], Any]:
        stepped = optimizer_step(loss, optimizer, *carry, data, micro_batches)
        return (stepped.params, stepped.state), (stepped.loss, carry[0] if keep_path else None)

    (params, state), (losses, path) = lax.scan(body, (params, state), length=steps)
    return Descent(params, losses, path, state)


def minimize(
    loss: Loss,
    params: PyTree,
    optimizer: optax.GradientTransformation,
    *data: Any,
    steps: int | None = None,
    batches: Iterable[Any] | None = None,
    state: PyTree | None = None,
    micro_batches: int = 1,
    keep_path: bool = False,
    donate: bool = False,
) -> Descent:
    """Minimise a loss with any Optax optimiser, over arrays or over an iterable of batches.

    With arrays (`data` and `steps`) the run is one compiled program. With `batches`, each element
    is a tuple of further arguments of `loss` (or a single one), one step is compiled and called
    for each; batches of another shape compile again.

    Args:
        loss: a function ``loss(params, *data)`` with a real scalar output.
        params: the first parameters, a pytree.
        optimizer: an `optax.GradientTransformation`, for example ``optax.adam(1e-3)``.
        *data: further arguments of `loss`, the same at every step.
        steps: how many steps; with `batches` the most that are taken.
        batches: an iterable of batches, in the place of `data`.
        state: the optimiser's state to go on from; by default a fresh one.
        micro_batches: split every batch into so many parts, see `accumulate_gradients`.
        keep_path: also return the parameters before each step.
        donate: let the program reuse the memory of `params` and `state`, which are gone afterwards.

    Returns:
        A `Descent`.

    Raises:
        GradientValueError: neither or both of `data` with `steps` and `batches` were given, a
            count is negative, or a batch cannot be split.
        GradientTypeError: the loss is not a real scalar, or no leaf of `params` is floating.

    >>> import optax
    >>> run = minimize(lambda w: (w - 3.0) ** 2, 0.0, optax.sgd(0.25), steps=2)
    >>> float(run.params)
    2.25
    """
    _check_source(data, steps, batches, micro_batches)
    check_loss(loss)
    check_optimizer(optimizer)
    params = as_arrays(params)
    if state is not None:
        check_state(optimizer, params, state)
    state = init_state(optimizer, params) if state is None else state
    if batches is not None:
        return _over_batches(
            loss, params, optimizer, state, batches, steps, micro_batches, keep_path, donate
        )
    run = _minimize_donating if donate else _minimize
    result: Descent = run(
        loss, optimizer, params, state, data,
        micro_batches=micro_batches, steps=steps, keep_path=bool(keep_path),
    )  # fmt: skip
    return result


def _check_source(
    data: Sequence[Any], steps: int | None, batches: Iterable[Any] | None, micro_batches: int
) -> None:
    """Raise `GradientValueError` unless it is clear how long to run, and over what."""
    check_count("micro_batches", micro_batches, least=1)
    if steps is not None:
        check_count("steps", steps)
    if batches is not None and data:
        raise GradientValueError(
            f"minimize takes data or batches, but was given {len(data)} array(s) and batches; "
            "put what stays the same into a closure, or into every batch"
        )
    if batches is not None and not isinstance(batches, Iterable):
        raise GradientTypeError(
            f"batches must be an iterable of batches, but is {batches!r:.60} of type "
            f"{type(batches).__name__}"
        )
    if batches is None and steps is None:
        raise GradientValueError(
            "minimize was given neither steps nor batches; say steps=... for a run over arrays"
        )


def init_state(optimizer: optax.GradientTransformation, params: PyTree) -> PyTree:
    """The first state of an optimiser for the leaves that it moves."""
    return optimizer.init(split_moving(params)[0])


def _over_batches(
    loss: Loss,
    params: PyTree,
    optimizer: optax.GradientTransformation,
    state: PyTree,
    batches: Iterable[Any],
    steps: int | None,
    micro_batches: int,
    keep_path: bool,
    donate: bool,
) -> Descent:
    if not donate:  # every later step donates what the one before it made
        params, state = jax.tree.map(jnp.copy, (params, state))
    losses, path = [], []
    for batch in itertools.islice(batches, steps):
        data = batch if isinstance(batch, tuple) else (batch,)
        if keep_path:
            path.append(jax.tree.map(jnp.copy, params))
        params, state, value = _compiled_step(
            loss, optimizer, params, state, data, micro_batches=micro_batches
        )
        losses.append(value)
    if not losses:
        raise GradientValueError(
            f"minimize was given no batch (steps={steps}); an iterator that was used up is empty"
        )
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *path) if path else None
    return Descent(params, jnp.stack(losses), stacked, state)


_compiled_step = jax.jit(
    optimizer_step,
    static_argnames=("loss", "optimizer", "micro_batches"),
    donate_argnames=("params", "state"),
)
_RUN = ("loss", "optimizer", "micro_batches", "steps", "keep_path")
_minimize = jax.jit(run_steps, static_argnames=_RUN)
_minimize_donating = jax.jit(run_steps, static_argnames=_RUN, donate_argnames=("params", "state"))
_DESCEND = ("loss", "steps", "keep_path")
_descend = jax.jit(_descend_program, static_argnames=_DESCEND)
_descend_donating = jax.jit(_descend_program, static_argnames=_DESCEND, donate_argnames=("params",))
