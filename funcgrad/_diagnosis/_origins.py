"""Where a non-finite number comes from: forward among the values, backward among the cotangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from .. import _jaxcompat as compat
from ._events import Event, Key, Watched, finite
from ._flow import Flow, sound


class Origin(NamedTuple):
    """The operation where a non-finite value begins, or the input or constant that holds it."""

    event: Event
    kind: str  # "made", "input" or "constant"
    keys: tuple[Key, ...] = ()  # of the inputs, or of the constant
    value: Any = None  # of the first of them


class Culprit(NamedTuple):
    """An operation whose cotangent is finite and whose operands' cotangents are not."""

    event: Event
    reaches: tuple[int, ...]  # the places of the inputs


# --- forward --------------------------------------------------------------------------------------


def forward_origin(
    watched: Watched, writer: dict[Key, int], key: Key, limit: int | None = None
) -> Origin | None:
    """The operation where the non-finite part of a value begins.

    An infinity that a constant brings in (a mask of -inf) is no fault by itself; the operation that
    makes a NaN of it is. One that an input brings in is.
    """
    stack: list[tuple[Key, Event | None]] = [(key, None)]
    seen: set[Key] = set()
    made: list[Event] = []
    candidates: list[Event] = []
    outside: list[Origin] = []
    while stack:
        current, reader = stack.pop()
        number = writer.get(current)
        if current in seen or number is None or (limit is not None and number >= limit):
            continue
        seen.add(current)
        event = watched.events[number]
        bad = _bad_operands(event)
        if not bad:
            made.append(event)
        elif _makes_nan(event):
            candidates.append(event)
        # Nobody writes a cast to the same dtype: name what reads its result.
        named = reader if reader is not None and _is_idle(event) else event
        for i in (i for i in bad if writer.get(event.reads[i]) is None):
            kind = "input" if _is_input(event.reads[i], watched) else "constant"
            outside.append(Origin(named, kind, (event.reads[i],), event.operands[i]))
        stack.extend((event.reads[i], named) for i in bad)
    return _first_of(made, candidates, outside)


def _first_of(made: list[Event], candidates: list[Event], outside: list[Origin]) -> Origin | None:
    inputs = [origin for origin in outside if origin.kind == "input"]
    if made or (candidates and not inputs):
        return Origin(min(made or candidates, key=lambda event: event.number), "made")
    if not outside:
        return None
    first = _worst(inputs or outside)
    keys = tuple(dict.fromkeys(o.keys[0] for o in inputs if _alike(o, first)))
    return first._replace(keys=keys or first.keys)


def _worst(outside: list[Origin]) -> Origin:
    """A NaN before an infinity, and what is read first."""
    return min(outside, key=lambda origin: (not _has_nan(origin.value), origin.event.number))


def _alike(one: Origin, other: Origin) -> bool:
    return _has_nan(one.value) == _has_nan(other.value)


def _is_input(key: Key, watched: Watched) -> bool:
    return key is not None and key in watched.inputs


def _is_idle(event: Event) -> bool:
    """Whether an operation hands its operand on as it is."""
    if event.primitive not in {"convert_element_type", "copy", "copy_p"}:
        return False
    return bool(compat.typeof(event.operands[0]).dtype == compat.typeof(event.outputs[0]).dtype)


def _bad_operands(event: Event) -> list[int]:
    """The operands whose non-finite entries reach the output: a NaN comes from a NaN first."""
    bad = [i for i, value in enumerate(event.operands) if not finite(value)]
    if event.primitive == "select_n" and len(bad) > 0:
        which = jnp.asarray(event.operands[0]).astype(int)
        wrong = ~jnp.isfinite(event.outputs[0])
        bad = [i for i in bad if bool(((which == i - 1) & wrong).any())]
    spread = [i for i in bad if _has_nan(event.operands[i])]
    return spread if spread and any(map(_has_nan, event.outputs)) else bad


def _has_nan(value: Any) -> bool:
    inexact = compat.is_inexact(compat.typeof(value))
    return inexact and bool(jnp.isnan(jnp.asarray(value)).any())


def _makes_nan(event: Event) -> bool:
    made = any(map(_has_nan, event.outputs))
    return made and not any(map(_has_nan, event.operands))


def upstream(event: Event, watched: Watched, writer: dict[Key, int]) -> tuple[int, ...]:
    """The places of the inputs that an operation depends on."""
    stack, seen = list(event.reads), set()
    while stack:
        key = stack.pop()
        if key not in seen:
            seen.add(key)
            stack.extend(watched.events[writer[key]].reads if key in writer else ())
    return tuple(i for i, key in enumerate(watched.inputs) if key is not None and key in seen)


# --- backward -------------------------------------------------------------------------------------


def backward_culprits(flow: Flow) -> list[Culprit]:
    """The operations where non-finite cotangents begin, the first of the backward pass first."""
    found: dict[int, list[int]] = {}
    for place, key in enumerate(flow.watched.inputs):
        if key is not None and not sound(flow.totals.get(key)):
            for number in _culprits(flow, key):
                found.setdefault(number, []).append(place)
    return [Culprit(flow.event(n), tuple(found[n])) for n in sorted(found, reverse=True)]


def _culprits(flow: Flow, start: Key) -> set[int]:
    stack, seen, found = [start], set(), set()
    while stack:
        key = stack.pop()
        if key in seen:
            continue
        seen.add(key)
        bad = [n for n in flow.readers.get(key, ()) if _hands_on(flow, n, key)]
        if not bad and flow.readers.get(key):
            found.add(flow.readers[key][-1])  # the sum of finite contributions overflows
        for number in bad:
            event, back = flow.event(number), flow.back[number]
            arrived = [
                k for k, ct in zip(event.writes, back.arriving, strict=True) if not sound(ct)
            ]
            stack.extend(k for k in arrived if flow.readers.get(k))
            if not arrived:
                found.add(number)
    return found


def _hands_on(flow: Flow, number: int, key: Key) -> bool:
    back = flow.back.get(number)
    if back is None:
        return False
    pairs: Sequence[tuple[Key, Any]] = list(
        zip(flow.event(number).reads, back.delivered, strict=True)
    )
    return any(read == key and not sound(ct) for read, ct in pairs)
