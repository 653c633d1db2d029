"""Paths: the chain rule as a sum over the ways from the output to a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp

from .._errors import GradientValueError
from ._edges import Edge

if TYPE_CHECKING:
    from ._model import Graph, Node


class Path(NamedTuple):
    """A way from an output down to a node.

    Attributes:
        nodes: from the output to the node.
        edges: between them, in the same order.
        product: the output's cotangent carried along all of the edges: for scalars the product of
            the partials. Over all paths these add up to the node's gradient.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    product: Any

    def __repr__(self) -> str:
        way = " <- ".join(node.name for node in self.nodes)
        return f"<path {way}: {self.product}>"


def find_paths(graph: Graph, node: Node, limit: int) -> tuple[Path, ...]:
    """All ways from the outputs to a node; see `Graph.paths`."""
    found: list[Path] = []
    waiting: list[tuple[tuple[Edge, ...], int]] = [((), node.number)]
    while waiting:
        edges, top = waiting.pop()
        if top in graph.ends:
            found.append(_path(graph, node, edges))
            if len(found) > limit:
                raise GradientValueError(
                    f"more than limit={limit} paths lead from the output to {node.name!r}; their "
                    "number grows exponentially with the depth: choose a later node, or raise limit"
                )
        for number, operand in graph._readers.get(top, ()):
            waiting.append(((Edge(graph, top, number, operand), *edges), number))
    return tuple(found)


def _path(graph: Graph, node: Node, edges: Sequence[Edge]) -> Path:
    start = edges[0].target if edges else node
    product = graph.cotangents[graph.ends.index(start.number)]
    for edge in edges:
        product = edge.pull(product) if product is not None else None
    nodes = (start, *(edge.source for edge in edges))
    zero = jnp.zeros_like(node.value)
    return Path(nodes, tuple(edges), zero if product is None else product)
