"""What is aimed at, and how near the figures come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from funcgrad.bench._figures import Figure


class Target(NamedTuple):
    """Of one figure: the most that the mean over the workloads, and the worst of them, may be."""

    figure: str
    mean: float | None
    worst: float | None


TARGETS = (
    Target("run", 1.00, 1.05),
    Target("memory", 1.00, 1.02),
    Target("trace", 0.50, 0.75),
    Target("compile", 1.00, 1.10),
    Target("eager", 0.30, 1.00),
    Target("eager, small", 1.5, None),
    Target("operations", 3.0, 4.0),
    Target("training, first call", 0.5, None),
    Target("training", 0.3, None),
    Target("growth", 0.03, None),
)


class Summary(NamedTuple):
    """One figure over all workloads.

    Attributes:
        figure: its name.
        mean: the geometric mean of the ratios; of differences, their arithmetic mean.
        worst: the largest ratio, and of which workload.
        target: what was aimed at.
        met: whether the mean and the worst reach it, given their intervals.
    """

    figure: str
    mean: float
    worst: float
    of: str
    target: Target
    met: bool


def summaries(figures: Sequence[Figure]) -> list[Summary]:
    """One summary for each target that has a figure."""
    found = []
    for target in TARGETS:
        of = [figure for figure in figures if figure.name == target.figure]
        of = [figure for figure in of if math.isfinite(figure.ratio.median)]
        if of:
            found.append(_summary(target, of))
    return found


def _summary(target: Target, figures: Sequence[Figure]) -> Summary:
    worst = max(figures, key=lambda figure: figure.ratio.median)
    # An interval that reaches the target meets it, and so does the same optimised program.
    reached = [_reached(figure) for figure in figures]
    met = target.mean is None or _mean(target, reached) <= target.mean
    met = met and (target.worst is None or max(reached) <= target.worst)
    mean = _mean(target, [figure.ratio.median for figure in figures])
    return Summary(target.figure, mean, worst.ratio.median, worst.workload, target, met)


def _reached(figure: Figure) -> float:
    low = figure.ratio.low
    return min(1.0, low) if figure.note == "same optimised program" else low


def _mean(target: Target, ratios: Sequence[float]) -> float:
    if target.figure == "growth":
        return sum(ratios) / len(ratios)
    return math.exp(sum(math.log(max(ratio, 1e-9)) for ratio in ratios) / len(ratios))
