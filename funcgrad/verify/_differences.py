"""Numerical derivatives along a line, each with an estimate of its error.

Central differences over a ladder of steps, extrapolated to step zero (Ridders' method: C. J. F.
Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Advances in Engineering Software 4, 1982).
Of every extrapolated value the truncation is estimated from its neighbours in the table and the
roundoff from the size of the function's values; the value with the least sum of both is returned,
with that sum. One-sided differences, extrapolated in the same way, tell a kink from a smooth point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RUNGS = 14
FIRST_STEP = 2.0**-3  # in units of the scale along the line; the last one is 2**-29 of it
_RATIO = 4.0
SAFETY = 8.0  # an estimate of an error is itself only good to a factor

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A derivative, and how far it may be off.

    Attributes:
        value: the derivative along the line.
        error: its estimated error; infinite where nothing is known.
        left, right: the one-sided derivatives.
        side_error: their estimated error.
        steps: the ladder.
        central: the difference quotient at every step.
    """

    value: float
    error: float
    left: float
    right: float
    side_error: float
    steps: Floats
    central: Floats

    @property
    def is_smooth(self) -> bool:
        """Whether both sides agree as far as is known."""
        gap = abs(self.right - self.left)
        scale = max(abs(self.left), abs(self.right))
        return bool(gap <= self.side_error + 1e-5 * scale)


def ladder() -> Floats:
    """The steps along the line, from the longest to the shortest."""
    return np.asarray(FIRST_STEP * _RATIO ** -np.arange(RUNGS, dtype=np.float64))


def differentiate(along: Callable[[Floats], Floats], epsilon: float = 2.0**-52) -> Estimate:
    """The derivative at 0 of a function of one number.

    Args:
        along: takes the points of the line, all at once, and returns the values there.
        epsilon: the relative rounding of the values.
    """
    steps = ladder()
    values = np.asarray(along(np.concatenate([[0.0], steps, -steps])), np.float64)
    middle, above, below = values[0], values[1 : RUNGS + 1], values[RUNGS + 1 :]
    size = np.maximum(np.maximum(np.abs(above), np.abs(below)), abs(middle))
    central = (above - below) / (2 * steps)
    # Values are rounded, and so are the points: a point moved by epsilon moves the value by a
    # slope's share, which counts where the values are small and the slope is not.
    noise = 2 * epsilon * (size + np.nanmax(np.abs(central), initial=0.0)) / steps
    value, error = _extrapolate(central, noise, 2)
    right, right_error = _extrapolate((above - middle) / steps, 2 * noise, 1)
    left, left_error = _extrapolate((middle - below) / steps, 2 * noise, 1)
    return Estimate(value, error, left, right, right_error + left_error, steps, central)


def _extrapolate(quotients: Floats, noise: Floats, order: int) -> tuple[float, float]:
    """The best entry of the table of extrapolations, and the estimate of its error.

    `order` is the power of the step in the leading term of the error, and the difference between
    the powers of one term and the next.
    """
    best, least = float("nan"), float("inf")
    row, rounding = quotients, noise
    for column in range(1, min(7, len(quotients))):
        factor = _RATIO ** (order * column)
        finer, coarser = row[1:], row[:-1]
        row = finer + (finer - coarser) / (factor - 1)
        rounding = (rounding[1:] * factor + rounding[:-1]) / (factor - 1)
        truncation = np.maximum(np.abs(row - finer), np.abs(row - coarser))
        total = SAFETY * (truncation + rounding)
        known = np.isfinite(total) & np.isfinite(row)
        at = int(np.argmin(np.where(known, total, np.inf)))
        if known[at] and total[at] < least:
            best, least = float(row[at]), float(total[at])
    return best, least
