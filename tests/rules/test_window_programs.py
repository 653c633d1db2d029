"""Reductions over windows by a program: against the same reduction written out, which JAX takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from tests.comparing import assert_same


def uniform(*shape: int) -> Any:
    return jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, shape), jnp.float32)


def products(x: Any) -> Any:
    return lax.reduce_window(x, np.float32(1), lax.mul, (3, 2), (1, 1), "VALID")


def products_written_out(x: Any) -> Any:
    rows, columns = x.shape[0] - 2, x.shape[1] - 1
    corners = [(i, j) for i in range(3) for j in range(2)]
    return jnp.prod(jnp.stack([x[i : i + rows, j : j + columns] for i, j in corners]), axis=0)


@pytest.mark.parametrize("compile_", [jax.jit, lambda function: function])
def test_the_gradients_are_those_of_the_reduction_written_out(compile_: Any) -> None:
    x = uniform(5, 4)

    def loss(function: Any, x: Any) -> Any:
        return jnp.sum(jnp.sin(function(x)))

    ours = compile_(lambda x: funcgrad.grad(loss, argnums=1)(products, x))(x)
    assert_same(ours, jax.grad(loss, argnums=1)(products_written_out, x))


def test_second_order() -> None:
    x = uniform(4, 3)

    def inner(grad: Any, function: Any) -> Any:
        return lambda x: jnp.sum(grad(lambda x: jnp.sum(jnp.sin(function(x))))(x) ** 2)

    ours = jax.jit(funcgrad.grad(inner(funcgrad.grad, products)))(x)
    assert_same(ours, jax.jit(jax.grad(inner(jax.grad, products_written_out)))(x))


def test_a_factor_of_zero_does_no_harm() -> None:
    x = uniform(4, 3).at[1, 1].set(0)
    total = jax.jit(funcgrad.grad(lambda x: jnp.sum(products(x))))(x)
    assert_same(total, jax.jit(jax.grad(lambda x: jnp.sum(products_written_out(x))))(x))


def test_whole_numbers_beside_the_entries_take_no_gradient() -> None:
    """Each window's entry of the largest magnitude, with its position, which is whole."""
    x = jnp.asarray([1.0, -3.0, 2.0, 0.5], jnp.float32)

    def farthest(x: Any) -> Any:
        def larger(a: Any, b: Any) -> Any:
            first = jnp.abs(a[0]) >= jnp.abs(b[0])
            return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

        start = (np.float32(0), np.int32(-1))
        operands = (x, jnp.arange(4, dtype=jnp.int32))
        return lax.reduce_window(operands, start, larger, (2,), (1,), "VALID")

    values, positions = farthest(x)
    assert positions.tolist() == [1, 1, 2]
    gradient = funcgrad.grad(lambda x: jnp.sum(farthest(x)[0] * values))(x)
    assert gradient.tolist() == [0.0, -6.0, 2.0, 0.0]


def test_a_gradient_by_the_initial_value_is_refused() -> None:
    def total(start: Any) -> Any:
        return jnp.sum(lax.reduce_window(uniform(3, 3), start, lax.mul, (2, 2), (1, 1), "VALID"))

    with pytest.raises(funcgrad.MissingRuleError, match="by its initial value, which must be neut"):
        funcgrad.grad(total)(jnp.float32(1))


@pytest.mark.parametrize("compile_", [jax.jit, lambda function: function])
def test_padding_beside_padding_leaves_the_second_order_finite(compile_: Any) -> None:
    """Two infinities are no point where `logaddexp` can be differentiated twice."""
    x, toward, ct = uniform(4, 3), uniform(4, 3) - 0.5, jnp.ones((2, 3))

    def soft_maximum(x: Any) -> Any:
        start = np.asarray(-np.inf, x.dtype)
        padding = ((1, 0), (0, -1))
        return jax.lax.reduce_window(
            x, start, jnp.logaddexp, (2, 2), (2, 1), padding, (1, 2), (2, 1)
        )

    def gradient(x: Any) -> Any:
        return funcgrad.vjp(soft_maximum, x)[1](ct)[0]

    second = compile_(lambda x: funcgrad.vjp(gradient, x)[1](toward)[0])(x)
    step = jnp.float32(1e-2)
    change = (gradient(x + step * toward) - gradient(x - step * toward)) / (2 * step)
    assert bool(jnp.isfinite(second).all())
    np.testing.assert_allclose(second, change, atol=2e-3)


def test_windows_of_padding_alone_give_the_initial_value() -> None:
    def products_of(x: Any) -> Any:
        start = np.asarray(1, x.dtype)
        return jax.lax.reduce_window(x, start, jax.lax.mul, (2,), (2,), ((2, 2),))

    x = uniform(2)
    out, pullback = funcgrad.vjp(products_of, x)
    np.testing.assert_array_equal(out, [1, x[0] * x[1], 1])
    np.testing.assert_allclose(pullback(jnp.ones(3))[0], [x[1], x[0]])
