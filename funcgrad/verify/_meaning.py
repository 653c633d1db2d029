"""What the error of a derivative usually means.

A guess is offered only if it reproduces what was received, entry by entry, and leaves next to
nothing of the error unexplained; of random errors no guess does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ._meaning_case import Array, Case, fits
from ._meaning_factors import uniform
from ._meaning_where import where

Other = tuple[Any, Any, Any]

_NOISE = 1e-9  # of an entry: less is no error
_CLEAR = 1e-4  # of an entry: less does not tell wrong entries from merely noisy ones
_TURNS = 3  # by how much a shift is looked for


def meaning(
    expected: Any,
    received: Any,
    point: Any,
    others: Sequence[Other] = (),
    allowed: Any = None,
    devices: Sequence[tuple[int, str]] = (),
) -> str:
    """What an error usually means, in a few words; empty if nothing fits.

    Args:
        expected: the derivative with respect to one input, as it ought to be.
        received: as it is; of the same shape.
        point: the input's value.
        others: expected, received and point of the function's other inputs.
        allowed: how far each entry may be off and still be right, where that is known.
        devices: numbers of devices over which there may have been a sum, in words.

    >>> meaning([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.1, 0.2, 0.3])
    'factor 2 in every entry: a missing 1/2?'
    >>> meaning([1.0, 2.0, 3.0, 4.0], [-1.0, 2.0, -3.0, -4.0], [-0.1, 0.2, -0.3, -0.4])
    'only entries with x < 0: opposite sign there'
    """
    rest = [_arrays(*other) for other in others]
    case = _arrays(expected, received, point)
    case = case._replace(lengths=_lengths(expected, rest), devices=tuple(devices))
    shapes = {case.expected.shape, case.received.shape, case.point.shape}
    if len(shapes) > 1 or case.expected.size == 0 or not np.all(np.isfinite(case.expected)):
        return ""
    with np.errstate(all="ignore"):
        if not np.all(np.isfinite(case.received)):
            return _nonfinite(case)
        error = np.abs(case.received - case.expected)
        limit = _NOISE * np.abs(case.expected) if allowed is None else np.asarray(allowed)
        if np.all(error <= limit):
            return ""
        return next((words for words in _guesses(case, rest, allowed) if words), "")


def _arrays(expected: Any, received: Any, point: Any) -> Case:
    return Case(_wide(expected), _wide(received), _wide(point))


def _wide(value: Any) -> Array:
    array = np.asarray(value)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _guesses(case: Case, others: list[Case], allowed: Any) -> Iterator[str]:
    yield _swapped(case, others)
    guess = uniform(case)
    yield "" if guess is None else guess.everywhere()
    yield _broadcast(case, others)
    yield _rearranged(case)
    yield _spread(case)
    yield _unused(case)
    yield _some(case, others, allowed)


def _lengths(value: Any, others: list[Case]) -> tuple[tuple[int, str], ...]:
    """The numbers over which there may have been a mean, each once, in words."""
    shape, size = np.shape(value), int(np.size(value))
    named = {size: f"all {size} entries"}
    for axis, length in enumerate(shape):
        named.setdefault(length, f"axis {axis} of {length} entries")
    for other in others:
        for axis, length in enumerate(other.expected.shape):
            named.setdefault(length, f"axis {axis} of another argument, of {length} entries")
        count = other.expected.size
        named.setdefault(count, f"all {count} entries of another argument")
    return tuple((count, words) for count, words in named.items() if count > 1)


# --- NaN ------------------------------------------------------------------------------------------


def _nonfinite(case: Case) -> str:
    bad = ~np.isfinite(case.received)
    what = "NaN" if np.isnan(case.received).any() else "infinity"
    hint = "0/0, 0 * inf, or an infinite slope at 0?"
    if bad.all():
        return f"{what} in every entry: {hint}"
    words = where(bad, np.ones_like(bad), case.point)
    return f"{words}: {what} there ({hint})" if words else f"{what} in some entries: {hint}"


# --- other arguments ------------------------------------------------------------------------------


def _swapped(case: Case, others: list[Case]) -> str:
    for other in others:
        if other.expected.shape != case.expected.shape or not _finite(other):
            continue
        name = f"another argument, of shape {other.expected.shape}"
        mutual = fits(case, other.expected) and fits(other, case.expected)
        # One number may be another by chance, two pairs of them hardly.
        if mutual:
            return f"swapped with the gradient of {name}"
        if case.expected.size > 1 and _varies(case.received) and fits(case, other.expected):
            return f"this is the gradient of {name}"
    return ""


def _broadcast(case: Case, others: list[Case]) -> str:
    """One slice of what should have been summed over an axis along which the input was repeated."""
    for other in others:
        axes = _repeated(case.expected.shape, other.expected.shape)
        if not axes or not _finite(other):
            continue
        total = other.expected.sum(axes, keepdims=True).reshape(case.expected.shape)
        if not _close(case.expected, total):
            continue
        for words, slices in (("first", 0), ("last", -1)):
            index = tuple(
                slice(None) if axis not in axes else slice(slices, None if slices else 1)
                for axis in range(other.expected.ndim)
            )
            if fits(case, other.expected[index].reshape(case.expected.shape)):
                named = ", ".join(str(axis) for axis in axes)
                return f"not summed over broadcast axis {named}: only its {words} entry"
    return ""


def _repeated(small: tuple[int, ...], large: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which an array of one shape is repeated to get another; empty if it is not."""
    if len(small) > len(large):
        return ()
    padded = (1,) * (len(large) - len(small)) + small
    if any(a not in (b, 1) for a, b in zip(padded, large, strict=True)):
        return ()
    return tuple(i for i, (a, b) in enumerate(zip(padded, large, strict=True)) if a == 1 < b)


# --- the order of entries -------------------------------------------------------------------------


def _rearranged(case: Case) -> str:
    if case.expected.size < 2:
        return ""
    for words, arranged in _arrangements(case.expected):
        if fits(case, arranged):
            return words
        if fits(case, -arranged):
            return f"{words}, and of opposite sign"
    if case.expected.size >= 4:
        permuted = _permuted(case)
        # The more entries, the closer each has a neighbour, and the closer a match must be.
        precise = 1e-5 / case.expected.size * case.scale
        if np.all(np.abs(case.received - permuted) <= precise) and fits(case, permuted):
            return "the right entries in another order: a permutation that is not undone?"
    return ""


def _permuted(case: Case) -> Array:
    """The expected entries in the order of those that were received."""
    arranged = np.empty(case.expected.size, case.expected.dtype)
    arranged[np.argsort(case.received, axis=None)] = np.sort(case.expected, axis=None)
    return arranged.reshape(case.expected.shape)


def _arrangements(right: Array) -> Iterator[tuple[str, Array]]:
    if right.ndim >= 2 and right.shape[-1] == right.shape[-2]:
        yield "transposed", np.swapaxes(right, -1, -2)
    if right.ndim >= 2:
        yield "rows and columns mixed up: a reshape for a transpose?", _reshaped(right)
        yield "rows and columns mixed up: a transpose for a reshape?", _transposed(right)
    for axis, length in enumerate(right.shape):
        named = f" along axis {axis}" if right.ndim > 1 else ""
        if length > 1:
            yield f"reversed{named}", np.flip(right, axis)
        turns = range(1, min(length - 1, _TURNS) + 1)
        for turn in (sign * turn for turn in turns for sign in (1, -1)):
            rolled = np.roll(right, turn, axis)
            yield f"shifted by {turn}{named}", rolled
            empty = [slice(None)] * right.ndim
            empty[axis] = slice(0, turn) if turn > 0 else slice(turn, None)
            filled = rolled.copy()
            filled[tuple(empty)] = 0
            if np.any(filled):
                yield f"shifted by {turn}{named}, with zeros at the end", filled


def _reshaped(right: Array) -> Array:
    return right.T.reshape(right.shape)


def _transposed(right: Array) -> Array:
    return right.reshape(right.shape[::-1]).T


def _spread(case: Case) -> str:
    """Each entry replaced by the sum or the mean along an axis."""
    right = case.expected
    reductions: tuple[tuple[str, Callable[..., Array]], ...] = (("sum", np.sum), ("mean", np.mean))
    for axis, length in enumerate(right.shape):
        for name, reduce in reductions if length > 1 else ():
            if fits(case, np.broadcast_to(reduce(right, axis=axis, keepdims=True), right.shape)):
                return f"every entry is the {name} along axis {axis}: reduced and spread again?"
    return ""


def _unused(case: Case) -> str:
    if np.any(case.expected) or not np.any(case.received):
        return ""
    return "a gradient where there is none: the function does not depend on this argument here"


# --- some entries ---------------------------------------------------------------------------------


def _some(case: Case, others: list[Case], allowed: Any) -> str:
    """Only some entries wrong: which, and what is the matter with them."""
    same = [o.point for o in others if o.point.shape == case.point.shape]
    real = [x for x in same if not np.iscomplexobj(x)]
    for wrong in _wrong(case, allowed):
        if wrong.all() or not wrong.any():
            continue
        floor = 0.0 if allowed is not None else 1e-9 * case.scale
        relevant = wrong | (np.abs(case.expected) > floor)
        words = where(wrong, relevant, case.point, real)
        guess = uniform(case.only(wrong))
        if words:
            return words if guess is None else f"{words}: {guess.there()}"
        if guess is not None and wrong.sum() > 1:
            return f"{int(wrong.sum())} of {wrong.size} entries: {guess.there()}"
    return ""


def _wrong(case: Case, allowed: Any) -> Iterator[Array]:
    """Which entries are wrong, the stricter answer first."""
    error = np.abs(case.received - case.expected)
    if allowed is not None:
        yield error > np.asarray(allowed)
        return
    size = np.maximum(np.abs(case.expected), np.abs(case.received))
    relative = error / np.maximum(size, 1e-3 * case.scale)
    worst = float(np.max(relative))
    if worst >= _CLEAR:
        yield relative > min(1e-5, 1e-2 * worst)
        # In half precision the right entries are noisy too, but less so by far than the wrong ones.
        right = relative <= 5e-3 * worst
        if right.sum() >= 2 and not np.any(~right & (relative <= 2e-2 * worst)):
            yield ~right


def _finite(case: Case) -> bool:
    """Whether all of it can be compared, which includes that the shapes are one."""
    shapes = {case.expected.shape, case.received.shape}
    return len(shapes) == 1 and bool(np.all(np.isfinite([*map(np.sum, case[:2])])))


def _close(a: Array, b: Array) -> bool:
    """Whether two arrays are the same up to rounding."""
    scale = np.max(np.abs(b), initial=0.0)
    return bool(np.all(np.abs(a - b) <= 1e-5 * (np.abs(b) + 1e-3 * scale)))


def _varies(values: Array) -> bool:
    """Whether the entries are not all the same, which any argument's might be."""
    return bool(np.any(values != values.ravel()[0]))
