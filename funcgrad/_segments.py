"""Stretches of a tape as compiled programs.

A segment that is met for the second time (same primitives, parameters, wiring and types, whatever
the values) is compiled, and from then on is one call. What is met once runs operation by operation
and pays for no compilation. Segments number their slots from zero: the iterations of a Python loop
share a program.

Calls of custom rules never enter a segment: a user's backward rule may branch on values, print or
keep state, and is called with the concrete values that it would see from `jax.grad`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import jax

from . import _jaxcompat as compat
from ._exact import distinction
from ._sharing import Key
from ._tape import Slot, Step, Tape

LONGEST = 48  # steps in a segment: compile time grows faster than its length
REMEMBERED = 2048  # programs; the one used longest ago is forgotten first

Along = Callable[[Tape, Sequence[Any]], list[Any]]  # a sweep of a tape in one of the directions


class Segment(NamedTuple):
    """A stretch of a tape, apart from its values."""

    steps: Sequence[Step]
    parts: list[Any]  # all but the values
    values: list[Any]
    local: dict[Slot | None, Slot | None]  # the number of each slot within the stretch
    written: set[Slot | None]  # the slots that it writes

    def sources(self) -> list[Any]:
        """The slots that it reads and does not write."""
        return [slot for slot in self.local if slot is not None and slot not in self.written]


_PROGRAMS: OrderedDict[Any, Any] = OrderedDict()
_LOCK = Lock()  # threads may differentiate at the same time


def start_of(steps: Sequence[Step], end: int) -> int:
    """The first step of the segment that ends before `end`; a step with a body stands alone."""
    start = end - 1
    if steps[start].body is not None:
        return start
    # Boundaries depend on the distance from the last body or the end of the tape alone.
    while start > 0 and end - start < LONGEST and steps[start - 1].body is None:
        start -= 1
    return start


def end_of(steps: Sequence[Step], start: int) -> int:
    """The step before which the segment that begins at `start` ends."""
    end = start + 1
    if steps[start].body is not None:
        return end
    while end < len(steps) and end - start < LONGEST and steps[end].body is None:
        end += 1
    return end


def describe(steps: Sequence[Step]) -> Segment:
    """A stretch by its layout and its values.

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
        exact = distinction(step.primitive, step.params)
        parts.append(
            (step.primitive, params, exact, reads, writes, tuple(fixed), step.strong_zeros)
        )
    return Segment(steps, parts, values, local, written)


def program(segment: Segment, along: Along, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """The compiled sweep of a segment between some slots, if it was met before.

    None at the first meeting, and where a parameter cannot be hashed.
    """
    ends = tuple([tuple([segment.local[slot] for slot in slots]) for slots in (inputs, outputs)])
    try:
        key = Key((along, ends, *segment.parts))
    except TypeError:  # a parameter that cannot be hashed
        return None
    with _LOCK:
        met = key in _PROGRAMS
        # The one used last is the last in the table.
        found = _PROGRAMS.pop(key) if met else None
        if met and found is None:
            found = _compile(segment, along, *ends)
        _PROGRAMS[key] = found
        if len(_PROGRAMS) > REMEMBERED:
            _PROGRAMS.popitem(last=False)
        return found


def _compile(segment: Segment, along: Along, inputs: Any, outputs: Any) -> Any:
    """A jitted sweep of the segment's layout; it holds no value of the segment."""
    steps = [_emptied(step, segment.local) for step in segment.steps]

    def swept(values: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
        given = iter(values)
        filled = tuple(_filled(step, given) for step in steps)
        return along(Tape(filled, inputs, outputs, (), ()), arriving)

    return jax.jit(swept)


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
