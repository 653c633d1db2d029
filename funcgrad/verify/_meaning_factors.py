"""Errors that are the same in every entry: a factor, a sign, a conjugate, an offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ._meaning_case import NEGLIGIBLE, TOLERANCE, Array, Case, Guess, fits, largest


def uniform(case: Case) -> Guess | None:
    """The error that all entries share."""
    for guess in _guesses(case):
        if guess is not None:
            return guess
    return None


def _guesses(case: Case) -> Iterator[Guess | None]:
    yield _zero(case)
    yield _constant_factor(case)
    yield _complex(case)
    yield _chain(case)
    yield _offset(case)
    yield _penalty(case)


def _zero(case: Case) -> Guess | None:
    if largest(case.received) > 0 or largest(case.expected) == 0:
        return None
    return Guess(
        "zero", whole="this argument's gradient is dropped (stop_gradient? a zero returned?)"
    )


# --- constant factors -----------------------------------------------------------------------------


class Factor(NamedTuple):
    """A factor, how precisely it is known, and how many entries say so."""

    value: complex
    precision: float
    entries: int


def _factor(case: Case, base: Array) -> Factor | None:
    """The one factor between a base and what was received."""
    used = np.abs(base) > NEGLIGIBLE * largest(base)
    if not used.any():
        return None
    ratios = case.received[used] / base[used]
    value = complex(np.median(ratios.real), np.median(ratios.imag))
    real = abs(value.imag) <= 1e-6 * abs(value.real)
    factor = value.real if real else value
    if value == 0 or not np.isfinite(value) or not fits(case, factor * base):
        return None
    spread = float(np.median(np.abs(ratios - factor))) / abs(value)
    entries = int(used.sum())
    # A single entry has every factor exactly, so that only a close match says anything.
    precision = 1e-4 if entries == 1 else float(np.clip(10 * spread, 1e-5, TOLERANCE))
    return Factor(complex(factor), precision, entries)


def _constant_factor(case: Case) -> Guess | None:
    factor = _factor(case, case.expected)
    if factor is None:
        return None
    value = factor.value
    if value.imag:
        return _complex_factor(factor)
    if abs(value + 1) <= factor.precision:
        return Guess("opposite sign")
    name = _number(value.real)
    hints = _hints(abs(value.real), factor.precision, case)
    if hints:
        signed = ["opposite sign, and "] if value.real < 0 else [""]
        return Guess(f"factor {name}", f"{signed[0]}{', or '.join(hints[:2])}?")
    near = abs(value.real - 1)
    if near < 0.05:
        enough = factor.entries >= 4 or (factor.entries >= 2 and near > 1e-3)
        return Guess(f"factor {name}", "a constant that is slightly off?") if enough else None
    return Guess(f"factor {name}") if factor.entries >= 3 else None


def _complex_factor(factor: Factor) -> Guess | None:
    for name, value in (("i", 1j), ("-i", -1j)):
        if abs(factor.value - value) <= factor.precision:
            return Guess(f"off by a factor {name}")
    if factor.entries < 3:
        return None
    return Guess(f"factor {factor.value.real:.4g}{factor.value.imag:+.4g}j")


_CONSTANTS = (
    (np.pi, "pi", ""),
    (2 * np.pi, "2 pi", ""),
    (np.sqrt(np.pi), "sqrt(pi)", ""),
    (np.sqrt(2 * np.pi), "sqrt(2 pi)", ""),
    (2 / np.sqrt(np.pi), "2/sqrt(pi)", ""),
    (np.sqrt(2), "sqrt(2)", ""),
    (np.log(2), "ln 2", " (log2 or exp2?)"),
    (np.log(10), "ln 10", " (log10?)"),
    (180 / np.pi, "180/pi", " (degrees?)"),
)
_FRACTIONS = ((2, "2"), (3, "3"), (4, "4"), (6, "6"), (8, "8"))


def _hints(factor: float, precision: float, case: Case) -> list[str]:
    """What a positive factor may come from."""

    def near(value: float) -> bool:
        return abs(factor - value) <= precision * min(value, abs(value - 1))

    over = [hint for count, words in case.devices for value, hint in _over(count, words)
            if near(value)]  # fmt: skip
    known = [hint for value, hint in _known() if near(value)]
    counted = [
        hint
        for count, words in case.lengths
        for value, hint in _counted(count, words)
        if near(value)
    ]
    return [*over, *known, *counted]


def _over(count: int, words: str) -> Iterator[tuple[float, str]]:
    summed = "under check_vma=True the gradient of a replicated parameter is summed already"
    yield count, f"{words}: was the sum over it taken twice, or a sum for a mean ({summed})"
    yield 1 / count, f"1 divided by {words}: was the mean over it taken twice, or a mean for a sum"


def _known() -> Iterator[tuple[float, str]]:
    for value, name in _FRACTIONS:
        yield value, f"a missing 1/{name}"
        yield 1 / value, f"a missing factor {name}"
    for constant, name, hint in _CONSTANTS:
        yield constant, f"a factor {name} too many{hint}"
        yield 1 / constant, f"a factor {name} is missing{hint}"


def _counted(count: int, words: str) -> Iterator[tuple[float, str]]:
    yield count, f"a sum instead of a mean over {words}"
    yield 1 / count, f"a mean instead of a sum over {words}"
    if count > 2:
        yield count / (count - 1), f"n - 1 for n = {count}, {words}"
        yield (count - 1) / count, f"n for n - 1 with n = {count}, {words}"
    yield float(np.sqrt(count)), f"the square root of {count}, {words}"
    yield float(1 / np.sqrt(count)), f"the square root of {count}, {words}"


def _number(value: float) -> str:
    """A factor with the digits in which it differs from 1."""
    near = abs(abs(value) - 1)
    digits = 4 if near > 0.05 else int(np.ceil(-np.log10(near))) + 2
    return f"{value:.{digits}g}"


# --- others ---------------------------------------------------------------------------------------


def _complex(case: Case) -> Guess | None:
    right = case.expected
    if not np.iscomplexobj(right) or np.all(right.imag == 0):
        return None
    if fits(case, np.conj(right)):
        return Guess("off by conj", whole="off by conj: the complex conjugate of what is expected")
    if fits(case, -np.conj(right)):
        return Guess("off by conj and by the sign")
    if fits(case, right.real.astype(right.dtype)):
        return Guess("the real part only", "the imaginary part is dropped")
    if fits(case, 1j * right.imag):
        return Guess("the imaginary part only", "the real part is dropped")
    return None


_CHAIN: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("x", "a factor x too many, or a power of x one too high?", lambda x: x),
    ("1/x", "the chain rule's factor x is missing?", lambda x: 1 / x),
    ("x**2", "a factor x**2 too many?", lambda x: x * x),
    ("1/x**2", "a factor x**2 is missing?", lambda x: 1 / (x * x)),
    ("|x|", "a factor |x| too many?", np.abs),
    ("sqrt(x)", "a factor sqrt(x) too many?", np.sqrt),
    ("1/sqrt(x)", "a factor sqrt(x) is missing?", lambda x: 1 / np.sqrt(x)),
    ("exp(x)", "the chain rule's factor of an exponential twice?", np.exp),
    ("exp(-x)", "the chain rule's factor of an exponential is missing?", lambda x: np.exp(-x)),
    ("1/cos(x)", "the chain rule's factor cos(x) is missing?", lambda x: 1 / np.cos(x)),
    ("cos(x)", "the factor cos(x) too many?", np.cos),
    ("1/(1 - x**2)", "the factor 1 - x**2 is missing?", lambda x: 1 / (1 - x * x)),
    ("1 - x**2", "the factor 1 - x**2 too many?", lambda x: 1 - x * x),
    ("1/(2 x)", "the chain rule's factor 2 x is missing?", lambda x: 1 / (2 * x)),
    ("2 x", "the factor 2 x too many?", lambda x: 2 * x),
)  # fmt: skip


def _chain(case: Case) -> Guess | None:
    """A factor that depends on the point."""
    used = np.abs(case.expected) > NEGLIGIBLE * largest(case.expected)
    if np.iscomplexobj(case.point) or used.sum() < 2:
        return None
    seen = case.only(used)
    for name, hint, slope in _CHAIN:
        values = np.asarray(slope(seen.point))
        spread = np.ptp(values)
        if not np.isfinite(spread) or spread <= 1e-2 * largest(values):
            continue
        # Two entries are two coincidences; the rarer formulas need more.
        if name not in ("x", "1/x", "x**2", "1/x**2") and used.sum() < 3:
            continue
        for sign, shown in ((1, name), (-1, f"-{name}")):
            if fits(seen, sign * values * seen.expected):
                return Guess(f"factor {shown}", hint)
    return None


def _offset(case: Case) -> Guess | None:
    error = (case.received - case.expected).ravel()
    if error.size < 3 or largest(error) < 1e-4 * case.scale:
        return None
    value = complex(np.median(error.real), np.median(error.imag))
    if np.ptp(np.abs(case.expected)) <= 1e-2 * case.scale or not _explains(case, error, value):
        return None
    shown = f"{value.real:+.4g}" if not value.imag else f"{value.real:+.4g}{value.imag:+.4g}j"
    return Guess(f"constant offset {shown}", "a term added twice, or dropped?")


def _penalty(case: Case) -> Guess | None:
    """An error in proportion to the point: the gradient of a square."""
    error, x = (case.received - case.expected).ravel(), case.point.ravel()
    used = np.abs(x) > NEGLIGIBLE * largest(x)
    if error.size < 3 or used.sum() < 3 or largest(error) < 1e-4 * case.scale:
        return None
    value = complex(np.median((error[used] / x[used]).real))
    if np.ptp(np.abs(x)) <= 1e-2 * largest(x) or not _explains(case, error, value * x):
        return None
    return Guess(f"off by {value.real:.4g} x", "a quadratic penalty dropped, or counted twice?")


def _explains(case: Case, error: Array, hypothesis: Any) -> bool:
    """Whether the error as such, and not only what was received, is what a guess says."""
    left = np.abs(error - hypothesis)
    noise = 1e-9 * case.scale
    return bool(np.all(left <= TOLERANCE * np.abs(error) + noise) and largest(error) > 1e3 * noise)
