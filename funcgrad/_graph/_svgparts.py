"""The elements of an SVG picture: rectangles, texts and paths, each as one line of XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ._cards import SIZE, measure
from ._layout import Box, Direction, Point


def draw(points: Sequence[Point], direction: Direction) -> str:
    """The path through the points of a route."""
    along = 1 if direction == "down" else 0
    parts = [f"M{_at(points[0])}"]
    for start, end in pairwise(points):
        if start[1 - along] == end[1 - along]:
            parts.append(f"L{_at(end)}")
        else:
            middle = (start[along] + end[along]) / 2
            bends = [(p[0], middle) if along else (middle, p[1]) for p in (start, end)]
            parts.append(f"C{_at(bends[0])} {_at(bends[1])} {_at(end)}")
    return " ".join(parts)


def _at(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def rectangle(box: Box, role: str, radius: float) -> str:
    """A rectangle with round corners; `role` is its class, "" for none."""
    x, y, width, height = map(number, box)
    named = f'class="{role}" ' if role else ""
    return f'<rect {named}x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def write(text: str, x: float, y: float, role: str, size: float = SIZE) -> str:
    """A text that starts at (x, y)."""
    named = f'class="{role}" ' if role else ""
    # Letters of other scripts may be wider than any estimate; these are squeezed into their room.
    fit = "" if _is_plain(text) else f' textLength="{number(measure(text, size))}"'
    fit += ' lengthAdjust="spacingAndGlyphs"' if fit else ""
    return f'<text {named}x="{number(x)}" y="{number(y)}"{fit}>{escape(text)}</text>'


def _is_plain(text: str) -> bool:
    return all(c.isascii() or c in "\u00a0\u00d7∂·…▸→" for c in text)


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
    | {character: f"&#{ord(character)};" for character in "\t\n\r"}
)


def escape(text: str) -> str:
    """A text for XML, in an element or an attribute; what XML cannot hold becomes a sign."""
    return _FORBIDDEN.sub("\ufffd", text).translate(_ENTITIES)
