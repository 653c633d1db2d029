"""`strong_zeros=True`: in elementwise rules zero times non-finite is zero."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.0, 0.5, 4.0], jnp.float32)

# name: a scalar function, and its gradient at X without the NaN of what is not chosen
GUARDED: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "a root": (lambda x: jnp.sum(jnp.where(x > 0, jnp.sqrt(x), 0.0)), [0, 0.5**0.5, 0.25]),
    "a logarithm": (lambda x: jnp.sum(jnp.where(x > 0, jnp.log(x), 0.0)), [0, 2, 0.25]),
    "a quotient": (lambda x: jnp.sum(jnp.where(x > 0, 1 / x, 0.0)), [0, -4, -0.0625]),
    "an exponential that overflows": (
        lambda x: jnp.sum(jnp.where(x < 5, x, jnp.exp(100 * x))),
        [1, 1, 1],
    ),
    "a slope of zero after an infinite one": (
        lambda x: jnp.sum(jnp.sqrt(x) ** 3),
        [0, 1.5 * 0.5**0.5, 3],
    ),
    "a power": (
        lambda x: jnp.sum(jnp.where(x > 0, x**0.3, 0.0)),
        [0, 0.3 * 0.5**-0.7, 0.3 * 4**-0.7],
    ),
    "an angle": (
        lambda x: jnp.sum(jnp.where(x < 1, x, jnp.arccos(jnp.minimum(x, 1.0)))),
        [1, 1, 0],
    ),
    "a norm at zero": (lambda x: jnp.linalg.norm(0 * x) + jnp.sum(x), [1, 1, 1]),
    "the square of a norm at zero": (lambda x: jnp.linalg.norm(0 * x) ** 2 + jnp.sum(x), [1, 1, 1]),
    "a masked logarithm of probabilities": (
        lambda x: jnp.sum(jnp.where(x > 0, x * jnp.log(x), 0.0)),
        [0, 1 + np.log(0.5), 1 + np.log(4)],
    ),
}


@pytest.mark.parametrize(("fun", "expected"), GUARDED.values(), ids=GUARDED)
@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_what_is_not_chosen_adds_no_nan(fun: Any, expected: list[float], around: Any) -> None:
    for _ in range(2):  # eagerly the second sweep is compiled
        strong = around(funcgrad.grad(fun, strong_zeros=True))(X)
        np.testing.assert_allclose(strong, expected, rtol=1e-5)
        weak = around(funcgrad.grad(fun))(X)
        assert np.isnan(weak).any()


def test_inside_jit_and_at_second_order() -> None:
    fun = jax.jit(lambda x: jnp.sum(jnp.where(x > 0, jnp.sqrt(x), x * x)))
    assert np.isfinite(funcgrad.grad(fun, strong_zeros=True)(X)).all()
    assert np.isnan(funcgrad.grad(fun)(X)).any()  # staged apart from the one above
    second = funcgrad.hvp(fun, (X,), (jnp.ones_like(X),), strong_zeros=True)
    assert np.isfinite(second).all()


def test_where_all_is_finite_nothing_changes() -> None:
    def fun(x: Any) -> Any:
        return jnp.sum(jnp.tanh(x) * jnp.exp(-x) + lax.div(x, x + 1))

    assert_same(funcgrad.grad(fun, strong_zeros=True)(X), jax.grad(fun)(X))


def test_a_gradient_that_is_infinite_stays_infinite() -> None:
    assert np.isinf(funcgrad.grad(jnp.sqrt, strong_zeros=True)(0.0))


@pytest.mark.parametrize("function", [jnp.tanh, jax.nn.sigmoid, lax.erf, jnp.arctan])
def test_a_partial_of_zero_stops_an_infinite_cotangent(function: Any) -> None:
    """Of bounded partials too, where only this side of the product is guarded."""
    x = jnp.float32(1e30)
    _, weak = funcgrad.vjp(function, x)
    _, strong = funcgrad.vjp(function, x, strong_zeros=True)
    assert np.isnan(weak(jnp.float32(np.inf))[0])
    assert strong(jnp.float32(np.inf))[0] == 0
