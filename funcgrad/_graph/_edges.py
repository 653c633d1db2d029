"""Edges: an operand of a node, and the derivative of the node by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from .. import _jaxcompat as compat
from .._registry import Over, Pullback, Quotient, lookup, pullback_params
from ._display import Shown

if TYPE_CHECKING:
    from ._model import Graph, Node


class LocalVJP(NamedTuple):
    """The partial of an edge that is a general linear map: cotangents of its head to its tail's."""

    pull: Callable[[Any], Any]
    head: Any
    tail: Any

    def __call__(self, cotangent: Any) -> Any:
        """What a cotangent of the head adds to the tail's; an array of the tail's shape."""
        pulled = self.pull(cotangent)
        return jnp.zeros_like(self.tail) if pulled is None else pulled

    def jacobian(self) -> jax.Array:
        """The whole derivative, of shape `head.shape + tail.shape`."""
        shape, size = jnp.shape(self.head), jnp.size(self.head)
        units = jnp.eye(size, dtype=compat.typeof(self.head).dtype).reshape(size, *shape)
        rows = [self(unit) for unit in units]
        stacked = jnp.stack(rows) if rows else jnp.zeros((0, *jnp.shape(self.tail)))
        return stacked.reshape(*shape, *jnp.shape(self.tail))

    def __repr__(self) -> str:
        return f"<linear map {jnp.shape(self.head)} to {jnp.shape(self.tail)}; call .jacobian()>"


@dataclass(frozen=True, repr=False)
class Edge(Shown):
    """An operand of a node, and the derivative of the node by it."""

    graph: Graph
    tail: int
    head: int
    operand: int

    @property
    def source(self) -> Node:
        """The operand's node."""
        return self.graph.nodes[self.tail]

    @property
    def target(self) -> Node:
        """The result's node."""
        return self.graph.nodes[self.head]

    def pull(self, cotangent: Any) -> Any:
        """What a cotangent of the target contributes to the source; None for nothing."""
        record = self.graph.records[self.head]
        if not self.source.requires_grad or record.unit is None or record.op is None:
            return None
        return record.unit.flow(record.op.output, cotangent)[self.operand]

    @property
    def flow(self) -> Any:
        """What the target's gradient adds to the source's along this edge; None for nothing."""
        gradient = self.target.gradient
        return None if gradient is None else self.pull(gradient)

    @property
    def partial(self) -> Any:
        """The derivative of the target by the source.

        A number for scalars, an array of the operand's shape where it multiplies entry by entry,
        else a `LocalVJP`; None where nothing flows back.
        """
        if not self.source.requires_grad:
            return None
        target, source = self.target.value, self.source.value
        if jnp.shape(target) == () == jnp.shape(source):
            return self.pull(jnp.ones_like(target))
        entries = self._entries()
        if entries is not None and jnp.shape(entries) == jnp.shape(source):
            return entries
        return LocalVJP(self.pull, target, source)

    def _entries(self) -> Any:
        """The partial as the rule of an elementwise primitive has it."""
        unit = self.graph.records[self.head].unit
        if unit is None or unit.is_group:
            return None
        (step,) = unit.steps
        rule = lookup(step.primitive)
        if rule is None or rule.family != "elementwise":
            return None
        pullback = rule.pullbacks[self.operand]
        assert isinstance(pullback, Pullback)
        params = pullback_params(pullback, step.params)
        partial = pullback.function(step.outputs[0], *step.operands, **params)
        if isinstance(partial, Over):
            return 1 / partial.denominator
        if isinstance(partial, Quotient):
            partial = partial.numerator / partial.denominator
        shape, kind = jnp.shape(self.target.value), self.dtype
        return jnp.full(shape, partial, kind) if isinstance(partial, int) else partial

    @property
    def dtype(self) -> Any:
        return self.source.dtype

    def _facts(self) -> dict[str, Any]:
        return {
            "source": self.source.name,
            "target": self.target.name,
            "operand": self.operand,
            "partial": self.partial,
            "flow": self.flow,
        }

    def __repr__(self) -> str:
        return f"<edge {self.source.name} -> {self.target.name}, operand {self.operand}>"
