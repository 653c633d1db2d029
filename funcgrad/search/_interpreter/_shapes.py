"""Operations that move entries and change none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._rule import Array, NotHereError, Params, Rule, plain, shaped


def _broadcast(params: Params, x: Array, *sizes: Array) -> Array:
    if sizes:
        raise NotHereError
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], np.shape(x), strict=True):
        shape[axis] = size
    return np.broadcast_to(np.reshape(x, shape), params["shape"])


def _reshape(params: Params, x: Array, *sizes: Array) -> Array:
    if sizes:
        raise NotHereError
    order = params.get("dimensions")
    return np.reshape(x if order is None else np.transpose(x, order), params["new_sizes"])


def _slice(params: Params, x: Array) -> Array:
    bounds = params["start_indices"], params["limit_indices"]
    strides = params["strides"] or (1,) * np.ndim(x)
    return x[tuple(slice(*part) for part in zip(*bounds, strides, strict=True))]


def padded(x: Array, value: Array, padding: Sequence[tuple[int, int, int]]) -> Array:
    """Entries go to `low + (1 + interior) * i`; where that is outside, they are left out."""
    shape, sources, targets = [], [], []
    for size, (low, high, interior) in zip(np.shape(x), padding, strict=True):
        length = low + high + size + max(size - 1, 0) * interior
        places = low + (1 + interior) * np.arange(size)
        kept = np.flatnonzero((places >= 0) & (places < length))
        shape.append(length)
        sources.append(kept)
        targets.append(places[kept])
    found = np.full(shape, value, np.asarray(x).dtype)
    found[np.ix_(*targets)] = np.asarray(x)[np.ix_(*sources)]
    return found


def _iota(params: Params, *sizes: Array) -> Array:
    if sizes:
        raise NotHereError
    shape, axis = params["shape"], params["dimension"]
    numbers = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return np.broadcast_to(numbers, shape)


def starts(indices: Any, shape: Any, sizes: Any) -> tuple[slice, ...]:
    """Where a window of the given sizes lies, moved inside the array as XLA does."""
    found = []
    for index, length, size in zip(indices, shape, sizes, strict=True):
        first = min(max(int(index), 0), length - size)
        found.append(slice(first, first + size))
    return tuple(found)


def _dynamic_slice(params: Params, x: Array, *indices: Array) -> Array:
    if len(indices) != np.ndim(x):
        raise NotHereError
    return x[starts(indices, np.shape(x), params["slice_sizes"])]


def _dynamic_update(x: Array, update: Array, *indices: Array) -> Array:
    found = np.array(x)
    found[starts(indices, np.shape(x), np.shape(update))] = update
    return found


def _split(params: Params, x: Array) -> list[Array]:
    return np.split(x, np.cumsum(params["sizes"])[:-1], params["axis"])


def _empty(params: Params) -> Array:
    shape = params.get("shape", ())
    return np.zeros(shape, params["dtype"])


def _tile(params: Params, x: Array) -> Array:
    return np.tile(x, params["reps"])


RULES: Mapping[str, Rule] = {
    "broadcast_in_dim": shaped(_broadcast),
    "reshape": shaped(_reshape),
    "transpose": shaped(lambda params, x: np.transpose(x, params["permutation"])),
    "squeeze": shaped(lambda params, x: np.squeeze(x, tuple(params["dimensions"]))),
    "expand_dims": shaped(lambda params, x: np.expand_dims(x, tuple(params["dimensions"]))),
    "rev": shaped(lambda params, x: np.flip(x, tuple(params["dimensions"]))),
    "slice": shaped(_slice),
    "pad": shaped(lambda params, x, value: padded(x, value, params["padding_config"])),
    "concatenate": shaped(lambda params, *xs: np.concatenate(xs, params["dimension"])),
    "iota": shaped(_iota),
    "dynamic_slice": shaped(_dynamic_slice),
    "dynamic_update_slice": plain(_dynamic_update),
    "split": shaped(_split),
    "tile": shaped(_tile),
    "stack": shaped(lambda params, *xs: np.stack(xs, params["axis"])),
    "empty": shaped(_empty),
    "empty2": shaped(_empty),
}
