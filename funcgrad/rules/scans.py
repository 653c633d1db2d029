"""`scan` in reverse: what the sweep of the body reads is stacked, and a second scan runs over it
backwards.

`_division` says what that is, and from where the rest comes: a constant of the loop, a value made
of constants alone, an entry of `xs` or `ys`, which are stacked already, the step before in the
backward order. The cotangents of constants are summed in the carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._dataflow import Value
from .._forward_trace import Moved, filled, held, settled
from .._jaxcompat import primitives as p
from .._registry import structured
from .._staging import Staged, once_for, run_backward, stage
from .._tape import Options
from ._division import Division, divide, present


@dataclass(eq=False, slots=True)
class Loop:
    """A scan made ready for reverse mode."""

    division: Division
    needed: tuple[bool, ...]  # which inputs of the body are differentiated
    reverse: bool
    length: int
    unroll: Any
    programs: dict[Any, Any] = field(default_factory=dict)

    @property
    def staged(self) -> Staged:
        return self.division.staged

    def parts(self, flat: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Constants, carry and xs, out of one flat list."""
        first = len(self.division.consts)
        second = first + len(self.division.carry)
        return list(flat[:first]), list(flat[first:second]), list(flat[second:])


# --- preparing ------------------------------------------------------------------------------------


def _prepare(options: Options, needed: tuple[bool, ...], params: dict[str, Any]) -> Loop:
    closed = params["jaxpr"]
    consts, carry = jaxprs.scan_counts(params)
    shape = (params["reverse"], params["length"], params["unroll"])
    key = ("scan", needed, options, consts, carry, shape)
    loop: Loop = once_for(
        [closed], key, lambda: _build(closed, needed, options, consts, carry, shape)
    )
    return loop


def _build(
    closed: Any, needed: tuple[bool, ...], options: Options, consts: int, carry: int, shape: Any
) -> Loop:
    needed, staged = _settle(closed, needed, options, consts, carry)
    return Loop(divide(staged, consts, carry), needed, *shape)


def _settle(
    closed: Any, needed: tuple[bool, ...], options: Options, consts: int, carry: int
) -> tuple[tuple[bool, ...], Staged]:
    """Grow the set of differentiated carries until the body adds none: its fixed point."""
    avals = closed.in_avals
    while True:
        staged = stage(closed, needed, options)
        grown = tuple(
            wanted
            or (
                (consts <= i < consts + carry and staged.reached[i - consts])
                and compat.is_inexact(avals[i])
            )
            for i, wanted in enumerate(needed)
        )
        if grown == needed:
            return needed, staged
        needed = grown


# --- forward --------------------------------------------------------------------------------------


class Saved(NamedTuple):
    """What a scan keeps: for each place the values that its sweep reads there."""

    still: tuple[Any, ...]  # constants, and what is made of constants alone
    moving: tuple[Any, ...]  # stacked, of every iteration
    after: tuple[Any, ...]  # what shared values would be in an iteration after the last one
    loop: compat.Opaque


def _scan_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Saved]:
    loop = _prepare(options, needed, params)
    if "forward" not in loop.programs:
        loop.programs["forward"] = jax.jit(lambda *flat: _run_forward(loop, flat))
    results, hoisted, stacks, after = loop.programs["forward"](*operands)
    division = loop.division
    consts, carry, xs = loop.parts(operands)
    found = dict(zip(division.hoisted, hoisted, strict=True))
    found |= dict(zip(division.stacked, stacks, strict=True))
    found |= dict(zip(division.ys, results[len(carry) :], strict=True))
    found |= dict(zip((*division.consts, *division.xs), (*consts, *xs), strict=True))
    still, moving = (tuple(found[value] for value in values) for values in _places(division))
    return results, Saved(still, moving, tuple(after), compat.Opaque(loop))


def _places(division: Division) -> tuple[list[Value], list[Value]]:
    """What the backward pass reads, apart from shared values: what is still, and what moves."""
    read = sorted(division.read() - division.shared.keys())
    still = {*division.consts, *division.hoisted}
    return [v for v in read if v in still], [v for v in read if v not in still]


def _run_forward(
    loop: Loop, flat: Sequence[Any]
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    division, staged = loop.division, loop.staged
    consts, init, xs = loop.parts(flat)
    fixed = dict(zip(division.consts, consts, strict=True))
    hoisted = division.flow.evaluate(division.hoisted, fixed)
    body = jaxprs.jaxpr_function(staged.forward)

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], Any]:
        everything = body(*consts, *carry, *x)
        given = fixed | dict(zip((*division.carry, *division.xs), (*carry, *x), strict=True))
        given |= dict(zip(division.made, everything, strict=True))
        saved = division.flow.evaluate(division.stacked, given)
        return everything[: len(carry)], (everything[len(carry) : staged.outputs], saved)

    carry, (ys, stacks) = lax.scan(
        step, init, xs, length=loop.length, reverse=loop.reverse, unroll=loop.unroll
    )
    given = fixed | dict(zip(division.carry, carry, strict=True))
    after = division.flow.evaluate(division.carried, given)
    return [*carry, *ys], hoisted, stacks, after


# --- backward -------------------------------------------------------------------------------------


def _scan_backward(kept: Saved, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    loop: Loop = kept.loop.value
    values = (kept.still, kept.moving, kept.after)
    results = run_backward(loop.programs, partial(_run_backward, loop), values, arriving)
    return [result if wanted else None for result, wanted in zip(results, needed, strict=True)]


def _run_backward(loop: Loop, values: Any, arriving: Sequence[Any]) -> list[Any]:
    division = loop.division
    still, moving, after = values
    types = loop.staged.forward.in_avals
    zero = [
        compat.zeros(compat.cotangent_type(aval)) if wanted else None
        for aval, wanted in zip(types, loop.needed, strict=True)
    ]
    consts, carry, _ = loop.parts(zero)
    last = [
        z if c is None or z is None else c
        for z, c in zip(carry, arriving[: len(carry)], strict=True)
    ]
    places, moved = _places(division)
    fixed = dict(zip(places, still, strict=True))

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        sums, flowing, following = state
        entries, outgoing = x
        given = fixed | dict(zip(moved, entries, strict=True))
        before = dict(zip(division.carried, following, strict=True))
        given |= {value: before[other] for value, other in division.shared.items()}
        pulled = _pull(division, given, [*flowing, *outgoing])
        to_consts, to_carry, to_xs = loop.parts(pulled)
        sums = [_plus(total, new) for total, new in zip(sums, to_consts, strict=True)]
        back = [z if c is None else c for z, c in zip(carry, to_carry, strict=True)]
        flow = [c if z is not None else None for z, c in zip(carry, back, strict=True)]
        kept = division.flow.evaluate(division.carried, given)
        return (sums, flow, kept), _dense_xs(loop, to_xs)

    (sums, first, _), to_xs = lax.scan(
        step,
        (consts, last, list(after)),
        (moving, arriving[len(carry) :]),
        length=loop.length,
        reverse=not loop.reverse,
        unroll=loop.unroll,
    )
    return [*sums, *first, *to_xs]


def _pull(division: Division, given: dict[Value, Any], arriving: Sequence[Any]) -> list[Any]:
    """The sweep of one iteration: one cotangent or None for each input of the body."""
    reached = division.staged.reached
    there = (ct is not None or not wants for ct, wants in zip(arriving, reached, strict=True))
    results = division.sweep(tuple(there))
    types = division.flow.types
    cotangents = {
        value: compat.zeros(types[value]) if ct is None else ct
        for value, ct in zip(division.cotangents, arriving, strict=True)
    }
    found = iter(division.flow.evaluate(present(results), given | cotangents))
    return [None if value is None else next(found) for value in results]


def _plus(total: Any, new: Any) -> Any:
    return total if new is None or total is None else lax.add(total, new)


def _dense_xs(loop: Loop, cotangents: Sequence[Any]) -> list[Any]:
    """The cotangents of one entry of xs, with zeros where none arrived."""
    start = len(loop.division.consts) + len(loop.division.carry)
    types = loop.staged.forward.in_avals[start:]
    return [
        (compat.zeros(compat.cotangent_type(aval)) if cotangent is None else cotangent)
        if wanted
        else None
        for aval, wanted, cotangent in zip(types, loop.needed[start:], cotangents, strict=True)
    ]


# --- with tangents --------------------------------------------------------------------------------


def _scan_tangents(
    options: Options, params: dict[str, Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]] | None:
    closed, (consts, carry) = params["jaxpr"], jaxprs.scan_counts(params)
    moving = tuple(tangent is not None for tangent in tangents)
    shape = (params["reverse"], params["length"], params["unroll"])

    def make() -> Any:
        body = settled(closed, moving, (consts, consts + carry), options)
        return body and jax.jit(partial(_run_moved, body, (consts, consts + carry), shape))

    run = once_for([closed], ("scan moved", moving, options, consts, carry, shape), make)
    found: tuple[list[Any], list[Any]] | None = run and run(list(primals), list(tangents))
    return found


def _run_moved(
    body: Moved, ends: tuple[int, int], shape: Any, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """One loop, of which every step takes and returns tangents beside its values."""
    first, second = ends
    (reverse, length, unroll), count = shape, second - first
    moves = filled(body.program.in_avals[: len(primals)], tangents, body.moving)
    consts, init, xs = primals[:first], primals[first:second], primals[second:]

    def step(carry: Any, x: Any) -> Any:
        before, flow = carry
        entry, move = x
        values, along = [*consts, *before, *entry], [*moves[:first], *flow, *move]
        after, leaving = body(values, along)
        return (after[:count], held(flow, leaving[:count])), (after[count:], leaving[count:])

    (last, flow), (ys, to_ys) = lax.scan(
        step, (init, moves[first:second]), (xs, moves[second:]),
        length=length, reverse=reverse, unroll=unroll,
    )  # fmt: skip
    return [*last, *ys], [*flow, *to_ys]


structured(p.scan_p, _scan_forward, _scan_backward, tangents=_scan_tangents)
