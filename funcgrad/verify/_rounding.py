"""Numbers in 64 bits, and what became of them when they were rounded.

Two sources of rounding are made visible: literals, rounded where the source was written, and the
64-bit operations themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat


def widen(value: Any) -> Any:
    """A floating or complex array in 64 or 128 bits, and others as they are."""
    dtype = wide(compat.typeof(value).dtype)
    if dtype is None:
        return value
    return value.astype(dtype) if compat.is_tracer(value) else jnp.asarray(np.asarray(value), dtype)


def wide(dtype: Any) -> Any:
    """The dtype to which one is widened; None where it stays."""
    if compat.is_extended(dtype):
        return None
    if jnp.issubdtype(dtype, np.complexfloating):
        return np.dtype(np.complex128)
    return np.dtype(np.float64) if jnp.issubdtype(dtype, np.floating) else None


finfo: Any = jnp.finfo  # which has no types


def epsilon(dtype: Any) -> float:
    """The rounding unit of a dtype."""
    return float(finfo(dtype).eps)


_MOVES: ContextVar[Any] = ContextVar("_MOVES", default=None)
_NOISE: ContextVar[Any] = ContextVar("_NOISE", default=None)
MOVES = 64  # so many literals are moved independently


@contextmanager
def moved_literals(moves: Any) -> Iterator[None]:
    """While it lasts, lifted programs have their rounded literals moved.

    Args:
        moves: an array of `MOVES` numbers from -1 to 1, in units of half the last place. Literals
            and constants take them in turn.
    """
    token = _MOVES.set((itertools.count(), moves))
    try:
        yield
    finally:
        _MOVES.reset(token)


@contextmanager
def noisy_operations(seed: Any) -> Iterator[None]:
    """While it lasts, lifted programs round every result once more, up or down, by a seed.

    The spread of a few such runs tells how much of a result is rounding (the stochastic arithmetic
    of J. Vignes, "A stochastic arithmetic for reliable scientific computation", Mathematics and
    Computers in Simulation 35, 1993).
    """
    token = _NOISE.set((itertools.count(1), seed))
    try:
        yield
    finally:
        _NOISE.reset(token)


def draws() -> list[Any]:
    """The numbers behind moves and roundings that are under way."""
    return [state[1] for state in (_MOVES.get(), _NOISE.get()) if state is not None]


@contextmanager
def drawing(numbers: Sequence[Any]) -> Iterator[None]:
    """While it lasts, other numbers stand for those of `draws`: inside a body, its own values."""
    given = iter(numbers)
    states = [(kind, kind.get()) for kind in (_MOVES, _NOISE)]
    tokens = [(kind, kind.set((s[0], next(given)))) for kind, s in states if s is not None]
    try:
        yield
    finally:
        for kind, token in tokens:
            kind.reset(token)


@contextmanager
def plain_operations() -> Iterator[None]:
    """While it lasts, operations round once, as they do."""
    token = _NOISE.set(None)
    try:
        yield
    finally:
        _NOISE.reset(token)


def rerounded(values: list[Any]) -> list[Any]:
    """An operation's results, rounded once more where that is asked for."""
    return values if _NOISE.get() is None else [_noisy(value) for value in values]


def _noisy(value: Any) -> Any:
    aval = compat.typeof(value)
    if compat.is_extended(aval.dtype) or not jnp.issubdtype(aval.dtype, np.inexact):
        return value
    counter, seed = _NOISE.get()
    return _shaken(value, seed, float(next(counter)))


@jax.jit  # one operation to run, and one to compile for all of a shape
def _shaken(value: Any, seed: Any, operation: Any) -> Any:
    # The sign depends on the value, so that a loop's body needs no state of its own, and on the
    # operation, so that equal numbers that cancel are not moved alike.
    size = jnp.abs(value)
    size = jnp.where(jnp.isfinite(size), size, 1.0)
    phase = seed * (159155 * jnp.sqrt(jnp.sqrt(size)) + 2.0674 * operation)
    sign = jnp.where(phase % 1 > 0.5, 1.0, -1.0)
    return value * (1 + 2.0**-52 * sign)


def moved(value: Any, dtype: Any) -> Any:
    """A literal or constant of a dtype, moved where it is rounded and moves are asked for."""
    moving = _MOVES.get()
    if moving is None or compat.is_extended(dtype) or not jnp.issubdtype(dtype, np.floating):
        return widen(value)
    places = int(finfo(dtype).nmant) + 1
    if compat.is_tracer(value) or np.size(value) > _LARGEST_MOVED or _is_exact(value, places // 2):
        return widen(value)
    counter, moves = moving
    return widen(value) * (1 + 2.0**-places * moves[next(counter) % MOVES])


_LARGEST_MOVED = 4096  # entries; what is larger is data


def _is_exact(value: Any, places: int) -> bool:
    """Whether numbers need few binary places, as 0.5 and 3 do: then none were rounded away."""
    numbers = np.asarray(value, np.float64)
    mantissa, _ = np.frexp(numbers[np.isfinite(numbers)])
    return bool(np.all(mantissa * 2.0**places % 1 == 0))
