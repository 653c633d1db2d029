"""What a graph is built of: steps, and groups of steps that a person sees as one.

A group is a stretch of steps that were made in one scope (a named scope, a layer of Flax). Because
the stretch is contiguous, no path leaves it and comes back, so a graph of groups has no cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .._reverse import deliver, pull, sweep
from .._tape import Slot, Step, Tape
from ._sources import Site


class Unit(NamedTuple):
    """One creator of values.

    Attributes:
        name: of the primitive, the program or the scope.
        steps: the steps, with their sites; one, or those of a group.
        sites: where they were made.
        reads: the slots of its operands; None for a constant.
        operands: the operands' values.
        writes: the slots of its results.
        results: the results' values.
        depth: how many scopes enclose it; a group has its own beyond that.
    """

    name: str
    steps: tuple[Step, ...]
    sites: tuple[Site, ...]
    reads: tuple[Slot | None, ...]
    operands: tuple[Any, ...]
    writes: tuple[Slot | None, ...]
    results: tuple[Any, ...]
    depth: int

    @property
    def is_group(self) -> bool:
        return len(self.sites[0].scopes) > self.depth

    def flow(self, output: int, cotangent: Any) -> list[Any]:
        """What a cotangent of one result contributes to each operand; None for nothing."""
        if not self.is_group:
            (step,) = self.steps
            arriving = [cotangent if i == output else None for i in range(len(step.writes))]
            return list(pull(step, arriving))
        tape = Tape(self.steps, self.reads, (self.writes[output],), (), ())
        return sweep(tape, [cotangent])


def units_of(
    steps: Sequence[Step], sites: Sequence[Site], wanted: set[Slot], depth: int
) -> list[Unit]:
    """Cut a tape into units, where scopes deeper than `depth` are groups."""
    last = {slot: i for i, step in enumerate(steps) for slot in step.reads if slot is not None}
    last |= dict.fromkeys(wanted, len(steps))
    units = []
    start = 0
    for end in range(1, len(steps) + 1):
        if end < len(steps) and _together(sites, start, end, depth):
            continue
        stretch, made = tuple(steps[start:end]), tuple(sites[start:end])
        if _is_deep(made[0], depth):
            leaving = {
                w
                for step in stretch
                for w in step.writes
                if w is not None and last.get(w, -1) >= end
            }
            units.append(_group(stretch, made, leaving, depth))
        else:
            units.append(_single(stretch[0], made[0], depth))
        start = end
    return units


def _is_deep(site: Site, depth: int) -> bool:
    return len(site.scopes) > depth


def _together(sites: Sequence[Site], start: int, end: int, depth: int) -> bool:
    """Whether the step `end` belongs to the group that begins at `start`."""
    first, here = sites[start], sites[end]
    if not (_is_deep(first, depth) and first.scopes[: depth + 1] == here.scopes[: depth + 1]):
        return False
    # The first line again, after others, is another call; at once, it is a loop inside.
    return here.frames != first.frames or sites[end - 1].frames == first.frames


def _single(step: Step, site: Site, depth: int) -> Unit:
    name = str(step.params.get("name") or step.primitive.name)
    values = (step.operands, step.writes, step.outputs)
    return Unit(name, (step,), (site,), step.reads, *values, depth)


def _group(steps: tuple[Step, ...], sites: tuple[Site, ...], leaving: set[Any], depth: int) -> Unit:
    """The operands and results that a group shares with the rest."""
    inside: dict[Slot, Any] = {}
    outside: dict[Slot, Any] = {}
    for step in steps:
        for slot, value in zip(step.reads, step.operands, strict=True):
            if slot is not None and slot not in inside:
                outside.setdefault(slot, value)
        inside.update(
            (slot, value)
            for slot, value in zip(step.writes, step.outputs, strict=True)
            if slot is not None
        )
    ends = {slot: value for slot, value in inside.items() if slot in leaving}
    ends = ends or dict([list(inside.items())[-1]])
    operands, results = tuple(outside.values()), tuple(ends.values())
    name = sites[0].scopes[depth]
    return Unit(name, steps, sites, tuple(outside), operands, tuple(ends), results, depth)


def gradients(tape: Tape, cotangents: Sequence[Any]) -> dict[Slot, Any]:
    """The cotangent that arrives at every slot."""
    waiting: dict[Slot, Any] = {}
    deliver(waiting, tape.outputs, cotangents)
    for step in reversed(tape.steps):
        arriving = [None if slot is None else waiting.get(slot) for slot in step.writes]
        if any(cotangent is not None for cotangent in arriving):
            deliver(waiting, step.reads, pull(step, arriving))
    return waiting
