"""Primitives that move, repeat, cut and join entries: linear, with their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import joint, linear
from ._cases import several, shaped

Axes = tuple[int, ...]

# --- layout ---------------------------------------------------------------------------------------


def _broadcast_transpose(ct: Any, _y: Any, _x: Any, *, broadcast_dimensions: Axes) -> Any:
    """Sum over the axes that were added, and over those that were stretched from length 1."""
    sizes = dict(zip(broadcast_dimensions, _x.shape, strict=True))
    grown = [i for i, size in enumerate(ct.shape) if size != 1 and sizes.get(i, 1) == 1]
    summed = compat.sum_over(ct, grown) if grown else ct
    return summed if summed.shape == _x.shape else lax.reshape(summed, _x.shape)


linear(
    p.broadcast_in_dim_p, _broadcast_transpose, ignores=["shape", "sharding"],
    cases=[
        shaped(lambda x: jnp.broadcast_to(x, (2, 3)), (), (3,), (2, 1), (1, 3), (2, 3)),
        shaped(lambda x: jnp.broadcast_to(x, (0, 3)), (3,), (1, 3), note="constant"),
        shaped(lambda x: lax.broadcast_in_dim(x, (2, 4, 3), (0, 2)), (2, 3), (1, 3), (2, 1)),
    ],
)  # fmt: skip


def _reshape_transpose(ct: Any, _y: Any, _x: Any, *, dimensions: Axes | None) -> Any:
    if dimensions is None:
        return lax.reshape(ct, _x.shape)
    moved = lax.reshape(ct, tuple(_x.shape[axis] for axis in dimensions))
    return lax.transpose(moved, tuple(int(i) for i in np.argsort(dimensions)))


linear(
    p.reshape_p, _reshape_transpose, ignores=["new_sizes", "sharding"],
    cases=[
        shaped(lambda x: x.reshape(-1), (), (2, 3), (0, 2)),
        shaped(lambda x: x.reshape(3, 2), (6,), (2, 3)),
        shaped(lambda x: lax.reshape(x, (6,), dimensions=(1, 0)), (2, 3)),
    ],
)  # fmt: skip
linear(
    p.transpose_p,
    lambda ct, _y, _x, *, permutation: lax.transpose(
        ct, tuple(int(i) for i in np.argsort(permutation))
    ),
    cases=[shaped(jnp.transpose, (3,), (2, 3), (0, 2)),
           shaped(lambda x: lax.transpose(x, (2, 0, 1)), (2, 3, 4))],
)  # fmt: skip
linear(
    p.rev_p, lambda ct, _y, _x, *, dimensions: lax.rev(ct, dimensions),
    cases=[shaped(lambda x: x[::-1], (3,), (2, 3), (0,)),
           shaped(lambda x: lax.rev(x, (0, 1)), (2, 3))],
)  # fmt: skip
linear(
    p.squeeze_p, lambda ct, _y, _x: lax.reshape(ct, _x.shape), ignores=["dimensions"],
    cases=[shaped(jnp.squeeze, (1,), (1, 3), (2, 1, 3, 1))],
)  # fmt: skip

# --- repetition -----------------------------------------------------------------------------------


def _tile_transpose(ct: Any, _y: Any, _x: Any, *, reps: Axes) -> Any:
    split = [part for pair in zip(reps, _x.shape, strict=True) for part in pair]
    axes = tuple(range(0, 2 * len(reps), 2))
    return compat.sum_over(lax.reshape(ct, split), axes)


linear(
    p.tile_p, _tile_transpose,
    cases=[shaped(lambda x: jnp.tile(x, (2, 3)), (3,), (2, 3), (0, 2))],
)  # fmt: skip

# --- cutting --------------------------------------------------------------------------------------


def _slice_transpose(
    ct: Any, _y: Any, _x: Any, *, start_indices: Axes, limit_indices: Axes, strides: Axes | None
) -> Any:
    """Put the cut entries back between zeros."""
    steps = strides or (1,) * len(start_indices)
    ends = [
        start if size == 0 else start + 1 + (size - 1) * step
        for start, size, step in zip(start_indices, ct.shape, steps, strict=True)
    ]
    config = [
        (start, size - end, step - 1)
        for start, end, size, step in zip(start_indices, ends, _x.shape, steps, strict=True)
    ]
    del limit_indices  # where the stride does not divide the length, it lies beyond the last entry
    return lax.pad(ct, compat.scalar(0, ct.dtype), config)


linear(
    p.slice_p, _slice_transpose,
    cases=[
        shaped(lambda x: x[1:3], (4,), (3, 2)),
        shaped(lambda x: x[1:1], (4,), note="constant"),
        shaped(lambda x: x[::2], (4,), (5, 2), (1,)),
        shaped(lambda x: lax.slice(x, (1, 0), (7, 3), (3, 2)), (8, 3), (7, 4)),
    ],
)  # fmt: skip


def _pad_operand(ct: Any, _y: Any, _x: Any, _value: Any, *, padding_config: Any) -> Any:
    """Cut the padding off again; what negative padding had cut off gets zeros."""
    outer = [(-low, -high, 0) for low, high, _ in padding_config]
    cut = lax.pad(ct, compat.scalar(0, ct.dtype), outer)
    strides = [inner + 1 for _, _, inner in padding_config]
    return lax.slice(cut, (0,) * ct.ndim, cut.shape, strides)


def _pad_value(ct: Any, _y: Any, _x: Any, _value: Any, *, padding_config: Any) -> Any:
    """The sum over the padding. (The whole sum less the operand's share would cancel.)"""
    padding = lax.pad(lax.full(_x.shape, False), lax.full((), True), padding_config)
    return jnp.sum(lax.select(padding, ct, compat.filled(0, ct)))


linear(
    p.pad_p, _pad_operand, _pad_value,
    cases=[
        several(lambda x, v: lax.pad(x, v, [(1, 2, 0)]), (3,), ()),
        several(lambda x, v: lax.pad(x, v, [(1, 0, 2), (0, 1, 1)]), (2, 3), ()),
        several(lambda x, v: lax.pad(x, v, [(-1, 1, 0), (2, -1, 0)]), (3, 3), ()),
        several(lambda x, v: lax.pad(x, v, [(1, -1, 1)]), (4,), ()),
        several(lambda x, v: lax.pad(x, v, [(1, 1, 0)]), (0,), ()),
    ],
)  # fmt: skip

# --- joining --------------------------------------------------------------------------------------


def _concatenate_transpose(ct: Any, _y: Any, *_operands: Any, dimension: int) -> list[Any]:
    sizes = [operand.shape[dimension] for operand in _operands]
    return _pieces(ct, sizes, dimension)


def _pieces(value: Any, sizes: Sequence[int], axis: int) -> list[Any]:
    ends = np.cumsum(sizes).tolist()
    return [
        lax.slice_in_dim(value, end - size, end, axis=axis)
        for size, end in zip(sizes, ends, strict=True)
    ]


joint(
    p.concatenate_p, _concatenate_transpose,
    cases=[
        several(lambda a, b: jnp.concatenate([a, b]), (2,), (3,)),
        several(lambda a, b, c: jnp.concatenate([a, b, c], 1), (2, 1), (2, 3), (2, 0)),
    ],
)  # fmt: skip
linear(
    p.split_p, lambda cts, _y, _x, *, axis: lax.concatenate(list(cts), axis), ignores=["sizes"],
    cases=[shaped(lambda x: jnp.split(x, 3)[1], (3,), (6, 2)),
           shaped(lambda x: jnp.split(x, [1, 3], axis=-1)[0::2], (2, 4))],
)  # fmt: skip
joint(
    p.stack_p, lambda ct, _y, *_operands, axis: lax.unstack(ct, axis),
    cases=[
        several(lambda a, b: jnp.stack([a, b]), (), ()),
        several(lambda a, b, c: jnp.stack([a, b, c], -1), (2, 3), (2, 3), (2, 3)),
        several(lambda a, b: jnp.stack([a, b], 1), (2, 0), (2, 0), note="constant"),
    ],
)  # fmt: skip
linear(
    p.unstack_p, lambda cts, _y, _x, *, axis: lax.stack(list(cts), axis),
    cases=[shaped(lambda x: jnp.unstack(x)[0], (2,), (2, 3)),
           shaped(lambda x: jnp.unstack(x, axis=1)[1:], (2, 3))],
)  # fmt: skip
