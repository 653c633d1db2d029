"""Points at which the accuracy of rules is measured, each set a function of a dtype's limits."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tests.rules.accuracy import Point, Points


def even(low: float, high: float, count: int = 33) -> Points:
    """Evenly spaced, both ends included."""
    return lambda _limits: [(float(x),) for x in np.linspace(low, high, count)]


def powers(low: float | None = None, high: float | None = None, count: int = 41) -> Points:
    """Evenly spaced on a logarithmic scale, by default over all normal numbers."""

    def points(limits: Any) -> list[Point]:
        first = np.log2(float(limits.smallest_normal) if low is None else low)
        last = np.log2(float(limits.max) if high is None else high)
        exponents = np.linspace(first, last, count)
        inner = [float(2.0**e) for e in exponents[1:-1]]
        ends = [float(limits.smallest_normal), float(limits.max)]
        return [(x,) for x in ([ends[0]] if low is None else [low])
                + inner + ([ends[1]] if high is None else [high])]  # fmt: skip

    return points


def near(center: float, below: bool = True, above: bool = True, reach: float = 0.1) -> Points:
    """Towards a number from both sides, from `reach` down to its neighbour."""

    def points(limits: Any) -> list[Point]:
        size = max(abs(center), float(limits.smallest_normal) / float(limits.eps))
        steps = np.geomspace(reach, size * float(limits.eps), 12)
        sides = ([-1] if below else []) + ([1] if above else [])
        return [(float(center + side * step),) for side in sides for step in steps]

    return points


def near_all(centers: list[float], reach: float = 0.1) -> Points:
    return union(*(near(center, reach=reach) for center in centers))


def both_signs(points: Points) -> Points:
    return lambda limits: [
        tuple(sign * x for x in point) for point in points(limits) for sign in (1, -1)
    ]


def union(*sets: Points) -> Points:
    return lambda limits: [point for points in sets for point in points(limits)]


def grid(*axes: Points) -> Points:
    """Every combination of points of one coordinate each."""
    return lambda limits: [
        tuple(x for point in combination for x in point)
        for combination in itertools.product(*(axis(limits) for axis in axes))
    ]


def listed(*points: Point) -> Points:
    return lambda _limits: list(points)


def numbers(*values: float) -> Points:
    return lambda _limits: [(value,) for value in values]
