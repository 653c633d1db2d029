"""Oracles of second order, in 64 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _transform as engine
from ..verify._lines import inner
from ..verify._programs import not_offered
from ..verify._rounding import epsilon
from ._blame import SHARE, blamed, one_not_finite, weighed
from ._twin import Flat, Values, direction, moved
from ._verdicts import (
    BOTH,
    JAX,
    NAN,
    OURS,
    WRONG,
    Disagreement,
    Margin,
    described,
    distances,
    exceeds,
    is_nan,
    margin,
    raised,
)

SECOND = "second derivative"
SYMMETRY = "symmetry of the second derivative"
Curvature = Callable[..., Values]  # of a direction's leaves, then the point's


def second_order(
    wide: Flat, generator: np.random.Generator, terms: float, found: list[Disagreement]
) -> None:
    """The Hessian's product with a direction: ours, JAX's, forward over reverse, its symmetry."""
    along = direction(wide, generator)
    ours = _curvature(OURS, engine.grad, wide, along, found)
    theirs = _curvature(JAX, jax.grad, wide, along, found)
    if ours is None or theirs is None:
        return
    (first, _), (second, product) = ours, theirs
    again = product(*along, *moved(wide, generator, SHARE))
    allowed = margin(second, again, SHARE, np.float64, terms)
    one = one_not_finite(first, second, SECOND)
    if one:
        found.append(one._replace(along=along))
        return
    if is_nan(second) or allowed.is_hopeless:
        return
    if exceeds(distances(first, second), allowed.wide):
        one = blamed(_slope_along(wide, along), wide.leaves, (first, second), SECOND)
        found.append(one._replace(along=along))
        return
    _mixed(wide, second, along, allowed, found)
    if not found:
        other = direction(wide, generator)
        _symmetric(second, product(*other, *wide.leaves), (along, other), allowed, found)


def _curvature(
    who: str, transform: Any, wide: Flat, along: Values, found: list[Disagreement]
) -> tuple[Values, Curvature] | None:
    """The gradient of the derivative along a direction, both by one engine, and as a function."""
    count = len(wide.leaves)

    def gradient(*given: Any) -> Any:
        directed, leaves = given[:count], given[count:]
        slope = _derivative(transform(wide.run, wide.every), directed)
        return transform(slope, wide.every)(*leaves)

    try:
        product = wide._replace(leaves=[*wide.leaves, *wide.leaves]).staged(gradient)
        return product(*along, *wide.leaves), product
    except Exception as error:
        if not not_offered(error):
            found.append(raised(who, SECOND, error))
        return None


def _derivative(gradient: Callable[..., Any], along: Any) -> Callable[..., Any]:
    """The derivative along a direction as a function of the point."""

    def value(*leaves: Any) -> Any:
        parts = zip(gradient(*leaves), along, strict=True)
        return sum(jnp.real(jnp.sum(g * w)) for g, w in parts)

    return value


def _slope_along(wide: Flat, along: Values) -> Callable[..., Any]:
    """The derivative along a direction, by JAX's first order, which has been examined."""
    gradient = wide.gradient(jax.grad)
    return lambda *leaves: inner(gradient(*leaves), along)


def _mixed(
    wide: Flat, theirs: Values, along: Values, allowed: Margin, found: list[Disagreement]
) -> None:
    """Forward over reverse against reverse over reverse."""
    gradient = jax.grad(wide.run, wide.every)
    try:
        mixed = wide.staged(lambda *xs: jax.jvp(gradient, xs, tuple(along))[1])(*wide.leaves)
    except Exception as error:
        if not not_offered(error):
            found.append(raised(JAX, "forward over reverse", error))
        return
    if exceeds(distances(mixed, theirs), allowed.wide):
        text = described(mixed, theirs)
        kind = NAN if is_nan(mixed) else WRONG
        found.append(Disagreement(JAX, kind, "forward over reverse", text, theirs, along))


def _symmetric(
    first: Values,
    second: Values,
    directions: tuple[Values, Values],
    allowed: Margin,
    found: list[Disagreement],
) -> None:
    """The Hessian is symmetric: <v, H w> is <w, H v>."""
    along, other = directions
    left, right = inner(first, other), inner(second, along)
    slack = 2 * weighed(allowed.wide, other) + 1e-8 * (abs(left) + abs(right))
    slack += epsilon(np.float64) * 1e4 * max(abs(inner(second, other)), 1e-300)
    if not abs(left - right) <= slack:
        text = f"<v, H w> is {left:.9g}, <w, H v> is {right:.9g}"
        found.append(Disagreement(BOTH, WRONG, SYMMETRY, text, None, along))
