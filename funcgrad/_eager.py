"""Sweeps of a tape of concrete values, in a few compiled calls.

Dispatching one primitive costs microseconds in which the device does nothing, and a pullback is
two or three of them. A tape of concrete values is therefore cut into segments, see `_segments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from . import _jaxcompat as compat
from ._forward import push, push_steps
from ._reverse import deliver, sweep, sweep_steps
from ._segments import describe, end_of, program, start_of
from ._tape import Slot, Step, Tape


def is_concrete(steps: Sequence[Step], given: Iterable[Any]) -> bool:
    """Whether a sweep would compute with known values only, outside any trace."""
    if any(map(compat.is_tracer, given)):
        return False
    for step in steps:
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


def push_eagerly(
    steps: Sequence[Step], known: dict[Slot, Any], leaving: Sequence[Slot | None] | None = None
) -> None:
    """What `push_steps` computes: in segments, where all values are concrete.

    After the steps only the slots that leave are read; all that are written, where that is None.
    """
    read = (slot for step in steps for slot in step.reads if slot is not None)
    if not is_concrete(steps, (known.get(slot) for slot in read)):
        push_steps(steps, known)
        return
    last = _last_reads(steps, leaving)
    start = 0
    while start < len(steps):
        end = end_of(steps, start)
        _push_segment(steps[start:end], known, last, end)
        start = end


def _last_reads(
    steps: Sequence[Step], leaving: Sequence[Slot | None] | None
) -> dict[Slot | None, int]:
    """The last step that reads each slot; for one that leaves that is beyond the steps."""
    last = {slot: number for number, step in enumerate(steps) for slot in step.reads}
    if leaving is None:
        leaving = [slot for step in steps for slot in step.writes]
    return last | dict.fromkeys(leaving, len(steps))


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
