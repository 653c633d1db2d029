"""Oracles of second order, in 64 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _transform as engine
from ..verify._programs import not_offered
from ..verify._rounding import epsilon
from ._blame import SHARE, blamed, weighed
from ._twin import Flat, Values, direction, moved, product
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


def second_order(
    wide: Flat, generator: np.random.Generator, terms: float, found: list[Disagreement]
) -> None:
    """The Hessian's product with a direction: ours, JAX's, forward over reverse, its symmetry."""
    along = direction(wide, generator)
    ours = _guarded(OURS, lambda: _curvature(engine.grad, wide, along), found)
    theirs = _guarded(JAX, lambda: _curvature(jax.grad, wide, along), found)
    if ours is None or theirs is None:
        return
    every = tuple(range(len(wide.leaves)))
    near = Flat(wide.run, moved(wide, generator, SHARE))
    allowed = margin(theirs, _curvature(jax.grad, near, along), SHARE, np.float64, terms)
    if is_nan(ours) != is_nan(theirs):
        who, bad, good = (OURS, ours, theirs) if is_nan(ours) else (JAX, theirs, ours)
        found.append(Disagreement(who, NAN, SECOND, described(bad, good), good, along))
        return
    if is_nan(theirs) or allowed.is_hopeless:
        return
    if exceeds(distances(ours, theirs), allowed.wide):
        one = blamed(_slope_along(wide, along), wide.leaves, (ours, theirs), SECOND)
        found.append(one._replace(along=along))
        return
    try:
        mixed = list(jax.jvp(jax.grad(wide.run, every), tuple(wide.leaves), tuple(along))[1])
    except Exception as error:
        if not not_offered(error):
            found.append(raised(JAX, "forward over reverse", error))
        return
    if exceeds(distances(mixed, theirs), allowed.wide):
        text = described(mixed, theirs)
        kind = NAN if is_nan(mixed) else WRONG
        found.append(Disagreement(JAX, kind, "forward over reverse", text, theirs, along))
        return
    _symmetric(wide, theirs, along, allowed, generator, found)


def _guarded(who: str, compute: Callable[[], Values], found: list[Disagreement]) -> Values | None:
    try:
        return compute()
    except Exception as error:
        if not not_offered(error):
            found.append(raised(who, SECOND, error))
        return None


def _slope_along(wide: Flat, along: Values) -> Callable[..., Any]:
    """The derivative along a direction, by JAX's first order, which has been examined."""
    every = tuple(range(len(wide.leaves)))

    def value(*leaves: Any) -> Any:
        gradient = jax.grad(wide.run, every)(*leaves)
        return sum(jnp.real(jnp.sum(g * w)) for g, w in zip(gradient, along, strict=True))

    return value


def _curvature(transform: Any, flat: Flat, along: Values) -> Values:
    """The gradient of the derivative along a direction, both by one engine."""
    every = tuple(range(len(flat.leaves)))

    def value(*leaves: Any) -> Any:
        gradient = transform(flat.run, every)(*leaves)
        return sum(jnp.real(jnp.sum(g * w)) for g, w in zip(gradient, along, strict=True))

    return list(transform(value, every)(*flat.leaves))


def _symmetric(
    wide: Flat, first: Values, along: Values, allowed: Margin,
    generator: np.random.Generator, found: list[Disagreement],
) -> None:  # fmt: skip
    """The Hessian is symmetric: <v, H w> is <w, H v>."""
    other = direction(wide, generator)
    second = _curvature(jax.grad, wide, other)
    left, right = product(first, other), product(second, along)
    slack = 2 * weighed(allowed.wide, other) + 1e-8 * (abs(left) + abs(right))
    slack += epsilon(np.float64) * 1e4 * max(abs(product(second, other)), 1e-300)
    if not abs(left - right) <= slack:
        text = f"<v, H w> is {left:.9g}, <w, H v> is {right:.9g}"
        found.append(Disagreement(BOTH, WRONG, SYMMETRY, text, None, along))
