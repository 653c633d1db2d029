"""A graph in the Mermaid language, which GitHub and many notebooks draw."""

from __future__ import annotations

import json

from ._cards import describe, label
from ._drawing import Drawing, DrawnEdge, DrawnNode

__all__ = ["mermaid"]

_SHAPES = {
    "input": ("([", "])"),
    "constant": ("[/", "/]"),
    "step": ("[", "]"),
    "body": ("[[", "]]"),
}
_SAFE = frozenset(" .,:=+-*'()[]_!?/")
_OUTPUT = "classDef output stroke-width:3px"


def mermaid(drawing: Drawing) -> str:
    """Write a graph as a Mermaid flow chart: the same texts as in the SVG picture.

    >>> print(mermaid(Drawing("empty", (), ())))
    ---
    title: "empty"
    ---
    flowchart TD
    """
    index = {node.name: i for i, node in enumerate(drawing.nodes)}
    outputs = [f"n{i}" for i, node in enumerate(drawing.nodes) if node.output]
    lines = [
        "---",
        f"title: {json.dumps(drawing.title)}",
        "---",
        "flowchart TD",
        *(_node(i, node) for i, node in enumerate(drawing.nodes)),
        *(_edge(edge, index) for edge in drawing.edges),
        *([f"  {_OUTPUT}", f"  class {','.join(outputs)} output"] if outputs else []),
    ]
    return "\n".join(lines)


def _node(number: int, node: DrawnNode) -> str:
    card = describe(node)
    heading = f"{card.name} {card.tag}".rstrip()
    before, after = _SHAPES[node.kind]
    texts = "<br/>".join(map(escape, [heading, *card.value, *card.gradient]))
    return f'  n{number}{before}"{texts}"{after}'


def _edge(edge: DrawnEdge, index: dict[str, int]) -> str:
    texts = "<br/>".join(map(escape, label(edge)))
    arrow = "-->" if edge.flow is not None else "-.->"
    named = f'|"{texts}"|' if texts else ""
    return f"  n{index[edge.source]} {arrow}{named} n{index[edge.target]}"


def escape(text: str) -> str:
    """A text in which no sign has a meaning in Mermaid, Markdown or HTML."""
    return "".join(
        c if (c.isalnum() and c.isprintable()) or c in _SAFE else f"#{ord(c)};" for c in text
    )
