"""`scan` in reverse: against JAX, and what is stacked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import funcgrad
from tests.comparing import assert_same

W = 0.5 * jnp.eye(3) + 0.1
XS = 0.1 * jnp.arange(12.0).reshape(4, 3)
START = jnp.ones(3)


def recurrent(w: Any, start: Any, xs: Any, **options: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        carry = jnp.tanh(w.T @ carry + x)
        return carry, jnp.sum(carry) * x[0]

    last, ys = lax.scan(step, start, xs, **options)
    return jnp.sum(last * last) + jnp.sum(ys)


def nested(x: Any) -> Any:
    def outer(carry: Any, y: Any) -> Any:
        inner, _ = lax.scan(lambda a, b: (a * jnp.cos(b * y), None), carry, x)
        return inner, inner

    return jnp.sum(lax.scan(outer, jnp.sum(x), x)[1])


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "forward": (recurrent, (W, START, XS)),
    "reverse": (lambda *a: recurrent(*a, reverse=True), (W, START, XS)),
    "unrolled": (lambda *a: recurrent(*a, unroll=2), (W, START, XS)),
    "fori_loop": (lambda x: jnp.sum(lax.fori_loop(0, 3, lambda _, c: c * jnp.sin(c), x)), (START,)),
    "map": (lambda x: jnp.sum(lax.map(lambda c: c * c * c, x)), (START,)),
    "no inputs": (
        lambda x: jnp.sum(lax.scan(lambda c, _: (c * jnp.cos(c), None), x, None, length=3)[0]),
        (START,),
    ),
    "an integer carried along": (
        lambda x: jnp.sum(
            lax.scan(lambda c, _: ((c[0] + 1, c[1] * x), None), (0, x), None, length=3)[0][1]
        ),
        (2 * START,),
    ),
    "nested": (nested, (START,)),
    "associative_scan": (
        lambda x: jnp.sum(jnp.sin(lax.associative_scan(jnp.multiply, x))),
        (1.5 * START,),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("wrap", [lambda g: g, jax.jit], ids=["eager", "jit"])
def test_gradients_are_jaxs(name: str, wrap: Callable[..., Any]) -> None:
    program, arguments = PROGRAMS[name]
    numbers = tuple(range(len(arguments)))
    ours = wrap(funcgrad.grad(program, numbers))(*arguments)
    assert_same(ours, wrap(jax.grad(program, numbers))(*arguments))


@pytest.mark.parametrize("name", PROGRAMS)
def test_second_order_is_jaxs(name: str) -> None:
    program, arguments = PROGRAMS[name]

    def again(module: Any) -> Any:
        return module.grad(lambda x: jnp.sum(jnp.sin(module.grad(program)(x, *arguments[1:]))))

    assert_same(again(funcgrad)(arguments[0]), again(jax)(arguments[0]), factor=10)


def test_a_gradient_of_a_mapped_scan_and_a_map_of_gradients() -> None:
    starts = jnp.stack([START, 2 * START])

    def of(module: Any) -> Any:
        return jax.vmap(module.grad(lambda s: recurrent(W, s, XS)))(starts)

    assert_same(of(funcgrad), of(jax))


def _stacked_shapes(gradient: Any, *arguments: Any) -> list[tuple[int, ...]]:
    """The shapes of what the forward scan returns beside its carry."""
    program = jax.make_jaxpr(gradient)(*arguments)
    scans = [e for e in _equations(program.jaxpr) if e.primitive.name == "scan"]
    return [var.aval.shape for var in scans[0].outvars]


def _equations(jaxpr: Any) -> list[Any]:
    found = []
    for equation in jaxpr.eqns:
        found.append(equation)
        if equation.primitive.name == "jit":
            found += _equations(getattr(equation.params["jaxpr"], "jaxpr", None) or jaxpr)
    return found


def test_constants_of_the_loop_and_what_is_made_of_them_are_not_stacked() -> None:
    def loss(w: Any, xs: Any) -> Any:
        last, _ = lax.scan(lambda c, x: (jnp.tanh(jnp.exp(w) @ c + x), None), START, xs)
        return jnp.sum(last)

    shapes = _stacked_shapes(funcgrad.grad(loss), W, XS)
    assert (4, 3, 3) not in shapes, shapes
    assert (4, 3) in shapes, "the carry is read by the backward body, so it must be stacked"


def test_entries_of_xs_are_read_from_xs() -> None:
    def loss(c: Any, xs: Any) -> Any:
        last, _ = lax.scan(lambda c, x: (c * x, None), c, xs)
        return jnp.sum(last)

    shapes = _stacked_shapes(funcgrad.grad(loss), START, XS)
    assert (4, 3) not in shapes, shapes
    both = _stacked_shapes(funcgrad.grad(loss, (0, 1)), START, XS)
    assert both.count((4, 3)) == 1, "only the carry is needed for the gradient by xs"


def test_descend_can_be_differentiated_by_its_learning_rate() -> None:
    def final(rate: Any, module: Any) -> Any:
        run = funcgrad.descend(lambda w: (w - 3.0) ** 2, 0.0, rate, 5)
        return module.square(run.params - 3.0)

    ours = funcgrad.grad(lambda rate: final(rate, jnp))(0.1)
    assert_same(ours, jax.grad(lambda rate: final(rate, jnp))(0.1))
