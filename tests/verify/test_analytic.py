"""The complex step: derivatives to the last digits, by no rule; what is not analytic is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import mpmath  # type: ignore[import-untyped] # it has no annotations
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from funcgrad.verify import _analytic as analytic
from funcgrad.verify import _reach as reach
from funcgrad.verify._analytic import NotAnalytic, complex_step, complex_stepper, is_analytic

A = np.array([[2.0, 0.3, -0.1], [0.2, 1.5, -0.25], [0.1, 0.25, 1.75]])
X = np.array([0.25, 0.75, 1.25])
V = np.array([1.0, -0.5, 0.125])


def program(function: Callable[..., Any], *args: Any) -> Any:
    with jax.enable_x64(True):
        return jax.make_jaxpr(function)(*args)


# Functions in JAX and in mpmath, with an interval of their domain.
ELEMENTARY: dict[str, tuple[Any, Any, float, float]] = {
    "exp": (jnp.exp, mpmath.exp, -50, 50),
    "exp2": (jnp.exp2, lambda x: mpmath.mpf(2) ** x, -50, 50),
    "expm1": (jnp.expm1, mpmath.expm1, -40, 40),
    "log": (jnp.log, mpmath.log, 1e-9, 50),
    "log1p": (jnp.log1p, mpmath.log1p, -0.999, 50),
    "sin": (jnp.sin, mpmath.sin, -50, 50),
    "cos": (jnp.cos, mpmath.cos, -50, 50),
    "tan": (jnp.tan, mpmath.tan, -1.5, 1.5),
    "tanh": (jnp.tanh, mpmath.tanh, -18, 18),
    "sinh": (jnp.sinh, mpmath.sinh, -50, 50),
    "cosh": (jnp.cosh, mpmath.cosh, -50, 50),
    "arcsin": (jnp.arcsin, mpmath.asin, -0.99, 0.99),
    "arccos": (jnp.arccos, mpmath.acos, -0.99, 0.99),
    "arctan": (jnp.arctan, mpmath.atan, -50, 50),
    "arcsinh": (jnp.arcsinh, mpmath.asinh, -50, 50),
    "arccosh": (jnp.arccosh, mpmath.acosh, 1.01, 50),
    "arctanh": (jnp.arctanh, mpmath.atanh, -0.99, 0.99),
    "sqrt": (jnp.sqrt, mpmath.sqrt, 1e-9, 50),
    "rsqrt": (lax.rsqrt, lambda x: 1 / mpmath.sqrt(x), 1e-9, 50),
    "logistic": (jax.nn.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), -50, 50),
    "power": (lambda x: x**2.5, lambda x: x ** mpmath.mpf(2.5), 1e-6, 50),
    "integer power": (lambda x: x**-3, lambda x: x**-3, -50, -0.01),
    "exponential": (lambda x: 2.5**x, lambda x: mpmath.mpf(2.5) ** x, -50, 50),
    "cancelling": (lambda x: (1 - jnp.cos(x)) / x**2,
                   lambda x: (1 - mpmath.cos(x)) / x**2, 1e-4, 3),
    "offset": (lambda x: (1e9 + jnp.sin(x)) - 1e9, mpmath.sin, -3, 3),
    "rational": (lambda x: (x**3 - 1) / (x - 0.3) + 1 / (x + 7),
                 lambda x: (x**3 - 1) / (x - mpmath.mpf(0.3)) + 1 / (x + 7), 0.31, 5),
}  # fmt: skip


@cache
def stepper(name: str) -> Callable[..., Any]:
    closed = program(ELEMENTARY[name][0], np.zeros(4))
    assert is_analytic(closed)
    return complex_stepper(closed)


@pytest.mark.parametrize("name", ELEMENTARY)
@given(data=st.data())
def test_the_derivative_lies_within_its_bound_of_the_exact_one(name: str, data: Any) -> None:
    _, exact, low, high = ELEMENTARY[name]
    xs = data.draw(st.lists(st.floats(low, high), min_size=4, max_size=4))
    (values,), (bounds,) = stepper(name)([np.array(xs)], [np.ones(4)])
    with mpmath.workdps(60):
        truth = np.array([float(mpmath.diff(exact, mpmath.mpf(x))) for x in xs])
    assert np.all(np.abs(values - truth) <= bounds + 1e-28)
    if name not in {"cancelling", "tan", "rational"}:
        assert np.all(
            bounds <= 1e-12 * (1 + np.abs(xs)) * (np.abs(truth) + np.abs(np.asarray(xs)) + 1e-3)
        )


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "jit": jax.jit(lambda x: jnp.sum(jax.jit(jnp.sin)(x) ** 2)),
    "products": lambda x: (jnp.asarray(A) @ jnp.tanh(jnp.asarray(A) @ x), x @ x, jnp.prod(x)),
    "softmax": lambda x: jnp.exp(x) / jnp.sum(jnp.exp(x)),
    "scan": lambda x: lax.scan(lambda c, k: (jnp.sin(c * k), c), x[0], x),
    "a carry that becomes active": lambda x: lax.fori_loop(
        0, 3, lambda i, c: c * x + i, jnp.ones(3)
    ),
    "fori_loop": lambda x: lax.fori_loop(0, 5, lambda i, c: jnp.sin(c) * x[i % 3], x),
    "while_loop": lambda x: lax.while_loop(
        lambda c: c[0] < 4, lambda c: (c[0] + 1, c[1] * x), (0, x)
    ),
    "cond": lambda x: lax.cond(jnp.arange(3).sum() > 2, jnp.sin, lambda y: 0 * y + 1, x),
    "checkpoint": jax.checkpoint(lambda x: jnp.sin(jnp.sin(x))),
    "custom_jvp": lambda x: jax.nn.silu(x) + jax.nn.gelu(x, approximate=True),
    "indexing": lambda x: x[jnp.array([0, 2, 2])] * x.at[1].set(3.0) + x.at[:2].add(x[1:]),
    "convolution": lambda x: jnp.convolve(x, x),
    "cumulative": lambda x: (jnp.cumsum(x * x), jnp.cumprod(x)),
    "shapes": lambda x: jnp.concatenate([x[::-1], jnp.pad(x, 2)]).reshape(2, 5).T * 3,
    "constants of any kind": lambda x: (
        x * jnp.max(jnp.abs(jnp.asarray(A))) + jnp.argmax(jnp.arange(3))
    ),
    "selection": lambda x: jnp.where(jnp.arange(3) > 1, x, jnp.exp(x)),
    "integers": lambda x: (x, jnp.arange(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_agree_with_jax(name: str) -> None:
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(PROGRAMS[name])(X)
        _, tangents = jax.jvp(PROGRAMS[name], (jnp.asarray(X),), (jnp.asarray(V),))
        expected = [
            np.zeros(t.shape) if t.dtype == jax.dtypes.float0 else np.asarray(t)
            for t in jax.tree.leaves(tangents)
        ]
    values, bounds = complex_step(closed, [X], [V])
    assert is_analytic(closed)
    assert any(np.any(t != 0) for t in expected)
    for value, bound, want in zip(values, bounds, expected, strict=True):
        assert np.all(np.abs(value - want) <= bound + 1e-15 * np.abs(want))
        assert np.all(bound <= 1e-12)


def test_a_float32_program_is_stepped_through_in_64_bits() -> None:
    closed = jax.make_jaxpr(lambda x, n: jnp.sum(jnp.sin(x) * n.astype(x.dtype)))(
        np.float32(X), np.arange(3)
    )
    (value,), (bound,) = complex_step(closed, [X, np.arange(3)], [V, None])
    assert abs(value - np.sum(np.cos(X) * np.arange(3) * V)) <= bound < 1e-14


def test_the_scale_of_the_direction_does_not_matter() -> None:
    step = complex_stepper(program(jnp.sin, X))
    for scale in (1e-30, 1e30, 1e-250):
        (value,), (bound,) = step([X], [scale * V])
        assert np.all(np.abs(value - np.cos(X) * scale * V) <= bound)
        assert np.all(bound <= 1e-14 * scale)


def test_a_zero_direction_has_a_zero_derivative() -> None:
    (value,), (bound,) = complex_step(program(jnp.exp, X), [X], [0 * X])
    assert np.all(value == 0)
    assert np.all(bound == 0)


def test_cancellation_shows_in_the_bound() -> None:
    def function(x: Any) -> Any:
        return (jnp.exp(x) - 1 - x) / x**3 * 1e3

    x = np.array([1e-4])
    with mpmath.workdps(60):
        truth = float(
            mpmath.diff(lambda z: (mpmath.exp(z) - 1 - z) / z**3 * 1000, mpmath.mpf(1e-4))
        )
    (value,), (bound,) = complex_step(program(function, x), [x], [np.ones(1)])
    assert 1e-12 * abs(truth) < abs(value[0] - truth) <= bound[0] < 1e-3 * abs(truth)


@pytest.mark.parametrize(
    "function",
    [jnp.log, jnp.sqrt, lax.rsqrt, lambda x: x**2.5, jnp.arcsin, jnp.arctanh, jnp.arccosh],
)
def test_outside_of_the_domain_nothing_is_known(function: Any) -> None:
    """The complex functions have values there; the real ones have none."""
    x = np.array([-2.0])
    (value,), (bound,) = complex_step(program(function, x), [x], [np.ones(1)])
    assert np.isnan(value[0])
    assert bound[0] == np.inf


NOT_ANALYTIC: dict[str, Callable[[Any], Any]] = {
    "abs": jnp.abs,
    "max": lambda x: jnp.maximum(x, 0.5),
    "relu": jax.nn.relu,
    "sign": jnp.sign,
    "where": lambda x: jnp.where(x > 0.5, x, 0.0),
    "sort": jnp.sort,
    "floor": jnp.floor,
    "to integers": lambda x: x.astype(int),
    "complex inside": lambda x: jnp.real(lax.complex(x, x)),
    "fft": lambda x: jnp.abs(jnp.fft.fft(x)),
    "cholesky": lambda x: jnp.linalg.cholesky(jnp.outer(x, x) + jnp.eye(3)),
    "solve": lambda x: jnp.linalg.solve(jnp.asarray(A), x),
    "cond of a comparison": lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
    "while of a comparison": lambda x: lax.while_loop(lambda c: c[0] > 0.1, lambda c: c / 2, x),
    "in a scan": lambda x: lax.scan(lambda c, k: (jnp.abs(c) + k, c), x[0], x),
    "in a custom rule": jax.nn.relu6,
    "callback": lambda x: jax.pure_callback(np.sin, jax.ShapeDtypeStruct((3,), x.dtype), x),
    "erf": jax.scipy.special.erf,
}


@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_what_is_not_analytic_is_refused(name: str) -> None:
    closed = program(NOT_ANALYTIC[name], X)
    assert not is_analytic(closed)
    with pytest.raises(NotAnalytic, match=r"`.* is not analytic|gives a complex"):
        complex_step(closed, [X], [V])


def test_complex_inputs_are_refused() -> None:
    assert not is_analytic(program(jnp.sin, X + 1j))


def test_every_primitive_with_its_own_step_counts_as_analytic() -> None:
    assert {*analytic._DOMAIN, *analytic._SPECIAL} <= reach.ANALYTIC
