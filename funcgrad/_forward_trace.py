"""A program and its derivative along tangents, computed side by side.

Primitives are recorded, and tangents are carried over what was recorded before a body is entered
and in the end. A primitive with a body is not recorded: its rule runs the body and its tangents as
one program, so that a loop stacks nothing for the tangents' sake and runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from . import _jaxcompat as compat
from . import _jaxprs as jaxprs
from ._forward import push_steps
from ._jaxcompat import primitives as p
from ._registry import lookup
from ._staging import once_for
from ._tangents import tangent_function
from ._tape import Options, Slot, Step, Tape
from ._trace import TapeTrace, TapeTracer, ended

# Adds the tangents of what some steps write to those that are known: of listed slots, or of all.
Push = Callable[[Sequence[Step], dict[Slot, Any], Sequence[Slot | None] | None], None]


class PushTrace(TapeTrace):
    """A recorder whose values have tangents, known or to be found from what it recorded."""

    def __init__(self, parent: Any, options: Options, push: Push) -> None:
        super().__init__(parent, options)
        self.push = push
        self.known: dict[Slot, Any] = {}
        self.lost = False  # whether a value was met whose tangent nobody defines

    def invalidate(self) -> None:
        super().invalidate()
        self.known = {}

    def moving(self, value: Any, tangent: Any) -> TapeTracer:
        """A value with its tangent."""
        tracer = self.variable(value, compat.typeof(value))
        self.known[tracer.slot] = tangent
        return tracer

    def tangents(self, slots: Sequence[Slot | None], last: bool = False) -> list[Any]:
        """The tangents of values recorded so far, or of the last that are asked for."""
        if self.steps:
            with compat.set_current_trace(self.parent):
                self.push(tuple(self.steps), self.known, slots if last else None)
            self.steps.clear()
        return [None if slot is None else self.known.get(slot) for slot in slots]

    def _joined(self, results: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        pairs = zip(results, tangents, strict=True)
        return [value if t is None else self.moving(value, t) for value, t in pairs]

    def _apply_rule(
        self, primitive: Any, args: Any, params: Any, primals: Any, reads: Any, needed: Any
    ) -> Any:
        rule = lookup(primitive)
        if rule is None or rule.tangents is None:
            if rule is not None and rule.family == "structured" and self._is_reverse(params):
                self.lost = True
                return compat.bind_with(self.parent, primitive, primals, params)
            return super()._apply_rule(primitive, args, params, primals, reads, needed)
        tangents = self.tangents(reads)
        made = None
        if any(tangent is not None for tangent in tangents):
            with compat.set_current_trace(self.parent):
                made = rule.tangents(self.options, params, primals, tangents)
            self.lost = self.lost or made is None
        if made is None:
            return compat.bind_with(self.parent, primitive, primals, params)
        return self._joined(*made)

    def _is_reverse(self, params: Any) -> bool:
        """Whether a body, such as that of a checkpoint, calls what has no forward mode."""
        honoured = self.options.custom_rules != "ignore"
        return honoured and jaxprs.applies(params, p.custom_vjp_call_p)

    def process_custom_jvp_call(
        self, primitive: Any, fun: Any, jvp: Any, tracers: Any, /, *, symbolic_zeros: bool
    ) -> Any:
        primals, reads = self.split(tracers)
        tangents = self.tangents(reads)
        if self.options.custom_rules != "honour" or all(t is None for t in tangents):
            return super().process_custom_jvp_call(
                primitive, fun, jvp, tracers, symbolic_zeros=symbolic_zeros
            )
        with compat.set_current_trace(self.parent):
            there = [None if tangent is None else i for i, tangent in enumerate(tangents)]
            run, _, chosen, results = tangent_function(jvp, primals, there, symbolic_zeros)
            leaving = run(*[tangents[i] for i in chosen])
        carries = [compat.is_inexact(compat.typeof(result)) for result in results]
        return self._joined(
            results, [t if there else None for t, there in zip(leaving, carries, strict=True)]
        )

    def process_custom_vjp_call(
        self, primitive: Any, fun: Any, fwd: Any, bwd: Any, tracers: Any, /, *, out_trees: Any,
        symbolic_zeros: bool,
    ) -> Any:  # fmt: skip
        if self.options.custom_rules != "ignore":
            # Its rule says what a cotangent becomes, and what it says may depend on its value.
            tracers, reads = self.split(tracers)
            self.lost = self.lost or any(slot is not None for slot in reads)
        return super().process_custom_vjp_call(
            primitive, fun, fwd, bwd, tracers, out_trees=out_trees, symbolic_zeros=symbolic_zeros
        )

    def process_shard_map(self, primitive: Any, function: Any, tracers: Any, /, **call: Any) -> Any:
        before = len(self.steps)
        made = super().process_shard_map(primitive, function, tracers, **call)
        if self.options.custom_rules != "ignore":  # a function can be looked into once it has run
            bodies = [step.body.mapping.value.staged.layout() for step in self.steps[before:]]
            self.lost = self.lost or any(map(_calls_reverse_rule, bodies))
        return made


def _calls_reverse_rule(tape: Tape) -> bool:
    """Whether a recorded program calls a custom_vjp function, at any depth."""
    rule = p.custom_vjp_call_p
    return any(step.primitive is rule or jaxprs.applies(step.params, rule) for step in tape)


def pushed(
    function: Callable[..., Sequence[Any]],
    values: Sequence[Any],
    tangents: Sequence[Any],
    options: Options,
    push: Push = push_steps,
) -> tuple[list[Any], list[Any] | None]:
    """Run a function of flat values, and carry tangents along.

    Args:
        function: takes the values, returns a flat sequence of values.
        values: the inputs.
        tangents: for each input a tangent of its type, or None for a zero.
        options: how custom rules and zeros are treated, see `Options`.
        push: carries tangents over recorded steps, as `push_steps` does.

    Returns:
        The outputs, and for each its tangent or None for a zero; or None in place of the tangents
        if the function calls a custom_vjp function, whose rule is of reverse mode alone.
    """
    with compat.take_current_trace() as parent, ended(PushTrace(parent, options, push)) as trace:
        entering = trace._joined(values, tangents)
        with compat.set_current_trace(trace):
            leaving = list(function(*entering))
        results, slots = trace.split(leaving)
        found = None if trace.lost else trace.tangents(slots, last=True)
    return results, found


# --- bodies ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """A body together with its derivative, as one program."""

    program: Any  # a closed jaxpr: inputs and tangents, to outputs and their tangents
    moving: tuple[bool, ...]  # which inputs of the body have a tangent
    reached: tuple[bool, ...]  # which outputs have one

    def flat(self, values: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """What the program takes."""
        return [*values, *(t for t, there in zip(tangents, self.moving, strict=True) if there)]

    def split(self, results: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Of what the program returns, the outputs, and for each its tangent or None."""
        count = len(self.reached)
        tangents = iter(results[count:])
        return list(results[:count]), [next(tangents) if there else None for there in self.reached]

    def __call__(
        self, values: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        return self.split(jaxprs.jaxpr_function(self.program)(*self.flat(values, tangents)))


def moved(closed: Any, moving: Sequence[bool], options: Options) -> Moved | None:
    """A body with its derivative along some inputs, made once; None if it has none forward."""
    chosen = tuple(moving)
    made: Moved | None = once_for(
        [closed], ("moved", chosen, options), lambda: _move(closed, chosen, options)
    )
    return made


def _move(closed: Any, moving: tuple[bool, ...], options: Options) -> Moved | None:
    avals = list(closed.in_avals)
    reached: list[bool] | None = None

    def both(*flat: Any) -> list[Any]:
        nonlocal reached
        values, given = flat[: len(avals)], iter(flat[len(avals) :])
        tangents = [next(given) if there else None for there in moving]
        results, found = pushed(jaxprs.jaxpr_function(closed), values, tangents, options)
        reached = None if found is None else [tangent is not None for tangent in found]
        return [*results, *(tangent for tangent in found or () if tangent is not None)]

    types = [compat.cotangent_type(aval) for aval, t in zip(avals, moving, strict=True) if t]
    program = jax.make_jaxpr(both)(*avals, *types)
    return None if reached is None else Moved(program, moving, tuple(reached))


def settled(
    closed: Any, moving: Sequence[bool], carry: tuple[int, int], options: Options
) -> Moved | None:
    """The body of a loop with a derivative that moves no carry which did not move before it.

    The inputs from `carry[0]` to before `carry[1]` are the first outputs of the step before.
    """
    first, end = carry
    while True:
        body = moved(closed, moving, options)
        if body is None:
            return None
        grown = [
            there or (first <= i < end and body.reached[i - first])
            for i, there in enumerate(moving)
        ]
        if grown == list(moving):
            return body
        moving = grown


def filled(avals: Sequence[Any], tangents: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
    """Tangents of some types with zeros for those that are missing of the wanted ones."""
    return [
        compat.zeros(compat.cotangent_type(aval)) if tangent is None and there else tangent
        for aval, tangent, there in zip(avals, tangents, wanted, strict=True)
    ]


def held(moving: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """What a step of a loop hands on: a tangent for each carry that moves, and for no other."""
    pairs = zip(moving, tangents, strict=True)
    return [None if old is None else jax.lax.full_like(old, 0) if new is None else new
            for old, new in pairs]  # fmt: skip
