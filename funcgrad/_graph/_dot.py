"""A graph in the DOT language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable

from ._cards import describe, label
from ._drawing import Drawing, DrawnEdge, DrawnNode

__all__ = ["dot"]

_SHAPES = {
    "input": 'style="rounded,filled", fillcolor="#e3f0fa", color="#00588f", penwidth=2',
    "constant": 'style="dashed,filled", fillcolor="#f1f2f3", color="#5a6068"',
    "step": 'style="filled", fillcolor="#ffffff", color="#474d55"',
    "body": 'style="filled", fillcolor="#f8eaf3", color="#8c3a69", peripheries=2',
}
_OUTPUT = 'penwidth=3, color="#7a5600", fillcolor="#fdf3d9"'


def dot(drawing: Drawing) -> str:
    """Write a graph for Graphviz: the same texts as in the SVG picture, laid out by `dot`.

    >>> print(dot(Drawing("empty", (), ())))
    digraph "empty" {
      graph [label="empty", labelloc=t, fontname="monospace"];
      node [shape=box, fontname="monospace", fontsize=11];
      edge [fontname="monospace", fontsize=10, color="#474d55"];
    }
    """
    title = escape(drawing.title)
    index = {node.name: i for i, node in enumerate(drawing.nodes)}
    lines = [
        f"digraph {title} {{",
        f'  graph [label={title}, labelloc=t, fontname="monospace"];',
        '  node [shape=box, fontname="monospace", fontsize=11];',
        '  edge [fontname="monospace", fontsize=10, color="#474d55"];',
        *(_node(i, node) for i, node in enumerate(drawing.nodes)),
        *(_edge(edge, index) for edge in drawing.edges),
        "}",
    ]
    return "\n".join(lines)


def _node(number: int, node: DrawnNode) -> str:
    card = describe(node)
    heading = f"{card.name}  {card.tag}".rstrip()
    style = ", ".join([_SHAPES[node.kind], *([_OUTPUT] if node.output else [])])
    return f"  n{number} [label={_lines([heading, *card.value, *card.gradient])}, {style}];"


def _edge(edge: DrawnEdge, index: dict[str, int]) -> str:
    texts, style = label(edge), "" if edge.flow is not None else "style=dashed"
    given = ", ".join(filter(None, [f"label={_lines(texts)}" if texts else "", style]))
    return f"  n{index[edge.source]} -> n{index[edge.target]}{f' [{given}]' if given else ''};"


def _lines(texts: Iterable[str]) -> str:
    """Lines set to the left: each ends with a backslash and an l."""
    return '"' + "".join(rf"{escape(text)[1:-1]}\l" for text in texts) + '"'


def escape(text: str) -> str:
    """A quoted string of DOT, in which backslashes, quotes and entities stand for themselves."""
    spaced = text.replace("\u00a0", " ")
    signs = "".join(c if c.isprintable() else "\ufffd" for c in spaced)
    return '"' + signs.replace("\\", r"\\").replace('"', r"\"").replace("&", "&amp;") + '"'
