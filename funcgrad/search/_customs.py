"""The custom derivative rules in a program, against the derivative of what they are rules of."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from .._jaxcompat import primitives as p
from ..verify._lift import Unliftable, lift
from ..verify._lines import inner
from ..verify._programs import equations, not_offered
from ._interpreter import Machine
from ._twin import Flat, Values, weights
from ._verdicts import (
    BOTH,
    JAX,
    NAN,
    NATIVE,
    WRONG,
    Disagreement,
    Margin,
    described,
    distances,
    exceeds,
    is_nan,
    raised,
    sizes,
)


class RuleError(Exception):
    """A rule of the program's own raises; the only argument is the disagreement."""


_FOLLOWS = 1e-5  # relative: rules have constants in the program's own precision
_CUSTOM = (p.custom_jvp_call_p, p.custom_vjp_call_p)


def has_rules(flat: Flat) -> bool:
    """Whether a program has any; the one in 64 bits has none, as what they are rules of runs."""
    return any(equation.primitive in _CUSTOM for equation in equations(flat.closed))


def trace_gradient(flat: Flat) -> Any:
    """The gradient by the rules, traced in the program's own precision; None without rules."""
    if not has_rules(flat):
        return None
    try:
        return jax.make_jaxpr(jax.grad(flat.run, flat.every))(*flat.leaves)
    except Exception as error:
        if not_offered(error):
            return None
        raise RuleError(raised(BOTH, "gradient", error)) from error


def follows_rules(traced: Any, wide: Flat, one: Disagreement) -> bool:
    """Whether a derivative that the formulas miss is the one that the program's rules give.

    A rule may stand for a formula that is not differentiable as it is written: softplus as a sum
    with a maximum in it, at zero; a pseudo-inverse by singular values, where two are equal.
    """
    found = _by_rules(traced, wide) if one.who in (BOTH, JAX) else None
    if found is None or one.expected is None or one.what != "gradient":
        return False
    if one.along is None:
        limits = [_FOLLOWS * size for size in sizes(one.expected)]
        return not exceeds(distances(found, one.expected), limits)
    terms = weights(found, one.along)
    return bool(abs(inner(found, one.along) - one.expected) <= _FOLLOWS * terms)


def compare_rules(traced: Any, wide: Flat, truth: Values, allowed: Margin) -> Disagreement | None:
    """The gradient by the rules in 64 bits, against that of the formulas."""
    found = _by_rules(traced, wide)
    if found is None:
        return None
    # Constants in the rules are rounded to the program's own precision.
    limit = [a + 4 / NATIVE * b for a, b in zip(allowed.wide, allowed.native, strict=True)]
    if not exceeds(distances(found, truth), limit):
        return None
    kind = NAN if is_nan(found) and not is_nan(truth) else WRONG
    return Disagreement(BOTH, kind, "gradient", described(found, truth), truth)


def _by_rules(traced: Any, wide: Flat) -> Values | None:
    """The traced gradient in 64 bits; None if it has no such form."""
    try:
        lifted = jax.make_jaxpr(lift(traced))(*wide.leaves)
    except Unliftable:
        return None
    return list(Machine().run(lifted, [np.asarray(leaf) for leaf in wide.leaves]))
