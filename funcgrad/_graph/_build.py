"""From a call of a function to its graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .. import _jaxcompat as compat
from .._arguments import argument_names, check_callable, check_cotangent, check_differentiable
from .._errors import GradientValueError
from .._pullback import CustomRules, Recorded, recording_options
from .._tape import Options, Slot, Tape
from .._trees import leaf_paths
from ._bodies import body_of
from ._model import Graph, Op, Record
from ._sources import Site, here, site_of, variables
from ._splice import record_body, splice
from ._units import Unit, units_of


def graph(
    fun: Callable[..., Any],
    *args: Any,
    cotangent: Any = None,
    depth: int = 0,
    custom_rules: CustomRules = "honour",
    strong_zeros: bool = False,
) -> Graph:
    """The computation graph of a call: every value, its gradient, and the partials between them.

    Args:
        fun: a function of pytrees of arrays.
        *args: the point; its numbers must be known, so not inside `jit`.
        cotangent: of the output, in its structure; by default ones, so that for a scalar output
            the gradients are those of `grad`.
        depth: how many levels of bodies (jitted functions, loops, branches, scopes, layers) are
            opened; what is deeper is one node, and `Node.open` gives the graph inside.
        custom_rules, strong_zeros: see `vjp`.

    Returns:
        A `Graph`: immutable, with `nodes`, `edges`, `paths`, and pictures of itself.

    Raises:
        GradientTypeError: a leaf that is not an array.
        GradientValueError: a value is not known yet, or `depth` is not a whole number.

    >>> import funcgrad
    >>> g = funcgrad.graph(lambda x, y: jax.lax.sin(x) * y, 0.5, 2.0)
    >>> [(node.name, round(float(node.gradient), 3)) for node in g]
    [('x', 1.755), ('y', 0.479), ('sin_1', 2.0), ('mul_1', 1.0)]
    """
    check_callable(fun, "graph")
    check_differentiable(args, "graph", allow_int=True)
    if not isinstance(depth, int) or depth < 0:
        raise GradientValueError(f"depth must be a whole number of at least 0, but is {depth!r}")
    outside = here()
    options = recording_options(custom_rules, strong_zeros, 64, keep_values=True)
    run = Recorded(fun, args, False, options)
    _refuse_unknown(run.tape, run.name)
    if cotangent is None:
        cotangents: list[Any] = [_ones(output) for output in run.outputs]
    else:
        cotangents = check_cotangent(cotangent, run.out_tree, run.tape.output_types, run.name)
    named = zip(argument_names(fun, args), args, strict=True)
    names = [path for name, value in named for path in leaf_paths(value, name)]
    leaves = jax.tree.leaves(args)
    tape = splice(run.tape, depth, options)
    sites = [site_of(step.source, outside) for step in tape.steps]
    return assemble(run.name, tape, sites, names, leaves, cotangents, run.outputs, depth, options)


def _ones(output: Any) -> Any:
    return jnp.ones_like(output) if compat.is_inexact(compat.typeof(output)) else None


def _refuse_unknown(tape: Tape, name: str) -> None:
    kept = (value for step in tape.steps for value in (*step.operands, *step.outputs))
    if any(compat.is_tracer(value) and compat.concrete(value) is None for value in kept):
        raise GradientValueError(
            f"graph of `{name}` was asked for inside jit, vmap or another transformation, where "
            "values are not known yet; call it with numbers, and let the function hold the jit"
        )


# --- assembling -----------------------------------------------------------------------------------


def assemble(
    title: str, tape: Tape, sites: Sequence[Site], names: Sequence[str], leaves: Sequence[Any],
    cotangents: Sequence[Any], outputs: Sequence[Any], depth: int, options: Options,
) -> Graph:  # fmt: skip
    """The graph of a recorded tape."""
    wanted = {slot for slot in tape.outputs if slot is not None}
    units = units_of(tape.steps, sites, wanted, depth)
    maker = _Maker(names, leaves, tape.inputs)
    named = variables(sites)
    done = 0
    for unit in units:
        done += len(unit.steps)
        maker.add(unit, named.get(done - 1))
    ends = tuple(maker.end(*pair) for pair in zip(tape.outputs, outputs, strict=True))

    def opening(outer: Graph, unit: Unit) -> Graph:
        return open_unit(outer, unit, options)

    return Graph(title, tuple(maker.records), tape, ends, tuple(cotangents), opening)


class _Maker:
    """Collects records; the numbers of what was met before, and the names that are taken."""

    def __init__(
        self, names: Sequence[str], leaves: Sequence[Any], slots: Sequence[Slot | None]
    ) -> None:
        self.records: list[Record] = []
        self.by_slot: dict[Slot, int] = {}
        self.by_identity: dict[int, int] = {}
        self.counts: dict[str, int] = {}
        self.taken: set[str] = set()
        for name, leaf, slot in zip(names, leaves, slots, strict=True):
            number = self.append(Record(self.unique(name), "input", leaf, slot, (), None, None))
            self.by_identity[id(leaf)] = number

    def append(self, record: Record) -> int:
        self.records.append(record)
        number = len(self.records) - 1
        if record.slot is not None:
            self.by_slot[record.slot] = number
        return number

    def unique(self, name: str) -> str:
        """The name, or with a number behind it where it is taken."""
        found, number = name, 1
        while found in self.taken:
            number = self.counts.get(name, 1) + 1
            self.counts[name] = number
            found = f"{name}_{number}"
        self.taken.add(found)
        return found

    def numbered(self, name: str) -> str:
        self.counts[f"#{name}"] = self.counts.get(f"#{name}", 0) + 1
        return self.unique(f"{name}_{self.counts[f'#{name}']}")

    def operand(self, slot: Slot | None, value: Any) -> int | None:
        """The number of an operand's node; None for a scalar constant, which is none."""
        if slot is not None and slot in self.by_slot:
            return self.by_slot[slot]
        if id(value) in self.by_identity:
            return self.by_identity[id(value)]
        if jnp.shape(value) == ():
            return None
        name = self.numbered("constant")
        self.by_identity[id(value)] = self.append(
            Record(name, "constant", value, None, (), None, None)
        )
        return self.by_identity[id(value)]

    def add(self, unit: Unit, variable: str | None) -> None:
        """The nodes of a unit's results."""
        found = [self.operand(*pair) for pair in zip(unit.reads, unit.operands, strict=True)]
        inputs = tuple((i, number) for i, number in enumerate(found) if number is not None)
        constants = {i: unit.operands[i] for i, number in enumerate(found) if number is None}
        kind = "body" if unit.is_group or body_of(unit.steps[0]) is not None else "step"
        params = {} if unit.is_group else dict(unit.steps[0].params)
        base = self.unique(variable) if variable else self.numbered(unit.name)
        for i, (slot, value) in enumerate(zip(unit.writes, unit.results, strict=True)):
            op = Op(unit.name, params, constants, i)
            name = f"{base}[{i}]" if len(unit.writes) > 1 else base
            self.append(Record(name, kind, value, slot, inputs, op, unit))

    def end(self, slot: Slot | None, value: Any) -> int:
        """The number of an output's node."""
        found = self.operand(slot, value)
        if found is None:
            name = self.numbered("constant")
            found = self.append(Record(name, "constant", value, None, (), None, None))
        return found


# --- opening --------------------------------------------------------------------------------------


def open_unit(outer: Graph, unit: Unit, options: Options) -> Graph:
    """The graph inside a body, with the gradients that arrive at it in the outer one."""
    cotangents = [outer.gradients.get(slot) if slot is not None else None for slot in unit.writes]
    names = [
        next((r.name for r in outer.records if slot is not None and r.slot == slot), f"operand_{i}")
        for i, slot in enumerate(unit.reads)
    ]
    if unit.is_group:
        tape, sites, depth = (
            Tape(unit.steps, unit.reads, unit.writes, (), ()),
            unit.sites,
            unit.depth + 1,
        )
    else:
        inner = record_body(unit.steps[0], options)
        assert inner is not None, "only a body is opened"
        tape, depth, outside = inner, 0, here()
        sites = tuple(site_of(step.source, outside) for step in tape.steps)
    values = (unit.operands, cotangents, unit.results)
    return assemble(unit.name, tape, sites, names, *values, depth, options)
