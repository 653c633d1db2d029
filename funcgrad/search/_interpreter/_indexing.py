"""`gather` and the scatters: which entry of the operand each entry of the other array means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ._rule import Array, NotHereError, Params, Rule, shaped


class _Window(NamedTuple):
    """How indices and windows lie, of a gather and of a scatter alike.

    Attributes:
        axes: of the result of a gather, or of the updates: those inside a window.
        dropped: axes of the operand that no window has.
        indexed: the axis of the operand that each index component is for.
        shared, own: batch axes of the operand, and those of the indices that run with them.
        sizes: of a window along each axis of the operand.
    """

    axes: Sequence[int]
    dropped: Sequence[int]
    indexed: Sequence[int]
    shared: Sequence[int]
    own: Sequence[int]
    sizes: Sequence[int]


def _places(
    window: _Window, indices: Array, shape: Sequence[int], result: Sequence[int], mode: str
) -> tuple[list[Array], Array]:
    """For each entry of the result, its index along each axis of the operand, and whether it
    is inside."""
    rank = len(result)
    batch_axes = [i for i in range(rank) if i not in window.axes]
    inside = np.ones((1,) * rank, bool)
    found: list[Array] = [np.zeros((1,) * rank, np.int64) for _ in shape]
    for component, axis in enumerate(window.indexed):
        first = np.asarray(indices)[..., component].astype(np.int64)
        last = shape[axis] - window.sizes[axis]
        if mode in ("CLIP", "PROMISE_IN_BOUNDS"):
            first = np.clip(first, 0, last)
        spread = _along(first, batch_axes, rank)
        inside = inside & (spread >= 0) & (spread <= last)
        found[axis] = found[axis] + spread
    for axis, own in zip(window.shared, window.own, strict=True):
        found[axis] = found[axis] + _along(np.arange(shape[axis]), [batch_axes[own]], rank)
    kept = [i for i in range(len(shape)) if i not in {*window.dropped, *window.shared}]
    for axis, place in zip(kept, window.axes, strict=True):
        found[axis] = found[axis] + _along(np.arange(result[place]), [place], rank)
    return [np.broadcast_to(f, result) for f in found], np.broadcast_to(inside, result)


def _along(values: Array, axes: Sequence[int], rank: int) -> Array:
    shape = [1] * rank
    for axis, size in zip(axes, np.shape(values), strict=True):
        shape[axis] = size
    return np.reshape(values, shape)


def _mode(params: Params) -> str:
    mode = getattr(params["mode"], "name", str(params["mode"]))
    if mode not in ("CLIP", "PROMISE_IN_BOUNDS", "FILL_OR_DROP"):
        raise NotHereError
    return mode


def _gather(params: Params, x: Array, indices: Array) -> Array:
    d, mode = params["dimension_numbers"], _mode(params)
    sizes = params["slice_sizes"]
    window = _Window(
        d.offset_dims, d.collapsed_slice_dims, d.start_index_map, d.operand_batching_dims,
        d.start_indices_batching_dims, sizes,
    )  # fmt: skip
    dropped = {*d.collapsed_slice_dims, *d.operand_batching_dims}
    inner = iter(s for i, s in enumerate(sizes) if i not in dropped)
    outer = iter(np.shape(indices)[:-1])
    rank = len(d.offset_dims) + np.ndim(indices) - 1
    result = [next(inner) if i in d.offset_dims else next(outer) for i in range(rank)]
    places, inside = _places(window, indices, np.shape(x), result, mode)
    if inside.all():
        return np.asarray(x)[tuple(places)]
    safe = tuple(np.where(inside, p, 0) for p in places)
    return np.where(inside, np.asarray(x)[safe], _fill(params, np.asarray(x).dtype))


def _fill(params: Params, dtype: Any) -> Any:
    if params["fill_value"] is not None:
        return params["fill_value"]
    if dtype.kind in "fc":
        return np.nan
    if dtype.kind == "b":
        return True
    return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max


def _scattered(join: Callable[..., Any] | None) -> Rule:
    def run(params: Params, x: Array, indices: Array, updates: Array) -> Array:
        d, shape = params["dimension_numbers"], np.shape(x)
        dropped = {*d.inserted_window_dims, *d.operand_batching_dims}
        inner = iter(np.shape(updates)[i] for i in d.update_window_dims)
        sizes = [1 if i in dropped else next(inner) for i in range(len(shape))]
        window = _Window(
            d.update_window_dims, d.inserted_window_dims, d.scatter_dims_to_operand_dims,
            d.operand_batching_dims, d.scatter_indices_batching_dims, sizes,
        )  # fmt: skip
        places, inside = _places(window, indices, shape, np.shape(updates), _mode(params))
        found = np.array(x)
        chosen = tuple(p[inside] for p in places)
        values = np.asarray(updates, found.dtype)[inside]
        if join is None:
            found[chosen] = values
        else:
            join.at(found, chosen, values)  # type: ignore[attr-defined] # a ufunc
        return found

    return shaped(run)


RULES: Mapping[str, Rule] = {
    "gather": shaped(_gather),
    "scatter": _scattered(None),
    "scatter-add": _scattered(np.add),
    "scatter-sub": _scattered(np.subtract),
    "scatter-mul": _scattered(np.multiply),
    "scatter-min": _scattered(np.minimum),
    "scatter-max": _scattered(np.maximum),
}
