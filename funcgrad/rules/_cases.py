"""Short forms for the cases in which rules declare the calls that exercise them.

The note of a case says why it is as it is. If it begins with "constant", the gradient is zero
everywhere; if with "no numbers", numerical derivatives cannot check it; if with "newer JAX", the
older line reaches other primitives. An order of 0 says that JAX has no gradient to compare with, or
a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from .._registry import Case

Interval = tuple[float, float]
SHAPES = ((), (2, 3), (0, 2))
MATRICES = ((2, 3), (3, 1))


def at_least_single(x: Any) -> Any:
    """The array in float32 if its dtype is narrower."""
    narrow = x.dtype in {jnp.dtype(jnp.float16), jnp.dtype(jnp.bfloat16)}
    return lax.convert_element_type(x, jnp.float32) if narrow else x


def unary(
    function: Callable[..., Any],
    low: float,
    high: float,
    kinks: tuple[float, ...] = (),
    dtypes: str = "f",
    order: int = 2,
    note: str = "",
) -> Case:
    """An elementwise function of one array, drawn from an interval, over shapes of every kind."""
    shapes = tuple((shape,) for shape in SHAPES)
    return Case(function, ((low, high),), shapes, kinks, dtypes, order, note)


def binary(
    function: Callable[..., Any],
    first: Interval,
    second: Interval,
    dtypes: str = "f",
    order: int = 2,
    note: str = "",
) -> Case:
    """An elementwise function of two arrays of one shape."""
    shapes = tuple((shape, shape) for shape in SHAPES)
    return Case(function, (first, second), shapes, (), dtypes, order, note)


def scalar_beside(function: Callable[..., Any], first: Interval, second: Interval) -> Case:
    """An elementwise function of an array and a scalar, which the primitive broadcasts."""
    shapes = tuple((shape, ()) for shape in SHAPES)
    return Case(function, (first, second), shapes, note="a scalar beside an array")


def shaped(
    function: Callable[..., Any],
    *shapes: tuple[int, ...],
    dtypes: str = "fc",
    domain: Interval = (-2.0, 2.0),
    kinks: tuple[float, ...] = (),
    order: int = 2,
    note: str = "",
) -> Case:
    """A function of one array in each of the given shapes."""
    return Case(function, (domain,), tuple((s,) for s in shapes), kinks, dtypes, order, note)


def several(
    function: Callable[..., Any],
    *shapes: tuple[int, ...],
    dtypes: str = "fc",
    domain: Interval = (-2.0, 2.0),
    order: int = 2,
    note: str = "",
) -> Case:
    """A function of several arrays, one for each of the given shapes."""
    return Case(function, (domain,) * len(shapes), (shapes,), (), dtypes, order, note)
