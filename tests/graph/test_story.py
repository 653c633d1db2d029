"""The steps of a page: their order, their arithmetic, and that the parts add up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcgrad
from funcgrad._graph._draw import draw
from funcgrad._graph._drawing import Drawing, DrawnEdge, DrawnNode
from funcgrad._graph._story import Moment, loss_name, story
from tests.graph.drawings import arrays, chain, course, number


def of(drawing: Drawing, phase: str) -> list[Moment]:
    return [moment for moment in story(drawing) if moment.phase == phase]


def told(drawing: Drawing, edge: str) -> Moment:
    """The moment at which the gradient flows along SOURCE→TARGET."""
    moments = of(drawing, "backward")
    pairs = {f"{m.edge.source}→{m.edge.target}": m for m in moments if m.edge is not None}
    return pairs[edge]


# --- the course's function, by hand ---------------------------------------------------------------


def test_values_appear_in_the_order_of_execution() -> None:
    names = [moment.node for moment in of(course(), "forward")]
    assert names == ["x", "y", "z", "a", "b", "c", "d", "add_1", "e", "tanh_1"]


def test_gradients_flow_in_reverse_order_after_the_output() -> None:
    moments = story(course())[10:]
    assert moments[0].phase == "start"
    assert {moment.phase for moment in moments[1:]} == {"backward"}
    names = [moment.node for moment in moments]
    assert names == ["tanh_1", "e", "add_1", "d", "z", "c", "a", "b", "y", "x"]


def test_the_way_forward_is_written_with_names_and_numbers() -> None:
    lines = {moment.node: moment.arithmetic for moment in of(course(), "forward")}
    assert lines["x"] == "x = 1"
    assert lines["b"] == "b = sin(y) = sin(1) = 0.84147"
    assert lines["c"] == "c = a / b = 2 / 0.84147 = 2.3768"
    assert lines["tanh_1"] == "tanh_1 = tanh(e) = tanh(1.2169) = 0.83874"


def test_the_way_back_is_written_with_names_and_numbers() -> None:
    moment = told(course(), "b→c")
    expected = "∂L/∂b += ∂L/∂c · ∂c/∂b = 0.087807 · (-2.8246) = -0.24802"
    assert moment.arithmetic == expected
    assert moment.rule == "∂c/∂b = -c / b"
    assert moment.total == "∂L/∂b = -0.24802 (complete)"
    assert "Back from c to b" in moment.sentence
    assert told(course(), "y→b").arithmetic == "∂L/∂y += ∂L/∂b · ∂b/∂y = -0.24802 · 0.5403 = -0.134"


def test_the_sums_are_the_gradient_by_hand() -> None:
    sums = {moment.node: moment.after for moment in story(course()) if moment.phase != "forward"}
    sine, c = math.sin(1.0), 2 / math.sin(1.0)
    by_d = (1 - math.tanh(math.log(1 + c)) ** 2) / (1 + c)
    assert sums["x"] == pytest.approx((by_d * 2 / sine,))
    assert sums["y"] == pytest.approx((-by_d * c / sine * math.cos(1.0),))
    assert sums["z"] == pytest.approx((by_d * c,))
    assert sums["tanh_1"] == (1.0,)


def test_the_output_is_called_l() -> None:
    (start,) = of(course(), "start")
    assert start.sentence == "The way back starts at the output tanh_1, which is L."
    assert start.arithmetic == "∂L/∂tanh_1 = 1"


def test_of_several_outputs_none_is_called_l() -> None:
    starts = of(drawing_of(lambda x: (jnp.sin(x), jnp.cos(x)), 1.0), "start")
    assert len(starts) == 2
    assert all("with a gradient that is given" in start.sentence for start in starts)


def test_another_node_may_be_called_l() -> None:
    x = course().nodes[0]
    assert loss_name(Drawing("f", (x._replace(name="L"),), ())) == "Loss"
    assert loss_name(Drawing("f", (x._replace(name="L", output=True),), ())) == "L"


# --- sums of several parts ------------------------------------------------------------------------


def drawing_of(fun: Any, *args: Any) -> Drawing:
    return draw(funcgrad.graph(fun, *args), inner=1)


def test_a_value_that_is_used_twice_gets_two_parts() -> None:
    first, second = of(drawing_of(lambda x: x * x, 3.0), "backward")
    assert (first.before, first.after, first.part, first.parts) == ((0.0,), (3.0,), 1, 2)
    assert (second.before, second.after, second.part, second.parts) == ((3.0,), (6.0,), 2, 2)
    assert first.total == "∂L/∂x = 3 (1 of 2 parts)"
    assert second.total == "∂L/∂x = 3 + 3 = 6 (complete)"


def test_an_output_that_is_also_used_has_its_own_part() -> None:
    def fun(x: Any) -> Any:
        a = x * 2.0
        return a, a * 5.0

    drawing = draw(funcgrad.graph(fun, 1.0, cotangent=(1.0, 1.0)))
    moments = [moment for moment in story(drawing) if moment.node == "a"]
    assert [moment.phase for moment in moments] == ["forward", "start", "backward"]
    assert [moment.after for moment in moments[1:]] == [(1.0,), (6.0,)]


def test_a_constant_operand_is_written() -> None:
    x = 5.0
    moments = story(drawing_of(lambda x: 40.0 - x * -2.0, x))
    assert moments[1].arithmetic == "mul_1 = x · (-2) = 5 · (-2) = -10"
    assert moments[2].arithmetic == "sub_1 = 40 - mul_1 = 40 - (-10) = 50"
    assert told(drawing_of(lambda x: x / 8.0, x), "x→div_1").rule == "∂div_1/∂x = 1 / 8"


def test_the_rule_of_a_power_has_its_exponent() -> None:
    drawing = drawing_of(lambda x: jax.lax.integer_pow(x, 3), 2.0)
    assert story(drawing)[1].arithmetic == "integer_pow_1 = x^3 = 2^3 = 8"
    assert told(drawing, "x→integer_pow_1").rule == "∂integer_pow_1/∂x = 3 · x^(3 - 1)"


def test_where_nothing_flows_back_nothing_is_told() -> None:
    drawing = drawing_of(lambda x: jnp.sin(x) * jax.lax.stop_gradient(x), 2.0)
    pairs = [(m.edge.source, m.edge.target) for m in of(drawing, "backward") if m.edge]
    assert ("x", "stop_gradient_1") not in pairs
    assert ("x", "sin_1") in pairs
    assert of(drawing_of(lambda n: n + 1, 3), "backward") == []


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sin": lambda a, _b: jnp.sin(a),
    "tanh": lambda a, _b: jnp.tanh(a),
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (2.0 + jnp.cos(b)),
}
LINES = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)


@given(LINES, st.floats(-2, 2, width=32), st.floats(-2, 2, width=32))
def test_the_parts_add_up_to_the_gradient(
    lines: list[tuple[str, int, int]], x: float, y: float
) -> None:
    def program(x: Any, y: Any) -> Any:
        values = [x, y]
        for name, i, j in lines:
            values.append(OPERATIONS[name](values[-1 - i % len(values)], values[j % len(values)]))
        return values[-1] * values[-2]

    drawing = drawing_of(program, x, y)
    amounts: dict[str, float] = {}
    for moment in of(drawing, "backward"):
        assert moment.edge is not None
        assert moment.edge.flow is not None
        assert moment.edge.flow.values is not None
        amounts.setdefault(moment.node, 0.0)
        assert moment.before == pytest.approx((amounts[moment.node],), rel=1e-5, abs=1e-6)
        amounts[moment.node] += float(moment.edge.flow.values[0])
        assert moment.after == pytest.approx((amounts[moment.node],), rel=1e-5, abs=1e-6)
    assert "x" in amounts or "y" in amounts
    nodes = {node.name: node for node in drawing.nodes}
    for name, amount in amounts.items():
        gradient = nodes[name].gradient
        assert gradient is not None
        assert gradient.values is not None
        assert amount == pytest.approx(gradient.values[0], rel=1e-4, abs=1e-5)


# --- arrays ---------------------------------------------------------------------------------------


def test_an_array_is_told_with_shapes_and_norms() -> None:
    moment = told(arrays(), "params['w1']→hidden")
    assert moment.arithmetic == (
        "∂L/∂params['w1'] += pullback of layer (∂L/∂hidden)"
        " = float32[32,512] norm 3, 7 not finite → float32[512,1] norm 12.5"
    )
    assert moment.rule == "the gradient goes through the steps inside layer in reverse order"
    assert (moment.before, moment.after) == (None, None)
    assert moment.total == "∂L/∂params['w1'] = float32[512,1] norm 12.5 (complete)"


def test_a_product_entry_by_entry_has_its_own_sign() -> None:
    drawing = drawing_of(lambda x: jnp.sum(jnp.tanh(x)), jnp.zeros((8, 4)))
    moment = told(drawing, "x→tanh_1")
    assert " ⊙ " in moment.arithmetic
    assert moment.rule == "∂tanh_1/∂x = 1 - tanh_1^2"
    assert "every entry" in told(drawing, "tanh_1→reduce_sum_1").rule


def test_large_arrays_have_no_sum_before_the_last_part() -> None:
    drawing = drawing_of(lambda x: jnp.sum(jnp.sin(x) * x * x), jnp.ones((8, 4)))
    parts = [moment for moment in of(drawing, "backward") if moment.node == "x"]
    assert [moment.part for moment in parts] == [1, 2, 3]
    assert parts[0].total.endswith("(1 of 3 parts)")
    assert "[8,4] norm" in parts[0].total
    assert parts[1].total == "∂L/∂x = not yet known (2 of 3 parts)"
    assert parts[2].total.endswith("(complete)")


def test_a_gradient_from_outside_is_given() -> None:
    (start,) = of(arrays(), "start")
    assert start.sentence == "The way back starts at hidden, with a gradient that is given."


# --- odd graphs -----------------------------------------------------------------------------------


def test_an_empty_graph_has_no_story() -> None:
    assert story(Drawing("nothing", (), ())) == ()


def test_a_long_chain_is_told_without_recursion() -> None:
    assert len(story(chain(3000))) == 3000 + 2999


def test_an_operand_without_a_text_is_left_open() -> None:
    one = number(1.0)
    x = DrawnNode("x", "input", None, {}, "", None, None, True, False, one, one)
    y = x._replace(name="y", kind="step", op="pow", rule="lambda _y, a, b: a * b")
    drawing = Drawing("f", (x, y._replace(output=True)), (DrawnEdge("x", "y", 0, one, one),))
    assert story(drawing)[1].arithmetic == "y = x ^ … = 1 ^ … = 1"
    assert story(drawing)[-1].rule == "the rule of pow: lambda _y, a, b: a * b"
