"""Mutable references: recorded as the values that they hold, and gradients as of a pure program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad._errors import GradientTypeError

Function = Callable[[Any], Any]


def partly_written(x: Any) -> Any:
    cell = jax.new_ref(jnp.zeros(3))
    cell[0] = 2 * x
    cell[1] += jnp.sin(x)
    return jnp.sum(cell[...] ** 2)


def in_a_loop(x: Any) -> Any:
    cell = jax.new_ref(x)

    def body(_: Any, carry: Any) -> Any:
        cell[...] = cell[...] * jnp.sin(cell[...])
        return carry

    lax.fori_loop(0, 3, body, ())
    return jax.freeze(cell)


def in_a_scan(x: Any) -> Any:
    cell = jax.new_ref(x)

    def body(carry: Any, factor: Any) -> Any:
        cell[...] = cell[...] * jnp.sin(factor * cell[...])
        return carry, cell[...]

    return jnp.sum(lax.scan(body, (), jnp.arange(1.0, 4.0))[1])


def in_calls_and_branches(x: Any) -> Any:
    cell = jax.new_ref(x)

    @jax.jit
    def square(inner: Any) -> None:
        inner[...] = inner[...] ** 2

    square(cell)
    lax.cond(x > 0, lambda: jax.ref.addupdate(cell, (), jnp.exp(x)), lambda: None)
    return cell[...]


def swapped(x: Any) -> Any:
    cell = jax.new_ref(jnp.arange(1.0, 4.0))
    before = jax.ref.swap(cell, 1, x * x)
    again = jax.ref.swap(cell, 1, jnp.cos(x))
    return before * again + jnp.sum(cell[...])


def freed(x: Any) -> Any:
    cell = jax.new_ref(x)
    cell[...] = jnp.exp(cell[...])
    value = cell[...]
    jax.ref.free_ref(cell)
    return value


# Beside each function a pure one of the same value.
PURE: dict[Function, Function] = {
    partly_written: lambda x: 4 * x**2 + jnp.sin(x) ** 2,
    in_a_loop: lambda x: lax.fori_loop(0, 3, lambda _, y: y * jnp.sin(y), x),
    in_a_scan: lambda x: jnp.sum(
        lax.scan(lambda y, k: (y * jnp.sin(k * y),) * 2, x, jnp.arange(1.0, 4.0))[1]
    ),
    in_calls_and_branches: lambda x: x**2 + jnp.exp(x),
    swapped: lambda x: 2 * x * x + 1 + jnp.cos(x) + 3,
    freed: jnp.exp,
}


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("function", PURE, ids=lambda f: str(f.__name__))
def test_gradients_are_those_of_the_pure_program(function: Function, compiled: bool) -> None:
    wrap: Any = jax.jit if compiled else lambda f: f
    for order in (1, 2):
        ours: Any = function if not compiled else jax.jit(function)
        theirs: Any = PURE[function]
        for _ in range(order):
            ours, theirs = funcgrad.grad(ours), jax.grad(theirs)
        np.testing.assert_allclose(wrap(ours)(0.8), theirs(0.8), rtol=1e-5)


def test_a_while_loop_and_a_checkpoint_over_a_reference() -> None:
    def looped(x: Any) -> Any:
        cell = jax.new_ref(jnp.arange(3.0))

        def body(i: Any) -> Any:
            cell[i] = cell[i] * x
            return i + 1

        lax.while_loop(lambda i: i < 3, body, 0)
        return jax.checkpoint(lambda y: jnp.sum(cell[...]) * y)(x)

    np.testing.assert_allclose(funcgrad.grad(looped)(2.0), 3 * 2 * 2.0, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(funcgrad.grad(looped))(2.0), 3 * 2 * 2.0, rtol=1e-6)


def test_a_reference_under_vmap() -> None:
    def function(x: Any) -> Any:
        cell = jax.new_ref(x)
        cell[...] = cell[...] ** 3
        return cell[...]

    xs = jnp.arange(3.0)
    np.testing.assert_allclose(jax.vmap(funcgrad.grad(function))(xs), 3 * xs**2)


def test_an_unwritten_reference_can_be_written() -> None:
    def function(x: Any) -> Any:
        cell = jax.ref.empty_ref(jax.typeof(x))
        cell[...] = x * x
        return cell[...]

    assert funcgrad.grad(function)(3.0) == 6.0


def test_a_value_without_a_gradient_may_leave_by_a_reference() -> None:
    log = jax.new_ref(0.0)

    def function(x: Any) -> Any:
        log[...] = funcgrad.detach(x)
        return x**2 * log[...]

    assert funcgrad.grad(function)(3.0) == 18.0
    assert log[...] == 3.0


def test_a_value_with_a_gradient_may_not() -> None:
    log = jax.new_ref(0.0)

    def function(x: Any) -> Any:
        log[...] = x
        return x**2

    with pytest.raises(
        funcgrad.MissingRuleError,
        match=r"`swap` at .*test_references.py:\d+ .*carries a gradient.*Ref.*detach",
    ):
        funcgrad.grad(function)(3.0)


def test_a_reference_is_not_an_output() -> None:
    with pytest.raises(GradientTypeError, match=r"output 0 .* mutable reference.*ref\[\.\.\.\]"):
        funcgrad.grad(jax.new_ref)(3.0)
