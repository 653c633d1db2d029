"""The pictures of a graph as methods, for a graph and for a drawing that was stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ._dot import dot
from ._drawing import Drawing
from ._json import from_json, to_json
from ._mermaid import mermaid
from ._page import page
from ._svg import svg
from ._text import text

Direction = Literal["down", "right"]
PAGE_DEPTH = 2  # so many levels of bodies a page can open


class Drawable:
    """Something with a `drawing`."""

    def drawing(self, inner: int = 0) -> Drawing:
        """The graph as plain numbers and texts, with `inner` levels of its bodies."""
        raise NotImplementedError

    def text(self, width: int = 80) -> str:
        """A tree from the output down to the inputs; no line is longer than `width`."""
        return text(self.drawing(), width)

    def svg(self, direction: Direction = "down") -> str:
        """A picture that needs nothing but a browser; light or dark as the reader's system is."""
        return svg(self.drawing(), direction)

    def mermaid(self) -> str:
        """A diagram in the language of Mermaid, which code-hosting sites draw."""
        return mermaid(self.drawing())

    def dot(self) -> str:
        """A graph in the language of Graphviz."""
        return dot(self.drawing())

    def json(self, inner: int = 0) -> str:
        """The drawing as JSON; `Picture.from_json` reads it again, without loss."""
        return to_json(self.drawing(inner))

    def page(self, path: str | Path) -> Path:
        """Write one HTML file, without any other, that steps through both passes.

        Returns:
            The file's path.
        """
        target = Path(path)
        target.write_text(page(self.drawing(PAGE_DEPTH)), encoding="utf-8")
        return target

    def _repr_svg_(self) -> str:
        return self.svg()


@dataclass(frozen=True)
class Picture(Drawable):
    """A drawing that was stored.

    >>> import funcgrad
    >>> stored = funcgrad.graph(lambda x: x * x, 3.0).json()
    >>> funcgrad.Picture.from_json(stored).json() == stored
    True
    """

    content: Drawing

    def drawing(self, inner: int = 0) -> Drawing:  # noqa: ARG002 -- what was stored is all there is
        return self.content

    @classmethod
    def from_json(cls, stored: str) -> Picture:
        """Read what `json` wrote.

        Raises:
            DataError: the text is not such a drawing.
        """
        return cls(from_json(stored))

    def __repr__(self) -> str:
        return f"<picture of {self.content.title}: {len(self.content.nodes)} nodes>"
