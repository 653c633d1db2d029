"""The reverse sweep of a tape of concrete values, in a few compiled calls.

Dispatching one primitive costs microseconds in which the device does nothing, and a pullback is
two or three of them. A tape of concrete values is therefore cut into segments. A segment that is
met for the second time (same primitives, parameters, wiring and types, whatever the values) is
compiled, and from then on is one call. What is met once runs operation by operation and pays for no
compilation. Segments number their slots from zero: the iterations of a Python loop share a program.

Calls of custom rules never enter a segment: a user's backward rule may branch on values, print or
keep state, and is called with the concrete values that it would see from `jax.grad`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import jax

from . import _jaxcompat as compat
from ._reverse import deliver, sweep
from ._tape import Slot, Step, Tape

LONGEST = 48  # steps in a segment: compile time grows faster than its length
REMEMBERED = 2048  # segments; the one used longest ago is forgotten first


class Segment(NamedTuple):
    """A stretch of a tape, ready to be looked up."""

    key: Any  # all but the values
    values: list[Any]
    tape: Tape  # the same stretch with its values, in local slots
    arriving: list[Any]
    sources: list[Slot]  # for each input of the local tape its slot in the whole one


_PROGRAMS: OrderedDict[Any, Any] = OrderedDict()
_LOCK = Lock()  # threads may differentiate at the same time


def sweep_concrete(tape: Tape, cotangents: Sequence[Any]) -> list[Any]:
    """What `sweep` computes, for a tape of concrete values."""
    waiting: dict[Slot, Any] = {}
    deliver(waiting, tape.outputs, cotangents)
    end = len(tape.steps)
    while end:
        start = _segment_start(tape.steps, end)
        _run(tape.steps[start:end], waiting)
        end = start
    return [None if slot is None else waiting.get(slot) for slot in tape.inputs]


def _segment_start(steps: Sequence[Step], end: int) -> int:
    """The first step of the segment that ends before `end`; a step with a body stands alone."""
    start = end - 1
    if steps[start].body is not None:
        return start
    # Boundaries depend on the distance from the last body or the end of the tape alone.
    while start > 0 and end - start < LONGEST and steps[start - 1].body is None:
        start -= 1
    return start


def _run(steps: Sequence[Step], waiting: dict[Slot, Any]) -> None:
    segment = _localise(steps, waiting)
    if segment is None:
        return
    program = None if segment.key is None else _program(segment)
    if program is None:
        results = sweep(segment.tape, segment.arriving)
    else:
        results = program(segment.values, segment.arriving)
    deliver(waiting, segment.sources, results)


def _localise(steps: Sequence[Step], waiting: dict[Slot, Any]) -> Segment | None:
    """Renumber the slots of a stretch, in the order in which it mentions them."""
    local: dict[Slot | None, Slot | None] = {None: None}
    written: set[Slot] = set()
    renamed = []
    for step in steps:
        reads = tuple([local.setdefault(slot, len(local) - 1) for slot in step.reads])
        writes = tuple([local.setdefault(slot, len(local) - 1) for slot in step.writes])
        written.update(slot for slot in step.writes if slot is not None)
        renamed.append(step._replace(reads=reads, writes=writes))
    ends = [slot for slot in local if slot in written and slot in waiting]
    if not ends:
        return None
    arriving = [waiting.pop(slot) for slot in ends]
    sources = [slot for slot in local if slot is not None and slot not in written]
    inputs = tuple(local[slot] for slot in sources)
    outputs = tuple(local[slot] for slot in ends)
    tape = Tape(tuple(renamed), inputs, outputs, (), ())
    key, values = _describe(renamed, inputs, outputs)
    return Segment(key, values, tape, arriving, sources)


def _describe(steps: list[Step], inputs: Any, outputs: Any) -> tuple[Any, list[Any]]:
    """A hashable description of a stretch without its values, or None, and the values."""
    values: list[Any] = []
    parts: list[Any] = [inputs, outputs]
    for step in steps:
        if step.body is not None:
            return None, []
        fixed: list[Any] = []
        for kept in (*step.operands, *step.outputs):
            if isinstance(kept, compat.Aval):
                fixed.append(kept)
            else:
                fixed.append(None)
                values.append(kept)
        params = tuple(step.params.items())
        layout = (step.primitive, params, step.reads, step.writes, tuple(fixed))
        parts.append((*layout, step.strong_zeros))
    key = tuple(parts)
    try:
        hash(key)
    except TypeError:  # a parameter that cannot be hashed
        return None, []
    return key, values


def _program(segment: Segment) -> Any:
    """The compiled program of a segment that was met before; None at the first meeting."""
    key = segment.key
    with _LOCK:
        if key not in _PROGRAMS:
            _PROGRAMS[key] = None
            if len(_PROGRAMS) > REMEMBERED:
                _PROGRAMS.popitem(last=False)
            return None
        _PROGRAMS.move_to_end(key)
        if _PROGRAMS[key] is None:
            _PROGRAMS[key] = _compile(segment)
        return _PROGRAMS[key]


def _compile(segment: Segment) -> Any:
    """A jitted sweep of the segment's layout; it holds no value of the segment."""
    steps = [_emptied(step) for step in segment.tape.steps]
    inputs, outputs = segment.tape.inputs, segment.tape.outputs

    def backward(values: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
        given = iter(values)
        filled = tuple(_filled(step, given) for step in steps)
        return sweep(Tape(filled, inputs, outputs, (), ()), arriving)

    return jax.jit(backward)


def _emptied(step: Step) -> Step:
    def bare(kept: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(value if isinstance(value, compat.Aval) else None for value in kept)

    return step._replace(operands=bare(step.operands), outputs=bare(step.outputs), source=None)


def _filled(step: Step, given: Any) -> Step:
    def whole(kept: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(next(given) if value is None else value for value in kept)

    return step._replace(operands=whole(step.operands), outputs=whole(step.outputs))


def is_concrete(tape: Tape, cotangents: Sequence[Any]) -> bool:
    """Whether a sweep would compute with known values only, outside any trace."""
    if any(compat.is_tracer(cotangent) for cotangent in cotangents):
        return False
    return not any(
        compat.is_tracer(kept) for step in tape.steps for kept in (*step.operands, *step.outputs)
    )
