"""`cond` and `switch` in reverse."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import funcgrad
from tests.comparing import assert_same, temporary_bytes

X = jnp.array([1.0, 2.0, 3.0])


def chosen(x: Any, sign: float) -> Any:
    def first(y: Any) -> Any:
        return jnp.sin(y) * y

    def second(y: Any) -> Any:
        return jnp.sum(jnp.exp(y)) * y

    return jnp.sum(lax.cond(x[0] * sign > 0, first, second, x))


def switched(x: Any, index: int) -> Any:
    def branch(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda a, b: (function(a) * b, a)

    branches = [branch(f) for f in (jnp.sin, jnp.exp, jnp.square)]
    first, second = lax.switch(index, branches, x, x + 1)
    return jnp.sum(first) + jnp.sum(second[:1])


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "true": lambda x: chosen(x, 1.0),
    "false": lambda x: chosen(x, -1.0),
    "a branch without the input": lambda x: jnp.sum(
        lax.cond(x[0] > 0, lambda y: y * y, lambda _: jnp.ones(3), x)
    ),
    "in a scan": lambda x: lax.scan(
        lambda c, y: (lax.cond(y > 1.5, lambda c: c * jnp.sin(y), lambda c: c + y, c), None), 1.0, x
    )[0],
    **{f"switch {i}": partial(switched, index=i) for i in range(3)},
    "a traced index": lambda x: jnp.sum(
        lax.switch(jnp.int32(x[0]), [jnp.sin, jnp.cos, jnp.exp], x)
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("wrap", [lambda g: g, jax.jit], ids=["eager", "jit"])
def test_gradients_are_jaxs(name: str, wrap: Callable[..., Any]) -> None:
    program = PROGRAMS[name]
    assert_same(wrap(funcgrad.grad(program))(X), wrap(jax.grad(program))(X))


@pytest.mark.parametrize("name", PROGRAMS)
def test_second_order_is_jaxs(name: str) -> None:
    def again(module: Any) -> Any:
        return module.grad(lambda x: jnp.sum(jnp.sin(module.grad(PROGRAMS[name])(x))))(X)

    assert_same(again(funcgrad), again(jax), factor=10)


def test_under_vmap_both_branches_run_and_each_entry_gets_its_own() -> None:
    def of(module: Any) -> Any:
        return jax.vmap(module.grad(lambda x: lax.cond(x > 2, jnp.sin, jnp.cos, x)))(X)

    assert_same(of(funcgrad), of(jax))


def test_an_output_without_cotangent_adds_no_nan() -> None:
    def first_of_two(x: Any) -> Any:
        pair = lambda y: (jnp.sin(y), jnp.sqrt(y))  # noqa: E731 -- sqrt has no slope at 0
        return lax.cond(True, pair, lambda y: (y, y), x)[0]

    assert_same(funcgrad.grad(first_of_two)(0.0), jax.grad(first_of_two)(0.0))


def _deep(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda y: jnp.sin(function(function(y)))


def test_branches_share_the_places_of_their_residuals() -> None:
    def loss(x: Any) -> Any:
        # Each branch has three residuals, all of one type.
        return jnp.sum(lax.switch(jnp.int32(x[0]), [_deep(jnp.sin), _deep(jnp.cos)], x))

    big = jnp.linspace(0.0, 1.0, 100_000)
    temporary = temporary_bytes(funcgrad.grad(loss), big)
    assert temporary <= 4 * big.nbytes, temporary / big.nbytes
