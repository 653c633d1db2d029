"""Primitives that carry a program: run as promised on the way forward, swept on the way back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import linear_call
from jax.experimental import pallas as pl

import funcgrad


@jax.custom_vjp
def optimised(x: Any) -> Any:
    return jnp.sin(x)


optimised.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),), optimize_remat=True)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_an_optimised_custom_vjp_to_the_second_order(compiled: bool) -> None:
    function: Any = jax.jit(optimised) if compiled else optimised
    np.testing.assert_allclose(funcgrad.grad(function)(0.7), np.cos(0.7), rtol=1e-6)
    second = funcgrad.grad(funcgrad.grad(function))(0.7)
    np.testing.assert_allclose(second, -np.sin(0.7), rtol=1e-6)


def test_a_custom_vmap_uses_its_batching_rule_forward() -> None:
    batched = custom_vmap(jnp.sin)

    @batched.def_vmap
    def rule(_size: int, _batched: Any, x: Any) -> tuple[Any, bool]:
        return jnp.sin(x) + 1, True

    xs = jnp.arange(3.0)
    values, gradients = jax.vmap(funcgrad.value_and_grad(batched))(xs)
    np.testing.assert_allclose(values, jnp.sin(xs) + 1, rtol=1e-6)
    np.testing.assert_allclose(gradients, jnp.cos(xs), rtol=1e-6)


def test_the_residuals_of_a_linear_call_are_differentiated_too() -> None:
    """JAX refuses to."""

    def function(x: Any, y: Any) -> Any:
        return linear_call(lambda r, t: r * t, lambda r, ct: r * ct, jnp.sin(x), y)

    ours = funcgrad.grad(function, argnums=(0, 1))(0.5, 2.0)
    np.testing.assert_allclose(ours, (2 * np.cos(0.5), np.sin(0.5)), rtol=1e-6)


def test_a_linear_call_has_the_stated_transpose() -> None:
    """Even a wrong one: it is the user's word, like a custom_vjp's."""

    def function(y: Any) -> Any:
        return linear_call(lambda _, t: 2 * t, lambda _, ct: 5 * ct, (), y)

    assert funcgrad.grad(function)(1.0) == jax.grad(function)(1.0) == 5.0


def test_a_run_state_of_pallas() -> None:
    def function(x: Any) -> Any:
        def body(refs: Any) -> None:
            a, b = refs
            a[...] = a[...] * b[...]
            b[...] = jnp.sin(a[...])

        left, right = pl.run_state(body)((x, x * x))
        return left + right

    def pure(x: Any) -> Any:
        return x**3 + jnp.sin(x**3)

    for ours in (funcgrad.grad(function), jax.jit(funcgrad.grad(function))):
        np.testing.assert_allclose(ours(0.7), jax.grad(pure)(0.7), rtol=1e-6)


def test_named_calls_and_scopes_leave_the_gradient_alone() -> None:
    @jax.named_call
    def inner(x: Any) -> Any:
        with jax.named_scope("here"):
            return jnp.sin(x)

    np.testing.assert_allclose(funcgrad.grad(inner)(0.7), np.cos(0.7), rtol=1e-6)


def test_closed_calls_in_a_jaxpr_are_differentiated() -> None:
    """What JAX makes of a loop that writes to a reference holds a call of a closed program."""

    def looped(x: Any) -> Any:
        cell = jax.new_ref(x)

        def body(_: Any, carry: Any) -> Any:
            cell[...] = jnp.sin(cell[...])
            return carry

        lax.fori_loop(0, 2, body, ())
        return cell[...]

    expected = jax.grad(lambda x: jnp.sin(jnp.sin(x)))(0.7)
    np.testing.assert_allclose(jax.jit(funcgrad.grad(looped))(0.7), expected, rtol=1e-6)
