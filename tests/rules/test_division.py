"""What a reversed loop keeps of every step, and what it computes again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import funcgrad
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.8, 1.1])
W = 0.4 * jnp.eye(3) + 0.1
XS = 0.1 * jnp.arange(15.0).reshape(5, 3)


def looped(step: Callable[..., Any], start: Any, xs: Any = None, **options: Any) -> Any:
    return lax.scan(step, start, xs, **({"length": 5} if xs is None else {}) | options)


def stacked(gradient: Any, *arguments: Any) -> int:
    """How many arrays the first scan of a gradient stacks, its own results not counted."""
    program = jax.make_jaxpr(gradient)(*arguments)
    (scan, *_) = [e for e in equations(program.jaxpr) if e.primitive.name == "scan"]
    return sum(var.aval.ndim == 2 for var in scan.outvars)


def equations(jaxpr: Any) -> list[Any]:
    found = []
    for equation in jaxpr.eqns:
        found.append(equation)
        inner = equation.params.get("jaxpr") if equation.primitive.name == "jit" else None
        found += [] if inner is None else equations(getattr(inner, "jaxpr", inner))
    return found


def agrees(loss: Any, *arguments: Any) -> None:
    numbers = tuple(range(len(arguments)))
    ours = jax.jit(funcgrad.grad(loss, numbers))(*arguments)
    assert_same(ours, jax.jit(jax.grad(loss, numbers))(*arguments), factor=4)


def pendulum(g: Any, start: Any, **options: Any) -> Any:
    def step(state: Any, _: Any) -> Any:
        angle, speed = state
        half = speed - 0.1 * g * jnp.sin(angle)
        after = angle + 0.2 * half
        return (after, half - 0.1 * g * jnp.sin(angle + 0.2 * half)), None

    return jnp.sum(looped(step, (start, start), **options)[0][0] ** 2)


@pytest.mark.parametrize("options", [{}, {"reverse": True}, {"unroll": 2}, {"length": 1}], ids=str)
def test_what_the_next_step_keeps_is_not_stacked_twice(options: Any) -> None:
    agrees(lambda g, x: pendulum(g, x, **options), jnp.float32(2.0), X)
    gradient = funcgrad.grad(pendulum, (0, 1))
    assert stacked(gradient, jnp.float32(2.0), X) == 2  # the sine and the cosine of the angle


def test_a_loop_that_never_runs() -> None:
    agrees(lambda x: jnp.sum(looped(lambda c, _: (jnp.sin(c), None), x, length=0)[0] ** 2), X)


def test_a_recurrence_keeps_its_state_once() -> None:
    def loss(w: Any, x: Any) -> Any:
        return jnp.sum(looped(lambda c, _: (jnp.tanh(w @ c), None), x)[0])

    agrees(loss, W, X)
    assert stacked(funcgrad.grad(loss, (0, 1)), W, X) == 1


def test_dear_values_are_kept_and_cheap_ones_are_not() -> None:
    def loss(x: Any) -> Any:
        return jnp.sum(looped(lambda c, _: (jnp.sin(c) * jnp.tanh(c), None), x)[0])

    agrees(loss, X)
    assert stacked(funcgrad.grad(loss), X) == 3  # sine, cosine, tanh: 1 - tanh^2 is cheap

    def many(x: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            parts = [(c + i) * (c - i) for i in range(1, 4)]
            return 0.01 * parts[0] * parts[1] * parts[2], None

        return jnp.sum(looped(step, x)[0])

    agrees(many, X)
    assert stacked(funcgrad.grad(many), X) == 1  # all factors are computed again from the carry


def test_what_passes_through_unchanged_is_not_stacked() -> None:
    def loss(x: Any, y: Any) -> Any:
        last = looped(lambda c, _: ((c[0] * jnp.sin(c[1]), c[1]), None), (x, y))[0]
        return jnp.sum(last[0]) + jnp.sum(last[1])

    agrees(loss, X, X + 1)
    assert stacked(funcgrad.grad(loss), X, X + 1) == 0


def test_two_states_that_change_places() -> None:
    def loss(x: Any, y: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            total, a, b = c
            return (total + a * b * b, b, a), None

        return jnp.sum(looped(step, (jnp.zeros(3), x, y))[0][0])

    agrees(loss, X, X + 1)
    assert stacked(funcgrad.grad(loss, (0, 1)), X, X + 1) == 0


def emitting(w: Any, x: Any, xs: Any, use: str) -> Any:
    def step(c: Any, entry: Any) -> Any:
        c = jnp.tanh(w @ c + entry)
        return c, (c, jnp.sin(c) * entry)

    last, (states, waves) = looped(step, x, xs)
    ends = {"last": jnp.sum(last), "states": jnp.sum(states), "waves": jnp.sum(waves**2)}
    return sum(ends[name] for name in use.split())


@pytest.mark.parametrize("use", ["last", "states", "waves", "last states waves"])
def test_some_outputs_may_have_no_cotangent(use: str) -> None:
    agrees(lambda w, x, xs: emitting(w, x, xs, use), W, X, XS)


def test_checkpoints_inside_a_loop_stay_checkpoints() -> None:
    def loss(x: Any, wrap: Any) -> Any:
        inner = wrap(lambda c: jnp.sin(jnp.exp(jnp.cos(c))))
        return jnp.sum(looped(lambda c, _: (inner(c), None), x)[0])

    for prevent in (True, False):
        wrap = partial(jax.checkpoint, prevent_cse=prevent)
        agrees(lambda x, wrap=wrap: loss(x, wrap), X)
        assert stacked(funcgrad.grad(lambda x, wrap=wrap: loss(x, wrap)), X) == 1
    assert stacked(funcgrad.grad(lambda x: loss(x, lambda f: f)), X) == 3


def test_effects_happen_once_a_step() -> None:
    seen: list[float] = []

    def loss(x: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            jax.debug.callback(lambda v: seen.append(float(v)), c[0])
            return jnp.sin(c) * jnp.cos(c), None

        return jnp.sum(looped(step, x)[0])

    found = jax.jit(funcgrad.grad(loss))(X)
    jax.effects_barrier()
    assert len(seen) == 5
    assert_same(found, jax.jit(jax.grad(loss))(X))


@jax.custom_vjp
def told(x: Any) -> Any:
    return jnp.sin(x)


def test_effects_of_a_backward_rule_happen_too() -> None:
    seen: list[float] = []

    def backward(x: Any, ct: Any) -> Any:
        jax.debug.callback(lambda v: seen.append(float(v)), ct[0])
        return (ct * jnp.cos(x),)

    told.defvjp(lambda x: (jnp.sin(x), x), backward)
    found = jax.jit(funcgrad.grad(lambda x: jnp.sum(looped(lambda c, _: (told(c), None), x)[0])))(X)
    jax.effects_barrier()
    assert len(seen) == 5
    expected = jax.grad(lambda x: jnp.sum(looped(lambda c, _: (jnp.sin(c), None), x)[0]))(X)
    assert_same(found, expected)


def test_second_derivatives_and_maps_of_what_is_shared() -> None:
    def loss(x: Any) -> Any:
        return pendulum(jnp.float32(2.0), x)

    points = jnp.stack([X, 2 * X])
    ours = jax.jit(jax.vmap(funcgrad.hessian(loss)))(points)
    assert_same(ours, jax.jit(jax.vmap(jax.hessian(loss)))(points), factor=10)
