"""Opening bodies in place: a tape whose outer steps are replaced by the steps inside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._tape import Options, Slot, Step, Tape
from .._trace import record
from ._bodies import body_of
from ._sources import Nested


def record_body(step: Step, options: Options) -> Tape | None:
    """The tape of the program that a step carries, at the step's operands."""
    body = body_of(step)
    if body is None:
        return None
    return record(body, step.operands, differentiate=step.needed, options=options)[1]


def splice(tape: Tape, depth: int, options: Options) -> Tape:
    """The tape with the outermost `depth` levels of bodies opened."""
    for _ in range(depth):
        tape = _splice_once(tape, options)
    return tape


def _splice_once(tape: Tape, options: Options) -> Tape:
    every = [*tape.inputs, *(slot for step in tape.steps for slot in step.writes)]
    free = 1 + max((slot for slot in every if slot is not None), default=-1)
    same: dict[Slot | None, Slot | None] = {}  # what a body only passed on
    steps: list[Step] = []
    for made in tape.steps:
        step = made._replace(reads=tuple(same.get(slot, slot) for slot in made.reads))
        inner = record_body(step, options)
        if inner is None:
            steps.append(step)
        else:
            free = _insert(steps, step, inner, same, free)
    outputs = tuple(same.get(slot, slot) for slot in tape.outputs)
    return Tape(tuple(steps), tape.inputs, outputs, tape.input_types, tape.output_types)


def _insert(
    steps: list[Step], step: Step, inner: Tape, same: dict[Slot | None, Slot | None], free: Slot
) -> Slot:
    """Append a body's steps with slots of the outer tape; the next free slot."""
    outer: dict[Slot | None, Slot | None] = {None: None}
    outer.update(zip(inner.inputs, step.reads, strict=True))
    outer[None] = None
    for made in inner.steps:
        for slot in made.writes:
            if slot is not None:
                outer[slot] = free
                free += 1
        steps.append(_renamed(made, outer, step))
    same.update(
        (write, outer[slot]) for write, slot in zip(step.writes, inner.outputs, strict=True)
    )
    same.pop(None, None)
    return free


def _renamed(made: Step, outer: dict[Slot | None, Slot | None], around: Step) -> Step:
    def through(slots: Sequence[Slot | None]) -> tuple[Any, ...]:
        return tuple(outer[slot] for slot in slots)

    source = Nested(made.source, around.source)
    return made._replace(reads=through(made.reads), writes=through(made.writes), source=source)
