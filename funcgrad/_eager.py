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
from ._reverse import deliver, sweep, sweep_steps
from ._sharing import Key
from ._tape import Slot, Step, Tape

LONGEST = 48  # steps in a segment: compile time grows faster than its length
REMEMBERED = 2048  # segments; the one used longest ago is forgotten first


class Segment(NamedTuple):
    """A stretch of a tape, ready to be looked up."""

    steps: Sequence[Step]
    key: Key | None  # all but the values; None if it cannot be hashed
    values: list[Any]
    local: dict[Slot | None, Slot | None]  # the number of each slot within the stretch
    sources: list[Any]  # the slots that it reads and does not write
    ends: list[Any]  # the slots that it writes and at which cotangents wait


_PROGRAMS: OrderedDict[Any, Any] = OrderedDict()
_LOCK = Lock()  # threads may differentiate at the same time


def sweep_concrete(tape: Tape, cotangents: Sequence[Any]) -> list[Any]:
    """What `sweep` computes, for a tape of concrete values."""
    waiting: dict[Any, Any] = {}
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


def _run(steps: Sequence[Step], waiting: dict[Any, Any]) -> None:
    segment = None if steps[0].body is not None else _describe(steps, waiting)
    if segment is not None and not segment.ends:
        return
    program = None if segment is None else _program(segment)
    if segment is None or program is None:
        sweep_steps(steps, waiting)
    else:
        arriving = [waiting.pop(slot) for slot in segment.ends]
        deliver(waiting, segment.sources, program(segment.values, arriving))


def _describe(steps: Sequence[Step], waiting: dict[Any, Any]) -> Segment | None:
    """A stretch by its layout and its values; None if a parameter cannot be hashed.

    Slots are numbered in the order in which the stretch mentions them.
    """
    local: dict[Slot | None, Slot | None] = {None: None}
    written: set[Slot | None] = set()
    values: list[Any] = []
    parts: list[Any] = []
    for step in steps:
        fixed: list[Any] = []
        for kept in (*step.operands, *step.outputs):
            if isinstance(kept, compat.Aval):
                fixed.append(kept)
            else:
                fixed.append(None)
                values.append(kept)
        reads = tuple([local.setdefault(slot, len(local) - 1) for slot in step.reads])
        writes = tuple([local.setdefault(slot, len(local) - 1) for slot in step.writes])
        written.update(step.writes)
        params = tuple(step.params.items())
        parts.append((step.primitive, params, reads, writes, tuple(fixed), step.strong_zeros))
    ends = [slot for slot in local if slot in written and slot in waiting]
    sources = [slot for slot in local if slot is not None and slot not in written]
    parts.append(tuple([local[slot] for slot in ends]))
    try:
        key = Key(tuple(parts))
    except TypeError:  # a parameter that cannot be hashed
        return None
    return Segment(steps, key, values, local, sources, ends)


def _program(segment: Segment) -> Any:
    """The compiled program of a segment that was met before; None at the first meeting."""
    with _LOCK:
        met = segment.key in _PROGRAMS
        # The one used last is the last in the table.
        program = _PROGRAMS.pop(segment.key) if met else None
        if met and program is None:
            program = _compile(segment)
        _PROGRAMS[segment.key] = program
        if len(_PROGRAMS) > REMEMBERED:
            _PROGRAMS.popitem(last=False)
        return program


def _compile(segment: Segment) -> Any:
    """A jitted sweep of the segment's layout; it holds no value of the segment."""
    local = segment.local
    steps = [_emptied(step, local) for step in segment.steps]
    inputs = tuple(local[slot] for slot in segment.sources)
    outputs = tuple(local[slot] for slot in segment.ends)

    def backward(values: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
        given = iter(values)
        filled = tuple(_filled(step, given) for step in steps)
        return sweep(Tape(filled, inputs, outputs, (), ()), arriving)

    return jax.jit(backward)


def _emptied(step: Step, local: dict[Slot | None, Slot | None]) -> Step:
    def bare(kept: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(value if isinstance(value, compat.Aval) else None for value in kept)

    reads, writes = (tuple(local[slot] for slot in slots) for slots in (step.reads, step.writes))
    return step._replace(
        reads=reads, writes=writes, operands=bare(step.operands), outputs=bare(step.outputs),
        source=None,
    )  # fmt: skip


def _filled(step: Step, given: Any) -> Step:
    def whole(kept: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(next(given) if value is None else value for value in kept)

    return step._replace(operands=whole(step.operands), outputs=whole(step.outputs))


def is_concrete(tape: Tape, cotangents: Sequence[Any]) -> bool:
    """Whether a sweep would compute with known values only, outside any trace."""
    if any(map(compat.is_tracer, cotangents)):
        return False
    for step in tape.steps:
        for kept in (*step.operands, *step.outputs):
            if isinstance(kept, compat.Tracer):
                return False
    return True
