"""The training run: a compiled program that takes any number of steps, called piece by piece.

The pieces are what lets a progress bar move, a checkpoint be written, a diverging run stop, and a
signal end the run with all that was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from numpy.typing import NDArray

from funcgrad._errors import CheckpointError
from funcgrad.models.widenet import WideNetParams
from funcgrad.parallel import gather, largest_over_processes
from funcgrad.train.program import Carry, Compiled

_SHORT, _LONG = 0.1, 0.4  # seconds for a piece, between which its length stays; Ctrl-C waits for it

Stop = Literal["complete", "diverged", "interrupted"]
Advance = Callable[[int, float], None]
Pressed = Callable[[], int | None]


class Trained(NamedTuple):
    """What a run returns, however it ended.

    Attributes:
        params: the parameters after the last step; of a diverged run, the point where the loss or
            the gradient is not finite.
        before: the last parameters whose loss and gradient are known and finite.
        losses: the loss before each step, float32, those before a resumption included.
        stop: how the run ended.
        compile_seconds: for tracing, lowering and compiling.
        train_seconds: for the steps, those before a resumption included.
        last_step: the number, from 0, of the step that `before` was the point of.
        skipped: steps without effect, because their loss or gradient was not finite.
        restored: the checkpoints, by their steps, that the run went back to.
        signal: the signal that interrupted the run.
        failure: why a checkpoint could not be written, which ends a run.
    """

    params: WideNetParams
    before: WideNetParams
    losses: NDArray[np.float32]
    stop: Stop
    compile_seconds: float
    train_seconds: float
    last_step: int = 0
    skipped: int = 0
    restored: tuple[int, ...] = ()
    signal: int | None = None
    failure: CheckpointError | None = None


class Position(NamedTuple):
    """Where a run stands between two pieces.

    Attributes:
        done: the steps so far.
        carry: parameters and the optimiser's state.
        seconds: the time for them.
        last_step: see `Trained`.
    """

    done: int
    carry: Carry
    seconds: float
    last_step: int = 0


class Record(NamedTuple):
    """All that a run goes on from: where it stands, and the loss before each step so far."""

    position: Position
    losses: NDArray[np.float32]


class Keeper(Protocol):
    """Writes checkpoints, and brings them back."""

    @property
    def every(self) -> int:
        """How many steps lie between two checkpoints."""

    def save(self, record: Record) -> None:
        """Write a checkpoint; may go on in the background."""

    def wait(self) -> None:
        """Wait until what is being written is there."""

    def restore(self, position: Position) -> tuple[int, Position] | None:
        """The run with the parameters of an earlier checkpoint, and its step; None without one."""


def beginning(compiled: Compiled) -> Record:
    """A run before its first step."""
    return Record(Position(0, compiled.first, 0.0), np.empty(0, np.float32))


def train(
    compiled: Compiled,
    steps: int,
    advance: Advance,
    *,
    start: Record | None = None,
    keeper: Keeper | None = None,
    restore: bool = False,
    pressed: Pressed = lambda: None,
) -> Trained:
    """Train for a number of steps, or until a number is not finite, or until a signal.

    A checkpoint that cannot be written ends the run, too; the result says so.

    Args:
        compiled: the program for a task and this number of steps.
        steps: how many steps, those of the warm start included.
        advance: told how many steps are done and the latest loss, after every piece.
        start: where to go on from; by default the beginning.
        keeper: writes a checkpoint every so many steps, and at the end unless the run diverged.
        restore: where a number is not finite, go on from the keeper's last healthy checkpoint.
        pressed: the signal that asks for the end, or None; asked after every piece.

    >>> from funcgrad.models import init_widenet, noisy_sine, widenet_loss
    >>> from funcgrad.train.program import compile_run, make_optimizer
    >>> from funcgrad.train.task import Task
    >>> task = Task(noisy_sine(), init_widenet(2021, 4), widenet_loss, batch_size=None, seed=0)
    >>> compiled = compile_run(task, make_optimizer("adam", 0.01), steps=5)
    >>> trained = train(compiled, 5, lambda done, loss: None)
    >>> trained.stop, trained.losses.shape, bool(trained.losses[-1] < trained.losses[0])
    ('complete', (5,), True)
    """
    at, losses = beginning(compiled) if start is None else start
    record, restored = [losses], []
    signal: int | None = None
    failure: CheckpointError | None = None
    try:
        while signal is None and _goes_on(at, steps):
            for piece in _walk(compiled, at, steps, keeper.every if keeper else steps, pressed):
                at, signal = piece.position, piece.signal
                record.append(piece.losses)
                advance(at.done, float(piece.losses[-1]))
                if keeper and _is_due(piece, steps, keeper.every):
                    record = [np.concatenate(record)]
                    keeper.save(Record(at, record[0]))
            back = keeper.restore(at) if keeper and restore and not _is_healthy(at) else None
            if back is not None:
                restored.append(back[0])
                at = back[1]
        if keeper:
            keeper.wait()
    except CheckpointError as error:
        failure = error
    trained = _trained(compiled, Record(at, np.concatenate(record)), signal)
    return trained._replace(restored=tuple(restored), failure=failure)


class _Piece(NamedTuple):
    """Where the run stands after a piece, the losses of its steps, and the signal to end."""

    position: Position
    losses: NDArray[np.float32]
    signal: int | None


def _goes_on(at: Position, steps: int) -> bool:
    return at.done < steps and _is_healthy(at)


def _is_healthy(at: Position) -> bool:
    return bool(at.carry.healthy)


def _is_due(piece: _Piece, steps: int, every: int) -> bool:
    done = piece.position.done
    due = done % every == 0 or done == steps or piece.signal is not None
    return due and _is_healthy(piece.position)


def _walk(
    compiled: Compiled, at: Position, steps: int, every: int, pressed: Pressed
) -> Iterator[_Piece]:
    """The pieces of a run, none of them across a checkpoint."""
    longest = len(at.carry.losses)
    length = min(8, longest)
    signal: int | None = None
    while signal is None and _goes_on(at, steps):
        count = min(length, steps - at.done, every - at.done % every)
        at, losses, seconds = _take(compiled, at, count)
        # All processes stop at the same step, and take pieces of the same lengths.
        number, milliseconds = largest_over_processes(pressed() or 0, int(1000 * seconds))
        signal = number or None
        yield _Piece(at, losses, signal)
        if milliseconds < 1000 * _SHORT:
            length = min(2 * length, longest)
        elif milliseconds > 1000 * _LONG:
            length = max(1, length // 2)


def _take(
    compiled: Compiled, at: Position, count: int
) -> tuple[Position, NDArray[np.float32], float]:
    seen = compiled.feed(at.done, count)
    begin = time.perf_counter()
    carry = jax.block_until_ready(compiled.program(at.carry, seen, np.int32(count)))
    seconds = time.perf_counter() - begin
    taken, in_row = int(carry.taken), int(carry.in_row)
    if not bool(carry.healthy):  # the point where it is not, which the program has left behind
        there = compiled.program(at.carry, seen, np.int32(taken - 1))
        carry = carry._replace(params=there.params, state=there.state)
    done = at.done + taken
    # The last step that had an effect, if one of this piece had.
    last = done - 1 - in_row if in_row < taken else at.last_step
    position = Position(done, carry, at.seconds + seconds, last)
    return position, np.asarray(carry.losses)[:taken], seconds


def _trained(compiled: Compiled, record: Record, signal: int | None) -> Trained:
    at, losses = record
    stop: Stop = "diverged" if not _is_healthy(at) else "interrupted" if signal else "complete"
    return Trained(
        params=_on_one_device(at.carry.params, compiled.mesh),
        before=_on_one_device(at.carry.before, compiled.mesh),
        losses=losses,
        stop=stop,
        compile_seconds=compiled.seconds,
        train_seconds=at.seconds,
        last_step=at.last_step,
        skipped=int(at.carry.skipped),
        signal=signal,
    )


def _on_one_device(params: WideNetParams, mesh: Mesh | None) -> Any:
    return params if mesh is None else jax.tree.map(jnp.asarray, gather(params))
