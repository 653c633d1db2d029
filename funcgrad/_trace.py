"""Running a function forward while a tape is recorded.

A value becomes a tracer only if it depends on a differentiated input; everything else runs
straight through to the enclosing trace. The primal of a primitive is always computed by binding the
same primitive there, so Python control flow works on concrete values, and everything nests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from . import _jaxcompat as compat
from . import _jaxprs as jaxprs
from . import _references as references
from ._registry import Plan, check_params, lookup, missing_rule, plan
from ._tangents import tangent_function
from ._tape import CustomBackward, Options, Slot, Step, TangentMap, Tape


class TapeTracer(compat.Tracer):  # type: ignore[misc]  # JAX's class is untyped here
    """A value that requires a gradient: its primal and the slot that its cotangent goes to."""

    __slots__ = ("primal", "slot")

    def __init__(self, trace: TapeTrace, primal: Any, slot: Slot, aval: Any) -> None:
        super().__init__(trace, aval)
        self.primal = primal
        self.slot = slot

    def to_concrete_value(self) -> Any:
        return compat.concrete(self.primal)

    def get_referent(self) -> Any:
        return compat.referent(self.primal)

    def _contents(self) -> list[tuple[str, Any]]:
        return compat.PERTURBED

    def _short_repr(self) -> str:
        return f"TapeTracer<{self.aval}, slot %{self.slot}, value {self.primal}>"


class TapeTrace(compat.Trace):  # type: ignore[misc]  # JAX's class is untyped here
    """JAX's trace that records; the one mutable object of the engine, alive during one call."""

    def __init__(self, parent: Any, options: Options) -> None:
        super().__init__()
        self.parent = parent
        self.options = options
        self.steps: list[Step] = []
        self.slots = 0
        self.requires_low = False

    def invalidate(self) -> None:
        """End the trace and let values go: programs of JAX's that were met under it keep it."""
        super().invalidate()
        self.steps = []

    # --- values in and out ---

    def variable(self, value: Any, aval: Any) -> TapeTracer:
        """A new value that requires a gradient."""
        self.slots += 1
        return TapeTracer(self, value, self.slots - 1, aval)

    def reference(self, cell: Any, aval: Any) -> TapeTracer:
        """A mutable reference; see `_references`."""
        return TapeTracer(self, cell, references.SLOT, aval)

    def slot_of(self, value: Any) -> Slot | None:
        return value.slot if type(value) is TapeTracer and value._trace is self else None

    def split(self, values: Sequence[Any]) -> tuple[list[Any], tuple[Slot | None, ...]]:
        """The primals of some values, and their slots."""
        primals: list[Any] = []
        slots: list[Slot | None] = []
        for value in values:
            if type(value) is TapeTracer and value._trace is self:
                primals.append(value.primal)
                slots.append(value.slot)
            else:
                primals.append(value)
                slots.append(None)
        return primals, tuple(slots)

    # --- what JAX calls ---

    def stage_value(self, val: Any) -> Any:
        primals, slots = self.split([val])
        staged = self.parent.stage_value(primals[0])
        return staged if slots[0] is None else TapeTracer(self, staged, slots[0], val.aval)

    def process_primitive(self, primitive: Any, args: Sequence[Any], params: Any, /) -> Any:
        primals, reads = self.split(args)
        if references.SLOT in reads or primitive in references.CREATING:
            return references.process(self, primitive, args, params, reads)
        needed = tuple([slot is not None for slot in reads])
        if True not in needed:
            return compat.bind_with(self.parent, primitive, primals, params)
        if jaxprs.is_identity(primitive, args[0], params):
            return args[0]
        body = jaxprs.inlined_body(primitive, params)
        if body is not None:
            return self.inline(body, args)
        return self._apply_rule(primitive, args, params, primals, reads, needed)

    def _apply_rule(
        self, primitive: Any, args: Any, params: Any, primals: Any, reads: Any, needed: Any
    ) -> Any:
        rule = lookup(primitive)
        if rule is None:
            raise references.refusal(primitive, args) or missing_rule(primitive, args)
        if rule.family == "none":
            return compat.bind_with(self.parent, primitive, primals, params)
        if rule.forward is None:
            check_params(rule, params)
        how = plan(primitive, needed)
        if how.missing is not None:
            raise missing_rule(primitive, args, f" has none for its operand {how.missing}")
        if rule.forward is not None:
            with compat.set_current_trace(self.parent):
                results, body = rule.forward(self.options, needed, primals, params)
        else:
            results, body = compat.bind_with(self.parent, primitive, primals, params), None
        if primitive.multiple_results:
            return self.record(primitive, params, primals, reads, list(results), how, body)
        return self.record(primitive, params, primals, reads, [results], how, body)[0]

    def process_call(self, _primitive: Any, function: Any, tracers: Any, _params: Any, /) -> Any:
        with compat.set_current_trace(self):
            return function.call_wrapped(*tracers)

    def process_custom_jvp_call(
        self, primitive: Any, fun: Any, jvp: Any, tracers: Any, /, *, symbolic_zeros: bool
    ) -> Any:
        primals, reads = self.split(tracers)
        if all(slot is None for slot in reads):
            call = {"subfuns": (fun, jvp), "symbolic_zeros": symbolic_zeros}
            return compat.bind_with(self.parent, primitive, primals, call)
        if self.options.custom_rules != "honour":
            with compat.set_current_trace(self):
                return fun.call_wrapped(*tracers)
        with compat.set_current_trace(self.parent):
            results, body = run_custom_jvp(self.options, jvp, primals, reads, symbolic_zeros)
        return self._record_call(primitive, fun, primals, reads, results, body)

    def process_custom_vjp_call(
        self, primitive: Any, fun: Any, fwd: Any, bwd: Any, tracers: Any, /, *, out_trees: Any,
        symbolic_zeros: bool,
    ) -> Any:  # fmt: skip
        primals, reads = self.split(tracers)
        needed = [slot is not None for slot in reads]
        if not any(needed):
            call = {"subfuns": (fun, fwd, bwd), "out_trees": out_trees}
            return compat.bind_with(
                self.parent, primitive, primals, call | {"symbolic_zeros": symbolic_zeros}
            )
        if self.options.custom_rules == "ignore":
            with compat.set_current_trace(self):
                return fun.call_wrapped(*tracers)
        with compat.set_current_trace(self.parent):
            residuals, results = compat.run_custom_forward(fwd, out_trees, primals, needed)
        types = tuple(compat.cotangent_type(compat.typeof(result)) for result in results)
        body = CustomBackward(tuple(residuals), compat.Opaque((bwd, types, symbolic_zeros)))
        return self._record_call(primitive, fun, primals, reads, results, body)

    def process_shard_map(self, primitive: Any, function: Any, tracers: Any, /, **call: Any) -> Any:
        primals, reads = self.split(tracers)
        needed = tuple(slot is not None for slot in reads)
        if not any(needed):
            params = call | {"subfuns": (function,)}
            return compat.bind_with(self.parent, primitive, primals, params)
        rule = lookup(primitive)
        if rule is None or rule.forward is None:
            raise missing_rule(primitive, tracers)
        params = {"function": function, "trace": self.parent, "call": call}
        outputs, body = rule.forward(self.options, needed, primals, params)
        made = self._record_call(primitive, function, primals, reads, list(outputs), body)
        return outputs.update(made)

    def _record_call(
        self, primitive: Any, function: Any, primals: Any, reads: Any, results: list[Any], body: Any
    ) -> list[Any]:
        how = plan(primitive, tuple(slot is not None for slot in reads))
        named = {"name": getattr(function, "__name__", primitive.name)}
        return self.record(primitive, named, primals, reads, results, how, body)

    def inline(self, body: Any, args: Sequence[Any]) -> list[Any]:
        """Run a jaxpr equation by equation; far lighter than JAX's own interpreter."""
        if jaxprs.flat(body).plain:
            return jaxprs.evaluate(body, args, self.process_primitive)
        with compat.set_current_trace(self):
            return jaxprs.jaxpr_function(body)(*args)

    def substitute(
        self, primitive: Any, args: Sequence[Any], params: Any, results: list[Any]
    ) -> list[Any]:
        """Record a primitive whose results are known already, without computing them again."""
        primals, reads = self.split(args)
        needed = tuple(slot is not None for slot in reads)
        rule = lookup(primitive)
        if not any(needed) or (rule is not None and rule.family == "none"):
            return results
        how = plan(primitive, needed)
        return self.record(primitive, params, primals, reads, results, how, None)

    # --- recording ---

    def record(
        self, primitive: Any, params: dict[str, Any], primals: Sequence[Any],
        reads: tuple[Slot | None, ...], results: list[Any], how: Plan, body: Any,
    ) -> list[Any]:  # fmt: skip
        """Append a step and wrap those of its results that carry a gradient."""
        wrapped: list[Any] = []
        writes: list[Slot | None] = []
        kept: list[Any] = []
        keep_all = self.options.keep_values
        keep_output = keep_all or how.keep_output
        for result in results:
            aval = compat.typeof(result)
            carries = compat.is_inexact(aval)
            wrapped.append(self.variable(result, aval) if carries else result)
            writes.append(self.slots - 1 if carries else None)
            kept.append(result if keep_output else aval)
        operands = [
            value if keep or keep_all else compat.typeof(value)
            for value, keep in zip(primals, how.keep_operands, strict=True)
        ]
        # What a rule of the user's returns was made at lines of that rule.
        source = compat.source_of(results, primals) if body is None else compat.current_source()
        self.steps.append(
            Step(
                primitive, params, reads, tuple(writes), tuple(operands), tuple(kept), body, source,
                self.options.strong_zeros,
            )
        )  # fmt: skip
        return wrapped


@contextmanager
def ended(trace: Any) -> Iterator[Any]:
    """A trace that is ended however the function that runs under it ends."""
    try:
        yield trace
    finally:
        trace.invalidate()


def run_custom_jvp(
    options: Options, jvp: Any, primals: list[Any], reads: Any, symbolic_zeros: bool
) -> tuple[list[Any], TangentMap]:
    """The outputs of a custom_jvp rule, and the tape of its tangents at these primals.

    The map from tangents to tangents is linear, so the point at which it is recorded does not
    matter; at zero, all that is computed of it is dropped again under `jit`.
    """
    tangents_of, zeros, chosen, held = tangent_function(jvp, primals, reads, symbolic_zeros)
    _, tape = record(tangents_of, zeros, options=options.on_tangents())
    return held, TangentMap(tape, compat.Opaque(chosen))


def record(
    function: Callable[..., Sequence[Any]],
    values: Sequence[Any],
    *,
    differentiate: Sequence[bool] | None = None,
    options: Options = Options(),  # noqa: B008 -- an immutable value
) -> tuple[list[Any], Tape]:
    """Run a function of flat values and record its tape.

    Args:
        function: takes the values, returns a flat sequence of values.
        values: the inputs.
        differentiate: which inputs require a gradient; by default all of inexact dtype.
        options: how to record.

    Returns:
        The outputs, and the tape.
    """
    avals = tuple(compat.typeof(value) for value in values)
    chosen = [compat.is_inexact(aval) for aval in avals]
    if differentiate is not None:
        chosen = [a and b for a, b in zip(chosen, differentiate, strict=True)]
    with compat.take_current_trace() as parent, ended(TapeTrace(parent, options)) as trace:
        entering = [
            trace.variable(value, aval) if pick else value
            for value, aval, pick in zip(values, avals, chosen, strict=True)
        ]
        with compat.set_current_trace(trace):
            leaving = list(function(*entering))
        results, slots = trace.split(leaving)
        references.refuse_outputs(slots)
        inputs = tuple(trace.slot_of(value) for value in entering)
        types = tuple(compat.typeof(result) for result in results)
        tape = Tape(tuple(trace.steps), inputs, slots, avals, types)
    # A number that passed through unchanged is an output like any other.
    outputs = zip(results, slots, strict=True)
    return [value if slot is None else compat.as_array(value) for value, slot in outputs], tape
