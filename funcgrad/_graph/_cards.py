"""What is written in a node's box and on an edge, and how much room that takes.

Boxes are set in a monospace font, since only there is the width of a text known without the font:
no common one is wider than 0.616 em a character.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from ._drawing import DrawnEdge, DrawnNode
from ._labels import GRADIENT, elide, elide_name, kind, list_tags, show, show_partial, summary, wrap

SIZE = 13.0  # pixels of the font
LINE = 18.0  # from one line to the next
SMALL = 11.5  # pixels of the font of labels
SMALL_LINE = 15.0
MARGIN = 11.0  # between text and border, left and right
PADDING = 7.0  # between text and border, above and below
_PER_EM = 0.62
_LATIN = "\u00a0\u00d7·"  # as wide as letters in every monospace font
_NAME, _TAG, _LINE, _LABEL = 28, 30, 30, 24  # characters
_BETWEEN = 18.0  # name and tag
_LEAST = 84.0


class Card(NamedTuple):
    """The texts of a node's box: a heading of name and tag, lines of value, lines of gradient."""

    name: str
    tag: str
    value: tuple[str, ...]
    gradient: tuple[str, ...]

    @property
    def width(self) -> float:
        """In pixels, margins included."""
        heading = measure(self.name) + _BETWEEN + measure(self.tag, SMALL)
        lines = [measure(line) for line in (*self.value, *self.gradient)]
        return max(_LEAST, 2 * MARGIN + max([heading, *lines]))

    @property
    def height(self) -> float:
        """In pixels, padding included."""
        return 2 * PADDING + LINE * (1 + len(self.value) + len(self.gradient))


def describe(node: DrawnNode) -> Card:
    """What a node's box says; long names are elided."""
    name, tag = elide_name(node.name, _NAME), elide(" · ".join(list_tags(node)), _TAG)
    value = node.value
    lines = (show(value),) if not value.shape else (kind(value), summary(value))
    texts = [part for line in lines for part in wrap(line, _LINE)]
    return Card(name, tag, tuple(texts), _gradient(node))


def _gradient(node: DrawnNode) -> tuple[str, ...]:
    if node.gradient is None:
        return ()
    # Its shape is the value's; only what differs is worth the room.
    first, *rest = wrap(summary(node.gradient), _LINE - 2) or ("",)
    return (f"{GRADIENT} {first}", *(f"\u00a0\u00a0{line}" for line in rest))


def label(edge: DrawnEdge) -> tuple[str, ...]:
    """The lines of an edge's label, none where the partial is not a number."""
    return wrap(show_partial(edge), _LABEL)


def measure(text: str, size: float = SIZE) -> float:
    """A width in pixels that the text does not exceed in any common monospace font."""
    return size * sum(_PER_EM if c.isascii() or c in _LATIN else _wide(c) for c in text)


def _wide(character: str) -> float:
    return 1.25 if unicodedata.east_asian_width(character) in "WF" else 1.0


def measure_label(lines: tuple[str, ...]) -> tuple[float, float]:
    """Width and height of an edge's label with its background; zero for no lines."""
    if not lines:
        return 0.0, 0.0
    return max(measure(line, SMALL) for line in lines) + 8, SMALL_LINE * len(lines) + 3
