"""Sweeps of a tape of concrete values, in a few compiled calls.

Dispatching one primitive costs microseconds in which the device does nothing, and a pullback is
two or three of them. A tape of concrete values is therefore cut into segments, see `_segments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _jaxcompat as compat
from ._forward import entering, push, push_steps
from ._reverse import deliver, sweep, sweep_steps
from ._segments import describe, end_of, program, start_of
from ._tape import Slot, Step, Tape


def is_concrete(tape: Tape, given: Sequence[Any]) -> bool:
    """Whether a sweep would compute with known values only, outside any trace."""
    if any(map(compat.is_tracer, given)):
        return False
    for step in tape.steps:
        for kept in (*step.operands, *step.outputs):
            if isinstance(kept, compat.Tracer):
                return False
    return True


# --- backward -------------------------------------------------------------------------------------


def sweep_concrete(tape: Tape, cotangents: Sequence[Any]) -> list[Any]:
    """What `sweep` computes, for a tape of concrete values."""
    waiting: dict[Any, Any] = {}
    deliver(waiting, tape.outputs, cotangents)
    end = len(tape.steps)
    while end:
        start = start_of(tape.steps, end)
        _sweep_segment(tape.steps[start:end], waiting)
        end = start
    return [None if slot is None else waiting.get(slot) for slot in tape.inputs]


def _sweep_segment(steps: Sequence[Step], waiting: dict[Any, Any]) -> None:
    if steps[0].body is not None:
        sweep_steps(steps, waiting)
        return
    segment = describe(steps)
    ends = [slot for slot in segment.local if slot in segment.written and slot in waiting]
    if not ends:
        return
    sources = segment.sources()
    compiled = program(segment, sweep, sources, ends)
    if compiled is None:
        sweep_steps(steps, waiting)
        return
    arriving = [waiting.pop(slot) for slot in ends]
    deliver(waiting, sources, compiled(segment.values, arriving))


# --- forward --------------------------------------------------------------------------------------


def push_concrete(tape: Tape, tangents: Sequence[Any]) -> list[Any]:
    """What `push` computes, for a tape of concrete values."""
    known = entering(tape, tangents)
    last = _last_reads(tape)
    start = 0
    while start < len(tape.steps):
        end = end_of(tape.steps, start)
        _push_segment(tape.steps[start:end], known, last, end)
        start = end
    return [None if slot is None else known.get(slot) for slot in tape.outputs]


def _last_reads(tape: Tape) -> dict[Slot | None, int]:
    """The last step that reads each slot; for an output that is beyond the steps."""
    last = {slot: number for number, step in enumerate(tape.steps) for slot in step.reads}
    return last | dict.fromkeys(tape.outputs, len(tape.steps))


def _push_segment(
    steps: Sequence[Step], known: dict[Slot, Any], last: dict[Slot | None, int], end: int
) -> None:
    if steps[0].body is not None:
        push_steps(steps, known)
        return
    segment = describe(steps)
    sources = [slot for slot in segment.sources() if slot in known]
    ends = [slot for slot in segment.local if slot in segment.written and last.get(slot, 0) >= end]
    if not sources or not ends:
        return
    compiled = program(segment, push, sources, ends)
    if compiled is None:
        push_steps(steps, known)
        return
    made = compiled(segment.values, [known[slot] for slot in sources])
    for slot, tangent in zip(ends, made, strict=True):
        if slot is not None and tangent is not None:
            known[slot] = tangent
