"""Numerical derivatives along directions in the space of inputs, in 64 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._batch import Row, Runner
from ._differences import Estimate, differentiate_many, line_points

Array = NDArray[Any]
LARGE = 100_000  # entries: on so many, one line tells as much as several
Arrays = list[Array]
Measure = Callable[
    [dict[str, Arrays]], NDArray[np.float64]
]  # parts of many rows to one number each


def inner(left: Sequence[Any], right: Sequence[Any]) -> float:
    """The pairing of a cotangent and a tangent: the real part of the sum of products."""
    with np.errstate(all="ignore"):
        return float(
            sum(
                np.real(np.sum(np.asarray(a) * np.asarray(b)))
                for a, b in zip(left, right, strict=True)
            )
        )


def against(part: str, weights: Sequence[Any]) -> Measure:
    """The inner product of a part with fixed weights."""

    def measure(parts: dict[str, Arrays]) -> NDArray[np.float64]:
        arrays = parts[part]
        count = len(arrays[0])
        with np.errstate(all="ignore"):
            return np.asarray([inner([a[i] for a in arrays], weights) for i in range(count)])

    return measure


def unit(leaves: Sequence[Any], leaf: int, index: tuple[int, ...], phase: complex = 1) -> Arrays:
    """The direction of one element."""
    direction = [np.zeros(np.shape(x), wide_dtype(x)) for x in leaves]
    direction[leaf][index] = phase if np.iscomplexobj(direction[leaf]) else np.real(phase)
    return direction


def wide_dtype(x: Any) -> Any:
    return np.complex128 if np.iscomplexobj(x) else np.float64


def wide_point(xs: Sequence[Any]) -> Arrays:
    return [np.asarray(x).astype(wide_dtype(np.asarray(x))) for x in xs]


def root_mean_square(values: Any) -> float:
    """The typical size of entries; 0 if there are none."""
    return float(np.sqrt(np.mean(np.abs(values) ** 2))) if np.size(values) else 0.0


def scales(xs: Sequence[Any], direction: Sequence[Array]) -> list[float]:
    """How long a step is along a direction: by the entries that move, and by their whole leaf."""
    moved = [(np.abs(x)[d != 0], np.abs(d)[d != 0]) for x, d in zip(xs, direction, strict=True)]
    sizes = np.concatenate([a for a, _ in moved])
    lengths = np.concatenate([b for _, b in moved])
    leaf = [np.abs(x) for x, d in zip(xs, direction, strict=True) if d.any()]
    if not sizes.size:
        return [1.0]
    typical = root_mean_square(np.concatenate([a.ravel() for a in leaf])) or 1.0
    length = root_mean_square(lengths) or 1.0
    own = root_mean_square(sizes)
    found = [typical / length]
    if sizes.size < LARGE and own > 0 and not 0.1 < own / typical < 10:
        found.append(own / length)
    return [float(s) for s in found]


def estimates(
    runner: Runner, row: Row, measure: Measure, directions: Sequence[Sequence[Array]]
) -> list[Estimate]:
    """The derivative of a measure along each direction, by the scale that serves it best."""
    xs = wide_point(row.xs)
    lengths = [scales(xs, direction) for direction in directions]
    lines = [(d, s) for d, each in zip(directions, lengths, strict=True) for s in each]
    points = line_points()
    rows = [
        row._replace(xs=[x + t * scale * v for x, v in zip(xs, d, strict=True)])
        for d, scale in lines
        for t in points
    ]
    values = measure(runner(rows)).reshape(len(lines), len(points))
    found = iter(differentiate_many(lambda _: values.T))
    return [min((rescaled(next(found), s) for s in each), key=_doubt) for each in lengths]


def _doubt(estimate: Estimate) -> float:
    return estimate.error if np.isfinite(estimate.error) else np.inf


def rescaled(estimate: Estimate, scale: float) -> Estimate:
    """In units of the direction itself."""
    return estimate._replace(
        value=estimate.value / scale, error=estimate.error / scale, left=estimate.left / scale,
        right=estimate.right / scale, side_error=estimate.side_error / scale,
        steps=estimate.steps * scale, central=estimate.central / scale,
    )  # fmt: skip
