"""Difference quotients extrapolated to step zero, with bounds that hold: of many lines at once.

Of every extrapolated value the truncation is estimated from its neighbours in the table (C. J. F.
Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Advances in Engineering Software 4, 1982),
and the roundoff from the size of the values and from the scatter at all shorter steps, because a
function may round inside by more than its values show.

Among the step sizes it is the short ones that know no kink, ripple or edge beside the point, and
the long ones that know no roundoff. So one goes from short to long and stops where the intervals
contradict one another (O. V. Lepskii, "On a problem of adaptive estimation in Gaussian white
noise", Theory of Probability and its Applications 35, 1991).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATIO = 4.0  # of one step to the next
SAFETY = 8.0  # an estimate of an error is itself only good to a factor
_COLUMNS = 7
_TAIL = 4  # of so many of the shortest steps the scatter counts everywhere

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Reading(NamedTuple):
    """A derivative at every scale, and the one that was chosen; arrays (rungs, lines) and (lines).

    Row m holds the best extrapolation of which the shortest step is number m.
    """

    values: Floats
    errors: Floats
    accepted: Flags
    value: Floats
    error: Floats
    rung: NDArray[np.int_]


def read(quotients: Floats, noise: Floats, steps: Floats, order: int) -> Reading:
    """The extrapolated derivative of each line.

    `noise` is what the quotients may be off because the values were rounded; `order` is the power
    of the step in the leading term of the error, and the difference between the powers of one term
    and the next.
    """
    table = [quotients]
    roundings = [noise]
    for column in range(1, _COLUMNS):
        factor = RATIO ** (order * column)
        row, rounding = table[-1], roundings[-1]
        table.append(row[1:] + (row[1:] - row[:-1]) / (factor - 1))
        roundings.append((rounding[1:] * factor + rounding[:-1]) / (factor - 1))
    scatter = _scatter(table, steps) / steps
    values, errors = np.zeros_like(quotients), np.full_like(quotients, np.inf)
    for column in range(1, _COLUMNS):
        row, before = table[column], table[column - 1]
        truncation = np.maximum(np.abs(row - before[1:]), np.abs(row - before[:-1]))
        rounding = np.maximum(roundings[column], scatter[column:])
        total = SAFETY * (truncation + rounding)
        better = np.isfinite(row) & (total < errors[column:])
        values[column:] = np.where(better, row, values[column:])
        errors[column:] = np.where(better, total, errors[column:])
    accepted = _consistent(values, errors)
    at = np.argmin(np.where(accepted, errors, np.inf), axis=0)
    lines = np.arange(quotients.shape[1])
    return Reading(values, errors, accepted, values[at, lines], errors[at, lines], at)


def _scatter(table: list[Floats], steps: Floats) -> Floats:
    """How far values lie from a smooth curve, at each step or any shorter one.

    Of neighbours in a column the difference is due to roundoff once the truncation is removed,
    which some column has done best. The very shortest steps count everywhere, so that no value is
    chosen because two quotients happen to agree.
    """
    found = np.full_like(table[0], np.inf)
    for column, row in enumerate(table[:4]):
        found[column + 1 :] = np.fmin(found[column + 1 :], np.abs(np.diff(row, axis=0)))
    found = np.where(np.isfinite(found), found, 0.0) * steps
    pooled = np.maximum.accumulate(found[::-1], axis=0)[::-1]
    pooled[-_TAIL:] = pooled[-_TAIL]
    return np.asarray(pooled)


def _consistent(values: Floats, errors: Floats) -> Flags:
    """Which rungs agree with every shorter one, as far as the intervals tell."""
    low, high = values - errors, values + errors
    above = np.minimum.accumulate(high[::-1], axis=0)[::-1]
    below = np.maximum.accumulate(low[::-1], axis=0)[::-1]
    return np.asarray(below <= above)
