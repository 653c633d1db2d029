"""Drawn entries of arrays: few choices of Hypothesis stand for any number of entries.

An array is a *base* (one value, a few values in an arrangement, normal noise, noise of many
magnitudes) of which a *mask* keeps a part, with single entries laid over it. Hypothesis can shrink
each of these by itself: the mask halves the array for every bit of an entry's position, the base
is rounded to small numbers, what is laid over it goes. So ten thousand entries take some thirty
choices, and still end as few round numbers among zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._hypothesis import st
from ._kinds import COMPLEX, Kind, around, fit, table

Draw = Callable[[Any], Any]
FEW = 16  # so many entries are drawn one by one


def number(kind: Kind) -> st.SearchStrategy[float]:
    """One real number, as a float64 that still has to be fitted to the dtype."""
    edges = () if kind.within is None else kind.within
    constants = (*kind.near, *(edge for edge in edges if abs(edge) < float("inf")))
    close = [value for constant in constants for value in around(constant, kind)]
    known = [st.sampled_from(table(kind)), *([st.sampled_from(close)] * 2 if close else [])]
    if kind.dtype.kind in "iub":
        return st.one_of(*known, st.integers(-20, 20).map(float))
    rough = st.floats(-10.0, 10.0, allow_subnormal=False)
    return st.one_of(*known, _ordinary(), rough, _of_any_magnitude())


def _ordinary() -> st.SearchStrategy[float]:
    """Numbers of two decimals, which a lowered first choice makes whole, away from zero."""
    parts = st.tuples(st.integers(0, 3), st.integers(-400, 400))
    return parts.map(
        lambda pair: (
            pair[1] / 100 if pair[0] else math.copysign(math.ceil(abs(pair[1]) / 100), pair[1])
        )
    )


def _of_any_magnitude() -> st.SearchStrategy[float]:
    parts = st.tuples(st.integers(-99, 99), st.integers(-6, 6))
    return parts.map(lambda pair: float(f"{pair[0]}e{pair[1] - 1}"))


# --- whole arrays ---------------------------------------------------------------------------------


def entries(draw: Draw, size: int, kind: Kind) -> np.ndarray[Any, Any]:
    """A flat array of so many entries."""
    if kind.dtype.name in COMPLEX:
        return _complex_entries(draw, size, kind)
    if size <= 1:
        return fit([draw(number(kind)) for _ in range(size)], kind)
    # Which base: few entries one by one, or one of those that hold for any number of entries.
    base = _BASES[draw(st.integers(0, len(_BASES) - 1))](draw, size, kind)
    kept = np.where(_mask(draw, size), base, 0.0)
    return fit(_overlaid(draw, kept, kind), kind)


def _complex_entries(draw: Draw, size: int, kind: Kind) -> np.ndarray[Any, Any]:
    part = np.dtype(COMPLEX[kind.dtype.name])
    real = Kind(part, tuple(complex(k).real for k in kind.near))
    imaginary = Kind(part, tuple(complex(k).imag for k in kind.near))
    both = np.empty(size, kind.dtype)
    both.real, both.imag = entries(draw, size, real), entries(draw, size, imaginary)
    if size and kind.near:  # both parts of a constant at once
        at = st.tuples(st.integers(0, size - 1), st.sampled_from(kind.near))
        for i, constant in draw(st.lists(at, max_size=2)):
            both[i] = constant
    return both


def _constant(draw: Draw, size: int, kind: Kind) -> np.ndarray[Any, Any]:
    return np.full(size, draw(number(kind)))


def _single(draw: Draw, size: int, kind: Kind) -> np.ndarray[Any, Any]:
    if size > FEW:
        return _pool(draw, size, kind)
    return np.array([draw(number(kind)) for _ in range(size)])


def _pool(draw: Draw, size: int, kind: Kind) -> np.ndarray[Any, Any]:
    """A few values, so that many entries are equal: in turn, in blocks, or scattered."""
    values = np.array(draw(st.lists(number(kind), min_size=1, max_size=5)))
    arrangement, position = draw(st.integers(0, 2)), np.arange(size)
    if arrangement == 0:
        chosen = position % len(values)
    elif arrangement == 1:
        chosen = position * len(values) // size
    else:
        chosen = _generator(draw).integers(0, len(values), size)
    return np.asarray(values[chosen])


def _noise(draw: Draw, size: int, kind: Kind) -> np.ndarray[Any, Any]:
    """Normal numbers; rounded to 0, 1 and 2 where that will do."""
    rough = draw(st.integers(0, 9))
    scale, offset = draw(st.sampled_from(_SCALES)), draw(st.sampled_from(_offsets(kind)))
    x = np.clip(_generator(draw).standard_normal(size), -4.0, 4.0)
    if rough < 2:
        x = np.rint(x) if rough == 0 else np.rint(4 * x) / 4
    return np.asarray(scale * x + offset)


def _magnitudes(draw: Draw, size: int, kind: Kind) -> np.ndarray[Any, Any]:
    """Numbers from 1e-6 to 1e6, of either sign, side by side."""
    rough = draw(st.integers(0, 3))
    generator = _generator(draw)
    reach = 4.0 if kind.dtype.name == "float16" else 6.0
    exponent = generator.uniform(-reach, reach, size)
    x = 10.0 ** (np.rint(exponent) if rough == 0 else exponent)
    return np.asarray(x * generator.choice([1.0, -1.0], size))


_BASES = (_constant, _single, _single, _pool, _noise, _noise, _noise, _magnitudes)
_SCALES = (1.0, 1.0, 1.0, 0.1, 1e-3, 10.0, 1e3)


def _offsets(kind: Kind) -> Sequence[float]:
    return (0.0, 0.0, 0.0, 0.0, 1.0, 100.0, *kind.near)


def _generator(draw: Draw) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**16 - 1)))


def _mask(draw: Draw, size: int) -> np.ndarray[Any, Any]:
    """Which entries stay: for each bit of the position those with a zero, a one, or both.

    The greatest bit first, so that lowering the choices is a search by halves.
    """
    position, kept = np.arange(size), np.ones(size, np.bool_)
    for bit in reversed(range((size - 1).bit_length())):
        choice = draw(st.integers(0, 50))
        if choice < 2:
            kept &= ((position >> bit) & 1) == choice
    return kept


def _overlaid(draw: Draw, x: np.ndarray[Any, Any], kind: Kind) -> np.ndarray[Any, Any]:
    """Some entries set to values of their own, some made equal to others."""
    position = st.integers(0, x.size - 1)
    for i, value in draw(st.lists(st.tuples(position, number(kind)), max_size=3)):
        x[i] = value
    for i, j in draw(st.lists(st.tuples(position, position), max_size=2)):
        x[i] = x[j]
    return x
