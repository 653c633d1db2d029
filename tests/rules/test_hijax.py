"""Primitives made from classes: JAX's own, and those with a rule of a user's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import hijax

import funcgrad


def root_of(power: Any, x: Any) -> Any:
    """x to the power of 1 / power, by Newton's method in a while loop."""

    def solve(f: Any, start: Any) -> Any:
        def step(y: Any) -> Any:
            value, slope = f(y), power * y ** (power - 1)
            return y - value / slope

        return lax.while_loop(lambda y: jnp.max(jnp.abs(f(y))) > 1e-6, step, start)

    def tangent_solve(g: Any, y: Any) -> Any:
        return y / g(jnp.ones_like(y))

    return lax.custom_root(lambda y: y**power - x, jnp.ones_like(x), solve, tangent_solve)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_a_custom_root_to_the_second_order(compiled: bool) -> None:
    def function(x: Any) -> Any:
        return root_of(3.0, x)

    ours: Any = jax.jit(function) if compiled else function
    for order, expected in ((1, 2.0 ** (-2 / 3) / 3), (2, -2 / 9 * 2.0 ** (-5 / 3))):
        derived: Any = ours
        for _ in range(order):
            derived = funcgrad.grad(derived)
        np.testing.assert_allclose(derived(2.0), expected, rtol=1e-4)


def test_a_custom_root_by_a_closed_over_parameter_and_a_tree() -> None:
    def function(a: Any, b: Any) -> Any:
        def equations(state: Any) -> Any:
            return {"u": state["u"] - a * b, "v": state["v"] - state["u"] * a}

        def solve(f: Any, start: Any) -> Any:
            return lax.fori_loop(0, 4, lambda _, s: jax.tree.map(jnp.subtract, s, f(s)), start)

        def tangent_solve(g: Any, y: Any) -> Any:
            moved = g({"u": jnp.ones(()), "v": jnp.zeros(())})
            return {"u": y["u"], "v": y["v"] - moved["v"] * y["u"]}

        start = {"u": jnp.zeros(()), "v": jnp.zeros(())}
        found = lax.custom_root(equations, start, solve, tangent_solve)
        return found["u"] + found["v"] ** 2

    ours = funcgrad.grad(function, argnums=(0, 1))(1.3, 0.7)
    expected = jax.grad(lambda a, b: a * b + (a * a * b) ** 2, argnums=(0, 1))(1.3, 0.7)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


# --- classes of a user's --------------------------------------------------------------------------

Base: Any = getattr(hijax, "HiPrim", None) or vars(hijax)["VJPHiPrimitive"]


class Sine(Base):  # type: ignore[misc]  # JAX's class is untyped here
    """A sine that says what it computes, and nothing of its derivative."""

    def __init__(self, aval: Any) -> None:
        self.in_avals = (aval,)
        self.out_aval = aval
        self.params: dict[str, Any] = {}
        super().__init__()

    def expand(self, x: Any) -> Any:
        return jnp.sin(x)


class WithVjp(Sine):
    """With a rule that is twice too large, so that it shows who was asked."""

    def vjp_fwd(self, _perturbed: Any, /, x: Any) -> Any:
        return jnp.sin(x), x

    def vjp_bwd_retval(self, x: Any, ct: Any, /) -> Any:
        return (2 * ct * jnp.cos(x),)


class WithJvp(Sine):
    """With a rule that is three times too large."""

    def jvp(self, primals: Any, tangents: Any) -> Any:
        return jnp.sin(primals[0]), 3 * tangents[0] * jnp.cos(primals[0])


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize(("kind", "factor"), [(Sine, 1), (WithVjp, 2), (WithJvp, 3)])
def test_a_class_of_a_user(kind: Any, factor: int, compiled: bool) -> None:
    def function(x: Any) -> Any:
        return kind(jax.typeof(x))(x) * x

    x = jnp.float32(0.7)
    expected = np.sin(0.7) + factor * 0.7 * np.cos(0.7)
    wrap: Any = jax.jit if compiled else lambda f: f
    np.testing.assert_allclose(wrap(funcgrad.grad(function))(x), expected, rtol=1e-6)
    np.testing.assert_allclose(funcgrad.grad(wrap(function))(x), expected, rtol=1e-6)
    plain = funcgrad.grad(function, custom_rules="ignore")(x)
    np.testing.assert_allclose(plain, np.sin(0.7) + 0.7 * np.cos(0.7), rtol=1e-6)


def test_library_functions_with_classes_of_their_own() -> None:
    for function, point in (
        (lambda x: jnp.frexp(x)[0], 5.3),
        (lambda x: jnp.ldexp(x, 3), 5.3),
        (lambda x: jnp.interp(x, jnp.array([0.0, 1.0, 3.0]), jnp.array([1.0, -1.0, 2.0])), 1.7),
    ):
        np.testing.assert_allclose(funcgrad.grad(function)(point), jax.grad(function)(point))
