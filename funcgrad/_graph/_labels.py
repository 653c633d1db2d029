"""How quantities and names are written; every picture writes them the same way.

>>> show(Quantity((), "float32", (2 / 3,), 2 / 3, 2 / 3, 2 / 3, 2 / 3, 0.0, 0))
'0.66667'
>>> show(Quantity((512, 1), "float32", None, -1.0, 0.01, 1.0, 12.5, 0.25, 7))
'float32[512,1] mean 0.01, norm 12.5, 25% zero, 7 not finite'
"""

from __future__ import annotations

import math
import re
import textwrap

from ._drawing import Drawing, DrawnEdge, DrawnNode, Quantity

__all__ = [
    "PARTIAL",
    "elide",
    "elide_name",
    "figure",
    "kind",
    "list_tags",
    "show",
    "show_partial",
    "summary",
]

GRADIENT = "∂"
PARTIAL = "\u00d7"  # "times", an edge's label, what the gradient is multiplied by on its way back
_FEW = 4  # so many entries are shown one by one
_LONGEST_FIGURE = 16
_STICKY = "\u00a0"  # a space at which no line breaks


def show(quantity: Quantity) -> str:
    """A quantity in full: a scalar by its value, an array by dtype, shape and summary."""
    if not quantity.shape:
        return summary(quantity)
    return f"{kind(quantity)} {summary(quantity)}".rstrip()


def kind(quantity: Quantity) -> str:
    """Its dtype and shape, as in ``float32[512,1]``."""
    return f"{quantity.dtype}[{','.join(map(str, quantity.shape))}]"


def summary(quantity: Quantity) -> str:
    """Its content without dtype and shape: a few entries, or mean, norm and what is odd."""
    if quantity.values is not None and 0 < len(quantity.values) <= _FEW:
        return ", ".join(figure(value) for value in quantity.values)
    if math.prod(quantity.shape) == 0:
        return "empty"
    return ", ".join(_facts(quantity)) or ("" if quantity.shape else quantity.dtype)


def _facts(quantity: Quantity) -> list[str]:
    least = quantity.least
    if least is not None and least == quantity.largest and not quantity.nonfinite:
        return [f"all {least:.4g}"]
    facts = []
    if quantity.mean is not None:
        facts.append(f"mean {quantity.mean:.4g}")
        facts += [] if quantity.norm is None else [f"norm {quantity.norm:.4g}"]
    if quantity.zeros > 0:
        facts.append(f"{_percent(quantity.zeros)} zero")
    if quantity.nonfinite:
        facts.append(f"{quantity.nonfinite} not finite")
    return facts


def _percent(fraction: float) -> str:
    # What is not quite all must not be rounded to all.
    return f"{100 * fraction if fraction >= 1 else min(100 * fraction, 99.9):.3g}%"


def figure(value: float | int | bool | str) -> str:
    """A number in five significant digits; whole numbers and truth values as they are."""
    if isinstance(value, float):
        return f"{value:.5g}"
    return elide(str(value), _LONGEST_FIGURE)


def show_partial(edge: DrawnEdge) -> str:
    """The label of an edge: its partial, or nothing where that is not a number."""
    return "" if edge.partial is None else f"{PARTIAL} {summary(edge.partial)}"


def list_tags(node: DrawnNode) -> list[str]:
    """What a node is, in words: its function or kind, what it holds, whether it is an output.

    A name that is the function with a number says it already.
    """
    named = node.op is not None and re.fullmatch(rf"{re.escape(node.op)}_\d+", node.name)
    tags = [] if named else [node.op or node.kind]
    if node.inner is not None:
        tags.append(f"▸ {count(node.inner)}")
    if node.output:
        tags.append("output")
    return tags


def count(inner: Drawing) -> str:
    """How much is inside a body that can be opened."""
    return f"{len(inner.nodes)} inside"


def elide(text: str, limit: int) -> str:
    """At most `limit` characters; what is left out in the middle is an ellipsis.

    >>> elide("params['encoder']['layers'][3]['w1']", 20)
    "params['en…[3]['w1']"
    """
    text = "".join(c if c.isprintable() else "�" for c in text)
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def elide_name(name: str, limit: int) -> str:
    """A node's name; of a long path the end, which tells one leaf from another.

    >>> elide_name("params['encoder']['layers'][3]['w1']", 20)
    "…['layers'][3]['w1']"
    """
    shown = elide(name, len(name))
    return shown if len(shown) <= limit else f"…{shown[len(shown) - limit + 1 :]}"


def wrap(text: str, limit: int) -> tuple[str, ...]:
    """Lines of at most `limit` characters, broken after commas where that is possible."""
    joined = text.replace(" ", _STICKY).replace(f",{_STICKY}", ", ")
    lines = textwrap.wrap(joined, limit, break_on_hyphens=False)
    return tuple(line.replace(_STICKY, " ") for line in lines)
