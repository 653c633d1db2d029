"""Where the derivative under test differs from the reference, by more than rounding explains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._batch import ROWS, Arrays, Draws, Row, Runner
from ._programs import FORWARD, GRADIENT, SECOND, VALUE

Array = NDArray[Any]
SMALLEST = 1e-10  # relative: what two ways of writing one formula may differ by in 64 bits
APPROXIMATE = 1e-5  # and what a special function's approximation may differ by from its own
_SAFETY = 3.0
_NOISE_SAFETY = 32.0  # the noise is drawn anew for an operation, not for an element
_DRAWS = 8
_NOISE_DRAWS = 4  # at least; as many more as fill the batch
_MOST_DRAWS = 16
_WILD = 1e8  # times what is at the given point: functions overflow and diverge there
_FEW_DRAWS = 2  # where rows do not go in batches


class Comparison(NamedTuple):
    """Reference and tested derivative on all rows.

    Attributes:
        rows: where.
        expected, received: parts by name, each a list of arrays with the rows first.
        allowed: the same for how far an entry may be off.
        known: for each row, whether the function and the reference are finite there.
        smallest: the relative difference that is none.
    """

    rows: Sequence[Row]
    expected: Arrays
    received: Arrays
    allowed: Arrays
    known: NDArray[np.bool_]
    smallest: float = SMALLEST

    @property
    def values(self) -> list[Array]:
        """The function's values."""
        return self.expected[VALUE if VALUE in self.expected else "value, forward"]

    def excess(self, part: str) -> list[Array]:
        """By how much each entry is off beyond what is allowed, over what is expected.

        What is NaN though a number is expected is off without bound.
        """
        names = zip(self.expected[part], self.received[part], self.allowed[part], strict=True)
        return [_excess(*arrays) for arrays in names]


def _excess(expected: Array, received: Array, allowed: Array) -> Array:
    with np.errstate(all="ignore"):
        apart = np.abs(received - expected)
        over = np.maximum(apart - allowed, 0) / np.maximum(np.abs(expected), 1e-300)
        same = (received == expected) | (np.isnan(expected) & np.isnan(received))
        bad = np.isnan(over) & ~same & ~np.isnan(expected)
        over = np.where(
            bad, np.inf, np.where(same, 0.0, np.nan_to_num(over, nan=0.0, posinf=np.inf))
        )
    return np.asarray(over)


def compare(
    reference: Runner,
    tested: Runner,
    rows: Sequence[Row],
    smallest: float,
    floors: Sequence[float],
) -> Comparison:
    """Run both on all rows, and find out how much of their differences is rounding.

    Rows that agree to `smallest` are done with; where any differs, the literals are moved.

    Args:
        reference, tested: the programs.
        rows: where; the given point first.
        smallest: the relative difference that is none.
        floors: for each input, what is zero in its own dtype.
    """
    expected, received = reference(rows), tested(rows)
    expected["value, forward"] = expected[VALUE]
    parts = [name for name in _PARTS if name in expected and name in received]
    scale = np.asarray([_scale(row) for row in rows])
    allowed = {
        name: [_margin(a, smallest, floors, k, scale) for k, a in enumerate(expected[name])]
        for name in parts
    }
    found = Comparison(
        rows, {n: expected[n] for n in parts}, {n: received[n] for n in parts}, allowed,
        _known(expected, rows), smallest,
    )  # fmt: skip
    return _allow(found, reference, tested, noisy=False)


def _margin(
    expected: Array, smallest: float, floors: Sequence[float], leaf: int, scale: Array
) -> Array:
    """What an entry may be off by anyway: a share of itself, and what its dtype takes for zero."""
    floor = floors[leaf] if leaf < len(floors) else max(floors)
    rows = scale.reshape(-1, *[1] * (expected.ndim - 1))
    with np.errstate(all="ignore"):
        return np.asarray(smallest * np.abs(np.nan_to_num(expected)) + floor * rows)


def _scale(row: Row) -> float:
    """How large a row makes its parts, which are linear in its cotangents and tangents."""
    sizes = [np.max(np.abs(np.asarray(a, np.complex128)), initial=1.0) for a in (*row.cs, *row.ws)]
    return float(max(sizes)) ** 2


_PARTS = (VALUE, "value, forward", GRADIENT, FORWARD, SECOND)


def rerounded(found: Comparison, reference: Runner, tested: Runner) -> Comparison:
    """The comparison with more allowed: what rounding every operation once more changes.

    It is the most costly part, and asked for only where nothing else decides.
    """
    return _allow(found, reference, tested, noisy=True)


def _known(expected: Arrays, rows: Sequence[Row]) -> NDArray[np.bool_]:
    """Where the function is finite and, away from the given point, not out of all proportion."""
    known = np.ones(len(rows), bool)
    given = np.asarray([not row.is_mined for row in rows])
    for part in (VALUE, GRADIENT):
        for array in expected.get(part, []):
            flat = np.abs(array.reshape(len(rows), -1))
            if part == VALUE:
                known &= np.isfinite(flat).all(axis=1)
            sizes = np.max(np.where(np.isfinite(flat), flat, 0.0), axis=1, initial=0.0)
            known &= given | (sizes <= _WILD * max(sizes[0], 1.0))
    return known & ~_nothing_of_infinity(expected, rows)


def _nothing_of_infinity(expected: Arrays, rows: Sequence[Row]) -> NDArray[np.bool_]:
    """Which rows have cotangents of zero where the derivative is infinite: 0 * inf is no fault."""
    parts = [a[0] for part in (GRADIENT, FORWARD) for a in expected.get(part, [])]
    infinite = not all(np.isfinite(a).all() for a in parts)
    return np.asarray([infinite and not any(np.any(c) for c in row.cs) for row in rows], bool)


def _allow(found: Comparison, reference: Runner, tested: Runner, *, noisy: bool) -> Comparison:
    """More is allowed: what both programs change by when their numbers are rounded otherwise.

    Only the rows that differ are run again.
    """
    differs = np.zeros(len(found.rows), bool)
    for part in found.expected:
        for over in found.excess(part):
            differs |= (over.reshape(len(found.rows), -1) > 0).any(axis=1)
    again = np.flatnonzero(differs & found.known)
    if not again.size:
        return found
    rows = [found.rows[int(i)] for i in again]
    safety = _NOISE_SAFETY if noisy else _SAFETY
    allowed = {name: [a.copy() for a in arrays] for name, arrays in found.allowed.items()}
    for side, runner in ((found.expected, reference), (found.received, tested)):
        for name, spread in _spreads(runner, rows, side, again, noisy=noisy).items():
            for total, share in zip(allowed.get(name, []), spread, strict=False):
                total[again] += safety * share
    return found._replace(allowed=allowed)


def _spreads(runner: Runner, rows: Sequence[Row], base: Arrays, at: Any, *, noisy: bool) -> Arrays:
    """The largest change of every entry over a few draws."""
    least = _NOISE_DRAWS if noisy else _DRAWS
    filling = int(np.clip(ROWS // len(rows), least, _MOST_DRAWS))
    count = filling if runner.is_batched else _FEW_DRAWS
    moved = runner([*rows] * count, Draws.of(len(rows), count, noisy=noisy))
    spreads = {}
    with np.errstate(all="ignore"):
        for name, arrays in base.items():
            drawn = moved[name if name in moved else VALUE]
            spreads[name] = [
                _largest_change(b.reshape(count, len(rows), *b.shape[1:]), a[at])
                for a, b in zip(arrays, drawn, strict=True)
            ]
    return spreads


def _largest_change(drawn: Array, base: Array) -> Array:
    return np.asarray(np.max(np.nan_to_num(np.abs(drawn - base)), axis=0))
