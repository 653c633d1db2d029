"""Findings for gradients that are zero throughout, or that have no path to the input at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

import jax.numpy as jnp

from .. import _jaxcompat as compat
from .._reverse import pull
from . import _zero_advice as advice
from ._events import Event, Key
from ._findings import Finding
from ._flow import Back, Flow, vanishes
from ._nonfinite import Leaf
from ._numbers import backward_numbers, forward_numbers
from ._places import line_of

# An operation whose partial is zero on a whole region: being there is a dead end for training.
FLAT = frozenset({
    "max", "min", "clamp", "select_n", "sign", "tanh", "logistic", "erf", "erfc", "exp", "exp2",
    "expm1", "atan", "reduce_max", "reduce_min", "convert_element_type", "floor", "ceil", "round",
    "rem", "rsqrt", "log1p", "custom_jvp_call", "custom_vjp_call", "gt", "lt", "ge", "le", "eq",
    "ne", "and", "or", "not", "argmax", "argmin", "argsort", "is_finite", "reduce_and",
    "reduce_or", "erf_inv", "igamma", "igammac", "lt_to", "le_to",
})  # fmt: skip
# Multiplied by what they read beside the operand: that factor, not the operation, is at fault.
PRODUCTS = frozenset({"mul", "dot_general", "conv_general_dilated", "div"})
OWN_FACTOR = frozenset({"integer_pow", "square", "pow", "sin", "cos", "cosh", "abs"})
# Hand entries on or leave them out: what is left out is no fault of theirs.
MOVING = frozenset({
    "concatenate", "pad", "slice", "dynamic_slice", "dynamic_update_slice", "gather", "scatter",
    "scatter-add", "rev", "sort", "copy",
})  # fmt: skip
# What a custom rule's own function is known by: relu is a max.
KINKED = frozenset({"max", "min", "clamp", "tanh", "logistic", "erf", "exp", "sign", "select_n"})
TINY = 1e-30  # a cotangent below this has underflowed: float32 ends at 1.2e-38


class Place(NamedTuple):
    """Where a gradient becomes zero, and why."""

    event: Event
    why: str  # a key of `_zero_advice`
    kind: str = "zero"
    benign: bool = False


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
    return list(findings.values())[:5], list(notes.values())


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
                place = _classify(flow, event, back, key, start, alive)
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


def _classify(flow: Flow, event: Event, back: Back, key: Key, start: Key, alive: Set[Key]) -> Place:
    if event.step is None:
        return Place(event, "flat")
    probe = pull(event.step, [_probe(ct) for ct in back.arriving])
    mine = [ct for read, ct in zip(event.reads, probe, strict=True) if read == key]
    if not all(map(vanishes, mine)):
        size = max(float(jnp.abs(ct).max()) for ct in back.arriving if ct is not None)
        return Place(event, "underflow", "vanishing", benign=size > TINY)
    return _structural(flow, event, key, start, alive)


def _structural(flow: Flow, event: Event, key: Key, start: Key, alive: Set[Key]) -> Place:
    """Why the partial of an operation is zero, whatever the cotangent."""
    if event.primitive in MOVING:
        return Place(event, "left out", benign=True)
    if event.inner is not None:
        return Place(_rule_primal(event), "flat")
    if event.primitive in PRODUCTS:
        others = [k for k in event.reads if k != key] or [key]
        factor = event.reads[0] if event.primitive == "div" else others[0]
        return _factor(flow, event, factor, start, alive)
    if event.primitive in OWN_FACTOR:
        return _factor(flow, event, event.reads[0], start, alive)
    return Place(event, "saturated" if event.primitive in advice.SATURATING else "flat")


def _probe(cotangent: Any) -> Any:
    """Another cotangent with the same zeros: what is zero for it too is zero by structure."""
    if cotangent is None or compat.is_float0(cotangent):
        return cotangent
    weights = 1 + 0.5 * jnp.cos(1.0 + 2.4 * jnp.arange(cotangent.size)).reshape(cotangent.shape)
    return jnp.where(cotangent != 0, weights, 0).astype(cotangent.dtype)


def _rule_primal(event: Event) -> Event:
    """What a custom rule's function does itself, rather than the rule's arithmetic."""
    if event.inner is None:
        return event
    plain = [e for e in event.inner.events if e.step is None and e.primitive in KINKED]
    return plain[0] if plain else event


def _factor(flow: Flow, event: Event, factor: Key, start: Key, alive: Set[Key]) -> Place:
    """Why the other factor of a product is zero."""
    key = factor
    while key in flow.writer:
        maker = flow.event(flow.writer[key])
        if not all(_all_zero(value) for value in maker.outputs):
            return Place(event, "product", benign=True)
        zeros = [i for i, value in enumerate(maker.operands) if _all_zero(value)]
        passing = maker.primitive not in FLAT or maker.primitive == "convert_element_type"
        if not (passing and zeros):
            return Place(_rule_primal(maker), "factor", benign=maker.primitive not in FLAT)
        key = next((maker.reads[i] for i in zeros if maker.reads[i] is not None), None)
    if key is None or key not in flow.watched.inputs:
        return Place(event, "constant", benign=event.primitive != "mul")
    started = key == start or key in alive or not _floating_key(key)
    return Place(event, "start" if started else "both zero", benign=started)


def _floating_key(key: Key) -> bool:
    return key is not None and key[0] == "slot"


def _all_zero(value: Any) -> bool:
    kind = compat.typeof(value).dtype
    if not (jnp.issubdtype(kind, jnp.number) or jnp.issubdtype(kind, jnp.bool_)):
        return False
    return not bool((jnp.asarray(value) != 0).any())
