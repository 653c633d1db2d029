"""Entry by entry: a formula that is off by 1e-6 is seen, what is only rounded is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._entrywise import Entrywise, compare

X = jnp.asarray([0.3, -0.7, 1.2, 5.0], jnp.float32)


def with_rule(function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Any]:
    ruled = jax.custom_vjp(function)
    ruled.defvjp(lambda x: (function(x), x), lambda x, ct: (ct * slope(x),))
    return ruled


def compared(function: Callable[[Any], Any], x: Any = X, scale: float = 1.0) -> Entrywise:
    ct = jnp.full_like(function(x), scale)
    return compare(lambda v: [function(v)], lambda v, c: jax.vjp(function, v)[1](c), [x], [ct])


# Right rules, written otherwise than the body: with literals that float32 rounds, cancellation,
# large and tiny magnitudes, a different algorithm.
RIGHT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sine": (jnp.sin, jnp.cos),
    "softplus": (lambda x: jnp.log1p(jnp.exp(x)), jax.nn.sigmoid),
    "rounded literals": (lambda x: jnp.exp(0.1 * x) / 0.3, lambda x: jnp.exp(0.1 * x) * (1 / 3)),
    "cancellation": (lambda x: (1e4 + x) ** 2 - 1e8, lambda x: 2 * (1e4 + x)),
    "an inverse": (jnp.cbrt, lambda x: 1 / (3 * jnp.cbrt(x) ** 2)),
    "tiny": (lambda x: 1e-18 * x**3, lambda x: 3e-18 * x**2),
    "gelu": (
        lambda x: x * jax.scipy.stats.norm.cdf(x),
        lambda x: jax.scipy.stats.norm.cdf(x) + x * jax.scipy.stats.norm.pdf(x),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_is_within_what_is_allowed(name: str, dtype: str) -> None:
    if name in {"cancellation", "tiny", "gelu"} and dtype != "float32":
        dtype = "float32"  # beyond the range of the narrow ones, or what their library takes
    found = compared(with_rule(*RIGHT[name]), X.astype(dtype))
    assert max(float(np.max(e)) for e in found.excess()) == 0


@pytest.mark.parametrize("error", [1e-6, 1e-4, 2.0, -1.0])
@pytest.mark.parametrize("name", ["sine", "softplus", "cancellation", "tiny"])
def test_a_wrong_one_is_not(name: str, error: float) -> None:
    function, slope = RIGHT[name]
    found = compared(with_rule(function, lambda x: slope(x) * (1 + error)))
    (excess,) = found.excess()
    assert (excess > 0.1 * abs(error)).all()


def test_one_wrong_entry_of_many_is_found() -> None:
    x = jnp.linspace(-2.0, 2.0, 1000)
    wrong = with_rule(jnp.sin, lambda v: jnp.cos(v).at[617].multiply(1 + 1e-5))
    (excess,) = compared(wrong, x).excess()
    assert np.flatnonzero(excess).tolist() == [617]


def test_tiny_entries_beside_large_ones_are_examined() -> None:
    wrong = with_rule(lambda x: x**9, lambda x: jnp.where(jnp.abs(x) < 0.1, 9.1, 9.0) * x**8)
    x = jnp.asarray([100.0, 0.01], jnp.float32)
    (excess,) = compared(wrong, x).excess()
    assert np.flatnonzero(excess).tolist() == [1]
