"""Interleaved timing of competitors, and ratios with a confidence interval.

Machines drift and share their cores, so a single time means little. The competitors take turns
within one process, every turn gives one ratio, and the figure is the median of the ratios with its
distribution-free 95% interval. One competitor always runs twice, as two separate compilations of
one program: the spread of that A/A row is what a ratio can differ from 1 by without any meaning.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

_FAR = 5.0  # so many times the seconds that were asked for are too many for three rounds
_SLOW = 0.1  # seconds of one call, from which on the processor's warmth does not matter


class Ratio(NamedTuple):
    """A median of paired ratios and the ends of its 95% interval, which of one turn is a point."""

    median: float
    low: float
    high: float

    def reaches(self, target: float) -> bool:
        """Whether the target is met by the median, or lies inside the interval."""
        return self.low <= target

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def ratio(numerators: list[float], denominators: list[float]) -> Ratio:
    """The median ratio of times measured in turns; the interval is by order statistics.

    With n pairs, the ranks n/2 -+ 1.96 sqrt(n)/2 enclose the median with a probability of 95%
    (normal approximation to the binomial distribution). Of fewer than 6 pairs the interval is all
    that was seen: three enclose the median with 75%.
    """
    ratios = sorted(a / b for a, b in zip(numerators, denominators, strict=True))
    count = len(ratios)
    half = 1.96 * math.sqrt(count) / 2
    low = max(0, math.floor(count / 2 - half))
    high = min(count - 1, math.ceil(count / 2 + half) - 1)
    return Ratio(statistics.median(ratios), ratios[low], ratios[max(low, high)])


def has_control(seconds: float) -> bool:
    """Whether the competitor is to run against itself, too: it takes a third of the time."""
    return seconds >= 1


def control_of(times: Mapping[str, list[float]]) -> Ratio | None:
    """The A/A row: the competitor against itself; None where that did not run."""
    return ratio(times["again"], times["theirs"]) if "again" in times else None


def timed(
    competitors: Mapping[str, Callable[[], Any]], seconds: float, least: float = 2e-3
) -> dict[str, list[float]]:
    """Seconds per call of each competitor, in turns, which take about so many seconds.

    Args:
        competitors: name to a function without arguments; what it returns is waited for.
        seconds: for all turns together. There are 5 at least; 3 of what is longer, or 1.
        least: a measurement repeats the call until it takes about so many seconds.

    Returns:
        For each name, one time per turn.
    """
    calls = dict.fromkeys(competitors.values())  # a control may be the call of another competitor
    tries = {call: _tries(call) for call in calls}
    once = {call: max(1e-7, min(tried)) for call, tried in tries.items()}
    turns = turns_within(sum(max(least, once[call]) for call in competitors.values()), seconds)
    if turns == 1:  # then the last try is as good as a turn
        return {
            name: [tries[call].pop() if len(tries[call]) > 1 else _seconds(call, 1)]
            for name, call in competitors.items()
        }
    counts = {call: max(1, min(1000, round(least / once[call]))) for call in tries}
    return in_turns(competitors, turns, counts)


def in_turns(
    competitors: Mapping[str, Callable[[], Any]],
    turns: int,
    counts: Mapping[Callable[[], Any], int],
) -> dict[str, list[float]]:
    """One time per turn of each competitor, whose call is repeated so often."""
    times: dict[str, list[float]] = {name: [] for name in competitors}
    names = list(competitors)
    for turn in range(turns):
        for name in rotated(names, turn):
            call = competitors[name]
            times[name].append(_seconds(call, counts[call]))
    return times


def rotated(names: list[str], turn: int) -> list[str]:
    """The order of a turn: no competitor always runs in the wake of the same other one."""
    first = turn % len(names)
    return names[first:] + names[:first]


def turns_within(round_: float, seconds: float) -> int:
    """How many rounds fit into a time: from 5 to 41, an odd number; 3 of longer ones, or 1.

    >>> [turns_within(round_, seconds=2.0) for round_ in (0.01, 0.2, 1.0, 3.0, 30.0)]
    [41, 11, 5, 3, 1]
    """
    if round_ > seconds:
        return 3 if round_ < _FAR * seconds else 1
    return 2 * (max(5, min(41, int(seconds / round_))) // 2) + 1


def _tries(call: Callable[[], Any]) -> list[float]:
    """Seconds of calls, of which the first may compile, and one may be held up."""
    tried = [_seconds(call, 1), _seconds(call, 1)]
    if min(tried) < _SLOW:  # the processor has to warm up
        tried += [_seconds(call, 1) for _ in range(4)]
    return tried


def _seconds(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        result = call()
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / count
