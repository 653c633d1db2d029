"""Wrapped rules are one only where the user's rules in them are."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad._sharing import structure
from funcgrad._thunks import described
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)


def body(fun: Callable[[Any], Any]) -> Any:
    """The body of a loop in which a function is called, traced anew."""
    traced = jax.make_jaxpr(lambda x: lax.scan(lambda c, y: (fun(c * y), None), x[0], x)[0])(X)
    return traced.eqns[-1].params["jaxpr"]


def _rule(factor: Any, primals: Any, tangents: Any) -> Any:
    return jnp.sin(primals[0]), tangents[0] * jnp.float32(factor)


def _sine(x: Any, _factor: Any) -> Any:
    return jnp.sin(x)


_scaled: Any = jax.custom_jvp(_sine, nondiff_argnums=(1,))
_scaled.defjvp(_rule)
_reversed: Any = jax.custom_vjp(_sine, nondiff_argnums=(1,))
_reversed.defvjp(lambda x, f: (_sine(x, f), ()), lambda f, _, ct: (ct * jnp.float32(f),))


def _made(rule: Any) -> Any:
    made: Any = jax.custom_jvp(jnp.sin)
    made.defjvp(rule)
    return made


def _same(primals: Any, tangents: Any) -> Any:
    return jnp.sin(primals[0]), tangents[0]


def _doubled(primals: Any, tangents: Any) -> Any:
    return jnp.sin(primals[0]), 2 * tangents[0]


ONE, OTHER = _made(_same), _made(_doubled)
WITHOUT_NUMBERS: Any = jax.custom_vjp(jnp.sin)
WITHOUT_NUMBERS.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),))
SAME: dict[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu,
    "in jit": jax.jit(jax.nn.relu),
    "softplus": jax.nn.softplus,
    "custom_jvp": ONE,
    "custom_vjp": WITHOUT_NUMBERS,
    "two": lambda x: jax.nn.relu(ONE(x)),
}


@pytest.mark.parametrize("fun", SAME.values(), ids=SAME)
def test_a_rule_that_is_wrapped_anew_is_the_same(fun: Any) -> None:
    assert structure(body(fun)) == structure(body(fun)) is not None


APART: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "rules": (ONE, OTHER),
    "rules of one primal": (_made(_same), _made(_doubled)),
    "factors": (lambda x: _scaled(x, 2.0), lambda x: _scaled(x, 3.0)),
    "types of factors": (lambda x: _scaled(x, 1), lambda x: _scaled(x, True)),
    "signs of zeros": (lambda x: _scaled(x, 0.0), lambda x: _scaled(x, -0.0)),
    "factors backward": (lambda x: _reversed(x, 2.0), lambda x: _reversed(x, 3.0)),
    "directions": (lambda x: _scaled(x, 2.0), lambda x: _reversed(x, 2.0)),
}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART)
def test_rules_that_differ_are_told_apart(one: Any, other: Any) -> None:
    described = structure(body(one))
    assert described is None or described != structure(body(other))
    for fun in (one, other, one):
        loss = lambda x, fun=fun: lax.scan(lambda c, y: (fun(c * y), None), x[0], x)[0]  # noqa: E731
        expected = jax.grad(loss)(X)
        assert_same(funcgrad.grad(loss)(X), expected, zero=not np.any(expected))


def test_a_rule_made_at_each_call_equals_none() -> None:
    def fresh(x: Any) -> Any:
        return _made(lambda primals, tangents: (jnp.sin(primals[0]), tangents[0] * 2))(x)

    assert structure(body(fresh)) != structure(body(fresh))


def test_two_objects_are_two() -> None:
    assert described(object()) != described(object())
