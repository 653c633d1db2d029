"""A derivative against that of the primal body, entry by entry and almost without rounding.

Both are run in 64 bits: the derivative under test as the program that it is, and the function's own
body, without its custom rules, differentiated by this package's engine. What remains between them
is a difference of formulas, and what the literals' rounding accounts for; the latter is measured by
moving the literals, and allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from .._transform import vjp
from ._lift import lift, shaken_literals, widen

Arrays = tuple[NDArray[Any], ...]
Flat = Callable[..., Sequence[Any]]

_DRAWS = 3  # of moved literals
_SAFETY = 4.0
_ROUNDING = 2.0**-40  # of results in 64 bits: generous, and far below any error worth a word


class Entrywise(NamedTuple):
    """The cotangents of a function's inputs, as they are and as they ought to be.

    Attributes:
        expected: of the primal body, by our engine, in 64 bits.
        received: of the derivative under test, in 64 bits.
        allowed: how far an entry may be off for the sake of literals and rounding.
    """

    expected: Arrays
    received: Arrays
    allowed: Arrays

    def excess(self) -> Arrays:
        """By how much each entry is off beyond what is allowed, in units of what is expected."""
        return tuple(
            np.maximum(np.abs(received - expected) - allowed, 0)
            / np.maximum(np.abs(expected), np.finfo(np.float64).tiny)
            for expected, received, allowed in zip(*self, strict=True)
        )


def compare(
    function: Flat, derivative: Flat, leaves: Sequence[Any], cts: Sequence[Any]
) -> Entrywise:
    """The derivative under test beside that of the primal body.

    Args:
        function: takes flat floating arrays and returns flat floating arrays.
        derivative: takes the same arrays and the outputs' cotangents, and returns the inputs'.
        leaves: the point, in the function's own precision.
        cts: the cotangents.

    Raises:
        Unliftable: one of the programs has no 64-bit form.
        MissingRuleError: our engine has no rule for an operation of the body.
    """
    body = jax.make_jaxpr(lambda *xs: list(function(*xs)))(*leaves)
    tested = jax.make_jaxpr(lambda xs, cs: list(derivative(*xs, *cs)))(list(leaves), list(cts))

    def both() -> tuple[Arrays, Arrays]:
        xs, cs = [widen(x) for x in leaves], [widen(c) for c in cts]
        _, pullback = vjp(lift(body), *xs)
        return _arrays(pullback(cs)), _arrays(lift(tested)(*xs, *cs))

    with jax.enable_x64(True):
        expected, received = both()
        shaken = [_shake(seed, both) for seed in range(_DRAWS)]
    moved = [
        _largest([_apart(pair[side], base) for pair in shaken])
        for side, base in ((0, expected), (1, received))
    ]
    allowed = tuple(
        _SAFETY * (first + second) + _ROUNDING * np.abs(right)
        for first, second, right in zip(*moved, expected, strict=True)
    )
    return Entrywise(expected, received, allowed)


def _shake(seed: int, both: Callable[[], tuple[Arrays, Arrays]]) -> tuple[Arrays, Arrays]:
    with shaken_literals(seed):
        return both()


def _arrays(values: Sequence[Any]) -> Arrays:
    return tuple(np.asarray(value) for value in values)


def _apart(moved: Arrays, base: Arrays) -> list[NDArray[Any]]:
    return [np.abs(a - b) for a, b in zip(moved, base, strict=True)]


def _largest(draws: Sequence[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    return [np.max(np.stack(column), axis=0) for column in zip(*draws, strict=True)]
