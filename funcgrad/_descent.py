"""Whole runs of gradient descent as pure functions over pytrees; a run is one compiled program.

Gradients come from this package's engine. Leaves that carry no gradient (integers, keys) stay as
they are; `partition` and `merge` freeze leaves that could.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from ._batches import Streaming, over_batches
from ._errors import GradientTypeError, GradientValueError
from ._steps import (
    History,
    Loss,
    as_arrays,
    check_count,
    check_learning_rate,
    check_loss,
    check_optimizer,
    check_state,
    gradient_descent,
    optimizer_step,
    recorded_every,
    split_moving,
)
from ._trees import PyTree


class Descent(NamedTuple):
    """What a run of gradient descent returns.

    Attributes:
        params: the parameters after the last step.
        losses: the loss before each step, shape ``(steps,)``; with ``history=k`` that before the
            steps 0, k, 2 k, ..., shape ``(ceil(steps / k),)``, with ``history=None`` ``(0,)``.
        path: with `keep_path`, the parameters before the same steps, each leaf with a leading axis
            of the length of `losses`; else None.
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
    history: History = "all",
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
        history: before which steps loss and path are recorded: "all" of them, every k-th, or none
            (None). What is not recorded takes no memory and no time.
        donate: let the program reuse the memory of `w0`, whose arrays are gone afterwards.

    Returns:
        A `Descent`.

    Raises:
        GradientValueError: a negative number of steps, an impossible learning rate, or a history
            that is none of those named.
        GradientTypeError: the loss is not a real scalar, or no leaf of `w0` is floating.

    >>> run = descend(lambda w: (w - 3.0) ** 2, 0.0, 0.25, 3)
    >>> float(run.params), run.losses.tolist()
    (2.625, [9.0, 2.25, 0.5625])
    >>> descend(lambda w: (w - 3.0) ** 2, 0.0, 0.25, 3, history=2).losses.tolist()
    [9.0, 0.5625]
    """
    check_loss(loss)
    check_count("steps", steps)
    check_learning_rate(learning_rate)
    every = recorded_every(history)
    run = _descend_donating if donate else _descend
    result: Descent = run(
        loss, as_arrays(w0), learning_rate, data,
        steps=int(steps), keep_path=bool(keep_path), every=every,
    )  # fmt: skip
    return result


def _descend_program(
    loss: Loss,
    params: PyTree,
    learning_rate: Any,
    data: Any,
    *,
    steps: int,
    keep_path: bool,
    every: int,
) -> Descent:
    rule = gradient_descent(learning_rate)
    return run_steps(loss, rule, params, optax.EmptyState(), data, 1, steps, keep_path, every)


def run_steps(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    params: PyTree,
    state: PyTree,
    data: tuple[Any, ...],
    micro_batches: int,
    steps: int,
    keep_path: bool,
    every: int = 1,
) -> Descent:
    """A number of steps as one loop on the device; to be called inside a compiled program."""

    def step(carry: _Carry, _: None) -> tuple[_Carry, Any]:
        stepped = optimizer_step(loss, optimizer, *carry, data, micro_batches)
        return (stepped.params, stepped.state), (stepped.loss, carry[0] if keep_path else None)

    walk = _every_step if every == 1 else _thinned
    (params, state), (losses, path) = walk(step, (params, state), steps, every)
    return Descent(params, losses, path, state)


_Carry = tuple[PyTree, PyTree]
_Step = Callable[[_Carry, None], tuple[_Carry, Any]]


def _every_step(step: _Step, carry: _Carry, steps: int, _every: int) -> tuple[_Carry, Any]:
    end: tuple[_Carry, Any] = lax.scan(step, carry, length=steps)
    return end


def _thinned(step: _Step, carry: _Carry, steps: int, every: int) -> tuple[_Carry, Any]:
    """Loops of silent steps, each after a recorded one; how long they are is written in them.

    A loop of a length known only when it runs could not be reversed by JAX.
    """
    once = jax.jit(step, inline=True)  # traced once, however often it is used below

    def silent(carry: _Carry, _: None) -> tuple[_Carry, None]:
        return once(carry, None)[0], None

    def block(carry: _Carry, length: int) -> tuple[_Carry, Any]:
        carry, row = once(carry, None)
        return lax.scan(silent, carry, length=length - 1)[0], row

    whole, rest = divmod(steps, every) if every else (0, 0)
    carry, rows = lax.scan(lambda carry, _: block(carry, every), carry, length=whole)
    if not every:
        carry, _ = lax.scan(silent, carry, length=steps)
    if rest:
        carry, row = block(carry, rest)
        rows = jax.tree.map(lambda rows, row: jnp.concatenate([rows, row[None]]), rows, row)
    return carry, rows


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
    history: History = "all",
    prefetch: int = 4,
    donate: bool = False,
) -> Descent:
    """Minimise a loss with any Optax optimiser, over arrays or over an iterable of batches.

    With arrays (`data` and `steps`) the run is one compiled program. With `batches`, each element
    is a tuple of further arguments of `loss` (or a single one), one step is compiled and called
    for each; batches of another shape compile again. While the device works on a batch, the next
    ones are drawn and handed to it, in the calling thread, one for each step and none beyond; an
    iterator that is slower than the device should have workers of its own.

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
        history: before which steps loss and path are recorded: "all" of them, every k-th, or none
            (None). What is not recorded takes no memory.
        prefetch: how many steps may wait for the device, each with its batch; 0 waits for every
            step before the next batch is drawn.
        donate: let the program reuse the memory of `params` and `state`, which are gone afterwards.

    Returns:
        A `Descent`.

    Raises:
        GradientValueError: neither or both of `data` with `steps` and `batches` were given, a
            count is negative, the history is none of those named, or a batch cannot be split.
        GradientTypeError: the loss is not a real scalar, or no leaf of `params` is floating.

    >>> import optax
    >>> run = minimize(lambda w: (w - 3.0) ** 2, 0.0, optax.sgd(0.25), steps=2)
    >>> float(run.params)
    2.25
    """
    _check_source(data, steps, batches, micro_batches)
    check_count("prefetch", prefetch)
    every = recorded_every(history)
    check_loss(loss)
    check_optimizer(optimizer)
    params = as_arrays(params)
    if state is not None:
        check_state(optimizer, params, state)
    state = init_state(optimizer, params) if state is None else state
    if batches is not None:
        how = Streaming(steps, micro_batches, every, bool(keep_path), prefetch)
        if not donate:  # every later step donates what the one before it made
            params, state = jax.tree.map(jnp.copy, (params, state))
        params, state, rows = over_batches(loss, optimizer, params, state, batches, how)
        return Descent(params, rows[0], rows[1], state)
    run = _minimize_donating if donate else _minimize
    result: Descent = run(
        loss, optimizer, params, state, data,
        micro_batches=micro_batches, steps=steps, keep_path=bool(keep_path), every=every,
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


_RUN = ("loss", "optimizer", "micro_batches", "steps", "keep_path", "every")
_minimize = jax.jit(run_steps, static_argnames=_RUN)
_minimize_donating = jax.jit(run_steps, static_argnames=_RUN, donate_argnames=("params", "state"))
_DESCEND = ("loss", "steps", "keep_path", "every")
_descend = jax.jit(_descend_program, static_argnames=_DESCEND)
_descend_donating = jax.jit(_descend_program, static_argnames=_DESCEND, donate_argnames=("params",))
