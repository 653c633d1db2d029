"""Numerical derivatives along a line, each with a bound of its error and the kind of the point.

Central differences over a ladder of steps are extrapolated to step zero (`_extrapolation`). Where
steps of different size contradict one another, the shorter ones are right about a kink beside the
point and about a ripple, but not about the treads of a staircase that roundoff made; `_smoother`
tells these apart. A feature lower than the roundoff of the values cannot be seen by any of them.

One-sided differences, extrapolated in the same way, tell a kink from a smooth point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._extrapolation import RATIO, SAFETY, Flags, Floats, Reading, read

RUNGS = 18
SAME = 1e-5  # sides that differ by less than this share make no kink
_LEVEL = 4  # so many shortest steps without a rise lie on one tread
FIRST_STEP = 2.0**-3  # in units of the scale along the line; the last one is 2**-37 of it


class Estimate(NamedTuple):
    """A derivative, and how far it may be off.

    Attributes:
        value: the derivative along the line; at the edge of the domain the one-sided one.
        error: its estimated error; infinite where nothing is known.
        left, right: the one-sided derivatives; infinite where the tangent is vertical or the value
            jumps, NaN on a side where the function has no value.
        side_error: their estimated error.
        steps: the ladder.
        central: the difference quotient at every step.
        kind: "smooth", "kink" (the sides differ, or the tangent is vertical), "jump" (the value
            does), "edge" (one side has no values), or "unknown" (mere noise, or no values at all).
    """

    value: float
    error: float
    left: float
    right: float
    side_error: float
    steps: Floats
    central: Floats
    kind: str = "unknown"

    @property
    def is_smooth(self) -> bool:
        """Whether both sides agree as far as is known."""
        gap = abs(self.right - self.left)
        scale = max(abs(self.left), abs(self.right))
        return bool(np.isfinite(gap) and gap <= self.side_error + SAME * scale)


def ladder() -> Floats:
    """The steps along the line, from the longest to the shortest."""
    return np.asarray(FIRST_STEP * RATIO ** -np.arange(RUNGS, dtype=np.float64))


def line_points() -> Floats:
    """Where a line is evaluated: at 0, above it by every step, and below it by every step."""
    return np.concatenate([[0.0], ladder(), -ladder()])


def differentiate(along: Callable[[Floats], Floats], epsilon: float = 2.0**-52) -> Estimate:
    """The derivative at 0 of a function of one number.

    Args:
        along: takes the points of the line, all at once, and returns the values there.
        epsilon: the relative rounding of the values.
    """
    return differentiate_many(lambda points: np.asarray(along(points))[:, None], epsilon)[0]


def differentiate_many(
    along: Callable[[Floats], Floats], epsilon: float = 2.0**-52
) -> list[Estimate]:
    """The derivatives at 0 of several functions of one number, evaluated in one call.

    Args:
        along: takes the points, all at once, and returns an array (points, lines) of values.
        epsilon: the relative rounding of the values.
    """
    with np.errstate(all="ignore"):
        return _estimates(np.asarray(along(line_points()), np.float64), epsilon)


# --- short steps against long ones ----------------------------------------------------------------


def _smoother(
    central: Reading, sides: tuple[Reading, Reading], rises: Floats, noise: Floats, steps: Floats
) -> list[tuple[Floats, Floats]]:
    """The derivatives (central, left, right) with their errors, staircases seen as a whole.

    Values that are rounded inside lie on treads: the short steps see the slope of one tread, the
    long ones that of the staircase, which is meant. A kink beside the point and a ripple also
    contradict the long steps; but at a kink the long steps differ in their two sides, and into a
    ripple the quotients go over gradually, by the square of the step.
    """
    errors = np.where(central.accepted, np.inf, central.errors)
    at, lines = np.argmin(errors, axis=0), np.arange(errors.shape[1])
    value, error = central.values[at, lines], errors[at, lines]
    left, right = sides
    gap = np.abs(left.values[at, lines] - right.values[at, lines])
    one_slope = gap <= left.errors[at, lines] + right.errors[at, lines]
    apart = np.abs(value - central.value)
    doubtful = (error < 0.5 * apart) & one_slope & ~_is_gradual(central, rises, noise, steps)
    between = (np.arange(len(steps))[:, None] > at) & ~central.accepted
    staircase = _is_staircase(rises, 2 * steps * value, between, central.accepted)
    spread = np.where(staircase, 0.0, apart + central.error)
    # A side that stopped at a tread below the steps by which the centre was read is read by these.
    rung = np.where(doubtful, at, central.rung)
    scale = np.maximum(np.abs(left.value), np.abs(right.value))
    split = np.abs(left.value - right.value) > left.error + right.error + SAME * scale
    return [
        (
            np.where(anew, reading.values[rung, lines], reading.value),
            np.where(anew, reading.errors[rung, lines] + doubtful * spread, reading.error),
        )
        for reading in (central, left, right)
        for anew in [doubtful | (split & ~reading.accepted[rung, lines])]
    ]


def _is_staircase(rises: Floats, slope: Floats, between: Flags, short: Flags) -> Flags:
    """Whether the values scatter about the long steps' slope, as treads do.

    A flat place around the point leaves all of them off by its width, on one side. Treads may be
    so regular that the longer steps hit their corners; then the short ones do not rise at all.
    """
    residual = rises - slope
    most = np.max(np.where(short, np.abs(residual), 0.0), axis=0)
    up, down = [np.any(between & (s * residual > most / 8), axis=0) for s in (1, -1)]
    level = ~up & ~down & (rises[-_LEVEL:] == 0).all(axis=0)
    return np.asarray(((up & down) | level) & (np.sum(between, axis=0) >= 3))


def _is_gradual(central: Reading, rises: Floats, noise: Floats, steps: Floats) -> Flags:
    """Whether the quotients drift by a power of the step before the short steps end."""
    change = np.diff(rises / (2 * steps), axis=0)
    ratio = change[:-1] / change[1:]
    clear = np.abs(change[1:]) > 4 * SAFETY * noise[2:]
    drifts = clear & (ratio > 8) & (ratio < 5000) & central.accepted[1:-1]
    return np.asarray(np.any(drifts, axis=0))


# --- the kind of the point ------------------------------------------------------------------------


class _Side(NamedTuple):
    """One side of the point: whether it has values, whether they jump, where the slope goes."""

    missing: Flags
    jumps: Flags
    vertical: Flags
    direction: Floats

    def limit(self, slope: float) -> float:
        """The one-sided derivative of one line, given the slope that was read."""
        if self.missing:
            return float("nan")
        return float(self.direction) * float("inf") if self.vertical or self.jumps else slope


def _side(rises: Floats, noise: Floats, steps: Floats, epsilon: float) -> _Side:
    """What the values at the shortest steps say, of those that a rounded point still takes."""
    last = int(np.sum(steps > 16 * epsilon))
    few = slice(max(last - 6, 0), last)
    near, slopes = rises[few], (rises / steps)[max(last - 9, 0) : last]
    size, sign = np.abs(near), np.sign(near[-1])
    missing = ~np.isfinite(rises[-3:]).any(axis=0)
    clear = size.min(axis=0) > 64 * (noise * steps)[few].max(axis=0)
    together = (np.sign(near) == sign).all(axis=0)
    jumps = clear & together & (size.max(axis=0) < 1.2 * size.min(axis=0))
    change = np.diff(slopes, axis=0)
    growth = change[1:] / change[:-1]
    steady = growth.max(axis=0) < 1.3 * growth.min(axis=0)
    vertical = steady & (growth.min(axis=0) > 0.9) & (growth.max(axis=0) < 3.6)
    return _Side(missing, jumps, vertical & (clear | together), sign)


def _estimates(values: Floats, epsilon: float) -> list[Estimate]:
    steps = ladder()[:, None]
    middle, above, below = values[0], values[1 : RUNGS + 1], values[RUNGS + 1 :]
    size = np.fmax(np.fmax(np.abs(above), np.abs(below)), np.abs(middle))
    quotients = (above - below) / (2 * steps)
    reach = np.fmax(np.abs(above - middle), np.abs(middle - below))
    reach = np.where(np.isfinite(reach), reach, 0.0)
    # Values are rounded, and so are the points: a point moved by epsilon moves the value by a
    # slope's share, which counts where the values are small and the slope is not.
    slope = np.max((reach / steps) * (steps > 16 * epsilon), axis=0)
    noise = (2 * epsilon * (size + slope) + _smallest(epsilon)) / steps
    central = read(quotients, noise, steps, 2)
    right = read((above - middle) / steps, 2 * noise, steps, 1)
    left = read((middle - below) / steps, 2 * noise, steps, 1)
    smoothed = _smoother(central, (left, right), above - below, noise, steps)
    value, error = smoothed[0]
    ups = _side(above - middle, noise, steps, epsilon)
    downs = _side(middle - below, noise, steps, epsilon)
    dull = error > np.abs(value) + np.max(reach, axis=0) + (1e-6 + 2e3 * epsilon) * np.abs(middle)
    dull &= error > SAFETY * _smallest(epsilon) / steps[-1]
    known = np.isfinite(middle)
    return [
        _judge(
            _Line(bool(known[i]), bool(dull[i]), *(float(x[i]) for pair in smoothed for x in pair)),
            _Side(*(field[i] for field in downs)), _Side(*(field[i] for field in ups)),
            quotients[:, i],
        )
        for i in range(values.shape[1])
    ]  # fmt: skip


def _smallest(epsilon: float) -> float:
    """The least normal number of the dtype with this rounding: below it digits are lost."""
    if epsilon < 2.0**-40:
        return 2.0**-1022
    return 2.0**-14 * epsilon if 2.0**-12 < epsilon < 2.0**-9 else 2.0**-126


class _Line(NamedTuple):
    """What was read of one line; dull is one whose error says that nothing was learned."""

    known: bool
    dull: bool
    value: float
    error: float
    left: float
    left_error: float
    right: float
    right_error: float


def _judge(line: _Line, down: _Side, up: _Side, central: Floats) -> Estimate:
    """The estimate of one line, with its kind."""
    found = Estimate(
        line.value, line.error, line.left, line.right, line.left_error + line.right_error,
        ladder(), central,
    )  # fmt: skip
    special = _special(line, down, up)
    if special:
        return _without_limit(found, special, line, down, up)
    if line.dull or not np.isfinite(line.error):
        return found
    if not found.is_smooth:
        return found._replace(kind="kink")
    if abs(line.left - line.right) <= found.side_error:
        return found._replace(kind="smooth")
    # A kink of one part in 1e5 at the point, or as near as no step goes, is let pass for smooth,
    # but the derivative may be that of either side.
    spread = max(abs(line.value - line.left), abs(line.value - line.right))
    return found._replace(error=line.error + spread + found.side_error, kind="smooth")


def _special(line: _Line, down: _Side, up: _Side) -> str:
    """The kind of a point at which there is no two-sided finite derivative; empty elsewhere."""
    if not line.known or (down.missing and up.missing):
        return "unknown"
    if down.missing or up.missing:
        return "edge"
    if line.error <= 1e-3 * abs(line.value):
        return ""
    if down.jumps or up.jumps:
        return "jump"
    return "kink" if down.vertical or up.vertical else ""


def _without_limit(found: Estimate, kind: str, line: _Line, down: _Side, up: _Side) -> Estimate:
    """The estimate at such a point; its derivative is that of the only side, if there is one."""
    left, right = down.limit(line.left), up.limit(line.right)
    found = found._replace(error=float("inf"), left=left, right=right, kind=kind)
    if kind == "unknown":
        return found._replace(side_error=float("inf"))
    if kind != "edge":
        return found
    slope, error = (right, line.right_error) if down.missing else (left, line.left_error)
    error = error if np.isfinite(slope) else float("inf")
    return found._replace(value=slope, error=error, side_error=error)
