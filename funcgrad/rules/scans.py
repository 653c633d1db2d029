"""`scan` in reverse: the tape of the body is made once, the residuals are stacked, and a second
scan runs over them backwards.

What the backward body reads comes from the cheapest place: a constant of the loop, a value computed
from constants alone (made once, before the loop), an entry of `xs` or `ys`, which are stacked
already, and only then a residual of its own. The cotangents of constants are summed in the carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from .._registry import structured
from .._staging import Kept, Origin, Staged, once_for, run_backward, stage
from .._tape import Options


@dataclass(eq=False, slots=True)
class Loop:
    """A scan made ready for reverse mode."""

    staged: Staged
    consts: int
    carry: int
    needed: tuple[bool, ...]  # which inputs of the body are differentiated
    reverse: bool
    length: int
    unroll: Any
    hoisted: dict[int, int]  # residual: its place among the loop invariants
    invariants: Any  # the program from the constants to the loop invariants
    programs: dict[Any, Any] = field(default_factory=dict)

    def place(self, origin: Origin) -> str:
        """Where a value that the backward body reads is kept."""
        if origin.kind == "residual":
            return "hoisted" if origin.place in self.hoisted else "stacked"
        if origin.kind == "output":
            return "stacked" if origin.place < self.carry else "ys"
        if origin.place < self.consts:
            return "const"
        return "stacked" if origin.place < self.consts + self.carry else "xs"

    def stacked(self) -> list[Origin]:
        return [origin for origin in self.staged.kept() if self.place(origin) == "stacked"]

    def parts(self, flat: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Constants, carry and xs, out of one flat list."""
        ends = (self.consts, self.consts + self.carry)
        return list(flat[: ends[0]]), list(flat[ends[0] : ends[1]]), list(flat[ends[1] :])


# --- preparing ------------------------------------------------------------------------------------


def _prepare(options: Options, needed: tuple[bool, ...], params: dict[str, Any]) -> Loop:
    closed = params["jaxpr"]
    consts, carry = jaxprs.scan_counts(params)
    shape = (params["reverse"], params["length"], params["unroll"])
    key = ("scan", needed, options, consts, carry, shape)
    loop: Loop = once_for(
        closed, key, lambda: _build(closed, needed, options, consts, carry, shape)
    )
    return loop


def _build(
    closed: Any, needed: tuple[bool, ...], options: Options, consts: int, carry: int, shape: Any
) -> Loop:
    needed, staged = _settle(closed, needed, options, consts, carry)
    known = [i < consts for i in range(len(needed))]
    settled = jaxprs.depend_only_on(staged.forward, known)[staged.outputs :]
    places = [i for i, invariant in enumerate(settled) if invariant]
    invariants = jaxprs.select_outputs(staged.forward, [staged.outputs + i for i in places])
    hoisted = {residual: i for i, residual in enumerate(places)}
    reverse, length, unroll = shape
    return Loop(staged, consts, carry, needed, reverse, length, unroll, hoisted, invariants)


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


def _scan_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Kept]:
    loop = _prepare(options, needed, params)
    if "forward" not in loop.programs:
        loop.programs["forward"] = jax.jit(lambda *flat: _run_forward(loop, flat))
    results, hoisted, stacks = loop.programs["forward"](*operands)
    consts, _, xs = loop.parts(operands)
    pools = {"const": consts, "xs": xs, "ys": results[loop.carry :], "hoisted": hoisted}
    values = []
    saved = iter(stacks)
    for origin in loop.staged.kept():
        place = loop.place(origin)
        values.append(next(saved) if place == "stacked" else pools[place][_index(loop, origin)])
    return results, Kept(tuple(values), compat.Opaque(loop))


def _index(loop: Loop, origin: Origin) -> int:
    """The index of a value among those of its place."""
    place = loop.place(origin)
    if place == "hoisted":
        return loop.hoisted[origin.place]
    start = {"const": 0, "xs": loop.consts + loop.carry, "ys": loop.carry}[place]
    return origin.place - start


def _run_forward(loop: Loop, flat: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    consts, init, xs = loop.parts(flat)
    hoisted = loop.invariants(consts)
    body = jaxprs.jaxpr_function(loop.staged.forward)
    outputs = loop.staged.outputs

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], Any]:
        inputs = [*consts, *carry, *x]
        everything = body(*inputs)
        saved = loop.staged.pick(loop.stacked(), inputs, everything)
        return everything[: loop.carry], (everything[loop.carry : outputs], saved)

    carry, (ys, stacks) = lax.scan(
        step, init, xs, length=loop.length, reverse=loop.reverse, unroll=loop.unroll
    )
    return [*carry, *ys], hoisted, stacks


# --- backward -------------------------------------------------------------------------------------


def _scan_backward(kept: Kept, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    loop: Loop = kept.staged.value
    results = run_backward(loop.programs, partial(_run_backward, loop), kept.values, arriving)
    return [result if wanted else None for result, wanted in zip(results, needed, strict=True)]


def _run_backward(loop: Loop, values: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
    types = loop.staged.forward.in_avals
    zero = [
        compat.zeros(compat.cotangent_type(aval)) if wanted else None
        for aval, wanted in zip(types, loop.needed, strict=True)
    ]
    consts, carry, _ = loop.parts(zero)
    last = [
        z if c is None or z is None else c
        for z, c in zip(carry, arriving[: loop.carry], strict=True)
    ]
    kept = loop.staged.kept()
    still = {origin for origin in kept if loop.place(origin) in {"const", "hoisted"}}
    fixed = {o: v for o, v in zip(kept, values, strict=True) if o in still}
    moving = [(o, v) for o, v in zip(kept, values, strict=True) if o not in still]

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        sums, flowing = state
        entries, outgoing = x
        found = fixed | {o: e for (o, _), e in zip(moving, entries, strict=True)}
        pulled = loop.staged.pull(found.__getitem__, [*flowing, *outgoing])
        to_consts, to_carry, to_xs = loop.parts(pulled)
        sums = [_plus(total, new) for total, new in zip(sums, to_consts, strict=True)]
        back = [z if c is None else c for z, c in zip(carry, to_carry, strict=True)]
        flow = [c if z is not None else None for z, c in zip(carry, back, strict=True)]
        return (sums, flow), _dense_xs(loop, to_xs)

    (sums, first), to_xs = lax.scan(
        step,
        (consts, last),
        ([v for _, v in moving], arriving[loop.carry :]),
        length=loop.length,
        reverse=not loop.reverse,
        unroll=loop.unroll,
    )
    return [*sums, *first, *to_xs]


def _plus(total: Any, new: Any) -> Any:
    return total if new is None or total is None else lax.add(total, new)


def _dense_xs(loop: Loop, cotangents: Sequence[Any]) -> list[Any]:
    """The cotangents of one entry of xs, with zeros where none arrived."""
    start = loop.consts + loop.carry
    types = loop.staged.forward.in_avals[start:]
    return [
        (compat.zeros(compat.cotangent_type(aval)) if cotangent is None else cotangent)
        if wanted
        else None
        for aval, wanted, cotangent in zip(types, loop.needed[start:], cotangents, strict=True)
    ]


structured(p.scan_p, _scan_forward, _scan_backward)
