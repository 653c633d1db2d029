"""Numerical derivatives: an oracle that knows the function's values and nothing of its rules.

Central differences along a random direction, extrapolated to step zero after Richardson (Ridders,
Advances in Engineering Software 4, 1982): of the tableau the entry with the smallest estimated
error counts. The estimate also tells where the function has a kink or a jump nearby.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tests.rules.rule_agreement import EPSILON, QUICKLY, compiled, is_finite, of_ours, widened
from tests.rules.rule_points import Example, Kinds, Point, kinds, main_shapes

LEVELS = 6


class Estimate(NamedTuple):
    """A derivative, and by how much it may be wrong."""

    value: float
    error: float


def extrapolated(difference: Callable[[float], float], step: float, noise: float) -> Estimate:
    """The limit of a central difference as its step goes to zero.

    Args:
        difference: the difference quotient, whose error is a series in the square of the step.
        step: the largest step; each further one is half as long.
        noise: by how much the difference of two values of the function may be wrong.
    """
    steps = [step / 2**level for level in range(LEVELS)]
    row = [difference(steps[0])]
    best = Estimate(row[0], math.inf)
    for h in steps[1:]:
        above, row = row, [difference(h)]
        for order in range(1, len(above) + 1):
            row.append(row[-1] + (row[-1] - above[order - 1]) / (4**order - 1))
            change = max(abs(row[-1] - row[-2]), abs(row[-1] - above[order - 1]))
            best = min(best, Estimate(row[-1], change + noise / h), key=lambda e: e.error)
    return best


# --- of a case ------------------------------------------------------------------------------------


def wide_kinds(example: Example) -> Kinds:
    """The types of a case in 64 bits, complex if it takes complex numbers."""
    dtype = "complex128" if "c" in example.case.dtypes else "float64"
    return kinds(example.case, main_shapes(example.case), dtype)


def generic_point(example: Example, types: Kinds, seed: int) -> Point:
    """A point without ties, small numbers or round ones; complex numbers as in `rule_points`."""
    random = np.random.default_rng(seed)

    def draw(kind: Any, low: float, high: float) -> Any:
        value = random.uniform(low, high, kind.shape)
        if jnp.issubdtype(kind.dtype, jnp.complexfloating):
            value = value + 0.25j * random.uniform(low, high, kind.shape)
        return jnp.asarray(value.astype(kind.dtype))

    def directions(tree: Any) -> Any:
        return jax.tree.map(lambda kind: draw(kind, -1, 1), tree)

    inner = [(0.95 * a + 0.05 * b, 0.05 * a + 0.95 * b) for a, b in example.case.domains]
    arguments = tuple(
        draw(kind, *domain) for kind, domain in zip(types.arguments, inner, strict=True)
    )
    return Point(
        arguments, directions(types.output), directions(types.arguments), directions(types.output)
    )


@functools.cache
def _value(example: Example) -> Callable[..., Any]:
    return jax.jit(example.case.function, compiler_options=QUICKLY)


def numerical(example: Example, point: Point) -> Estimate:
    """How the pairing of the output with the cotangent moves along the directions."""
    function = _value(example)

    def output(step: float) -> Any:
        moved = [x + step * v for x, v in zip(point.arguments, point.directions, strict=True)]
        return function(*moved)

    def difference(step: float) -> float:
        change = jax.tree.map(
            lambda a, b: (widened(a) - widened(b)) / (2 * step), output(step), output(-step)
        )
        return pairing(point.cotangent, change)

    widths = [high - low for low, high in example.case.domains]
    here = jax.tree.leaves(output(0.0))
    epsilon = max((EPSILON[str(leaf.dtype)] for leaf in here), default=0.0)
    size = sum(float(np.abs(widened(leaf)).sum()) for leaf in here)
    return extrapolated(difference, min([1.0, *widths]) / 64, epsilon * size)


def pairing(left: Any, right: Any) -> float:
    """Re(sum(left * right)), in which the convention of complex cotangents is that of JAX."""
    products = jax.tree.map(lambda a, b: float(np.sum(widened(a) * widened(b)).real), left, right)
    return float(sum(jax.tree.leaves(products)))


def numerical_agreement(example: Example, seed: int, eager: bool = False) -> float | None:
    """Require that our gradient of a case be the numerical one.

    Returns:
        The magnitude of what was compared, or None if the numbers allow no conclusion.
    """
    point = generic_point(example, wide_kinds(example), seed)
    estimate = numerical(example, point)
    order = max(1, example.case.order)  # other tests compile the same program
    ours = (of_ours(example, 1, point) if eager else compiled(of_ours, example, order)(point)).first
    assert is_finite(ours), f"our gradient is not finite: {ours}"
    products = jax.tree.map(
        lambda g, v: float(np.abs(widened(g) * widened(v)).sum()), ours, point.directions
    )
    size = sum(jax.tree.leaves(products)) + abs(estimate.value)
    if size > 0 and estimate.error > 1e-3 * size:
        return None
    found = pairing(ours, point.directions)
    allowed = 4 * estimate.error + 1e-12 * size
    assert abs(found - estimate.value) <= allowed, (
        f"along a direction our gradient is {found}, the function moves by {estimate.value} "
        f"(give or take {allowed}) at\n  {point}"
    )
    return size
