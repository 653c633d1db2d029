"""The comparison of our gradients with JAX's: what is computed, and when two gradients agree."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import numpy as np

from funcgrad import vjp
from tests.rules.rule_points import Example, Point, in_kinds, kinds, main_shapes

# The relative precision of each dtype: the distance from 1 to the next larger number.
EPSILON = {
    "float16": 2**-10,
    "bfloat16": 2**-7,
    "float32": 2**-23,
    "complex64": 2**-23,
    "float64": 2**-52,
    "complex128": 2**-52,
}

# By how many of these our gradient may err, relative to its largest entry: a few roundings in a
# formula of a few operations. The largest entry is the measure because an entry may be the
# difference of two larger numbers.
UNITS = 8

# Nothing is wider than 64 bits: JAX's gradient, with errors of its own, stands for the right one.
UNITS_IN_64_BITS = 128

# The dtype in which the right gradient is found.
WIDER = {
    "float16": "float64",
    "bfloat16": "float64",
    "float32": "float64",
    "complex64": "complex128",
}


class Gradients(NamedTuple):
    """What is compared: the cotangents of the arguments, and those of a gradient of gradients."""

    first: Any
    second: Any


def gradients(pull: Callable[..., Any], example: Example, order: int, point: Point) -> Gradients:
    """The gradients of a case, with `pull` either `jax.vjp` or ours."""

    def pulled(arguments: Any, cotangent: Any) -> Any:
        return pull(example.case.function, *arguments)[1](cotangent)

    if order < 2:
        return Gradients(pulled(point.arguments, point.cotangent), ())
    first, again = pull(pulled, point.arguments, point.cotangent)
    return Gradients(first, again(point.directions))


def of_ours(example: Example, order: int, point: Point) -> Gradients:
    return gradients(vjp, example, order, point)


def of_jax(example: Example, order: int, point: Point) -> Gradients:
    # Some of JAX's own rules rely on its implicit promotion.
    with jax.numpy_dtype_promotion("standard"):
        return gradients(jax.vjp, example, order, point)


# Compiling is what the tests of the rules spend their time on.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@functools.cache
def compiled(
    function: Callable[[Example, int, Point], Gradients], example: Example, order: int
) -> Callable[[Point], Gradients]:
    return cast(
        Callable[[Point], Gradients],
        jax.jit(functools.partial(function, example, order), compiler_options=QUICKLY),
    )


def right(example: Example, point: Point, dtype: str) -> Gradients:
    """JAX's gradients at the same point in 64 bits, up to the highest order that is compared."""
    shapes = tuple(x.shape for x in point.arguments)
    order = example.case.order if shapes == main_shapes(example.case) else 1
    with jax.enable_x64(True):
        wide = kinds(example.case, shapes, WIDER.get(dtype, dtype))
        return compiled(of_jax, example, order)(in_kinds(point, wide))


# --- agreement ------------------------------------------------------------------------------------


def agreement(example: Example, point: Point, dtype: str, order: int) -> float:
    """Require that our compiled gradients of a case at a point be right.

    Returns:
        The magnitude of the largest entry that was compared.
    """
    ours = compiled(of_ours, example, order)(point)
    return compare(example, point, dtype, order, ours)


def eager_agreement(example: Example, point: Point, dtype: str, order: int) -> float:
    """The same with ours computed primitive by primitive."""
    return compare(example, point, dtype, order, of_ours(example, order, point))


def compare(example: Example, point: Point, dtype: str, order: int, ours: Gradients) -> float:
    """Require of gradients to be finite, and then close to the right ones.

    They may err by a few units of their dtype's precision, and by no more than twice what JAX's
    gradients in the same dtype err.
    """
    expected = right(example, point, dtype)
    sizes = [largest(part) for part in expected[:order]]
    errors = [distance(a, b) for a, b in zip(ours[:order], expected, strict=False)]
    units = (UNITS if dtype in WIDER else UNITS_IN_64_BITS) * EPSILON[dtype]
    allowed = [units * size for size in sizes]
    for tree in (ours, expected):
        assert is_finite(tree), f"a gradient is not finite:\n  {ours}\n  {expected}"
    if any(error > bound for error, bound in zip(errors, allowed, strict=True)):
        jaxs = compiled(of_jax, example, order)(point)
        fair = [2 * distance(a, b) for a, b in zip(jaxs[:order], expected, strict=False)]
        allowed = list(map(max, allowed, fair))
    for error, bound in zip(errors, allowed, strict=True):
        assert error <= bound, (
            f"our gradient errs by {error}, allowed are {bound}:\n  {ours}\n  {expected}"
        )
    return max(sizes)


def types(tree: Any) -> Any:
    """Shapes, dtypes and weak types, of arrays or of abstract values."""
    return jax.tree.map(lambda x: f"{x.dtype}{list(x.shape)}{' weak' * bool(x.weak_type)}", tree)


def is_finite(tree: Any) -> bool:
    return all(np.isfinite(widened(leaf)).all() for leaf in jax.tree.leaves(tree))


def distance(left: Any, right: Any) -> float:
    """The largest difference of two entries; NaN if it is not a number."""
    return largest(jax.tree.map(lambda a, b: widened(a) - widened(b), left, right))


def largest(tree: Any) -> float:
    """The magnitude of the largest entry of a tree; 0 of a tree without entries."""
    sizes = [np.abs(widened(leaf)).max(initial=0) for leaf in jax.tree.leaves(tree)]
    return float(np.max(sizes, initial=0))


def widened(value: Any) -> Any:
    """As an array of NumPy's in 64 bits."""
    array = np.asarray(value)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
