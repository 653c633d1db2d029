"""Which entries are wrong, said by the point's values there or by their place in the array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from typing import NamedTuple

import numpy as np

from ._meaning_case import Array

# Words that need evidence come after the fact, or are unlikely in themselves: they are believed
# only where there are so many ways to choose as many entries that chance would hardly find them.
_EVIDENCE = 200
_SOME_EVIDENCE = 20


class Named(NamedTuple):
    """Entries in words, which they are, and how much evidence the words need."""

    words: str
    mask: Array
    evidence: int = 1


def where(wrong: Array, relevant: Array, point: Array, others: Sequence[Array] = ()) -> str:
    """The wrong entries in words: "only entries with x < 0"; empty if no words fit exactly.

    Args:
        wrong: which entries are wrong.
        relevant: which entries say something; the wrong ones are among them.
        point: the input's value.
        others: the values of other inputs of the same shape.
    """
    if not wrong.any() or np.array_equal(wrong, relevant):
        return ""
    by_value = _first(wrong, relevant, _by_value(point, others))
    by_place = _first(wrong, relevant, _by_place(wrong))
    found = [words for words in (by_value, by_place) if words]
    if not by_value:
        found += [words for words in [_threshold(wrong, relevant, point)] if words]
    return f"only {', or only '.join(found)}" if found else ""


def _first(wrong: Array, relevant: Array, candidates: Iterator[Named]) -> str:
    ways = _ways(wrong, relevant)
    for words, mask, evidence in candidates:
        if ways >= evidence and np.array_equal(mask & relevant, wrong):
            return words
    return ""


def _ways(wrong: Array, relevant: Array) -> int:
    """In how many ways as many entries can be chosen; of large numbers only that they are large."""
    few, many = int(wrong.sum()), int(relevant.sum())
    return comb(min(many, 60), min(few, many - few, 30))


def _by_value(x: Array, others: Sequence[Array]) -> Iterator[Named]:
    if np.iscomplexobj(x):
        yield Named("entries with x == 0", x == 0)
        return
    yield Named("entries with x < 0", x < 0)
    yield Named("entries with x > 0", x > 0)
    yield Named("entries with x == 0", x == 0)
    yield Named("entries with x <= 0", x <= 0)
    yield Named("entries with x >= 0", x >= 0)
    yield Named("entries with x != 0", x != 0)
    yield Named("entries with |x| > 1", np.abs(x) > 1, _SOME_EVIDENCE)
    yield Named("entries with |x| < 1", np.abs(x) < 1, _SOME_EVIDENCE)
    yield Named("entries with ties, whose value occurs more than once", _ties(x))
    yield Named("entries with ties for the largest value", _tied_at(x, np.max(x)))
    yield Named("entries with ties for the smallest value", _tied_at(x, np.min(x)))
    yield Named("the largest entry", x == np.max(x))
    yield Named("the smallest entry", x == np.min(x))
    for other in others:
        shape = f"another argument, of shape {other.shape}"
        yield Named(f"entries equal to those of {shape}", x == other)
        yield Named(f"entries below those of {shape}", x < other, _SOME_EVIDENCE)
        yield Named(f"entries above those of {shape}", x > other, _SOME_EVIDENCE)


def _ties(x: Array) -> Array:
    _, back, counts = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray(counts[back].reshape(x.shape) > 1)


def _tied_at(x: Array, value: float) -> Array:
    mask = x == value
    return mask if mask.sum() > 1 else np.zeros_like(mask)


def _by_place(wrong: Array) -> Iterator[Named]:
    shape = wrong.shape
    at = np.argwhere(wrong)
    if len(at) == 1:
        flat = int(np.ravel_multi_index(tuple(at[0]), shape)) if shape else 0
        index = ", ".join(str(int(i)) for i in at[0])
        named = {0: "the first entry", wrong.size - 1: "the last entry"}
        yield Named(named.get(flat, f"one entry, [{index}]"), wrong)
        return
    for axis, length in enumerate(shape):
        yield from _along(wrong, at[:, axis], axis, length)
    if wrong.ndim >= 2 and shape[-1] == shape[-2]:
        rows, columns = np.indices(shape)[-2:]
        yield Named("the diagonal", rows == columns)
        yield Named("entries off the diagonal", rows != columns)
        yield Named("entries above the diagonal", rows < columns)
        yield Named("entries below the diagonal", rows > columns)


def _along(wrong: Array, at: Array, axis: int, length: int) -> Iterator[Named]:
    """Places along one axis."""
    steps = np.arange(length).reshape([-1 if i == axis else 1 for i in range(wrong.ndim)])
    index = np.broadcast_to(steps, wrong.shape)
    one, many = {0: ("row", "rows"), 1: ("column", "columns")}.get(
        axis if wrong.ndim == 2 else -1, ("entry", "entries")
    )
    along = "" if wrong.ndim <= 2 else f" along axis {axis}"
    low, high = int(at.min()), int(at.max())
    if low == high:
        named = {0: f"the first {one}", length - 1: f"the last {one}"}
        yield Named(f"{named.get(low, f'{one} {low}')}{along}", index == low)
    yield Named(
        f"the first and the last {one}{along}", (index == 0) | (index == length - 1), _EVIDENCE
    )
    yield Named(f"{many} from {low} on{along}", index >= low, _EVIDENCE)
    yield Named(f"the first {high + 1} {many}{along}", index <= high, _EVIDENCE)
    yield Named(f"every second {one}{along}", index % 2 == low % 2, _EVIDENCE)


def _threshold(wrong: Array, relevant: Array, x: Array) -> str:
    """A bound on the value that divides the wrong from the right, if by chance none would."""
    few, many = int(wrong.sum()), int(relevant.sum())
    if few < 2 or many - few < 2 or _ways(wrong, relevant) < _EVIDENCE:
        return ""
    sizes = [] if np.iscomplexobj(x) else [("x", x)]
    for name, size in [*sizes, ("|x|", np.abs(x))]:
        bad, good = size[wrong], size[relevant & ~wrong]
        if np.min(bad) > np.max(good):
            return f"entries with {name} > {_between(np.max(good), np.min(bad)):.6g}"
        if np.max(bad) < np.min(good):
            return f"entries with {name} < {_between(np.max(bad), np.min(good)):.6g}"
    return ""


def _between(low: float, high: float) -> float:
    """The roundest number between two."""
    if low <= 0 <= high:
        return 0.0
    top = int(np.floor(np.log10(max(abs(low), abs(high)))))
    for decade in range(top, top - 17, -1):
        unit = 10.0**decade
        for step in (5 * unit, unit):
            candidate = float(np.ceil(low / step) * step)
            if low <= candidate <= high:
                return candidate
    return (low + high) / 2
