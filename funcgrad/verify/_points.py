"""Points that a check visits beside the given one, mined from it and from the programs.

A fault often sits in a region that the given point does not touch: beyond a constant that the
program compares with, at a tie, at zero, far out. The points are made by moving the given one
there; those where the function is not finite are dropped later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from ._programs import equations

Array = NDArray[Any]
Move = Callable[[Array, np.random.Generator], Array]

_BRANCHING = frozenset(
    {p.lt_p, p.le_p, p.gt_p, p.ge_p, p.eq_p, p.ne_p, p.max_p, p.min_p, p.clamp_p, p.lt_to_p}
)
# x - 3 > 0 branches at 3, and `jnp.clip` is a call with its limits as arguments.
_PASSING = frozenset({p.add_p, p.sub_p, p.jit_p, p.custom_jvp_call_p, p.custom_vjp_call_p})
_MOST = 6  # constants
_FAR = 1e4  # times the given point: what lies beyond is a mask, as -1e9 is
_DEGENERATE = ("zeros", "all zeros", "at ", "equal")
NEAR = "values near the given point"


class Point(NamedTuple):
    """A place, and how it was made."""

    leaves: list[Array]
    name: str
    is_degenerate: bool


def mined_points(
    leaves: Sequence[Any], names: Sequence[str], found: Sequence[float], seed: int
) -> list[Point]:
    """The points to visit, the most telling first.

    Args:
        leaves: the given point.
        names: of the leaves.
        found: the programs' constants.
        seed: of what is drawn.
    """
    generator = np.random.default_rng([seed, 1])
    given = [np.asarray(leaf) for leaf in leaves]
    points = []
    size = max([1.0, *(float(np.max(np.abs(_plain(x)), initial=0.0)) for x in given)])
    near = [k for k in found if abs(k) <= _FAR * size]
    for name, move, only in _moves(near, len(given)):
        moved = [
            _cast(move(_plain(x), generator), x) if only in (None, i) else x
            for i, x in enumerate(given)
        ]
        where = f"{name} in {names[only]}" if only is not None else name
        points.append(Point(moved, where, name.startswith(_DEGENERATE)))
    return [point for point in points if _is_new(point.leaves, given)]


def _moves(found: Sequence[float], leaves: int) -> Iterator[tuple[str, Move, int | None]]:
    yield "the given point with signs flipped", lambda x, _: -x, None
    yield NEAR, lambda x, g: x * (1 + g.uniform(-0.2, 0.2, x.shape)), None
    yield "the given point, half of its signs flipped", _half(lambda x, _: -x), None
    yield "large values (the given point times 8)", lambda x, _: x * 8, None
    for k in found:
        text = f"{k:g}"
        yield f"just above {text}, a constant of the program", _half(_at(k, 2.0**-7)), None
        yield f"just below {text}, a constant of the program", _half(_at(k, -(2.0**-7))), None
        yield f"at {text}, a constant of the program", _half(_at(k, 0.0)), None
        yield f"well beyond {text}, a constant of the program", _half(_beyond(k)), None
    yield "zeros in half of the entries", _half(lambda x, _: x * 0), None
    yield "values of several magnitudes", _magnitudes, None
    yield "standard normal values", _normal, None
    yield "small values (the given point times 2**-7)", lambda x, _: x * 2.0**-7, None
    yield "equal neighbours", _ties, None
    yield "all zeros", lambda x, _: x * 0, None
    yield "large values (the given point times 64)", lambda x, _: x * 64, None
    yield "tiny values (the given point times 2**-20)", lambda x, _: x * 2.0**-20, None
    for i in range(leaves if 1 < leaves <= _MOST else 0):
        yield "signs flipped", lambda x, _: -x, i
        yield "zeros", lambda x, _: x * 0, i
        yield "values times 8", lambda x, _: x * 8, i


# --- moves ----------------------------------------------------------------------------------------


def _half(move: Move) -> Move:
    """A move of half of the entries; of a lone one always."""

    def some(x: Array, generator: np.random.Generator) -> Array:
        chosen = generator.random(x.shape) < 0.5 if x.size > 1 else np.ones(x.shape, bool)
        return np.where(chosen, move(x, generator), x)

    return some


def _at(k: float, aside: float) -> Move:
    return lambda x, _: np.full_like(x, k + aside * max(abs(k), 1.0))


def _beyond(k: float) -> Move:
    """Past a constant, on the side away from zero, by its own size."""
    size = (np.sign(k) or 1.0) * max(abs(k), 1.0)
    return lambda x, g: np.asarray(k + size * g.uniform(0.2, 1.5, x.shape), x.dtype)


def _magnitudes(x: Array, generator: np.random.Generator) -> Array:
    sign = generator.choice([-1.0, 1.0], x.shape)
    return np.asarray(sign * 10.0 ** generator.uniform(-3, 1.5, x.shape), x.dtype)


def _normal(x: Array, generator: np.random.Generator) -> Array:
    return np.asarray(generator.normal(size=x.shape), x.dtype)


def _ties(x: Array, _generator: np.random.Generator) -> Array:
    """Every entry as its neighbour before it, in pairs."""
    flat = x.ravel()
    return flat[np.arange(flat.size) // 2 * 2].reshape(x.shape)


def _plain(x: Array) -> Array:
    """Numbers that NumPy computes with: half precisions as float64."""
    return x if np.iscomplexobj(x) else x.astype(np.float64)


def _cast(value: Array, like: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(like.dtype)


def _is_new(leaves: Sequence[Array], given: Sequence[Array]) -> bool:
    finite = all(np.isfinite(_plain(leaf)).all() for leaf in leaves)
    return finite and any(not np.array_equal(a, b) for a, b in zip(leaves, given, strict=True))


# --- constants ------------------------------------------------------------------------------------


def constants(programs: Sequence[Any]) -> list[float]:
    """The constants that programs compare, select and clamp with, zero aside, the first few."""
    first: dict[float, None] = {}
    second: dict[float, None] = {}
    for program in programs:
        for equation in equations(program):
            into = first if equation.primitive in _BRANCHING else second
            if equation.primitive in _BRANCHING or equation.primitive in _PASSING:
                into.update(dict.fromkeys(_literals(equation)))
    return [k for k in (first | second) if 1e-30 < abs(k) < 1e30][:_MOST]


def _literals(equation: Any) -> Iterator[float]:
    for atom in equation.invars:
        if jaxprs.is_literal(atom) and np.ndim(atom.val) == 0:
            value = np.asarray(atom.val)
            if jnp.issubdtype(value.dtype, np.floating):
                yield float(value)
