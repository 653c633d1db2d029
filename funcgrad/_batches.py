"""A run over an iterable of batches: one compiled step for each, dispatched ahead of the device.

JAX returns from a compiled call before the device has worked it off. So the next batch is drawn
and handed over while the device is busy, by the thread that called: nothing has to be stopped when
the iterator raises or Ctrl-C comes, and the iterator sees the caller's mesh, devices and
configuration. Only the number of steps in flight needs a bound, for each holds its batch.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from . import _jaxcompat as compat
from ._errors import GradientValueError
from ._steps import Loss, optimizer_step
from ._trees import PyTree

_BASE = 32  # rows that are joined at once


class Streaming(NamedTuple):
    """How a run over batches goes.

    Attributes:
        steps: the most that are taken; None for as many as there are batches.
        micro_batches: into how many parts every batch is split.
        every: of how many steps one is recorded; 0 for none.
        keep_path: whether the parameters are recorded, too.
        ahead: how many steps may wait for the device.
    """

    steps: int | None
    micro_batches: int
    every: int
    keep_path: bool
    ahead: int


def over_batches(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    params: PyTree,
    state: PyTree,
    batches: Iterable[Any],
    how: Streaming,
) -> tuple[PyTree, PyTree, PyTree]:
    """The last parameters, the state, and (losses, path) as recorded; gives away what it is given.

    The iterator is read once for each step and no further, and left where it is.

    Raises:
        GradientValueError: there is no batch.
    """
    kept, running, taken = _Rows(), deque[Any](), 0
    for batch in itertools.islice(batches, how.steps):
        wanted = how.every > 0 and taken % how.every == 0
        before = jax.tree.map(jnp.copy, params) if wanted and how.keep_path else None
        data = jax.tree.map(_own, batch if isinstance(batch, tuple) else (batch,))
        params, state, value = _compiled_step(
            loss, optimizer, params, state, data, micro_batches=how.micro_batches
        )
        taken += 1
        if wanted:
            kept.add((value, before))
        running.append(value)
        if len(running) > how.ahead:
            _wait(running.popleft())
    if not taken:
        raise GradientValueError(
            f"minimize was given no batch (steps={how.steps}); an iterator that was used up is "
            "empty"
        )
    if how.every:
        return params, state, kept.joined()
    kept.add((value, params if how.keep_path else None))  # of which no row is kept, only the types
    return params, state, jax.tree.map(lambda rows: rows[:0], kept.joined())


def _own(leaf: Any) -> Any:
    """A copy of a NumPy array, whose memory JAX would read, perhaps after the loader reused it."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _wait(value: Any) -> None:
    if not compat.is_tracer(value):
        value.block_until_ready()


_compiled_step = jax.jit(
    optimizer_step,
    static_argnames=("loss", "optimizer", "micro_batches"),
    donate_argnames=("params", "state"),
)


# --- what is recorded -----------------------------------------------------------------------------


class _Rows:
    """Trees of one structure, joined along a new first axis as they come.

    A million losses as arrays of their own would fill the memory, and to join them at the end would
    compile a program of a million operands. So whenever there are 32 of a size they become one.
    """

    def __init__(self) -> None:
        self.sizes: list[list[PyTree]] = [[]]  # single rows, blocks of 32 rows, of 32**2 rows, ...

    def add(self, row: PyTree) -> None:
        """Append a row."""
        self.sizes[0].append(row)
        for number, alike in enumerate(self.sizes):
            if len(alike) < _BASE:
                return
            block = _stacked(*alike) if number == 0 else _concatenated(*alike)
            alike.clear()
            if number + 1 == len(self.sizes):
                self.sizes.append([])
            self.sizes[number + 1].append(block)

    def joined(self) -> PyTree:
        """All rows, of which there is at least one."""
        single, *blocks = self.sizes
        parts = [block for alike in reversed(blocks) for block in alike]
        parts += [_stacked(*single)] if single else []
        return parts[0] if len(parts) == 1 else _concatenated(*parts)


@jax.jit
def _stacked(*rows: PyTree) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


@jax.jit
def _concatenated(*blocks: PyTree) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *blocks)
