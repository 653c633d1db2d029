"""Drawings to test the pictures with; the first is the course's function at (1, 1, 1)."""

from __future__ import annotations

import math

from funcgrad._graph._drawing import Drawing, DrawnEdge, DrawnNode, Quantity


def number(value: float) -> Quantity:
    """A scalar."""
    return Quantity((), "float32", (value,), value, value, value, abs(value), float(value == 0), 0)


def course() -> Drawing:
    """tanh(ln(1 + z * 2x / sin y)) at (1, 1, 1), by hand."""
    sine = math.sin(1.0)
    c = 2 / sine
    e = math.log(1 + c)
    by_e = 1 - math.tanh(e) ** 2
    by_d = by_e / (1 + c)
    nodes = [
        _leaf("x", 1.0, by_d * 2 / sine),
        _leaf("y", 1.0, -by_d * c / sine * math.cos(1.0)),
        _leaf("z", 1.0, by_d * c),
        _step(
            "a", "mul", "lambda _y, _a, b: b; lambda _y, a, _b: a", "a = 2 * x", 2.0, by_d / sine
        ),
        _step("b", "sin", "lambda _y, x: lax.cos(x)", "b = jnp.sin(y)", sine, -by_d * c / sine),
        _step(
            "c", "div", "lambda _y, _a, b: Over(b); lambda y, _a, b: -y / b", "c = a / b", c, by_d
        ),
        _step("d", "mul", "lambda _y, _a, b: b; lambda _y, a, _b: a", "d = z * c", c, by_d),
        _step("add_1", "add", "1; 1", "e = jnp.log(1 + d)", 1 + c, by_d),
        _step("e", "log", "lambda _y, x: Over(x)", "e = jnp.log(1 + d)", e, by_e),
        _step("tanh_1", "tanh", "lambda y, _x: 1 - y * y", "return jnp.tanh(e)", math.tanh(e), 1.0),
    ]
    nodes[-1] = nodes[-1]._replace(output=True)
    edges = (
        _edge("x", "a", 1, 2.0, nodes[3]),
        _edge("y", "b", 0, math.cos(1.0), nodes[4]),
        _edge("a", "c", 0, 1 / sine, nodes[5]),
        _edge("b", "c", 1, -c / sine, nodes[5]),
        _edge("z", "d", 0, c, nodes[6]),
        _edge("c", "d", 1, 1.0, nodes[6]),
        _edge("d", "add_1", 1, 1.0, nodes[7]),
        _edge("add_1", "e", 0, 1 / (1 + c), nodes[8]),
        _edge("e", "tanh_1", 0, by_e, nodes[9]),
    )
    return Drawing("course", tuple(nodes), edges)


def chain(length: int) -> Drawing:
    """A value that goes through many sines."""
    nodes = [_leaf("x", 0.5, 1.0)]
    nodes += [_step(f"sin_{i}", "sin", "lambda _y, x: lax.cos(x)", "x = jnp.sin(x)", 0.5, 1.0)
              for i in range(1, length)]  # fmt: skip
    names = [node.name for node in nodes]
    pairs = zip(names, names[1:], nodes[1:], strict=False)
    edges = tuple(_edge(tail, head, 0, 0.9, node) for tail, head, node in pairs)
    return Drawing("chain", tuple(nodes), edges)


def arrays() -> Drawing:
    """A layer with arrays, a missing number, and a body that can be opened."""
    weights = Quantity((512, 1), "float32", None, -1.0, 0.01, 0.98, 12.5, 0.0, 0)
    broken = Quantity((32, 512), "float32", None, -0.5, 0.1, 0.7, 3.0, 0.25, 7)
    inner = Drawing("layer", (_leaf("x", 1.0, 1.0),), ())
    nodes = (
        DrawnNode("params['w1']", "input", None, {}, "", None, None, True, False, weights, weights),
        DrawnNode("x", "input", None, {}, "", None, None, False, False, broken, None),
        DrawnNode(
            "hidden", "body", "layer", {"length": "3"}, "", "model.py:12",
            "hidden = layer(params, x)", True, True, broken, broken, inner,
        ),
    )  # fmt: skip
    edges = (
        DrawnEdge("params['w1']", "hidden", 0, None, weights),
        DrawnEdge("x", "hidden", 1, None, None),
    )
    return Drawing("arrays", nodes, edges)


def _leaf(name: str, value: float, gradient: float) -> DrawnNode:
    by, of = number(gradient), number(value)
    return DrawnNode(name, "input", None, {}, "", None, None, True, False, of, by)


def _step(name: str, op: str, rule: str, code: str, value: float, gradient: float) -> DrawnNode:
    by, of = number(gradient), number(value)
    return DrawnNode(name, "step", op, {}, rule, "course.py:7", code, True, False, of, by)


def _edge(source: str, target: str, operand: int, partial: float, head: DrawnNode) -> DrawnEdge:
    assert head.gradient is not None
    assert head.gradient.values is not None
    flow = partial * float(head.gradient.values[0])
    return DrawnEdge(source, target, operand, number(partial), number(flow))
