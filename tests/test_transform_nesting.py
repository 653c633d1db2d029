"""Our transforms inside JAX's and JAX's inside ours, ours inside ours, to third order."""

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

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
W = jnp.asarray([[0.5, -0.2, 0.1], [0.3, 0.8, -0.4], [-0.6, 0.7, 0.2]], jnp.float32)
Function = Callable[..., Any]


def loss(x: Any) -> Any:
    """A smooth function with products, a reduction, a selection and a matrix product."""
    hidden = jnp.tanh(W @ x) * jnp.exp(-x)
    return jnp.sum(jnp.where(x > 0, hidden, x * hidden)) + hidden[0] * x[2]


def smooth(x: Any) -> Any:
    return jnp.sin(x) * jnp.exp(0.5 * x) + x**3


# A transform takes a gradient function and its point; the reference does the same with jax.grad.
AROUND: dict[str, Callable[[Function], Any]] = {
    "jit": lambda g: jax.jit(g)(X),
    "vmap": lambda g: jax.vmap(g)(W),
    "vmap over the last axis": lambda g: jax.vmap(g, in_axes=1, out_axes=1)(W),
    "jit of vmap": lambda g: jax.jit(jax.vmap(g))(W),
    "vmap of jit": lambda g: jax.vmap(jax.jit(g))(W),
    "jvp": lambda g: jax.jvp(g, (X,), (W[0],)),
    "linearize": lambda g: jax.linearize(g, X)[1](W[0]),
    "grad": lambda g: jax.grad(lambda x: jnp.sum(g(x) ** 2))(X),
    "vjp": lambda g: jax.vjp(g, X)[1](W[0]),
    "jacfwd": lambda g: jax.jacfwd(g)(X),
    "checkpoint": lambda g: jax.grad(jax.checkpoint(lambda x: jnp.sum(g(x) ** 2)))(X),
    "scan": lambda g: lax.scan(lambda x, _: (x - 0.1 * g(x), g(x)), X, length=3),
    "fori_loop": lambda g: lax.fori_loop(0, 3, lambda _, x: x - 0.1 * g(x), X),
    "while_loop": lambda g: lax.while_loop(
        lambda carry: carry[0] < 3,
        lambda carry: (carry[0] + 1, carry[1] - 0.1 * g(carry[1])),
        (0, X),
    ),
    "cond": lambda g: jax.jit(lambda x: lax.cond(x[0] > 0, g, lambda y: y, x))(X),
    "switch": lambda g: lax.switch(1, [lambda x: x, g, jnp.sin], X),
    "map": lambda g: lax.map(g, W),
    "remat inside jit": lambda g: jax.jit(jax.checkpoint(g))(X),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_ours_inside_a_transform_of_jax(around: Callable[[Function], Any]) -> None:
    assert_same(around(funcgrad.grad(loss)), around(jax.grad(loss)))


# A function of one array that holds a transform of JAX's.
INSIDE: dict[str, Function] = {
    "jit": jax.jit(loss),
    "jit of jit": jax.jit(lambda x: jax.jit(loss)(x) * 2),
    "vmap": lambda x: jnp.sum(jax.vmap(loss)(x[None] * W)),
    "vmap over one argument": lambda x: jnp.sum(
        jax.vmap(lambda a, b: loss(a * b), in_axes=(None, 0))(x, W)
    ),
    "vmap of jit": lambda x: jnp.sum(jax.vmap(jax.jit(loss))(x[None] * W)),
    "grad": lambda x: jnp.sum(jax.grad(loss)(x) ** 2),
    "jvp": lambda x: jax.jvp(loss, (x,), (jnp.cos(x),))[1],
    "jvp with a fixed tangent": lambda x: jax.jvp(loss, (x,), (W[0],))[1],
    "linearize": lambda x: jax.linearize(loss, x)[1](x),
    "jacfwd": lambda x: jnp.sum(jax.jacfwd(loss)(x) * x),
    "hessian": lambda x: jnp.sum(jax.hessian(loss)(x) @ x),
    "jit of grad": lambda x: jnp.sum(jax.jit(jax.grad(loss))(x) ** 2),
}


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
def test_a_transform_of_jax_inside_ours(inside: Function) -> None:
    assert_same(funcgrad.grad(inside)(X), jax.grad(inside)(X), factor=4)


# --- ours inside ours -----------------------------------------------------------------------------


@pytest.mark.parametrize("point", [0.3, np.float32(-0.7), jnp.asarray(1.2, float)])
def test_three_orders(point: Any) -> None:
    ours, theirs = smooth, smooth
    for _ in range(3):
        ours, theirs = funcgrad.grad(ours), jax.grad(theirs)
        assert_same(ours(point), theirs(point), factor=4)


def mix(first: Any, second: Any, third: Any) -> Function:
    return first(second(third(smooth)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("ours", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_three_orders_from_both_engines(ours: tuple[int, ...]) -> None:
    chosen = [funcgrad.grad if i in ours else jax.grad for i in range(3)]
    point = np.float32(0.3)
    assert_same(mix(*chosen)(point), mix(jax.grad, jax.grad, jax.grad)(point), factor=4)


NESTED: dict[str, Callable[[Any], Any]] = {
    "grad of jit of grad": lambda m: m.grad(lambda x: jnp.sum(jax.jit(m.grad(loss))(x) ** 2))(X),
    "jit of grad of jit of grad": lambda m: jax.jit(
        m.grad(lambda x: jnp.sum(jax.jit(m.grad(loss))(x) ** 2))
    )(X),
    "vmap of grad of vmap": lambda m: jax.vmap(m.grad(lambda x: jnp.sum(jax.vmap(smooth)(x) ** 2)))(
        W
    ),
    "grad of vmap of grad": lambda m: m.grad(lambda x: jnp.sum(jax.vmap(m.grad(smooth))(x)))(X),
    "grad of vmap of grad of jit": lambda m: m.grad(
        lambda x: jnp.sum(jax.vmap(m.grad(jax.jit(smooth)))(x))
    )(X),
    "vjp of vjp": lambda m: m.vjp(lambda x: m.vjp(jnp.sin, x)[1](jnp.cos(x))[0], X)[1](W[0]),
    "hessian of jit": lambda m: m.hessian(jax.jit(loss))(X),
    "jacrev of grad of jit": lambda m: m.jacrev(m.grad(jax.jit(loss)))(X),
    "an inner gradient by an outer variable": lambda m: m.grad(
        lambda x: jnp.sum(x * m.grad(lambda y: jnp.sum(jnp.sin(y) * x))(X))
    )(X),
    "a closed-over variable inside jit": lambda m: m.grad(
        lambda x: jnp.sum(jax.jit(m.grad(lambda y: jnp.sum(jnp.sin(y * x))))(X))
    )(X),
    "a closed-over variable two levels down": lambda m: m.grad(
        lambda a: m.grad(lambda b: m.grad(lambda c: jnp.sin(a * b * c))(0.5))(0.7)
    )(0.3),
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
def test_ours_inside_ours(nested: Callable[[Any], Any]) -> None:
    assert_same(nested(funcgrad), nested(jax), factor=4)


def test_perturbations_of_two_levels_are_not_confused() -> None:
    # d/dx (x * d/dy (x + y)) = 1; an engine that confuses x and y gives 2 (Siskind, Pearlmutter).
    result = funcgrad.grad(lambda x: x * funcgrad.grad(lambda y: x + y)(1.0))(1.0)
    assert float(result) == 1


def test_the_gradient_of_a_scan_over_our_gradient_by_jax() -> None:
    def descended(module: Any) -> Function:
        def run(rate: Any) -> Any:
            end, _ = lax.scan(lambda x, _: (x - rate * module.grad(loss)(x), None), X, length=4)
            return loss(end)

        return run

    rate = jnp.float32(0.05)
    assert_same(jax.grad(descended(funcgrad))(rate), jax.grad(descended(jax))(rate), factor=4)
