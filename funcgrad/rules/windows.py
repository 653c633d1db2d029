"""Sums, maxima and minima over sliding windows: what pooling is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import general, linear
from ._cases import several, shaped

Ints = tuple[int, ...]
Pairs = Sequence[tuple[int, int]]


def spread(size: int, dilation: int) -> int:
    """The length of an axis after dilation."""
    return 0 if size == 0 else (size - 1) * dilation + 1


# --- sums -----------------------------------------------------------------------------------------

# Along one axis, with stride s, dilations b of the entries and d of the window, low padding q and a
# window of size W,
#     y[t] = sum_{i, w} x[i],    where  i b = t s + w d - q,    0 <= w < W.
# Turned round (w for W - 1 - w), the condition is  t s = i b + w d - [(W - 1) d - q]: the transpose
# is a sum over windows again, where s and b have changed places. A window is the product of its
# sides, so the axes are taken one after the other, which costs the sum of the sides only.


def _sum_transpose(
    ct: Any, _y: Any, _x: Any, *, window_dimensions: Ints, window_strides: Ints, padding: Pairs,
    base_dilation: Ints, window_dilation: Ints,
) -> Any:  # fmt: skip
    if 0 in (ct.size, _x.size):
        return lax.full(_x.shape, 0, ct.dtype)
    sides = zip(window_dimensions, window_strides, base_dilation, window_dilation, strict=True)
    for axis, (size, stride, base, spacing) in enumerate(sides):
        if (size, stride, base, *padding[axis]) == (1, 1, 1, 0, 0):
            continue
        reach = (size - 1) * spacing
        low = reach - padding[axis][0]
        needed = spread(_x.shape[axis], base) + reach
        high = needed - low - spread(ct.shape[axis], stride)
        ct = p.reduce_window_sum_p.bind(
            ct,
            window_dimensions=_at(axis, size, ct.ndim),
            window_strides=_at(axis, base, ct.ndim),
            padding=_at(axis, (low, high), ct.ndim, (0, 0)),
            base_dilation=_at(axis, stride, ct.ndim),
            window_dilation=_at(axis, spacing, ct.ndim),
        )
    return ct


def _at(axis: int, value: Any, ndim: int, elsewhere: Any = 1) -> tuple[Any, ...]:
    return tuple(value if i == axis else elsewhere for i in range(ndim))


# --- maxima and minima ----------------------------------------------------------------------------

# The cotangent of a window goes to the entry that was chosen; of several equal ones, as in JAX, to
# the first in the order of the axes. The first row with the largest value, and in it the first such
# column, is that entry: so the axes are taken one after the other, the last one first, and along
# each of them it is noted which place of the window held the extremum. Going back, every place of
# the window is one selection and one padded copy, which the compiler merges into a single pass; on
# a CPU that takes a twentieth of the time of `select_and_scatter_add`. The primitive is left for
# wide windows, where the copies would be too many.

_WIDEST = 16


class Side(NamedTuple):
    """A window along one axis, after padding and dilation of the entries."""

    axis: int
    size: int
    stride: int
    spacing: int
    entries: int

    @property
    def windows(self) -> int:
        """How many there are."""
        return (self.entries - spread(self.size, self.spacing)) // self.stride + 1


def entries_at(x: Any, side: Side, place: int) -> Any:
    """For every window, its entry at one place."""
    start = place * side.spacing
    end = start + spread(side.windows, side.stride)
    return lax.slice_in_dim(x, start, end, side.stride, side.axis)


def _put_back(ct: Any, side: Side, place: int) -> Any:
    """The transpose of `entries_at`."""
    low = place * side.spacing
    high = side.entries - low - spread(side.windows, side.stride)
    config = _at(side.axis, (low, high, side.stride - 1), ct.ndim, (0, 0, 0))
    return lax.pad(ct, compat.scalar(0, ct.dtype), config)


def _choose(x: Any, side: Side, keeps: Callable[..., Any]) -> tuple[Any, Any]:
    """The extremum of every window along one axis, and at which place it is."""
    best = entries_at(x, side, 0)
    chosen = compat.filled(0, best, np.int32)
    for place in range(1, side.size):
        entry = entries_at(x, side, place)
        kept = keeps(best, entry)
        best = lax.select(kept, best, entry)
        chosen = lax.select(kept, chosen, compat.filled(place, best, np.int32))
    return best, chosen


def _to_chosen(ct: Any, x: Any, windows: Sequence[Ints], keeps: Callable[..., Any]) -> Any:
    """Give each window's cotangent to its first extreme entry; padding is done already."""
    taken = []
    sizes, strides, spacings = windows
    for axis in reversed(range(x.ndim)):
        side = Side(axis, sizes[axis], strides[axis], spacings[axis], x.shape[axis])
        if (side.size, side.stride) != (1, 1):
            x, chosen = _choose(x, side, keeps)
            taken.append((side, chosen))
    for side, chosen in reversed(taken):
        nothing = compat.filled(0, ct)
        parts = []
        for place in range(side.size):
            here = lax.eq(chosen, compat.filled(place, ct, np.int32))
            parts.append(_put_back(lax.select(here, ct, nothing), side, place))
        ct = reduce(lax.add, parts)
    return ct


def _extremum(
    ct: Any, x: Any, keeps: Any, window_dimensions: Ints, window_strides: Ints, padding: Pairs,
    base_dilation: Ints, window_dilation: Ints,
) -> Any:  # fmt: skip
    """The cotangent of x; `keeps` is the comparison >= for a maximum, and <= for a minimum."""
    if 0 in (ct.size, x.size):
        return lax.full(x.shape, 0, ct.dtype)
    least = -math.inf if keeps is p.ge_p else math.inf
    apart = [
        (low, high, base - 1) for (low, high), base in zip(padding, base_dilation, strict=True)
    ]
    padded = lax.pad(x, compat.scalar(least, x.dtype), apart)
    if max(window_dimensions) > _WIDEST and set(window_dilation) == {1}:
        arrived = p.select_and_scatter_add_p.bind(
            ct, padded, select_prim=keeps, window_dimensions=window_dimensions,
            window_strides=window_strides, padding=((0, 0),) * x.ndim,
        )  # fmt: skip
    else:
        windows = (window_dimensions, window_strides, window_dilation)
        arrived = _to_chosen(ct, padded, windows, keeps.bind)
    cut = lax.pad(arrived, compat.scalar(0, ct.dtype), [(-low, -high, 0) for low, high, _ in apart])
    return lax.slice(cut, (0,) * x.ndim, cut.shape, base_dilation)


def _pull_extremum(keeps: Any) -> Callable[..., Any]:
    def pull(
        ct: Any, _y: Any, x: Any, *, window_dimensions: Ints, window_strides: Ints, padding: Pairs,
        base_dilation: Ints, window_dilation: Ints,
    ) -> Any:  # fmt: skip
        window = (window_dimensions, window_strides, padding, base_dilation, window_dilation)
        return _extremum(ct, x, keeps, *window)

    return pull


# --- what JAX's own gradients of these are made of ------------------------------------------------

# `select_and_scatter_add` is linear in the cotangents that it distributes, and its transpose reads
# them where the extrema are; `select_and_gather_add` is that transpose. By the entries that are
# compared, the derivative is zero wherever it exists.


def _gather_at_extrema(
    ct: Any, _y: Any, _source: Any, x: Any, *, select_prim: Any, window_dimensions: Ints,
    window_strides: Ints, padding: Pairs,
) -> Any:  # fmt: skip
    return p.select_and_gather_add_p.bind(
        ct, x, select_prim=select_prim, window_dimensions=window_dimensions,
        window_strides=window_strides, padding=padding, base_dilation=(1,) * x.ndim,
        window_dilation=(1,) * x.ndim,
    )  # fmt: skip


def _scatter_to_extrema(
    ct: Any, _y: Any, _tangents: Any, x: Any, *, select_prim: Any, window_dimensions: Ints,
    window_strides: Ints, padding: Pairs, base_dilation: Ints, window_dilation: Ints,
) -> Any:  # fmt: skip
    window = (window_dimensions, window_strides, padding, base_dilation, window_dilation)
    return _extremum(ct, x, select_prim, *window)


def _nothing(_ct: Any, _y: Any, _values: Any, _x: Any) -> None:
    return None


# --- cases ----------------------------------------------------------------------------------------


def _reduced(
    operation: Callable[..., Any], start: float, size: Ints, strides: Ints, padding: Any = "VALID",
    base_dilation: Ints | None = None, window_dilation: Ints | None = None,
) -> Callable[[Any], Any]:  # fmt: skip
    def reduce(x: Any) -> Any:
        return lax.reduce_window(
            x, np.asarray(start, x.dtype), operation, size, strides, padding, base_dilation,
            window_dilation,
        )  # fmt: skip

    return reduce


def _summed(*window: Any) -> Callable[[Any], Any]:
    return _reduced(lax.add, 0, *window)


def _largest(*window: Any) -> Callable[[Any], Any]:
    return _reduced(lax.max, -math.inf, *window)


def _smallest(*window: Any) -> Callable[[Any], Any]:
    return _reduced(lax.min, math.inf, *window)


linear(
    p.reduce_window_sum_p, _sum_transpose,
    cases=[
        shaped(_summed((2,), (1,)), (4,), (2,)),
        shaped(_summed((2, 3), (1, 2), "SAME"), (4, 5), (1, 2)),
        shaped(_summed((1, 2, 2), (1, 3, 2), ((0, 0), (1, 2), (-1, 0))), (2, 6, 4), dtypes="f"),
        shaped(_summed((3, 2), (2, 3), ((2, -1), (0, 3)), (2, 3), (1, 2)), (4, 3), dtypes="f"),
        shaped(_summed((2, 3), (1, 1)), (0, 4), (3, 2), dtypes="f", note="constant: no window"),
    ],
)  # fmt: skip
general(
    p.reduce_window_max_p, _pull_extremum(p.ge_p),
    cases=[
        shaped(_largest((2,), (1,)), (4,), (2,), dtypes="f", kinks=(0.0,)),
        shaped(_largest((1, 3, 2, 1), (1, 2, 2, 1), "SAME"), (2, 5, 3, 2), dtypes="f"),
        shaped(_largest((2, 2), (2, 1), ((1, 1), (0, 1)), (1, 2)), (3, 3), dtypes="f"),
        shaped(_largest((1, 17), (1, 2)), (2, 20), dtypes="f", note="a wide window"),
        shaped(_largest((2, 2), (1, 1), "VALID", (1, 2), (2, 1)), (4, 3), dtypes="f", order=0,
               note="JAX has no gradient for windows with gaps"),
        shaped(_largest((2, 2), (1, 1), ((-1, 1), (1, -1))), (4, 3), dtypes="f", order=0,
               note="nor for negative padding"),
        shaped(_largest((3,), (1,)), (2,), (0,), dtypes="f", note="constant: no window"),
    ],
)  # fmt: skip
general(
    p.reduce_window_min_p, _pull_extremum(p.le_p),
    cases=[
        shaped(_smallest((2, 3), (1, 2), "SAME"), (4, 5), dtypes="f", kinks=(0.0,)),
        shaped(_smallest((17,), (1,), ((3, 3),), (2,)), (12,), dtypes="f", note="a wide window"),
        shaped(_smallest((2,), (2,), ((1, 0),), (2,), (3,)), (5,), dtypes="f", order=0,
               note="JAX has no gradient for windows with gaps"),
    ],
)  # fmt: skip


def _scattered(select: Any) -> Callable[[Any, Any], Any]:
    def scatter(source: Any, x: Any) -> Any:
        return p.select_and_scatter_add_p.bind(
            source, x, select_prim=select, window_dimensions=(2, 2), window_strides=(1, 2),
            padding=((1, 0), (0, 1)),
        )  # fmt: skip

    return scatter


def _gathered(select: Any) -> Callable[[Any, Any], Any]:
    def gather(values: Any, x: Any) -> Any:
        return p.select_and_gather_add_p.bind(
            values, x, select_prim=select, window_dimensions=(3, 2), window_strides=(2, 1),
            padding=((0, 1), (1, 1)), base_dilation=(2, 1), window_dilation=(1, 1),
        )  # fmt: skip

    return gather


general(
    p.select_and_scatter_add_p, _gather_at_extrema, _nothing,
    cases=[several(_scattered(p.ge_p), (3, 2), (3, 3), dtypes="f"),
           several(_scattered(p.le_p), (3, 2), (3, 3), dtypes="f")],
)  # fmt: skip
general(
    p.select_and_gather_add_p, _scatter_to_extrema, _nothing,
    cases=[several(_gathered(p.ge_p), (3, 3), (3, 3), dtypes="f"),
           several(_gathered(p.le_p), (3, 3), (3, 3), dtypes="f")],
)  # fmt: skip
