"""A graph as a tree of text, from the outputs up to what they were made of."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.text import Text
from rich.tree import Tree

from ._drawing import Drawing, DrawnEdge, DrawnNode
from ._labels import GRADIENT, count, elide, elide_name, kind, show_partial, summary

__all__ = ["text", "trees"]

_NAME, _OP = 28, 20  # letters
_DEEP = 9  # levels; what is deeper begins a tree of its own


def text(drawing: Drawing, width: int = 80, color: bool = False) -> str:
    """Write a graph as a tree.

    Each entry is a value: ``name = function``, its value, and after ``∂`` the gradient of the
    output by it. Below it stand its operands, each after the factor by which the gradient is
    multiplied on its way to it. A value that was shown before is only named.

    Args:
        drawing: the graph.
        width: the longest line, in columns.
        color: whether to write the codes that colour a terminal.

    >>> from funcgrad._graph._drawing import DrawnEdge, DrawnNode, Quantity
    >>> one = Quantity((), "float32", (1.0,), 1.0, 1.0, 1.0, 1.0, 0.0, 0)
    >>> x = DrawnNode("x", "input", None, {}, "", None, None, True, False, one, one)
    >>> y = x._replace(name="y", kind="step", op="sin", output=True)
    >>> print(text(Drawing("sine", (x, y), (DrawnEdge("x", "y", 0, None, one),))))
    sine
    y = sin  1  ∂ 1  output
    └── x  1  ∂ 1  input
    """
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as capture:
        console.print(trees(drawing, max(1, min(_DEEP, width // 8))))
    return "\n".join(_fit(line.rstrip(), width, color) for line in capture.get().splitlines())


def _fit(line: str, width: int, color: bool) -> str:
    # Only where the branches alone fill the width; colour codes have no width, and are left alone.
    return line if color or cell_len(line) <= width else set_cell_size(line, width).rstrip()


def trees(drawing: Drawing, deep: int = _DEEP) -> Group:
    """What `text` writes, for a rich console."""
    title = Text(elide(drawing.title, 76), style="bold")
    return Group(title, *_grow(drawing, deep))


def _grow(drawing: Drawing, deep: int) -> Iterator[Tree]:
    """A tree for each output, then for what is too deep in another tree, then for what is left."""
    nodes = {node.name: node for node in drawing.nodes}
    operands: dict[str, list[DrawnEdge]] = {name: [] for name in nodes}
    for edge in sorted(drawing.edges, key=lambda edge: edge.operand):
        operands[edge.target].append(edge)
    shown: set[str] = set()
    roots = [node.name for node in drawing.nodes if not node.output]
    roots += [node.name for node in reversed(drawing.nodes) if node.output]
    while roots:
        root = roots.pop()
        if root not in shown:
            tree, below = _tree(nodes, operands, root, shown, deep)
            roots += reversed(below)
            yield tree


def _tree(
    nodes: dict[str, DrawnNode],
    operands: dict[str, list[DrawnEdge]],
    root: str,
    shown: set[str],
    deep: int,
) -> tuple[Tree, list[str]]:
    """A tree, and the names of the values that are too deep for it; adds to `shown`."""
    tree = Tree(_write(nodes[root]), guide_style="dim")
    shown.add(root)
    below: list[str] = []
    stack = [(tree, edge, 1) for edge in reversed(operands[root])]
    while stack:
        parent, edge, level = stack.pop()
        name = edge.source
        if name in shown or (level >= deep and operands[name]):
            where = "above" if name in shown else "below"
            parent.add(
                _through(edge, nodes).append(elide_name(name, _NAME), "bold").append(f"  ({where})")
            )
            below += [name] if where == "below" else []
            continue
        shown.add(name)
        branch = parent.add(_through(edge, nodes).append_text(_write(nodes[name])))
        stack += [(branch, operand, level + 1) for operand in reversed(operands[name])]
    return tree, below


def _through(edge: DrawnEdge, nodes: dict[str, DrawnNode]) -> Text:
    """What comes before an operand: its factor, or that a gradient which arrived ends here."""
    ends = edge.flow is None and nodes[edge.target].gradient is not None
    before = "no gradient" if ends else show_partial(edge)
    return Text(overflow="fold").append(f"{before}  " if before else "", "dim")


def _write(node: DrawnNode) -> Text:
    """A scalar in one line; an array in up to three, since its value is a few numbers."""
    array = bool(node.value.shape)
    between = "\n" if array else "  "
    line = Text(overflow="fold").append(elide_name(node.name, _NAME), "bold")
    line.append(f" = {elide(node.op, _OP)}" if node.op else "")
    line.append(f"  {kind(node.value)}  {_tags(node)}".rstrip() if array else "")
    line.append(between + summary(node.value) if summary(node.value) else "")
    if node.gradient is not None:
        line.append(f"{between}{GRADIENT} {summary(node.gradient)}", "red")
    return line.append("" if array else f"  {_tags(node)}".rstrip(), "dim")


def _tags(node: DrawnNode) -> str:
    tags = [] if node.op else [node.kind]
    tags += [f"▸ {count(node.inner)}"] if node.inner is not None else []
    tags += ["output"] if node.output else []
    return " · ".join(tags)
