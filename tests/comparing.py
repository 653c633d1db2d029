"""What a test means by "the same as JAX": structure, types and values; and counting traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

# The one table of tolerances: relative to the largest entry of a leaf, by the dtype's precision.
TOLERANCE = {
    "bfloat16": 2e-2,
    "float16": 2e-3,
    "float32": 3e-6,
    "float64": 1e-13,
    "complex64": 3e-6,
    "complex128": 1e-13,
}


class LeafType(NamedTuple):
    """What a caller can tell of a leaf without its values."""

    shape: tuple[int, ...]
    dtype: str
    weak: bool


def temporary_bytes(function: Callable[..., Any], *arguments: Any) -> int:
    """How much memory the compiled function needs beside its arguments and results."""
    analysis = jax.jit(function).lower(*arguments).compile().memory_analysis()
    assert analysis is not None, "this backend has no memory analysis"
    return int(analysis.temp_size_in_bytes)


def leaf_type(leaf: Any) -> LeafType:
    if getattr(leaf, "dtype", None) == jax.dtypes.float0:
        return LeafType(leaf.shape, "float0", False)
    aval = jax.typeof(leaf)
    return LeafType(aval.shape, str(aval.dtype), bool(getattr(aval, "weak_type", False)))


def assert_same(ours: Any, theirs: Any, *, zero: bool = False, factor: float = 1.0) -> None:
    """Fail unless two trees agree in structure, in every leaf's type, and in value.

    Args:
        ours: a pytree.
        theirs: the reference.
        zero: whether every entry is expected to be zero; otherwise one at least must not be.
        factor: how much wider than the table the tolerance is.
    """
    _same_structure(ours, theirs)
    for mine, reference in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        received, expected = leaf_type(mine), leaf_type(reference)
        assert received == expected, f"{received} is not {expected}"
    assert_close(ours, theirs, zero=zero, factor=factor)


def assert_close(ours: Any, theirs: Any, *, zero: bool = False, factor: float = 1.0) -> None:
    """`assert_same` but for the types."""
    _same_structure(ours, theirs)
    pairs = list(zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True))
    some = False
    for mine, reference in pairs:
        some = _leaf_close(mine, reference, factor) or some
    assert zero or some, "every compared entry is zero, so the comparison shows nothing"
    assert not (zero and some), "an entry differs from zero"


def _same_structure(ours: Any, theirs: Any) -> None:
    received, expected = str(jax.tree.structure(ours)), str(jax.tree.structure(theirs))
    assert received == expected, f"{received} is not {expected}"


def _leaf_close(mine: Any, reference: Any, factor: float) -> bool:
    """Compare two leaves; whether one entry differs from zero."""
    name = str(reference.dtype) if hasattr(reference, "dtype") else "float32"
    if name not in TOLERANCE:  # integers, booleans, float0, keys
        if jax.numpy.issubdtype(reference.dtype, jax.dtypes.prng_key):
            mine, reference = jax.random.key_data(mine), jax.random.key_data(reference)
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(reference))
        return False
    wide = np.complex128 if name.startswith("complex") else np.float64
    left, right = np.asarray(mine).astype(wide), np.asarray(reference).astype(wide)
    assert np.isfinite(left).all(), f"not finite: {left}"
    assert np.isfinite(right).all(), f"the reference is not finite: {right}"
    scale = np.abs(right).max(initial=0)
    np.testing.assert_allclose(left, right, rtol=0, atol=factor * TOLERANCE[name] * (scale or 1))
    return bool(scale > 0)


class Counted:
    """A function that counts how often Python runs it: once for each trace under `jit`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.calls = 0
        self.__name__ = getattr(function, "__name__", "counted")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.function(*args, **kwargs)
