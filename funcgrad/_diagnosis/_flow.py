"""The sweep, with every cotangent kept: what arrives at each operation and what it hands on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import _jaxcompat as compat
from .._reverse import deliver, pull
from ._events import Event, Key, Watched, finite


class Back(NamedTuple):
    """An operation in the backward pass."""

    arriving: tuple[Any, ...]  # the cotangent of each output
    delivered: tuple[Any, ...]  # of each operand


class Flow(NamedTuple):
    """A watched run with its backward pass, and who reads and who writes each value."""

    watched: Watched
    back: dict[int, Back]  # by the number of the event
    totals: dict[Key, Any]  # the whole cotangent of each value
    readers: dict[Key, tuple[int, ...]]
    writer: dict[Key, int]

    def event(self, number: int) -> Event:
        return self.watched.events[number]


def flow_of(watched: Watched, seeds: Sequence[Any]) -> Flow:
    """Sweep what was recorded, from the cotangents of the outputs."""
    waiting: dict[Any, Any] = {}
    deliver(waiting, [_slot(key) for key in watched.outputs], seeds)
    totals: dict[Key, Any] = {}
    back: dict[int, Back] = {}
    for event in reversed(watched.events):
        step = event.step
        if step is None:
            continue
        arriving = [None if slot is None else waiting.pop(slot, None) for slot in step.writes]
        totals.update(zip(event.writes, arriving, strict=True))
        if any(cotangent is not None for cotangent in arriving):
            delivered = tuple(pull(step, arriving))
            back[event.number] = Back(tuple(arriving), delivered)
            deliver(waiting, step.reads, delivered)
    totals.update((key, waiting.get(_slot(key))) for key in watched.inputs if key is not None)
    return Flow(watched, back, totals, _readers(watched), _writers(watched))


def _slot(key: Key) -> int | None:
    return key[1] if key is not None and key[0] == "slot" else None


def _readers(watched: Watched) -> dict[Key, tuple[int, ...]]:
    found: dict[Key, list[int]] = {}
    for event in watched.events:
        for key in dict.fromkeys(event.reads):
            if key is not None:
                found.setdefault(key, []).append(event.number)
    return {key: tuple(numbers) for key, numbers in found.items()}


def _writers(watched: Watched) -> dict[Key, int]:
    # An operation may hand an operand through as its output: the value keeps its first writer.
    found: dict[Key, int] = {}
    for event in watched.events:
        for key in event.writes:
            if key is not None and key not in event.reads:
                found.setdefault(key, event.number)
    return found


def sound(cotangent: Any) -> bool:
    """Whether a cotangent is finite; one that is missing is."""
    return cotangent is None or compat.is_float0(cotangent) or finite(cotangent)


def vanishes(cotangent: Any) -> bool:
    """Whether a cotangent is missing or zero throughout."""
    return cotangent is None or compat.is_float0(cotangent) or not bool((cotangent != 0).any())
