"""A graph as a picture: SVG with no other package, in light and dark.

A page that animates the picture finds its parts by these names, which stay as they are:

- the picture: `svg.funcgrad-graph`;
- a node: `g.node[data-node=NAME]`, also with its kind (`input`, `constant`, `step`, `body`), and
  `output`, `openable`, `broken` (something is not finite) and `frozen` (needs no gradient) where
  they hold; within it `.box`, `text.name`, `text.tag`, `text.value` and `text.gradient`;
- an edge: `g.edge[data-edge="SOURCE→TARGET:OPERAND"]`, with `idle` where no gradient flows back;
  within it `path.line` and, if it has a label, `g.partial`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ._cards import LINE, MARGIN, PADDING, SIZE, SMALL, SMALL_LINE, Card, describe, label, measure
from ._drawing import Drawing, DrawnEdge, DrawnNode
from ._labels import GRADIENT, count, elide, show
from ._layout import MARGIN as OUTSIDE
from ._layout import Box, Direction, Layout, Route, lay_out
from ._svglegend import legend
from ._svgparts import draw, escape, number, rectangle, write
from ._svgstyle import style

__all__ = ["svg"]

_HEADING = 26.0
_NARROWEST = 460.0
_TITLE = 80  # characters


def svg(drawing: Drawing, direction: Direction = "down") -> str:
    """Draw a graph.

    Args:
        drawing: the graph.
        direction: of the flow, "down" or "right".

    Returns:
        an SVG document, which can also be put into a page as it is. Its ids are those of its
        content, so pictures in one notebook do not disturb each other.

    Raises:
        ConfigurationError: for another direction.

    >>> from funcgrad._graph._drawing import Quantity
    >>> one = Quantity((), "float32", (1.0,), 1.0, 1.0, 1.0, 1.0, 0.0, 0)
    >>> x = DrawnNode("x", "input", None, {}, "", None, None, True, False, one, one)
    >>> picture = svg(Drawing("only x", (x,), ()))
    >>> 'data-node="x"' in picture, "∂ 1" in picture
    (True, True)
    """
    layout = lay_out(drawing, direction)
    content = repr((drawing, direction)).encode("utf-8", "backslashreplace")
    identity = f"fg-{hashlib.sha256(content).hexdigest()[:12]}"
    title = elide(drawing.title, _TITLE)
    width = max(layout.width, _NARROWEST, measure(title) + 2 * OUTSIDE)
    keys, legend_height = legend(drawing, width)
    height = _HEADING + layout.height + legend_height
    shift = (width - layout.width) / 2
    return "\n".join(
        [
            _open(identity, drawing, width, height),
            f"<style>{style(identity)}</style>",
            _arrow(identity),
            rectangle(Box(0, 0, width, height), "paper", 0),
            write(title, OUTSIDE, 28, "title"),
            f'<g transform="translate({number(shift)} {number(_HEADING)})">',
            *_edges(drawing, layout, identity),
            *_nodes(drawing, layout),
            "</g>",
            f'<g class="legend" transform="translate(0 {number(_HEADING + layout.height)})">',
            *keys,
            "</g>",
            "</svg>",
        ]
    )


def _open(identity: str, drawing: Drawing, width: float, height: float) -> str:
    size = f'width="{number(width)}" height="{number(height)}"'
    steps = sum(node.kind in ("step", "body") for node in drawing.nodes)
    about = (
        f"Computation graph with {len(drawing.nodes)} nodes, {steps} of them steps, and "
        f"{len(drawing.edges)} edges. Each node shows its value and, after {GRADIENT}, the "
        "gradient of the output by it; each edge shows the partial derivative of its head by its "
        "tail."
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{identity}" class="funcgrad-graph" {size} '
        f'viewBox="0 0 {number(width)} {number(height)}" role="img" '
        f'aria-labelledby="{identity}-title {identity}-desc">\n'
        f'<title id="{identity}-title">{escape(drawing.title)}</title>\n'
        f'<desc id="{identity}-desc">{escape(about)}</desc>'
    )


def _arrow(identity: str) -> str:
    return (
        f'<defs><marker id="{identity}-arrow" viewBox="0 0 10 10" refX="9.5" refY="5" '
        'markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
        '<path class="head" d="M0 0.8 L10 5 L0 9.2 z"/></marker></defs>'
    )


# --- nodes ----------------------------------------------------------------------------------------


def _nodes(drawing: Drawing, layout: Layout) -> Iterable[str]:
    for node, box in zip(drawing.nodes, layout.boxes, strict=True):
        yield f'<g class="{_classes(node)}" data-node="{escape(node.name)}">'
        yield f"<title>{escape(_explain_node(node))}</title>"
        yield from _shape(node, box)
        yield from _texts(describe(node), box)
        yield "</g>"


def _classes(node: DrawnNode) -> str:
    holds = {
        "output": node.output,
        "openable": node.inner is not None,
        "broken": any(q is not None and q.nonfinite for q in (node.value, node.gradient)),
        "frozen": not node.requires_grad,
    }
    return " ".join(["node", node.kind, *(name for name, true in holds.items() if true)])


def _shape(node: DrawnNode, box: Box) -> Iterable[str]:
    """Inputs are round, constants sharp and dashed, bodies have a second border."""
    radius = {"input": 16, "constant": 0}.get(node.kind, 6)
    yield rectangle(box, "box", radius)
    if node.kind == "body":
        inset = Box(box.x + 3.5, box.y + 3.5, box.width - 7, box.height - 7)
        yield rectangle(inset, "inset", max(radius - 3, 0))


def _texts(card: Card, box: Box) -> Iterable[str]:
    left, y = box.x + MARGIN, box.y + PADDING + SIZE
    yield write(card.name, left, y, "name")
    yield write(card.tag, box.x + box.width - MARGIN - measure(card.tag, SMALL), y, "tag", SMALL)
    for text, role in [(t, "value") for t in card.value] + [(t, "gradient") for t in card.gradient]:
        y += LINE
        yield write(text, left, y, role)


def _explain_node(node: DrawnNode) -> str:
    lines = [f"{node.name}: {node.op or node.kind}", f"value {show(node.value)}"]
    if node.gradient is not None:
        lines.append(f"{GRADIENT} {show(node.gradient)}")
    lines += [f"{key} = {text}" for key, text in node.params.items()]
    lines += [f"backward: {node.rule}"] if node.rule else []
    lines += [" ".join(filter(None, (node.source, node.code)))] if node.source or node.code else []
    lines += [f"opens: {count(node.inner)}"] if node.inner is not None else []
    return "\n".join(lines)


# --- edges ----------------------------------------------------------------------------------------


def _edges(drawing: Drawing, layout: Layout, identity: str) -> Iterable[str]:
    for edge, route in zip(drawing.edges, layout.routes, strict=True):
        idle = "" if edge.flow is not None else " idle"
        name = escape(f"{edge.source}→{edge.target}:{edge.operand}")
        path = draw(route.points, layout.direction)
        yield f'<g class="edge{idle}" data-edge="{name}">'
        yield f"<title>{escape(_explain_edge(edge))}</title>"
        yield f'<path class="line" marker-end="url(#{identity}-arrow)" d="{path}"/>'
        yield from _label(edge, route)
        yield "</g>"


def _label(edge: DrawnEdge, route: Route) -> Iterable[str]:
    box = route.label
    if box is not None:
        yield '<g class="partial">'
        yield rectangle(box, "", 4)
        for i, text in enumerate(label(edge)):
            left = box.x + (box.width - measure(text, SMALL)) / 2
            yield write(text, left, box.y + SMALL + SMALL_LINE * i, "", SMALL)
        yield "</g>"


def _explain_edge(edge: DrawnEdge) -> str:
    partial = "a linear map" if edge.partial is None else show(edge.partial)
    lines = [
        f"operand {edge.operand} of {edge.target}: {edge.source}",
        f"{GRADIENT}{edge.target}/{GRADIENT}{edge.source} = {partial}",
        "nothing flows back" if edge.flow is None else f"flows back: {show(edge.flow)}",
    ]
    return "\n".join(lines)
