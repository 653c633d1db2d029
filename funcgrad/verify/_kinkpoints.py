"""Points without a derivative: which gradients are acceptable there.

Around a kink the gradient takes several values. A gradient at the kink is accepted if each entry
lies between them (or between the one-sided derivatives), and if it agrees with the derivative along
those directions in which the function is smooth: at a tie of `max`, moving all tied entries
together. Gradients close by approximate the generalised gradient of F. H. Clarke ("Optimization and
Nonsmooth Analysis", 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._batch import ROWS, Row, Runner
from ._differences import Estimate
from ._lines import Arrays, against, estimates, inner, root_mean_square, wide_point
from ._programs import GRADIENT, VALUE

_NEAR = 2.0**-20  # how far the neighbours are, relative to the entries
_SLACK = 1e-3


def neighbours(row: Row, count: int = ROWS, seed: int = 0) -> list[Row]:
    """Rows at points close by, in random directions."""
    generator = np.random.default_rng(seed)
    xs = wide_point(row.xs)
    sizes = [np.maximum(np.abs(x), root_mean_square(x)) for x in xs]
    sizes = [np.where(s == 0, 1.0, s) for s in sizes]
    return [
        row._replace(
            xs=[
                x + _NEAR * s * generator.normal(size=x.shape)
                for x, s in zip(xs, sizes, strict=True)
            ]
        )
        for _ in range(count)
    ]


def accepts(
    reference: Runner,
    values: Runner,
    row: Row,
    received: Sequence[NDArray[Any]],
    leaf: int,
    index: tuple[int, ...],
    along: Estimate,
) -> bool:
    """Whether a gradient's element is acceptable at a point with a kink in its direction."""
    if along.kind in ("jump", "unknown") or np.isinf([along.left, along.right]).any():
        return True
    near = reference(neighbours(row))[GRADIENT]
    own = np.real(received[leaf][index])
    sampled = np.real(np.asarray([gradient[index] for gradient in near[leaf]]))
    ends = np.concatenate([sampled[np.isfinite(sampled)], _finite(along.left, along.right)])
    if not ends.size:
        return True
    low, high = ends.min(), ends.max()
    slack = _SLACK * (high - low) + 1e-5 * max(abs(low), abs(high)) + along.side_error
    if not low - slack <= own <= high + slack:
        return False
    return not _contradicts(values, row, received, _tied(row.xs, leaf, index))


def _finite(*numbers: float) -> list[float]:
    return [n for n in numbers if np.isfinite(n)]


def _contradicts(
    values: Runner, row: Row, received: Sequence[NDArray[Any]], directions: Sequence[Arrays]
) -> bool:
    """Whether a gradient disagrees with the derivative along a smooth direction."""
    if not directions:
        return False
    for direction, found in zip(
        directions, estimates(values, row, against(VALUE, row.cs), directions), strict=True
    ):
        apart = abs(inner(received, direction) - found.value)
        if found.kind == "smooth" and apart > found.error + 1e-4 * abs(found.value):
            return True
    return False


def _tied(xs: Sequence[Any], leaf: int, index: tuple[int, ...]) -> list[Arrays]:
    """The directions that move entries together which are equal to this one, signs aside."""
    wide = wide_point(xs)
    value = wide[leaf][index]
    equal = [np.where(x == value, 1.0, 0.0) for x in wide]
    signed = [
        np.where(np.abs(x) == abs(value), np.where(np.real(x) < 0, -1.0, 1.0), 0.0) for x in wide
    ]
    whole = [np.full(x.shape, 1.0 if k == leaf else 0.0) for k, x in enumerate(wide)]
    found = []
    for masks in (equal, signed, whole):
        if sum(np.count_nonzero(mask) for mask in masks) > 1:
            found.append([mask.astype(x.dtype) for mask, x in zip(masks, wide, strict=True)])
    return found
