"""From a graph with arrays to a drawing of plain numbers and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .._formulas import formula
from .._registry import lookup
from ._drawing import SHOWN, Drawing, DrawnEdge, DrawnNode, Quantity
from ._edges import Edge, LocalVJP

if TYPE_CHECKING:
    from ._model import Graph, Node

_LONGEST = 60  # letters of a parameter


def draw(graph: Graph, inner: int = 0) -> Drawing:
    """The drawing of a graph.

    Args:
        graph: the graph.
        inner: how many levels of its bodies are drawn too, to be opened on a page.
    """
    nodes = tuple(_node(node, inner) for node in graph.nodes)
    return Drawing(graph.title, nodes, tuple(_edge(edge) for edge in graph.edges))


def _node(node: Node, inner: int) -> DrawnNode:
    opened = draw(node.open(), inner - 1) if inner > 0 and node.kind == "body" else None
    value, gradient = measure(node.value), node.gradient
    return DrawnNode(
        node.name, node.kind, node.op.name if node.op else None, _params(node), _rule(node),
        node.source, node.code, node.requires_grad, node.is_output, value,
        None if gradient is None else measure(gradient), opened,
    )  # fmt: skip


def _edge(edge: Edge) -> DrawnEdge:
    partial, flow = edge.partial, edge.flow
    return DrawnEdge(
        edge.source.name,
        edge.target.name,
        edge.operand,
        None if partial is None or isinstance(partial, LocalVJP) else measure(partial),
        None if flow is None else measure(flow),
    )


def _params(node: Node) -> dict[str, str]:
    """What tells one call of the primitive from another, as text."""
    if node.op is None:
        return {}
    constants = {f"operand {i}": _text(value) for i, value in node.op.constants.items()}
    plain = (bool, int, float, str, tuple, np.dtype)
    shown = {name: str(v) for name, v in node.op.params.items() if isinstance(v, plain)}
    short = {name: text for name, text in shown.items() if len(text) <= _LONGEST}
    return constants if node.kind == "body" else constants | short


def _text(value: Any) -> str:
    return f"{np.asarray(value)[()]:.6g}" if _is_real(value) else str(value)


def _is_real(value: Any) -> bool:
    kind = compat.typeof(value).dtype
    return bool(jnp.issubdtype(kind, np.floating)) and jnp.shape(value) == ()


def _rule(node: Node) -> str:
    unit = node._record.unit
    if unit is None or unit.is_group:
        return ""
    rule = lookup(unit.steps[0].primitive)
    return "" if rule is None or rule.family == "structured" else formula(rule)


# --- arrays in a few numbers ----------------------------------------------------------------------


def measure(array: Any) -> Quantity:
    """An array in a few numbers; keys and other things without numbers have none."""
    aval = compat.typeof(array)
    shape, dtype = tuple(aval.shape), str(aval.dtype)
    if not jnp.issubdtype(aval.dtype, np.number) and aval.dtype != np.bool_:
        return Quantity(shape, dtype, None, None, None, None, None, 0.0, 0)
    entries = np.asarray(array)
    wide = entries.astype(np.complex128 if np.iscomplexobj(entries) else np.float64).ravel()
    finite = np.isfinite(wide)
    values = tuple(_plain(entry) for entry in wide) if entries.size <= SHOWN else None
    zeros = float(np.mean(wide == 0)) if wide.size else 0.0
    return Quantity(
        shape, dtype, _as_kind(values, entries.dtype), *_statistics(wide[finite]), zeros,
        int(wide.size - finite.sum()),
    )  # fmt: skip


def _plain(entry: Any) -> Any:
    return str(complex(entry)) if np.iscomplexobj(entry) else float(entry)


def _as_kind(values: Any, dtype: Any) -> Any:
    """Whole numbers and truth values as such."""
    if values is None or dtype.kind not in "biu":
        return values
    return tuple(bool(value) if dtype.kind == "b" else int(value) for value in values)


def _statistics(finite: Any) -> tuple[float | None, float | None, float | None, float | None]:
    """The least, mean and largest entry (of complex ones, by magnitude), and the norm."""
    if not finite.size:
        return None, None, None, None
    sizes = np.abs(finite) if np.iscomplexobj(finite) else finite
    norm = float(np.sqrt(np.sum(np.abs(finite) ** 2)))
    return float(sizes.min()), float(sizes.mean()), float(sizes.max()), norm
