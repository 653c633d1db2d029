"""What the steps of a piece see: all examples, some of them by number, or batches made ready."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from funcgrad.parallel import put, shard_batch
from funcgrad.train.task import Rows, Task, batch_rows

Arrays = tuple[jax.Array, ...]

LONGEST_PIECE = 1000  # steps; from here on a call costs next to nothing beside its steps
_MOST_VALUES = 2**22  # numbers that are moved to the device for a piece: 16 MiB


class Whole(NamedTuple):
    """All examples, at every step."""

    data: Arrays

    def at(self, place: jax.Array) -> Arrays:
        """The arguments of the loss, after the parameters, at one step of the piece."""
        del place
        return self.data


class Chosen(NamedTuple):
    """All examples, and the numbers of those that each step sees."""

    data: Arrays
    rows: Any

    def at(self, place: jax.Array) -> Arrays:
        """As in `Whole`."""
        return tuple(array[self.rows[place]] for array in self.data)


class Batches(NamedTuple):
    """The batch of every step, split over the devices; no device holds more than its part."""

    batches: Arrays

    def at(self, place: jax.Array) -> Arrays:
        """As in `Whole`."""
        return tuple(array[place] for array in self.batches)


Feed = Whole | Chosen | Batches
Feeder = Callable[[int, int], Feed]


def make_feeder(task: Task, longest: int, mesh: Mesh | None) -> Feeder:
    """Return the function of a step's number and a count that says what so many steps see.

    Its results have the same shapes whatever the count, room for `longest` steps.
    """
    arrays = task.data.x, task.data.y
    if task.batch_size is None:
        whole = Whole(arrays if mesh is None else shard_batch(arrays, mesh))
        return lambda *_: whole
    if mesh is None:
        return lambda start, count: Chosen(arrays, _padded_rows(task, start, count, longest))
    host = tuple(map(_on_host, arrays))
    return lambda start, count: _batches(host, _padded_rows(task, start, count, longest), mesh)


def longest_piece(steps: int, values: int | None) -> int:
    """How many steps a piece has at most: a tenth of the run, for the sake of the progress shown.

    Args:
        steps: of the run.
        values: numbers that are moved to the device for each step; None where there are none.

    >>> longest_piece(1848, None), longest_piece(10**6, None), longest_piece(10**6, 2**20)
    (185, 1000, 4)
    """
    by_memory = LONGEST_PIECE if values is None else _MOST_VALUES // values
    return max(1, min(LONGEST_PIECE, by_memory, -(-steps // 10)))


def values_per_step(task: Task, mesh: Mesh | None) -> int | None:
    """How many numbers each step of a task needs moved to the device: indices or whole examples."""
    if task.batch_size is None or mesh is None:
        return task.batch_size
    x, y = task.data.x, task.data.y
    return task.batch_size * (math.prod(x.shape[1:]) + math.prod(y.shape[1:]))


def _on_host(array: Any) -> Any:
    return array if isinstance(array, jax.ShapeDtypeStruct) else np.asarray(array)


def _padded_rows(task: Task, start: int, count: int, longest: int) -> Rows:
    rows = batch_rows(task, start, count)
    assert rows is not None
    return np.pad(rows, ((0, longest - count), (0, 0)))


def _batches(host: tuple[Any, ...], rows: Rows, mesh: Mesh) -> Batches:
    sharding = NamedSharding(mesh, PartitionSpec(None, "data"))
    return Batches(tuple(map(partial(_spread, rows, sharding), host)))


def _spread(rows: Rows, sharding: NamedSharding, array: Any) -> jax.Array:
    shape = (*rows.shape, *array.shape[1:])
    if isinstance(array, jax.ShapeDtypeStruct):
        return put(array.update(shape=shape), sharding)
    if sharding.is_fully_addressable:
        return put(array[rows], sharding)

    def part(index: Any) -> Any:  # the steps and the examples of a device
        return array[rows[index[:2]]]

    return jax.make_array_from_callback(shape, sharding, part)
