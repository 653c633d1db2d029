"""How the arguments of a hazard are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.verify.corpus.cases import FLOATS, Case, Problem, complex_of

Draw = Callable[[np.dtype[Any], np.random.Generator], Any]

ALL = (*FLOATS, "bfloat16", "float16")


def case(
    name: str,
    kind: str,
    function: Callable[..., Any],
    *draws: Draw,
    gradient: Callable[..., Any] | None = None,
    smooth: bool = True,
    dtypes: tuple[str, ...] = FLOATS,
) -> Case:
    """A hazard: a function whose derivatives are right at the drawn arguments."""

    def make(dtype: np.dtype[Any], generator: np.random.Generator) -> Problem:
        return Problem(function, tuple(draw(dtype, generator) for draw in draws), gradient)

    return Case(name, kind, make, smooth=smooth, dtypes=dtypes)


def normal(*shape: int, scale: float = 1.0, offset: float = 0.0) -> Draw:
    """Normally distributed entries."""
    return lambda dtype, g: jnp.asarray(offset + scale * g.normal(size=shape), dtype)


def uniform(low: float, high: float, *shape: int) -> Draw:
    """Entries between two limits."""
    return lambda dtype, g: jnp.asarray(g.uniform(low, high, shape), dtype)


def signed(low: float, high: float, *shape: int) -> Draw:
    """Entries of either sign whose size lies between two limits, uniform in the logarithm."""

    def draw(dtype: np.dtype[Any], g: np.random.Generator) -> Any:
        size = np.exp(g.uniform(np.log(low), np.log(high), shape))
        return jnp.asarray(np.where(g.random(shape) < 0.5, -1.0, 1.0) * size, dtype)

    return draw


def sizes(low: float, high: float, *shape: int) -> Draw:
    """Positive entries, uniform in the logarithm: many magnitudes in one array."""
    return lambda dtype, g: jnp.asarray(np.exp(g.uniform(np.log(low), np.log(high), shape)), dtype)


def exactly(*values: float) -> Draw:
    """The given entries, in a drawn order."""
    return lambda dtype, g: jnp.asarray(g.permutation(np.asarray(values)), dtype)


def fixed(value: Any) -> Draw:
    """The same value at every draw."""
    return lambda _dtype, _g: value


def labels(classes: int, *shape: int) -> Draw:
    """Integers below a limit."""
    return lambda _dtype, g: jnp.asarray(g.integers(classes, size=shape), "int32")


def key() -> Draw:
    """A key of the random generator."""
    return lambda _dtype, g: jax.random.key(int(g.integers(2**31)))


def tree(**draws: Draw) -> Draw:
    """A dict."""
    return lambda dtype, g: {name: draw(dtype, g) for name, draw in draws.items()}


def complex_normal(*shape: int) -> Draw:
    """Complex entries of the precision of the dtype."""

    def draw(dtype: np.dtype[Any], g: np.random.Generator) -> Any:
        return jnp.asarray(g.normal(size=shape) + 1j * g.normal(size=shape), complex_of(dtype))

    return draw


def definite(n: int, condition: float = 10.0) -> Draw:
    """A symmetric positive definite matrix with eigenvalues from 1 to its condition number."""
    values = np.geomspace(1.0, condition, n)

    def draw(dtype: np.dtype[Any], g: np.random.Generator) -> Any:
        basis = np.linalg.qr(g.normal(size=(n, n)))[0]
        return jnp.asarray((basis * values) @ basis.T, dtype)

    return draw
