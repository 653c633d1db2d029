"""The lines below a picture that say what its borders and signs mean."""

from __future__ import annotations

from collections.abc import Iterable

from ._cards import SMALL, measure
from ._drawing import Drawing
from ._labels import GRADIENT, PARTIAL
from ._layout import MARGIN, Box
from ._svgparts import number, rectangle, write

_LINE, _KEY, _APART = 20.0, 24.0, 18.0
_RADIUS = {"input": 7, "constant": 0}

Entry = tuple[str, str]  # what is drawn before the text: a kind, "idle" or nothing; the text


def legend(drawing: Drawing, width: float) -> tuple[list[str], float]:
    """The elements of the legend, in lines that fit the width, and its height."""
    elements: list[str] = []
    x, y = MARGIN, 0.0
    for sign, text in _entries(drawing):
        room = (_KEY if sign else 0) + measure(text, SMALL)
        if x > MARGIN and x + room > width - MARGIN:
            x, y = MARGIN, y + _LINE
        elements += _entry(sign, text, x, y)
        x += room + _APART
    return elements, (y + _LINE + MARGIN / 2 if elements else 0.0)


def _entries(drawing: Drawing) -> Iterable[Entry]:
    for kind in dict.fromkeys(node.kind for node in drawing.nodes):
        yield kind, "program inside" if kind == "body" else kind
    if any(node.output for node in drawing.nodes):
        yield "output", "output"
    if any(edge.flow is None for edge in drawing.edges):
        yield "idle", "nothing flows back"
    if any(node.inner is not None for node in drawing.nodes):
        yield "", "▸ opens"
    if any(node.gradient is not None for node in drawing.nodes):
        yield "", f"{GRADIENT} gradient of the output by the node"
    if any(edge.partial is not None for edge in drawing.edges):
        yield "", f"{PARTIAL} partial of an edge's head by its tail"


def _entry(sign: str, text: str, x: float, y: float) -> Iterable[str]:
    if sign == "idle":
        yield f'<path class="key-idle line" d="M{number(x)} {number(y + 8)} h16"/>'
    elif sign:
        yield rectangle(Box(x, y + 1, 17, 14), f"key-{sign}", _RADIUS.get(sign, 3))
    if sign == "body":
        yield rectangle(Box(x + 3, y + 4, 11, 8), "key-body", 1)
    yield write(text, x + (_KEY if sign else 0), y + 12, "", SMALL)
