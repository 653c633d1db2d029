"""Findings for values and gradients that are not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._tape import CustomBackward, Options
from ._advice import Case, suggest
from ._events import Event, finite
from ._findings import Finding
from ._flow import Back, Flow, flow_of
from ._inputs import Leaf, brought_in, input_finding, leaf_of, passed_through
from ._numbers import backward_numbers, describe, forward_numbers
from ._origins import Culprit, backward_culprits, forward_origin, upstream
from ._places import line_of
from ._watch import watch

MOST = 5  # findings of one kind: the rest repeats them


class Seen(NamedTuple):
    """Where a non-finite number begins, and what is known of the place."""

    event: Event
    forward: bool
    back: Back | None
    cut: bool
    leaves: tuple[str, ...]


def nonfinite_findings(flow: Flow, leaves: Sequence[Leaf], cured: bool) -> list[Finding]:
    """What makes an output or a gradient non-finite: the forward places, then the backward ones."""
    culprits = backward_culprits(flow)
    found = _forward(flow, leaves, culprits)
    spoiled = bool(found)
    for culprit in culprits:
        found += _backward(flow, culprit, leaves, cured, spoiled)
    unique = {(f.primitive, f.source, f.inside[:1] if f.kind == "input" else ()): f
              for f in reversed(found)}  # fmt: skip
    return list(reversed(unique.values()))[:MOST]


def culprit_events(flow: Flow) -> list[Event]:
    """The operations at fault, as far as they are known without a look into custom rules."""
    events = []
    for key, value in zip(flow.watched.outputs, flow.watched.values, strict=True):
        origin = None if finite(value) else forward_origin(flow.watched, flow.writer, key)
        events += [origin.event] if origin is not None else []
    return events or [culprit.event for culprit in backward_culprits(flow)]


# --- forward --------------------------------------------------------------------------------------


def _forward(flow: Flow, leaves: Sequence[Leaf], culprits: Sequence[Culprit]) -> list[Finding]:
    found = []
    watched = flow.watched
    for key, value in zip(watched.outputs, watched.values, strict=True):
        if finite(value):
            continue
        origin = forward_origin(watched, flow.writer, key)
        if origin is None:
            found.append(passed_through(key, watched, leaves))
            continue
        names = tuple(leaves[place].path for place in _reaching(flow, origin.event, culprits))
        if origin.kind == "made":
            seen = Seen(_innermost(origin.event), True, None, False, names)
            found.append(_finding(seen, False))
        else:
            found.append(brought_in(origin, watched, leaves, names))
    return found


def _reaching(flow: Flow, event: Event, culprits: Sequence[Culprit]) -> list[int]:
    """The inputs whose gradient an operation spoils; those before it, where it spoils none."""
    reached = {place for c in culprits if _stems(flow, c.event, event) for place in c.reaches}
    return sorted(reached) or list(upstream(event, flow.watched, flow.writer))


def _stems(flow: Flow, culprit: Event, event: Event) -> bool:
    """Whether a cotangent is spoiled by an operation itself, or by the value that it made."""
    if culprit.number == event.number:
        return True
    bad = (k for k, v in zip(culprit.reads, culprit.operands, strict=True) if not finite(v))
    origins = (forward_origin(flow.watched, flow.writer, key) for key in bad)
    return any(origin is not None and origin.event.number == event.number for origin in origins)


def _innermost(event: Event) -> Event:
    """The operation inside a custom rule or a linear solver, which are one step of the tape."""
    if event.inner is None:
        return _inside_solver(event)
    for key, value in zip(event.inner.outputs, event.inner.values, strict=True):
        if not finite(value):
            writer = {k: e.number for e in event.inner.events for k in e.writes}
            origin = forward_origin(event.inner, writer, key)
            if origin is not None and origin.kind == "made":
                return _innermost(origin.event)
    return event


def _inside_solver(event: Event) -> Event:
    if event.primitive != "custom_linear_solve" or event.step is None:
        return event
    lengths, programs = event.step.params["const_lengths"], event.step.params["jaxprs"]
    start = lengths.matvec + lengths.vecmat
    chosen = (*event.operands[start : start + lengths.solve], *event.operands[sum(lengths) :])
    solver = jaxprs.jaxpr_function(programs.solve)
    watched, _ = watch(lambda: solver(*chosen), (), Options(keep_values=True), 10_000)
    writer = {k: e.number for e in watched.events for k in e.writes}
    for key, value in zip(watched.outputs, watched.values, strict=True):
        if not finite(value):
            origin = forward_origin(watched, writer, key)
            if origin is not None and origin.kind == "made":
                made = origin.event
                return made._replace(frames=event.frames, inside=event.inside, calls=event.calls)
    return event


# --- backward -------------------------------------------------------------------------------------


def _backward(
    flow: Flow, culprit: Culprit, leaves: Sequence[Leaf], cured: bool, spoiled: bool
) -> list[Finding]:
    """The finding of one culprit; none where a forward finding already explains it."""
    event = culprit.event
    back = flow.back.get(event.number)
    names = tuple(leaves[place].path for place in culprit.reaches)
    cut = back is not None and _is_cut(flow, event, back)
    bad = [i for i, value in enumerate(event.operands) if not finite(value)]
    for key in (event.reads[i] for i in bad):
        origin = forward_origin(flow.watched, flow.writer, key)
        if origin is not None and origin.kind == "made":
            if spoiled:
                return []
            return [_finding(Seen(_innermost(origin.event), True, back, cut, names), cured)]
        leaf = leaf_of(key, flow.watched, leaves)
        if origin is None and leaf is not None and not finite(leaf.value):
            return [input_finding(event, leaf, names)]
    if spoiled and (event.piece is not None or not all(map(finite, event.outputs))):
        return []
    inner, inner_back = _inside_rule(event, back)
    return [_finding(Seen(inner, False, inner_back, cut, names), cured)]


def _is_cut(flow: Flow, event: Event, back: Back) -> bool:
    """Whether the cotangent is zero where the gradient is not finite, by a later `where`."""
    later = any(
        number > event.number and flow.event(number).primitive == "select_n" for number in flow.back
    )
    return later and any(
        _zero_where_wrong(ct, handed)
        for ct in back.arriving
        for handed in back.delivered
        if ct is not None and handed is not None and not compat.is_float0(handed)
    )


def _zero_where_wrong(cotangent: Any, handed: Any) -> bool:
    wrong = ~jnp.isfinite(handed)
    zero = cotangent == 0
    if jnp.shape(zero) == jnp.shape(wrong):
        return bool((zero & wrong).any())
    return bool(zero.any() & wrong.any())


def _inside_rule(event: Event, back: Back | None) -> tuple[Event, Back | None]:
    """The operation inside a custom rule that makes the non-finite cotangent."""
    step = event.step
    if step is None or back is None:
        return event, back
    if isinstance(step.body, CustomBackward):
        return _inside_custom_vjp(event, step.body, back), back
    if event.inner is None:
        return event, back
    outputs = tuple(None if s is None else ("slot", s) for s in step.body.tape.outputs)
    flow = flow_of(event.inner._replace(outputs=outputs), back.arriving)
    culprits = backward_culprits(flow)
    if not culprits:
        return event, back
    found = culprits[0].event
    for key, value in zip(found.reads, found.operands, strict=True):
        if not finite(value):
            origin = forward_origin(flow.watched, flow.writer, key)
            if origin is not None and origin.kind == "made":
                return origin.event, back
    return found, flow.back.get(found.number)


def _inside_custom_vjp(event: Event, kept: CustomBackward, back: Back) -> Event:
    bwd, types, symbolic = kept.call.value
    fill = compat.symbolic_zero_of_cotangent if symbolic else compat.zeros

    def run() -> list[Any]:
        cotangents = [
            fill(aval) if ct is None else ct for aval, ct in zip(types, back.arriving, strict=True)
        ]
        results = compat.run_custom_backward(bwd, kept.residuals, cotangents)
        return [result for result in results if result is not None]

    watched, _ = watch(run, (), Options(keep_values=True), 10_000)
    writer = {key: e.number for e in watched.events for key in e.writes}
    for key, value in zip(watched.outputs, watched.values, strict=True):
        if not finite(value):
            origin = forward_origin(watched, writer, key)
            if origin is not None:
                return origin.event
    return event


def _finding(seen: Seen, cured: bool) -> Finding:
    event = seen.event
    wrong = event.outputs if seen.forward or seen.back is None else seen.back.delivered
    values = [v for v in wrong if v is not None and compat.is_inexact(compat.typeof(v))]
    nan = any(bool(jnp.isnan(value).any()) for value in values)
    kind = "nan" if nan or (seen.forward and not values) else "inf"
    case = Case(event, kind, seen.forward, seen.cut, cured)
    back = None if seen.forward else seen.back
    fits = back is not None and len(back.arriving) == len(event.outputs)
    numbers = backward_numbers(event, back) if back and fits else forward_numbers(event)
    if seen.back is not None and seen.forward:
        numbers += (("incoming cotangent further on", describe(seen.back.arriving[0])),)
    source, code = line_of(event.frames)
    phase = "forward" if seen.forward else "backward"
    return Finding(
        kind, phase, event.primitive, source, suggest(case), code, seen.leaves, event.inside,
        numbers,
    )  # fmt: skip
