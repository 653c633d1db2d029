"""What an error usually means that shows only when one place is seen under several cotangents."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._meaning_case import EXPLAINED, NEGLIGIBLE, TOLERANCE, Array

_LEAST = 3  # cotangents: of two, too much can be said


def of_cotangents(expected: Any, received: Any, allowed: Any = None) -> str:
    """What is wrong with how an entry depends on the cotangent; empty if nothing fits.

    A derivative rule has to be linear in the cotangent.

    Args:
        expected: one entry of the gradient at one point, under several cotangents.
        received: the same as it is.
        allowed: how far each may be off and still be right, where that is known.

    >>> of_cotangents([2.0, 3.0, 200.0, -2.0], [2.0, 2.0, 2.0, 2.0])
    'the result does not change with the cotangent: is it left out of the rule?'
    >>> of_cotangents([2.0, 3.0, 200.0, -0.5, 0.0], [2.0, 2.5, 2.5, -0.5, 0.0])
    'saturates in the cotangent, at 2.5: clipped?'
    """
    right, given = np.asarray(expected), np.asarray(received)
    if right.size < _LEAST or not np.all(np.isfinite(right) & np.isfinite(given)):
        return ""
    scale = float(np.max(np.abs(right)))
    error = np.abs(given - right)
    slack = NEGLIGIBLE * np.abs(right) if allowed is None else np.asarray(allowed)
    wrong = error > slack
    if not wrong.any() or np.ptp(np.abs(right)) <= TOLERANCE * scale:
        return ""
    guesses = (_constant, _sign_only, _saturated, _squared, _offset)
    return next((words for guess in guesses if (words := guess(right, given, wrong))), "")


def _constant(_right: Array, given: Array, _wrong: Array) -> str:
    if given[0] == 0 or not _alike(given):
        return ""
    return "the result does not change with the cotangent: is it left out of the rule?"


def _sign_only(right: Array, given: Array, _wrong: Array) -> str:
    """One size, with the sign that it ought to have."""
    if np.iscomplexobj(given) or np.iscomplexobj(right):
        return ""
    used = right != 0
    seen = given[used] * np.sign(right[used])
    if used.sum() < _LEAST or seen[0] == 0 or not _alike(seen):
        return ""
    return "only the sign of the cotangent counts: normalised?"


def _saturated(right: Array, given: Array, wrong: Array) -> str:
    """Right where it is small, and elsewhere always as large as it may become."""
    level = float(np.max(np.abs(given)))
    small = ~wrong & (right != 0)
    if wrong.sum() < 2 or not small.any() or level == 0 or not _alike(np.abs(given[wrong])):
        return ""
    held = np.abs(given[wrong])[0] >= level * (1 - TOLERANCE)
    above = np.min(np.abs(right[wrong])) > level
    below = np.max(np.abs(right[small])) <= level * (1 + TOLERANCE)
    same_way = np.all(np.real(given[wrong] * np.conj(right[wrong])) > 0)
    if not (held and above and below and same_way):
        return ""
    return f"saturates in the cotangent, at {level:.4g}: clipped?"


def _squared(right: Array, given: Array, _wrong: Array) -> str:
    """Growing as the square: under cotangents in proportion, so are the expected entries."""
    used = (right != 0) & (given != 0)
    sizes = np.log(np.abs(right[used]))
    if used.sum() < _LEAST or np.ptp(sizes) < 1 or len(set(np.round(sizes, 6))) < _LEAST:
        return ""
    power = np.log(np.abs(given[used])) - 2 * sizes
    if np.ptp(power) > TOLERANCE * np.ptp(sizes):
        return ""
    return "grows as the square of the cotangent: multiplied by it twice?"


def _offset(right: Array, given: Array, wrong: Array) -> str:
    """A term beside the right one, which the cotangent does not enter."""
    apart = given - right
    if not wrong.all() or _rounding(right) > EXPLAINED * float(np.min(np.abs(apart))):
        return ""
    middle = np.median(np.real(apart)) + 1j * np.median(np.imag(apart))
    if np.max(np.abs(apart - middle)) > EXPLAINED * abs(middle):
        return ""
    return "a term that does not change with the cotangent is added"


def _rounding(values: Array) -> float:
    """What rounding leaves of a difference of numbers as large as these, in 64 bits."""
    return float(np.max(np.abs(values), initial=0.0)) * 2.0**-50


def _alike(values: Array) -> bool:
    return bool(np.max(np.abs(values - values[0])) <= NEGLIGIBLE * np.abs(values[0]))
