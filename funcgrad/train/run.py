"""The training run: one compiled program that takes any number of steps, called piece by piece.

The pieces are what lets a progress bar move, a diverging run stop and Ctrl-C keep what was done.
The number of steps is an argument of the program, so that pieces of every length are one program,
whose loss at every step is bit for bit that of `funcgrad.minimize` over the whole run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh
from numpy.typing import NDArray

from funcgrad._descent import init_state
from funcgrad._steps import gradient_descent, optimizer_step
from funcgrad.models.widenet import WideNetParams
from funcgrad.parallel import gather
from funcgrad.train.feed import Feed, Feeder, longest_piece, make_feeder, values_per_step
from funcgrad.train.layout import place_params, place_rest, shardings
from funcgrad.train.optimizers import find_rule
from funcgrad.train.task import Task

_SHORT, _LONG = 0.1, 0.4  # seconds for a piece, between which its length stays; Ctrl-C waits for it

Stop = Literal["complete", "diverged", "interrupted"]
Advance = Callable[[int, float], None]
Program = Callable[..., "_Carry"]
_NO_LOSSES = np.empty(0, np.float32)


class Trained(NamedTuple):
    """What a run returns, however it ended.

    Attributes:
        params: the parameters after the last step.
        before: the last parameters whose loss is known and finite: those before the last step.
        losses: the loss before each step that was taken, float32; where the run diverged, the last
            of them is not finite.
        stop: how the run ended.
        compile_seconds: for tracing, lowering and compiling.
        train_seconds: for the steps.
    """

    params: WideNetParams
    before: WideNetParams
    losses: NDArray[np.float32]
    stop: Stop
    compile_seconds: float
    train_seconds: float

    @property
    def last_step(self) -> int:
        """The number, from 0, of the step that `before` was the point of."""
        known = int(np.isfinite(self.losses).sum())  # all but the last of a diverged run
        return max(0, known - 1)


class _Carry(NamedTuple):
    """What the compiled loop carries from step to step; `losses` has room for the longest piece."""

    taken: jax.Array
    params: WideNetParams
    state: Any
    before: WideNetParams
    losses: jax.Array
    finite: jax.Array


class Compiled(NamedTuple):
    """A compiled program, its first arguments, and the seconds for tracing and compiling it.

    Attributes:
        feed: says what the steps of a piece see.
        mesh: the devices; None for one.
    """

    program: Program
    first: _Carry
    feed: Feeder
    mesh: Mesh | None
    seconds: float


class _Piece(NamedTuple):
    """Where the run stands after a piece: all steps and seconds so far, and the piece's losses."""

    done: int
    carry: _Carry
    losses: NDArray[np.float32]
    seconds: float


def make_optimizer(name: str, learning_rate: float) -> optax.GradientTransformation:
    """Return the optimiser of a name: ours where we have one, else the one of Optax.

    Raises:
        ConfigurationError: the name is unknown.
        GradientValueError: the learning rate is negative or not finite.

    >>> rule = make_optimizer("momentum", 0.5)
    >>> updates, _ = rule.update({"w": jnp.array(4.0)}, rule.init({"w": jnp.array(1.0)}))
    >>> float(updates["w"])
    -2.0
    """
    rule = find_rule(name)
    if rule.own:
        return gradient_descent(learning_rate)
    return getattr(optax, rule.factory)(learning_rate, **rule.settings)


def compile_run(
    task: Task, optimizer: optax.GradientTransformation, steps: int, mesh: Mesh | None = None
) -> Compiled:
    """Compile the program of a run of so many steps, those of the warm start included.

    With a mesh, the examples of a step are split over its axis `data`, and the hidden units over
    `model` if it has one. The result is an argument of `train`, where there is an example.
    """
    longest = longest_piece(steps, values_per_step(task, mesh))
    first, feed = _first(task, optimizer, longest, mesh), make_feeder(task, longest, mesh)
    begin = time.perf_counter()
    # The program is called with its own results, so these have to lie where its arguments do.
    jitted = jax.jit(_program(task.loss, optimizer), out_shardings=shardings(first, mesh))
    compiled = jitted.lower(first, feed(0, 0), np.int32(0)).compile()
    return Compiled(compiled, first, feed, mesh, time.perf_counter() - begin)


def _first(
    task: Task, optimizer: optax.GradientTransformation, longest: int, mesh: Mesh | None
) -> _Carry:
    params = place_params(task.params, mesh)
    carry = _Carry(
        jnp.int32(0),
        params,
        init_state(optimizer, params),
        params,
        jnp.zeros(longest, jnp.float32),
        jnp.bool(True),
    )
    placed: _Carry = place_rest(carry, mesh)
    return placed


def train(compiled: Compiled, steps: int, advance: Advance) -> Trained:
    """Train for a number of steps, or until the loss is no longer finite, or until Ctrl-C.

    Args:
        compiled: the program for a task and this number of steps.
        steps: how many steps, those of the warm start included.
        advance: told how many steps are done and the latest loss, after every piece.

    >>> from funcgrad.models import init_widenet, noisy_sine, widenet_loss
    >>> task = Task(noisy_sine(), init_widenet(2021, 4), widenet_loss, batch_size=None, seed=0)
    >>> compiled = compile_run(task, make_optimizer("adam", 0.01), steps=5)
    >>> trained = train(compiled, 5, lambda done, loss: None)
    >>> trained.stop, trained.losses.shape, bool(trained.losses[-1] < trained.losses[0])
    ('complete', (5,), True)
    """
    last, losses = _Piece(0, compiled.first, _NO_LOSSES, 0.0), [_NO_LOSSES]
    stop: Stop = "complete"
    try:
        for piece in _walk(compiled, steps):
            losses.append(piece.losses)
            last = piece
            advance(piece.done, float(piece.losses[-1]))
    except KeyboardInterrupt:
        stop = "interrupted"
    return Trained(
        _on_one_device(last.carry.params, compiled.mesh),
        _on_one_device(last.carry.before, compiled.mesh),
        np.concatenate(losses)[: last.done],  # Ctrl-C may come between two statements
        stop if bool(last.carry.finite) else "diverged",
        compiled.seconds,
        last.seconds,
    )


def _walk(compiled: Compiled, steps: int) -> Iterator[_Piece]:
    program, carry, feed = compiled.program, compiled.first, compiled.feed
    longest = len(carry.losses)
    done, length, total = 0, min(8, longest), 0.0
    while done < steps and bool(carry.finite):
        count = min(length, steps - done)
        seen = feed(done, count)
        begin = time.perf_counter()
        carry = jax.block_until_ready(program(carry, seen, np.int32(count)))
        seconds = time.perf_counter() - begin
        done, total = done + int(carry.taken), total + seconds
        yield _Piece(done, carry, np.asarray(carry.losses)[: int(carry.taken)], total)
        if seconds < _SHORT:
            length = min(2 * length, longest)
        elif seconds > _LONG:
            length = max(1, length // 2)


def _on_one_device(params: WideNetParams, mesh: Mesh | None) -> WideNetParams:
    if mesh is None:
        return params
    gathered: WideNetParams = jax.tree.map(jnp.asarray, gather(params))
    return gathered


def _program(loss: Callable[..., jax.Array], optimizer: optax.GradientTransformation) -> Program:
    """The function that is compiled: `count` steps, or up to the first loss that is not finite."""

    def piece(carry: _Carry, feed: Feed, count: jax.Array) -> _Carry:
        def unfinished(carry: _Carry) -> jax.Array:
            return (carry.taken < count) & carry.finite

        def step(carry: _Carry) -> _Carry:
            seen = feed.at(carry.taken)
            stepped = optimizer_step(loss, optimizer, carry.params, carry.state, seen)
            finite = jnp.isfinite(stepped.loss)
            return _Carry(
                carry.taken + 1,
                stepped.params,
                stepped.state,
                jax.tree.map(partial(jnp.where, finite), carry.params, carry.before),
                carry.losses.at[carry.taken].set(stepped.loss.astype(jnp.float32)),
                finite,
            )

        return lax.while_loop(unfinished, step, carry._replace(taken=jnp.int32(0)))

    return piece
