"""The comparison of our gradients with JAX's: what is computed, and when two gradients agree."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rule_points import Example, Point, Trial, in_kinds, kinds, trials

from funcgrad import vjp

# By how many units of the dtype's precision our gradient may err, relative to its largest entry: a
# few roundings in a formula of a few operations. The largest entry is the measure because an entry
# may be the difference of two larger numbers.
UNITS = 8

# The dtype in which the exact gradient is found.
EXACT = {
    "float16": "float64",
    "bfloat16": "float64",
    "float32": "float64",
    "complex64": "complex128",
}

# Where JAX's gradient in the same dtype stands for the exact one, because there is no wider dtype
# or for want of time, its own errors count as ours.
UNITS_BESIDE_JAX = 128


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


def of_jax(example: Example, order: int, point: Point) -> Gradients:
    # Some of JAX's own rules rely on its implicit promotion.
    with jax.numpy_dtype_promotion("standard"):
        return gradients(jax.vjp, example, order, point)


def of_both(example: Example, order: int, point: Point) -> tuple[Gradients, Gradients]:
    return gradients(vjp, example, order, point), of_jax(example, order, point)


@functools.cache
def compiled(function: Callable[..., Any], example: Example, order: int) -> Callable[[Point], Any]:
    return jax.jit(functools.partial(function, example, order))


def exact(example: Example, order: int, point: Point, dtype: str) -> Gradients:
    """JAX's gradients at the same point in 64 bits."""
    with jax.enable_x64(True):
        wide = kinds(example.case, tuple(x.shape for x in point.arguments), EXACT[dtype])
        result: Gradients = compiled(of_jax, example, order)(in_kinds(point, wide))
    return result


# --- agreement ------------------------------------------------------------------------------------


def agreement(example: Example, point: Point, dtype: str, trial: Trial) -> float:
    """Require that our compiled gradients of a case at a point be right, and typed like JAX's.

    Returns:
        The magnitude of the largest entry that was compared.
    """
    ours, jaxs = compiled(of_both, example, trial.order)(point)
    return compare(example, point, dtype, trial, ours, jaxs)


def eager_agreement(example: Example, point: Point, dtype: str, trial: Trial) -> float:
    """The same for the first order, with ours computed primitive by primitive."""
    ours = gradients(vjp, example, 1, point)
    _, jaxs = compiled(of_both, example, trial.order)(point)  # the same program serves again
    return compare(example, point, dtype, trial._replace(order=1), ours, jaxs)


def compare(
    example: Example, point: Point, dtype: str, trial: Trial, ours: Gradients, jaxs: Gradients
) -> float:
    pairs = [(ours.first, jaxs.first), (ours.second, jaxs.second)][: trial.order]
    assert [types(a) for a, _ in pairs] == [types(b) for _, b in pairs], "types differ from JAX's"
    if trial.shapes != trials(example.case, dtype)[0].shapes or dtype not in EXACT:
        return max(assert_close(a, b, b, UNITS_BESIDE_JAX, dtype) for a, b in pairs)
    right = exact(example, example.case.order, point, dtype)
    triples = [(a, b, c) for (a, b), c in zip(pairs, right, strict=False)]
    return max(assert_close(*triple, UNITS, dtype) for triple in triples)


def types(tree: Any) -> Any:
    """Shapes, dtypes and weak types, of arrays or of abstract values."""
    return jax.tree.map(lambda x: f"{x.dtype}{list(x.shape)}{' weak' * bool(x.weak_type)}", tree)


def assert_close(ours: Any, jaxs: Any, right: Any, units: int, dtype: str) -> float:
    """Require of a tree of gradients to be finite, and then close to the right one.

    It may err by a few units of its dtype's precision, and by no more than twice what JAX's errs.
    """
    assert jax.tree.structure(ours) == jax.tree.structure(right)
    for tree in (ours, right):
        assert is_finite(tree), f"a gradient is not finite:\n  {ours}\n  {right}"
    size = largest(right)
    allowed = max(units * float(jnp.finfo(dtype).eps) * size, 2 * distance(jaxs, right))
    error = distance(ours, right)
    assert error <= allowed, (
        f"our gradient errs by {error}, allowed are {allowed}:\n  {ours}\n  {right}"
    )
    return size


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
