"""How many states a recurrence holds in reverse mode, and what it recomputes."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from .._errors import GradientValueError
from ..rules._binomial import evaluations

Checkpoints = int | Literal["sqrt", "binomial"]


class ScanCost(NamedTuple):
    """What reversing a recurrence costs.

    Attributes:
        checkpoints: states of the carry that are held at a time.
        advances: how often the body is run again to come from a checkpoint to a step, beside once
            for each step forward and once for each that is reversed.
        factor: `advances` for each step; 0 where every state is held.
    """

    checkpoints: int
    advances: int
    factor: float


def scan_cost(length: int, checkpoints: Checkpoints = "sqrt") -> ScanCost:
    """How much memory and recomputation a `scan` of some length takes in reverse mode.

    The schedule is the binomial one of Griewank and Walther, "Algorithm 799: Revolve", ACM TOMS 26,
    2000, which recomputes least: with r such that C(s + r - 1, s) < n <= C(s + r, s) for n steps
    and s checkpoints, it advances r n - C(s + r, s + 1) times.

    Args:
        length: the number of steps, n.
        checkpoints: a number s; "sqrt" for the square root of n, rounded up; "binomial" for the
            least s with n <= C(2 s, s), which grows as the logarithm of n.

    Raises:
        GradientValueError: it is no whole number of at least 1, or no such word.

    >>> scan_cost(10_000, "sqrt")
    ScanCost(checkpoints=100, advances=24747, factor=2.4747)
    >>> scan_cost(10_000, "binomial")
    ScanCost(checkpoints=8, advances=68560, factor=6.856)
    """
    held = places(length, checkpoints)
    advances = evaluations(length, held)
    return ScanCost(held, advances, advances / length if length else 0.0)


def places(length: int, checkpoints: Any) -> int:
    """How many states of the carry are held."""
    if checkpoints == "sqrt":
        return max(1, math.isqrt(max(length - 1, 0)) + 1)
    if checkpoints == "binomial":
        return next(s for s in range(1, 64) if length <= math.comb(2 * s, s))
    if isinstance(checkpoints, bool) or not isinstance(checkpoints, (int, np.integer)):
        checkpoints = repr(checkpoints)
    if isinstance(checkpoints, str) or checkpoints < 1:
        raise GradientValueError(
            'checkpoints must be a whole number of at least 1, "sqrt" or "binomial", but is '
            f"{checkpoints}"
        )
    return int(checkpoints)
