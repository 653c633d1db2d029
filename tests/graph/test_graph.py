"""The graph as data: values, gradients, creators, partials, paths, and bodies that open."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

import funcgrad
from funcgrad._errors import GradientTypeError, GradientValueError, TreeError
from funcgrad._graph._draw import draw
from tests.graph.drawings import course as by_hand


def course(x: Any, y: Any, z: Any) -> Any:
    a = 2 * x
    b = jnp.sin(y)
    c = a / b
    d = z * c
    e = jnp.log(1 + d)
    return jnp.tanh(e)


def test_the_course_s_function_is_as_by_hand() -> None:
    ours, theirs = draw(funcgrad.graph(course, 1.0, 1.0, 1.0)), by_hand()
    assert [node.name for node in ours.nodes] == [node.name for node in theirs.nodes]
    for mine, other in zip(ours.nodes, theirs.nodes, strict=True):
        assert (mine.kind, mine.op, mine.output) == (other.kind, other.op, other.output)
        assert mine.value.mean == pytest.approx(other.value.mean, rel=1e-6)
        assert mine.gradient is not None
        assert other.gradient is not None
        assert mine.gradient.mean == pytest.approx(other.gradient.mean, rel=1e-5)
    assert [e[:3] for e in ours.edges] == [e[:3] for e in theirs.edges]
    for edge, other_edge in zip(ours.edges, theirs.edges, strict=True):
        assert edge.partial is not None
        assert other_edge.partial is not None
        assert edge.partial.mean == pytest.approx(other_edge.partial.mean, rel=1e-5)


def test_a_node_says_what_it_is() -> None:
    graph = funcgrad.graph(course, 1.0, 1.0, 1.0)
    c, x = graph["c"], graph["x"]
    assert c.op is not None
    assert c.op.name == "div"
    assert [node.name for node in c.inputs] == ["a", "b"]
    assert [node.name for node in c.users] == ["d"]
    assert c.source is not None
    assert c.source.startswith("test_graph.py:")
    assert c.code == "c = a / b"
    assert (c.shape, c.dtype, c.requires_grad) == ((), jnp.float32, True)
    assert x.op is None
    assert x.kind == "input"
    assert not x.inputs
    assert [leaf.name for leaf in graph.leaves] == ["x", "y", "z"]
    assert [node.name for node in graph.outputs] == ["tanh_1"]
    a = graph["a"]
    assert a.op is not None
    assert {i: float(v) for i, v in a.op.constants.items()} == {0: 2.0}


def test_an_unknown_name_is_an_error_that_shows_others() -> None:
    graph = funcgrad.graph(course, 1.0, 1.0, 1.0)
    with pytest.raises(TreeError, match=r"course has no node 'q'; it has x, y, z"):
        graph["q"]


# --- gradients and paths --------------------------------------------------------------------------


def branching(params: Any, n: Any) -> Any:
    h = jnp.tanh(params["w"] @ params["v"])
    shared = h * h + jnp.sin(h)
    return jnp.sum(shared * h) * n


PARAMS = {"v": jnp.array([0.3, -0.7]), "w": jnp.array([[1.0, 0.5], [0.2, -0.4], [0.1, 0.9]])}


def test_gradients_are_those_of_grad_and_paths_add_up_to_them() -> None:
    graph = funcgrad.graph(branching, PARAMS, 3)
    expected = funcgrad.grad(branching)(PARAMS, 3)
    for name in ("w", "v"):
        node = graph[f"params['{name}']"]
        np.testing.assert_allclose(node.gradient, expected[name], rtol=1e-6)
    for node in graph:
        if node.gradient is not None:
            total = sum(path.product for path in graph.paths(node))
            np.testing.assert_allclose(total, node.gradient, rtol=1e-5)
    assert not graph["n"].requires_grad
    assert graph["n"].gradient is None


SCALAR_OPS: dict[str, Callable[[Any, Any], Any]] = {
    "sin": lambda a, _: jnp.sin(a),
    "exp": lambda a, _: jnp.exp(0.1 * a),
    "mul": lambda a, b: a * b,
    "add": lambda a, b: a + b,
}


@given(st.lists(st.sampled_from(sorted(SCALAR_OPS)), min_size=1, max_size=6), st.data())
def test_paths_add_up_in_any_scalar_program(ops: list[str], data: Any) -> None:
    picks = data.draw(st.lists(st.integers(0, 50), min_size=2 * len(ops), max_size=2 * len(ops)))

    def program(x: Any, y: Any) -> Any:
        values = [x, y]
        for i, op in enumerate(ops):
            left = values[picks[2 * i] % len(values)]
            right = values[picks[2 * i + 1] % len(values)]
            values.append(SCALAR_OPS[op](left, right))
        return values[-1] * values[0]

    graph = funcgrad.graph(program, 0.7, -0.4)
    for name, expected in zip("xy", funcgrad.grad(program, (0, 1))(0.7, -0.4), strict=True):
        total = sum(float(path.product) for path in graph.paths(name))
        assert total == pytest.approx(float(expected), rel=1e-4, abs=1e-6)


def test_too_many_paths_are_an_error() -> None:
    def doubled(x: Any) -> Any:
        for _ in range(12):
            x = x * x
        return x

    with pytest.raises(GradientValueError, match=r"more than limit=1000 paths .*'x'"):
        funcgrad.graph(doubled, 1.0).paths("x")


# --- partials -------------------------------------------------------------------------------------


def test_partials_of_arrays() -> None:
    def function(x: Any, m: Any, s: Any) -> Any:
        y = jnp.sin(x)
        z = m @ y
        return z * s

    x, m = jnp.array([0.3, 0.5]), jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    graph = funcgrad.graph(function, x, m, 2.0, cotangent=jnp.ones(3))
    (to_sine,) = graph["y"].incoming
    np.testing.assert_allclose(to_sine.partial, jnp.cos(x), rtol=1e-6)
    to_m, to_y = graph["z"].incoming
    np.testing.assert_allclose(to_y.partial.jacobian(), m, rtol=1e-6)
    np.testing.assert_allclose(to_y.partial(jnp.ones(3)), m.sum(0), rtol=1e-6)
    assert to_m.partial.jacobian().shape == (3, 3, 2)
    assert "jacobian" in repr(to_m.partial)
    scaled = graph.outputs[0].incoming[1]
    np.testing.assert_allclose(scaled.flow, jnp.sum(m @ jnp.sin(x)), rtol=1e-5)


# --- bodies ---------------------------------------------------------------------------------------


def structured(x: Any) -> Any:
    h = jax.jit(lambda v: jnp.tanh(v) * v)(x)
    s, ys = lax.scan(lambda c, k: (jnp.sin(c * k), c), h, jnp.arange(1.0, 4.0))
    w = lax.while_loop(lambda c: jnp.abs(c) > 0.1, lambda c: 0.5 * c, s)
    b = lax.cond(w > 0, jnp.sin, jnp.cos, w)
    return b + jnp.sum(ys)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_bodies_opened_in_place_have_the_same_gradient(depth: int) -> None:
    graph = funcgrad.graph(structured, 0.8, depth=depth)
    expected = funcgrad.grad(structured)(0.8)
    np.testing.assert_allclose(graph["x"].gradient, expected, rtol=1e-5)
    total = sum(float(path.product) for path in graph.paths("x"))
    assert total == pytest.approx(float(expected), rel=1e-4)
    names = [node.op.name for node in graph if node.op]
    assert ("scan" in names) == (depth == 0)
    assert ("tanh" in names) == (depth > 0)


def test_a_body_is_one_node_and_opens_on_demand() -> None:
    graph = funcgrad.graph(structured, 0.8)
    assert graph["h"].kind == "body"
    inside = graph["h"].open()
    assert [node.op.name for node in inside if node.op] == ["tanh", "mul"]
    np.testing.assert_allclose(inside["x"].gradient, graph["x"].gradient, rtol=1e-6)
    loop = graph["s"].open() if "s" in graph else graph["scan_1[0]"].open()
    iterations = [node for node in loop if node.kind == "body"]
    assert len({node.name.split("[")[0] for node in iterations}) == 3
    assert "sin" in [node.op.name for node in iterations[0].open() if node.op]


def test_a_step_does_not_open() -> None:
    with pytest.raises(GradientValueError, match=r"'c' cannot be opened.*div"):
        funcgrad.graph(course, 1.0, 1.0, 1.0)["c"].open()


def test_scopes_are_bodies() -> None:
    def function(x: Any) -> Any:
        with jax.named_scope("encoder"):
            with jax.named_scope("first"):
                x = jnp.sin(x) * x
            x = jnp.exp(x)
        return jnp.cos(x)

    graph = funcgrad.graph(function, 0.5)
    assert [node.op.name for node in graph if node.op] == ["encoder", "cos"]
    deeper = funcgrad.graph(function, 0.5, depth=1)
    assert [node.op.name for node in deeper if node.op] == ["first", "exp", "cos"]
    opened = next(node for node in graph if node.kind == "body").open()
    assert [node.op.name for node in opened if node.op] == ["first", "exp"]
    for each in (graph, deeper):
        np.testing.assert_allclose(each["x"].gradient, funcgrad.grad(function)(0.5), rtol=1e-6)


# --- length, and what is refused ------------------------------------------------------------------


def test_a_long_chain_does_not_recurse() -> None:
    def chain(x: Any) -> Any:
        for _ in range(3000):
            x = x * 1.0001
        return x

    graph = funcgrad.graph(chain, 1.0)
    assert len(graph) == 3001
    assert float(graph["x"].gradient) == pytest.approx(1.0001**3000, rel=1e-3)
    (path,) = graph.paths("x")
    assert len(path.edges) == 3000


def test_inside_jit_it_is_an_error() -> None:
    with pytest.raises(GradientValueError, match="inside jit"):
        jax.jit(lambda x: funcgrad.graph(course, x, x, x).nodes[0].value)(1.0)


@pytest.mark.parametrize("depth", [-1, 1.5, "all"])
def test_depth_is_a_whole_number(depth: Any) -> None:
    with pytest.raises(GradientValueError, match="depth must be a whole number"):
        funcgrad.graph(course, 1.0, 1.0, 1.0, depth=depth)


def test_reprs_are_short() -> None:
    graph = funcgrad.graph(branching, PARAMS, 3)
    for thing in (graph, *graph.nodes, *graph.edges, *graph.paths("params['v']")):
        assert "\n" not in repr(thing)
        assert len(repr(thing)) < 400
    assert math.isfinite(len(dir(graph["shared"])))


def test_what_is_not_a_function_is_said() -> None:
    with pytest.raises(GradientTypeError, match="graph takes a function first, but received 3"):
        funcgrad.graph(3, 1.0)  # type: ignore[arg-type]  # that is what is tested
