"""How far a rule's local partial derivative is from mpmath's value, in units of what is allowed.

The unit is eps (|d| + sum |x d'|): what a relative error of eps in the result and in each operand
amounts to. A rule is accurate if it errs by no more than `ALLOWED` units.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath  # type: ignore[import-untyped] # it has no annotations
import numpy as np
from mpmath import mpf

from funcgrad._registry import Over, Rule, pullback_params
from funcgrad._reverse import times_partial
from tests.rules.rule_points import kinds

ALLOWED = 8.0
DTYPES = ("float32", "float64")

Point = tuple[float, ...]
Points = Callable[[Any], Iterable[Point]]  # of the limits of a dtype


class Reference(NamedTuple):
    """The partial derivative of one primitive by one operand, and where it is compared.

    Attributes:
        partial: the derivative as a function of mpmath's numbers.
        regions: by name, the points of the domain.
        operand: by which operand the derivative is.
        params: of the primitive, where they are not those of the rule's first case.
    """

    partial: Callable[..., Any]
    regions: dict[str, Points]
    operand: int = 0
    params: dict[str, Any] = {}


class Worst(NamedTuple):
    """The largest error of a region."""

    error: float
    point: Point
    received: float
    expected: float


def worst(rule: Rule, reference: Reference, region: str, dtype: str) -> Worst:
    """The largest error of a rule at the points of a region, in units."""
    limits = np.finfo(dtype)
    points = [_rounded(point, dtype) for point in reference.regions[region](limits)]
    with mpmath.workdps(45):
        known = [(point, exact(reference.partial, point)) for point in dict.fromkeys(points)]
    inside = [(point, value) for point, value in known if value and _normal(value, limits)]
    assert inside, f"no point of the region {region} has a derivative in {dtype}"
    received = computed(rule, reference, [point for point, _ in inside], dtype)
    results = [
        Worst(_units(ours, value, limits), point, ours, float(value.derivative))
        for ours, (point, value) in zip(received, inside, strict=True)
    ]
    return max(results, key=lambda result: result.error)


class Exact(NamedTuple):
    derivative: Any
    amplified: Any  # the sum of |x d'|


_SMALL_STEP = mpf(10) ** -20


def exact(partial: Callable[..., Any], point: Point) -> Exact | None:
    """The derivative, and how it moves when each operand moves by a part of itself.

    None at a pole.
    """
    operands = [mpf(x) for x in point]

    def moved(i: int, factor: Any) -> Any:
        return partial(*operands[:i], operands[i] * factor, *operands[i + 1 :])

    try:
        derivative = partial(*operands)
    except ZeroDivisionError:
        return None
    slopes = [
        abs(moved(i, 1 + _SMALL_STEP) - moved(i, 1 - _SMALL_STEP)) / (2 * _SMALL_STEP)
        for i, x in enumerate(operands)
        if x != 0
    ]
    return Exact(derivative, sum(slopes, mpf(0)))


def computed(rule: Rule, reference: Reference, points: Sequence[Point], dtype: str) -> list[float]:
    """The rule's partial at many points, primitive by primitive."""
    padded = [*points, *[points[0]] * (-len(points) % 256)]  # one shape, for which to compile
    operands = [jnp.asarray(np.array(column, dtype)) for column in zip(*padded, strict=True)]
    params = {**_usual_params(rule, dtype), **reference.params}
    output = rule.primitive.bind(*operands, **params)
    pull = rule.pullbacks[reference.operand]
    assert pull is not None
    partial: int | Over | Any = pull.function(output, *operands, **pullback_params(pull, params))
    slopes = np.asarray(times_partial(jnp.ones_like(output), partial), np.float64)
    return [float(slope) for slope in slopes[: len(points)]]


@functools.cache
def _usual_params(rule: Rule, dtype: str) -> dict[str, Any]:
    """The parameters with which the first case of a rule reaches its primitive."""
    case = rule.cases[0]
    program = jax.make_jaxpr(case.function)(*kinds(case, case.shapes[0], dtype).arguments)
    found = [equation.params for equation in program.eqns if equation.primitive is rule.primitive]
    return dict(found[0])


def _rounded(point: Point, dtype: str) -> Point:
    return tuple(float(np.asarray(x, dtype)) for x in point)


def _normal(value: Exact, limits: Any) -> bool:
    """Whether the derivative is a number of the dtype that XLA does not flush to 0."""
    size = abs(value.derivative)
    return bool(size == 0 or limits.smallest_normal <= size <= limits.max)


def _units(received: float, value: Exact, limits: Any) -> float:
    if not math.isfinite(received):
        return math.inf
    error = abs(mpf(received) - value.derivative)
    unit = mpf(float(limits.eps)) * (abs(value.derivative) + value.amplified)
    return float(error / unit) if unit else (0.0 if error == 0 else math.inf)
