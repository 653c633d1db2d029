"""The computation graph as immutable data: nodes, edges with local partials, paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp

from .. import _jaxcompat as compat
from .._errors import GradientValueError, TreeError
from .._tape import Slot, Tape
from ._display import Shown
from ._draw import draw, measure
from ._drawing import Drawing, Quantity
from ._edges import Edge
from ._labels import show
from ._paths import Path, find_paths
from ._pictures import Drawable
from ._sources import line_of
from ._text import trees
from ._units import Unit, gradients


class Op(NamedTuple):
    """The function that created a node.

    Attributes:
        name: of the primitive, the jitted function, or the scope.
        params: its parameters.
        constants: scalar operands that are not nodes, by their position.
        output: which of its results the node is.
    """

    name: str
    params: dict[str, Any]
    constants: dict[int, Any]
    output: int


class Record(NamedTuple):
    """All that is stored of a node; its neighbours by their numbers."""

    name: str
    kind: str  # "input", "constant", "step" or "body"
    value: Any
    slot: Slot | None
    inputs: tuple[tuple[int, int], ...]  # (operand, number of the node that it is)
    op: Op | None
    unit: Unit | None


@dataclass(frozen=True, eq=False, repr=False)
class Graph(Drawable, Shown):
    """The graph of one call of a function; made by `funcgrad.graph`.

    Attributes:
        title: the function's name.
        tape: the recorded program.
        cotangents: the outputs' cotangents.

    >>> import jax, funcgrad
    >>> graph = funcgrad.graph(lambda x: jax.lax.sin(x) * x, 0.5)
    >>> graph
    <graph of <lambda>: 3 nodes, 2 created; output mul_1>
    >>> graph["sin_1"].inputs[0].name, round(float(graph["x"].gradient), 4)
    ('x', 0.9182)
    """

    title: str
    records: tuple[Record, ...]
    tape: Tape
    ends: tuple[int, ...]
    cotangents: tuple[Any, ...]
    opening: Callable[[Graph, Unit], Graph]

    _MACHINERY = ("records", "ends", "opening")

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, in the order of execution; every edge leads to a later one."""
        return tuple(Node(self, i) for i in range(len(self.records)))

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges."""
        return tuple(edge for node in self.nodes for edge in node.incoming)

    @cached_property
    def gradients(self) -> dict[Slot, Any]:
        """The cotangent at each slot of the tape; swept when it is first asked for."""
        return gradients(self.tape, self.cotangents)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {record.name: i for i, record in enumerate(self.records)}

    @cached_property
    def _readers(self) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = {}
        for number, record in enumerate(self.records):
            for operand, source in record.inputs:
                found.setdefault(source, []).append((number, operand))
        return found

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The nodes that no function created: inputs and constants."""
        return tuple(node for node in self.nodes if node.op is None)

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The nodes that the function returned."""
        return tuple(self.nodes[i] for i in self.ends)

    def drawing(self, inner: int = 0) -> Drawing:
        """The graph as plain numbers and texts, with `inner` levels of its bodies."""
        return draw(self, inner)

    def paths(self, node: Node | str, limit: int = 1000) -> tuple[Path, ...]:
        """The ways from the outputs to a node, with the product of the partials along each.

        The products add up to the node's gradient: the chain rule, path by path.

        Args:
            node: a node, or its name.
            limit: how many paths there may be; their number can grow exponentially.

        Raises:
            GradientValueError: there are more.

        >>> import funcgrad
        >>> graph = funcgrad.graph(lambda x: x * x, 3.0)
        >>> [float(path.product) for path in graph.paths("x")]
        [3.0, 3.0]
        """
        return find_paths(self, self[node] if isinstance(node, str) else node, limit)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __getitem__(self, name: str) -> Node:
        """The node of a name.

        Raises:
            TreeError: there is none.
        """
        if name not in self._numbers:
            some = ", ".join(list(self._numbers)[:12])
            raise TreeError(f"the graph of {self.title} has no node {name!r}; it has {some} ...")
        return self.nodes[self._numbers[name]]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._numbers)

    def _facts(self) -> dict[str, Any]:
        return {"title": self.title, "nodes": list(self._numbers), "outputs": list(self.outputs)}

    def __rich__(self) -> Any:
        return trees(self.drawing())

    def __repr__(self) -> str:
        kinds = sum(record.op is not None for record in self.records)
        ends = ", ".join(self.records[i].name for i in self.ends)
        return f"<graph of {self.title}: {len(self)} nodes, {kinds} created; output {ends}>"


@dataclass(frozen=True, repr=False)
class Node(Shown):
    """A value in a graph: what it is, what made it, and the output's gradient by it."""

    graph: Graph
    number: int

    @property
    def _record(self) -> Record:
        return self.graph.records[self.number]

    @property
    def name(self) -> str:
        """An argument (`params['w1']`), a variable (`c`), or the primitive with a number."""
        return self._record.name

    @property
    def kind(self) -> str:
        """ "input", "constant", "step", or "body": the result of a program that can be opened."""
        return self._record.kind

    @property
    def value(self) -> Any:
        return self._record.value

    @property
    def gradient(self) -> Any:
        """The gradient of the output by this value; None where none arrives."""
        slot = self._record.slot
        return None if slot is None else self.graph.gradients.get(slot)

    @property
    def op(self) -> Op | None:
        """The function that created it, with its parameters; None for a leaf."""
        return self._record.op

    @property
    def requires_grad(self) -> bool:
        """Whether it depends on an input of floating dtype (or is one)."""
        return self._record.slot is not None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(jnp.shape(self.value))

    @property
    def dtype(self) -> Any:
        return compat.typeof(self.value).dtype

    @property
    def source(self) -> str | None:
        """`file.py:17`, where the user's code made it."""
        return self._line[0]

    @property
    def code(self) -> str | None:
        """The code of that line."""
        return self._line[1]

    @property
    def _line(self) -> tuple[str | None, str | None]:
        unit = self._record.unit
        return (None, None) if unit is None else line_of(unit.sites[-1])

    @property
    def is_output(self) -> bool:
        return self.number in self.graph.ends

    @property
    def incoming(self) -> tuple[Edge, ...]:
        """The edges from its operands."""
        pairs = self._record.inputs
        return tuple(Edge(self.graph, i, self.number, operand) for operand, i in pairs)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """Its operands' nodes."""
        return tuple(self.graph.nodes[i] for _, i in self._record.inputs)

    @property
    def users(self) -> tuple[Node, ...]:
        """The nodes that it is an operand of."""
        numbers = dict.fromkeys(n for n, _ in self.graph._readers.get(self.number, ()))
        return tuple(self.graph.nodes[n] for n in numbers)

    def open(self) -> Graph:
        """The graph inside a body: of a jitted function, a scan, a branch, a layer.

        Raises:
            GradientValueError: the node is not the result of a body.
        """
        if self.kind != "body" or self._record.unit is None:
            raise GradientValueError(
                f"node {self.name!r} cannot be opened: it is the result of "
                f"{self.op.name if self.op else 'no function'}, which holds no program; only "
                'nodes of kind "body" do'
            )
        return self.graph.opening(self.graph, self._record.unit)

    @property
    def value_summary(self) -> Quantity:
        """The value in a few numbers: shape, extremes, mean, norm, zeros, non-finite entries."""
        return measure(self.value)

    @property
    def gradient_summary(self) -> Quantity | None:
        """The gradient in a few numbers; None where none arrives."""
        return None if self.gradient is None else measure(self.gradient)

    def _facts(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "gradient": self.gradient,
            "op": self.op.name if self.op else None,
            "inputs": [node.name for node in self.inputs],
            "source": self.source,
            "requires_grad": self.requires_grad,
        }

    def __repr__(self) -> str:
        of = f" = {self.op.name}({', '.join(n.name for n in self.inputs)})" if self.op else ""
        gradient = self.gradient_summary
        arriving = "no gradient" if gradient is None else f"gradient {show(gradient)}"
        return f"<node {self.name}{of}: {show(self.value_summary)}, {arriving}>"
