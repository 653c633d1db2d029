"""Findings for gradients that are zero throughout, or that have no path to the input at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

import jax.numpy as jnp

from .. import _jaxcompat as compat
from . import _zero_advice as advice
from ._causes import MOVING, Place, classify
from ._events import Event, Key
from ._findings import Finding
from ._flow import Back, Flow, vanishes
from ._inputs import Leaf
from ._numbers import backward_numbers, forward_numbers
from ._places import line_of


def zero_findings(
    flow: Flow, leaves: Sequence[Leaf], zero: Sequence[int]
) -> tuple[list[Finding], list[Finding]]:
    """What makes the gradients of some inputs zero: the findings, and what is likely intended."""
    findings: dict[Any, Finding] = {}
    notes: dict[Any, Finding] = {}
    alive: set[Key] = {
        key
        for place, key in enumerate(flow.watched.inputs)
        if key is not None and place not in zero and not vanishes(flow.totals.get(key))
    }
    needed = _ancestors(flow)
    first = min((leaf.argument for leaf in leaves if _floating(leaf.value)), default=0)
    for number in zero:
        key = flow.watched.inputs[number]
        places = list(_dead_ends(flow, key, alive)) or list(_cuts(flow, key, needed))
        if not places and not _reaches_tape(flow, key):  # a result that Python reads: if, int()
            places = list(_cuts(flow, key, _unread(flow)))
        own = leaves[number].argument == first
        if not places and not _reaches_tape(flow, key):
            _add(notes, _unused(leaves[number]), None)
        for place in places:
            if not place.benign:
                counts = own or place.why in advice.ALWAYS
                finding = _finding(place, leaves[number].path, _back_of(flow, place.event))
                _add(findings if counts else notes, finding, place)
    return list(findings.values())[:5], [_shortened(findings, *pair) for pair in notes.items()]


def dead_end_events(flow: Flow, zero: Sequence[int]) -> list[Event]:
    """The operations at which the gradients of some inputs become zero."""
    keys = [flow.watched.inputs[number] for number in zero]
    return [place.event for key in keys for place in _dead_ends(flow, key, set())]


def _back_of(flow: Flow, event: Event) -> Back | None:
    """The backward pass of an operation; one inside a custom rule has none of its own."""
    own = event.number < len(flow.watched.events) and flow.event(event.number) is event
    return flow.back.get(event.number) if own else None


def _floating(value: Any) -> bool:
    return compat.is_inexact(compat.typeof(value))


def _add(found: dict[Any, Finding], finding: Finding, place: Place | None) -> None:
    """Add a finding; one at the same line and primitive gains an input."""
    key = (finding.primitive, finding.source, finding.kind if place else finding.leaves)
    earlier = found.get(key)
    leaves = (*(earlier.leaves if earlier else ()), *finding.leaves)
    found[key] = (earlier or finding)._replace(leaves=tuple(dict.fromkeys(leaves)))


def _shortened(findings: dict[Any, Finding], key: Any, note: Finding) -> Finding:
    """A note; one that a finding has said already refers to it."""
    if key not in findings:
        return note
    named = ", ".join(findings[key].leaves)
    return note._replace(
        suggestion=f"`{note.primitive}` makes it zero, for the reason given for {named}"
    )


def _unused(leaf: Leaf) -> Finding:
    return Finding(
        "missing", "backward", "none", "",
        "no operation leads from this input to the result: it is not used, or was turned into a "
        "Python number or a NumPy array on the way", leaves=(leaf.path,),
    )  # fmt: skip


def _finding(place: Place, path: str, back: Back | None) -> Finding:
    event = place.event
    source, code = line_of(event.frames)
    shown = back is not None and place.kind != "missing" and place.why != "factor"
    numbers = backward_numbers(event, back) if shown and back else forward_numbers(event)
    return Finding(
        place.kind, "backward", event.primitive, source, advice.suggest(place.why, event.primitive),
        code, (path,), event.inside, numbers,
    )  # fmt: skip


# --- no path --------------------------------------------------------------------------------------


def _cuts(flow: Flow, start: Key, needed: set[Key]) -> Iterable[Place]:
    """The operations that read a value with a gradient and return one without, on the way out."""
    found: dict[Any, Place] = {}
    for number in _descendants(flow, start):
        event = flow.event(number)
        if any(key is not None and key[0] == "id" and key in needed for key in event.writes):
            why = advice.why_cut(event)
            found.setdefault((event.primitive, line_of(event.frames)), Place(event, why, "missing"))
    # A comparison often only chooses among what another operation has cut off.
    return sorted(found.values(), key=lambda place: place.why == "comparison")[:3]


def _descendants(flow: Flow, start: Key) -> list[int]:
    """The operations that carry on a value as far as a gradient could flow, and the first cuts."""
    stack, seen = [start], set()
    while stack:
        for number in flow.readers.get(stack.pop(), ()):
            event = flow.event(number)
            if number not in seen:
                seen.add(number)
                if not event.cuts:
                    stack.extend(key for key in event.writes if key is not None)
    return sorted(seen)


def _ancestors(flow: Flow) -> set[Key]:
    """The values that the outputs depend on, with or without a gradient."""
    stack = [key for key in flow.watched.outputs if key is not None]
    seen: set[Key] = set()
    while stack:
        key = stack.pop()
        if key not in seen:
            seen.add(key)
            number = flow.writer.get(key)
            if number is not None:
                stack.extend(k for k in flow.event(number).reads if k is not None)
            stack.extend(k for k in flow.watched.implicit.get(key, ()) if k is not None)
    return seen


def _unread(flow: Flow) -> set[Key]:
    """The values that no operation reads."""
    return {key for key in flow.writer if key not in flow.readers}


def _reaches_tape(flow: Flow, start: Key) -> bool:
    """Whether any cotangent, be it zero, came back to an input."""
    return flow.totals.get(start) is not None


# --- a path with a zero on it ---------------------------------------------------------------------


def _dead_ends(flow: Flow, start: Key, alive: Set[Key]) -> Iterable[Place]:
    """The operations at which a cotangent that is not zero becomes zero on its way to an input."""
    stack, seen = [start], set()
    found: dict[Any, Place] = {}
    guarded = False
    while stack:
        key = stack.pop()
        for number in flow.readers.get(key, ()):
            event, back = flow.event(number), flow.back.get(number)
            if number in seen or back is None:
                continue
            seen.add(number)
            if all(map(vanishes, back.arriving)):
                stack.extend(k for k in event.writes if k is not None)
                guarded = guarded or (_excludes(event, key) and _computes(flow, event))
            else:
                place = classify(flow, event, back, key, start, alive)
                found.setdefault((place.event.primitive, line_of(place.event.frames)), place)
    # The double where: what one `where` leaves out, an earlier one has made safe.
    return [
        place._replace(benign=True) if guarded and place.event.primitive == "select_n" else place
        for place in found.values()
    ]


def _computes(flow: Flow, event: Event) -> bool:
    """Whether a function is applied to a result, and not only another `where`."""
    readers = (number for key in event.writes for number in flow.readers.get(key, ()))
    plain = MOVING | {"select_n", "broadcast_in_dim"}
    return any(flow.event(number).primitive not in plain for number in readers)


def _excludes(event: Event, key: Key) -> bool:
    """Whether a `where` takes no entry of one of its branches."""
    if event.primitive != "select_n":
        return False
    which = jnp.asarray(event.operands[0]).astype(int)
    cases = [i - 1 for i, read in enumerate(event.reads) if read == key and i > 0]
    return not any(bool((which == case).any()) for case in cases)
