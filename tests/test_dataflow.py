"""Programs as a graph of values: equal values are one, and effects and jitted bodies are kept."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Primitive

from funcgrad._dataflow import Dataflow

X, Y = jnp.arange(3.0), jnp.ones(3)


def graph_of(function: Any, *arguments: Any) -> tuple[Dataflow, list[int], list[int]]:
    closed = jax.make_jaxpr(function)(*arguments)
    flow = Dataflow()
    inputs = [flow.enter(aval) for aval in closed.in_avals]
    return flow, inputs, flow.add(closed, inputs)


def test_equal_values_are_one() -> None:
    outputs = graph_of(lambda x, y: (x + 2.0 * y, x + 2.0 * y, y + 2.0 * x), X, Y)[2]
    assert outputs[0] == outputs[1] != outputs[2]
    outputs = graph_of(lambda x: (x * 2.0, x * 3.0), X)[2]
    assert outputs[0] != outputs[1]


def test_jitted_bodies_are_opened_unless_they_ask_to_be_kept() -> None:
    opened = graph_of(lambda x: (jax.jit(jnp.sin)(x), jnp.sin(x)), X)[2]
    assert opened[0] == opened[1]
    closed = graph_of(lambda x: (jax.jit(jnp.sin, keep_unused=True)(x), jnp.sin(x)), X)[2]
    assert closed[0] != closed[1]


def test_values_are_computed_from_any_others() -> None:
    flow, (x, y), (total, product) = graph_of(lambda x, y: (x + y, (x + y) * jnp.sin(x)), X, Y)
    assert np.array_equal(flow.evaluate([product], {x: X, y: Y})[0], (X + Y) * jnp.sin(X))
    assert np.array_equal(flow.evaluate([product], {x: X, total: 5 * Y})[0], 5 * Y * jnp.sin(X))
    assert flow.inputs_of([product], [total]) == {x, total}
    with pytest.raises(AssertionError, match="neither given nor made"):
        flow.evaluate([product], {y: Y})


def test_a_value_is_found_again_from_other_inputs() -> None:
    def step(a: Any, b: Any) -> Any:
        after = jnp.sin(a) * b
        return jnp.sin(a), after, jnp.sin(after), jnp.cos(a)

    flow, (a, b), (sine, after, following, cosine) = graph_of(step, X, Y)
    assert flow.moved({a: after})[sine] == following
    assert flow.moved({a: after})[a] == after
    assert flow.moved({a: after})[cosine] is None  # nobody computes it
    assert flow.moved({a: after})[after] is None  # b is not known then
    assert flow.moved({a: a, b: b})[after] == after


def test_what_has_effects_is_never_taken_for_equal() -> None:
    def noisy(x: Any) -> Any:
        return tuple(
            jax.experimental.io_callback(lambda v: v, jax.ShapeDtypeStruct((3,), "float32"), x)
            for _ in range(2)
        )

    first, second = graph_of(noisy, X)[2]
    assert first != second


scaled = Primitive("scaled")
scaled.def_abstract_eval(lambda x, **_: x)


@pytest.mark.parametrize("pair", [(0.0, -0.0), (1, True), (1, 1.0), ((1,), (True,))])
def test_parameters_that_python_calls_equal_are_told_apart(pair: tuple[Any, Any]) -> None:
    one, other = pair
    assert one == other

    def thrice(x: Any) -> Any:
        return [scaled.bind(x, factor=factor) for factor in (one, other, one)]

    flow, (x,), (first, second, third) = graph_of(thrice, X)
    assert first == third != second
    assert flow.moved({x: x})[second] == second


def test_dependence_and_cheapness() -> None:
    flow, (x, y), (total, wave) = graph_of(lambda x, y: (x + 1.0, jnp.sin(x) + y), X, Y)
    on_y = flow.depends_on([y])
    assert (on_y[total], on_y[wave], on_y[x]) == (False, True, False)
    assert flow.is_cheap(total)
    assert not any(map(flow.is_cheap, (x, flow.operands(wave)[0])))
