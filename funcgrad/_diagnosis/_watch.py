"""A trace that sees every operation, with its values, and looks inside the bodies of programs.

It records the tape that any gradient is computed from, but opens `jit`, `cond`, `checkpoint`,
`scan` and `while_loop`, and also notes what is no part of a tape: operations on constants, and
those through which no gradient flows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from .._tangents import tangent_function
from .._tape import Options, Step, TangentMap
from .._trace import TapeTrace
from . import _loops as loops
from ._events import Event, Key, Watched, finite
from ._places import Frames, body_frames, user_frames


class WatchTrace(TapeTrace):
    """The recording trace that opens programs and notes every operation."""

    def __init__(self, parent: Any, options: Options, budget: int) -> None:
        super().__init__(parent, options)
        self.budget = budget  # how many operations loops may be unrolled to
        self.windows: Mapping[int, tuple[int, int]] = {}  # of long loops: what to unroll
        self.long_loops = 0
        self.loop_name: str | None = None  # what the next scan stands for
        self.deep = False  # whether programs on constants are opened as well
        self.events: list[Event] = []
        self.tainted: set[int] = set()  # arrays that depend on an input without a gradient
        self.alive: list[Any] = []  # tainted arrays, whose identity must not be used again
        self.outer: tuple[Frames, int] | None = None  # of the operation that this run explains
        self.implicit: dict[Key, tuple[Key, ...]] = {}  # a loop's result: what its condition read
        self.frames: Frames | None = None  # of the equation that is being evaluated
        self.inside: tuple[str, ...] = ()
        self.calls: tuple[str, ...] = ()

    def invalidate(self) -> None:
        super().invalidate()
        self.events, self.alive = [], []

    # --- what JAX calls ---

    def process_primitive(self, primitive: Any, args: Sequence[Any], params: Any, /) -> Any:
        if self._opens(primitive, args, params):
            results = self._open(primitive, args, params)
            if results is not None:
                return results
        return self.whole(primitive, args, params)

    def whole(self, primitive: Any, args: Sequence[Any], params: Any, piece: Any = None) -> Any:
        """Carry out an operation without looking inside."""
        before = len(self.steps)
        results = super().process_primitive(primitive, args, params)
        self.note(primitive, args, results, before, piece=piece)
        return results

    def process_custom_jvp_call(
        self, primitive: Any, fun: Any, jvp: Any, tracers: Any, /, *, symbolic_zeros: bool
    ) -> Any:
        primals, reads = self.split(tracers)
        untracked = all(slot is None for slot in reads)
        if untracked or self.options.custom_rules != "honour":
            with compat.set_current_trace(self):
                return fun.call_wrapped(*tracers)
        with compat.set_current_trace(self.parent):
            results, body, inner = self._tangents(jvp, primals, reads, symbolic_zeros)
        before = len(self.steps)
        wrapped = self._record_call(primitive, fun, primals, reads, results, body)
        self.note(primitive, tracers, wrapped, before, inner)
        return wrapped

    def process_custom_vjp_call(self, *args: Any, **params: Any) -> Any:
        before = len(self.steps)
        results = super().process_custom_vjp_call(*args, **params)
        self.note(args[0], args[4], results, before)
        return results

    def process_shard_map(self, primitive: Any, function: Any, tracers: Any, /, **call: Any) -> Any:
        before = len(self.steps)
        results = super().process_shard_map(primitive, function, tracers, **call)
        for step in self.steps[before:]:
            self._note_step(step)
        return results

    # --- opening programs ---

    def _opens(self, primitive: Any, args: Sequence[Any], params: Any) -> bool:
        """Whether to look inside: at programs that carry a gradient or make a non-finite number."""
        if primitive not in {p.jit_p, p.cond_p, p.remat_p, p.scan_p, p.while_p}:
            return False
        if self.deep or any(self.slot_of(a) is not None or id(a) in self.tainted for a in args):
            return True
        with compat.set_current_trace(self.parent):
            return not all(map(finite, primitive.bind(*args, **params)))

    def _open(self, primitive: Any, args: Sequence[Any], params: Any) -> list[Any] | None:
        if primitive is p.scan_p:
            return loops.unroll_scan(self, args, params)
        if primitive is p.while_p:
            return loops.unroll_while(self, args, params)
        if primitive is p.cond_p:
            index = int(compat.concrete(self.split(args[:1])[0][0]))
            last = len(params["branches"]) - 1
            results = self.run(params["branches"][min(max(index, 0), last)], args[1:], "cond")
            return self.depend(results, self.key_of(args[0]))
        return self.run(params["jaxpr"], args, params.get("name", primitive.name))

    def run(self, closed: Any, args: Sequence[Any], name: str) -> list[Any]:
        """Evaluate a body, equation by equation, each at its own line."""
        caller = self.here()
        jaxpr, consts = jaxprs.open_jaxpr(closed)
        known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

        def read(atom: Any) -> Any:
            return atom.val if jaxprs.is_literal(atom) else known[atom]

        with self.within(calls=(*self.calls, name)):
            for equation in jaxpr.eqns:
                self.frames = body_frames(closed, equation, caller)
                operands = [read(atom) for atom in equation.invars]
                results = self._equation(equation, operands)
                known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[Any]) -> Any:
        if "call_jaxpr" in equation.params:
            with compat.set_current_trace(self):
                return jaxprs.bind_equation(equation, operands)
        results = self.process_primitive(equation.primitive, operands, equation.params)
        return results if equation.primitive.multiple_results else [results]

    @contextmanager
    def within(
        self, inside: tuple[str, ...] | None = None, calls: tuple[str, ...] | None = None
    ) -> Iterator[None]:
        """Note what follows as part of a loop or of a program."""
        earlier = (self.frames, self.inside, self.calls)
        self.inside = self.inside if inside is None else inside
        self.calls = self.calls if calls is None else calls
        try:
            yield
        finally:
            self.frames, self.inside, self.calls = earlier

    def here(self) -> Frames:
        """The user's frames of the present operation."""
        if self.frames is not None:
            return self.frames
        own = user_frames(compat.current_source())
        # Inside a custom rule: a line of the rule's own, or else the line that called it.
        return own if self.outer is None or len(own) > self.outer[1] else self.outer[0]

    def depend(self, results: Sequence[Any], condition: Key) -> list[Any]:
        """Note that results depend on a condition, by which no gradient flows."""
        with compat.set_current_trace(self.parent):
            arrays = [r if compat.is_tracer(r) else compat.as_array(r) for r in results]
        self.alive.extend(arrays)
        for key in map(self.key_of, arrays):
            self.implicit[key] = (*self.implicit.get(key, ()), condition)
            if key and key[0] == "id" and condition and condition[1] in self.tainted:
                self.tainted.add(key[1])
        return arrays

    # --- noting ---

    def key_of(self, value: Any) -> Key:
        slot = self.slot_of(value)
        if slot is not None:
            return ("slot", slot)
        return ("id", id(value)) if isinstance(value, (jax.Array, np.ndarray)) else None

    def note(
        self, primitive: Any, args: Sequence[Any], results: Any, before: int, inner: Any = None,
        piece: Any = None,
    ) -> None:  # fmt: skip
        """Write down an operation that was carried out."""
        fresh = self.steps[before:]
        results = list(results) if primitive.multiple_results else [results]
        if len(fresh) > 1 or (fresh and len(fresh[0].writes) != len(results)):
            for step in fresh:
                self._note_step(step)
            return
        reads, writes = tuple(map(self.key_of, args)), tuple(map(self.key_of, results))
        touched = any(key and (key[0] == "slot" or key[1] in self.tainted) for key in reads)
        if touched:
            self.tainted.update(key[1] for key in writes if key and key[0] == "id")
        self.events.append(
            Event(
                len(self.events), primitive.name, tuple(self.split(args)[0]),
                tuple(self.split(results)[0]), reads, writes, fresh[0] if fresh else None,
                self.here(), self.inside, self.calls, inner, piece,
            )
        )  # fmt: skip

    def _note_step(self, step: Step) -> None:
        """Write down a step that came about without a primitive of its own being watched."""
        reads = tuple(None if slot is None else ("slot", slot) for slot in step.reads)
        writes = tuple(None if slot is None else ("slot", slot) for slot in step.writes)
        self.events.append(
            Event(
                len(self.events), step.primitive.name, step.operands, step.outputs, reads, writes,
                step, self.here(), self.inside, self.calls,
            )
        )  # fmt: skip

    # --- custom rules ---

    def explain(self, around: WatchTrace) -> None:
        """Take over the place of an operation of another trace."""
        self.outer = (around.here(), len(user_frames(compat.current_source())))
        self.inside, self.calls, self.deep = around.inside, around.calls, True

    def _tangents(
        self, jvp: Any, primals: list[Any], reads: Any, symbolic: bool
    ) -> tuple[list[Any], TangentMap, Watched]:
        """As `run_custom_jvp`, with everything that the rule does watched."""
        tangents_of, zeros, chosen, held = tangent_function(jvp, primals, reads, symbolic)
        watched, trace = watch(tangents_of, zeros, self.options.on_tangents(), self.budget, self)
        keys = tuple(("id", id(value)) for value in held)
        watched = watched._replace(outputs=keys, values=tuple(held))
        return held, TangentMap(trace.tape, compat.Opaque(chosen)), watched


class Run(NamedTuple):
    """The tape that a watched run left behind."""

    tape: Any


def watch(
    function: Callable[..., Sequence[Any]],
    values: Sequence[Any],
    options: Options,
    budget: int,
    around: WatchTrace | None = None,
    windows: Mapping[int, tuple[int, int]] = MappingProxyType({}),
) -> tuple[Watched, Run]:
    """Run a function of flat values and write down everything that happens.

    Args:
        function: takes the values, returns a flat sequence of values.
        values: the inputs; those of inexact dtype are differentiated.
        options: how to record.
        budget: how many operations loops may be unrolled to.
        around: the trace whose operation this run explains.
        windows: for long loops, by their order, the iterations to look at.

    Returns:
        What happened, and the tape.
    """
    avals = tuple(compat.typeof(value) for value in values)
    with compat.take_current_trace() as parent:
        trace = WatchTrace(parent, options, budget)
        trace.windows = windows
        if around is not None:
            trace.explain(around)
        # A Python number has no identity by which its way could be followed.
        with compat.set_current_trace(parent):
            values = [v if compat.is_tracer(v) else compat.as_array(v) for v in values]
        entering = [
            trace.variable(value, aval) if compat.is_inexact(aval) else value
            for value, aval in zip(values, avals, strict=True)
        ]
        with compat.set_current_trace(trace):
            leaving = list(function(*entering))
        results, slots = trace.split(leaving)
        inputs = tuple(map(trace.key_of, entering))
        watched = Watched(
            tuple(trace.events), inputs, tuple(map(trace.key_of, leaving)), tuple(results),
            MappingProxyType(trace.implicit),
        )  # fmt: skip
        tape = loops.tape_of(trace, entering, slots, avals, results)
        trace.invalidate()
    return watched, Run(tape)
