"""Loops carried out iteration by iteration, so that a finding can name the iteration.

A loop too long for that runs in pieces, each one compiled scan. The piece at fault is then cut
into smaller pieces in another run, until its iterations can be carried out one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from .._tape import Tape

PIECES = 64  # of a long loop: each round narrows it down by this factor


class Piece(NamedTuple):
    """Some iterations of a long loop that were carried out as one operation."""

    loop: int  # the how-manieth long loop of the run it is
    start: int
    stop: int


class Loop(NamedTuple):
    """A loop that is being carried out."""

    name: str
    closed: Any
    fixed: Sequence[Any]
    xs: Sequence[Any]
    carried: int
    length: int
    reverse: bool
    params: Any


def unroll_scan(trace: Any, args: Sequence[Any], params: Any) -> list[Any] | None:
    """A scan under a watching trace; None where there is nothing to unroll."""
    consts, carried = jaxprs.scan_counts(params)
    fixed, xs = args[:consts], args[consts + carried :]
    name, length = trace.loop_name or "scan", params["length"]
    trace.loop_name = None
    loop = Loop(name, params["jaxpr"], fixed, xs, carried, length, params["reverse"], params)
    if length == 0:
        return None
    carry = list(args[consts : consts + carried])
    collected: list[list[Any]] = []
    caller = trace.here()
    for start, stop, number in _plan(trace, loop):
        if stop - start == 1 and number is None:
            carry, ys = _one(trace, loop, carry, start, caller)
        else:
            carry, ys = _several(trace, loop, carry, Piece(number or 0, start, stop), caller)
        collected.append(ys)
    if loop.reverse:
        collected.reverse()
    with trace.within():
        trace.frames = caller
        stacks = [_join(trace, list(column)) for column in zip(*collected, strict=True)]
    return [*carry, *stacks]


def _plan(trace: Any, loop: Loop) -> Iterator[tuple[int, int, int | None]]:
    """The iterations in the order of execution: start, stop, and for a piece its loop."""
    parts: list[tuple[int, int, int | None]]
    if _affords(trace, loop.length, loop.closed):
        parts = [(i, i + 1, None) for i in range(loop.length)]
    else:
        number = trace.long_loops
        trace.long_loops += 1
        start, stop = trace.windows.get(number, (0, loop.length))
        parts = [(0, start, number)] if start else []
        if number in trace.windows and _affords(trace, stop - start, loop.closed):
            parts += [(i, i + 1, None) for i in range(start, stop)]
        else:
            step = -(-(stop - start) // PIECES)
            parts += [(i, min(i + step, stop), number) for i in range(start, stop, step)]
        parts += [(stop, loop.length, number)] if stop < loop.length else []
    yield from reversed(parts) if loop.reverse else parts


def _one(
    trace: Any, loop: Loop, carry: list[Any], i: int, caller: Any
) -> tuple[list[Any], list[Any]]:
    place = f"{loop.name}, iteration {i + 1} of {loop.length}"
    with trace.within(inside=(*trace.inside, place)):
        trace.frames = caller
        entry = [_entry(trace, x, i, i + 1, True) for x in loop.xs]
        results = trace.run(loop.closed, [*loop.fixed, *carry, *entry], loop.name)
        ys = [_expand(trace, y) for y in results[loop.carried :]]
    return results[: loop.carried], ys


def _several(
    trace: Any, loop: Loop, carry: list[Any], piece: Piece, caller: Any
) -> tuple[list[Any], list[Any]]:
    """A few iterations as one scan."""
    place = f"{loop.name}, iterations {piece.start + 1} to {piece.stop} of {loop.length}"
    with trace.within(inside=(*trace.inside, place)):
        trace.frames = caller
        entries = [_entry(trace, x, piece.start, piece.stop, False) for x in loop.xs]
        params = {**loop.params, "length": piece.stop - piece.start, "unroll": 1}
        results = trace.whole(p.scan_p, [*loop.fixed, *carry, *entries], params, piece)
    return list(results[: loop.carried]), list(results[loop.carried :])


def unroll_while(trace: Any, args: Sequence[Any], params: Any) -> list[Any] | None:
    """A while loop under a watching trace: a scan, now that the number of iterations is known."""
    asked, consts = params["cond_nconsts"], params["body_nconsts"]
    test, fixed = args[:asked], args[asked : asked + consts]
    init = list(args[asked + consts :])
    count = _iterations(trace, params, args)
    if count == 0:
        return None
    caller = trace.here()
    with trace.within():
        going = trace.run(params["cond_jaxpr"], [*test, *init], "while")
    loop = Loop("while_loop", params["body_jaxpr"], fixed, (), len(init), count, False, None)
    if _affords(trace, count, loop.closed):
        carry = init
        for i in range(count):
            carry, _ = _one(trace, loop, carry, i, caller)
    else:
        carry = _as_scan(trace, loop, init)
    return list(trace.depend(carry, trace.key_of(going[0])))


def _as_scan(trace: Any, loop: Loop, init: list[Any]) -> list[Any]:
    body = jaxprs.jaxpr_function(loop.closed)
    trace.loop_name = loop.name
    with compat.set_current_trace(trace):
        start = [value if compat.is_tracer(value) else compat.as_array(value) for value in init]
        final, _ = lax.scan(lambda c, _: (body(*loop.fixed, *c), None), start, length=loop.length)
    return list(final)


def _affords(trace: Any, count: int, closed: Any) -> bool:
    """Whether the unrolled loop stays within the budget, which it then uses up."""
    cost = count * (len(jaxprs.open_jaxpr(closed)[0].eqns) + 1)
    if cost > trace.budget:
        return False
    trace.budget -= cost
    return True


def _iterations(trace: Any, params: Any, args: Sequence[Any]) -> int:
    primals, _ = trace.split(args)
    asked, consts = params["cond_nconsts"], params["body_nconsts"]
    test, fixed, init = primals[:asked], primals[asked : asked + consts], primals[asked + consts :]
    going = jaxprs.jaxpr_function(params["cond_jaxpr"])
    advance = jaxprs.jaxpr_function(params["body_jaxpr"])
    with compat.set_current_trace(trace.parent):
        count, _ = lax.while_loop(
            lambda state: going(*test, *state[1])[0],
            lambda state: (state[0] + 1, advance(*fixed, *state[1])),
            (jnp.int32(0), [compat.as_array(value) for value in init]),
        )
    return int(count)


def _entry(trace: Any, stacked: Any, start: int, stop: int, single: bool) -> Any:
    """One entry, or a run of entries, of a scan's `xs`."""
    tracked = trace.slot_of(stacked) is not None
    with compat.set_current_trace(trace if tracked else trace.parent):
        if single:
            entry = lax.index_in_dim(stacked, start, 0, keepdims=False)
        else:
            entry = lax.slice_in_dim(stacked, start, stop)
    if not tracked and id(stacked) in trace.tainted:
        trace.tainted.add(id(entry))
        trace.alive.append(entry)
    return entry


def _expand(trace: Any, value: Any) -> Any:
    with compat.set_current_trace(trace):
        return lax.expand_dims(value, (0,))


def _join(trace: Any, column: list[Any]) -> Any:
    with compat.set_current_trace(trace):
        return lax.concatenate(column, 0)


def tape_of(
    trace: Any, entering: Sequence[Any], slots: Any, avals: tuple[Any, ...], results: Sequence[Any]
) -> Tape:
    """The tape of what a trace has seen."""
    inputs = tuple(trace.slot_of(value) for value in entering)
    types = tuple(jax.typeof(result) for result in results)
    return Tape(tuple(trace.steps), inputs, tuple(slots), avals, types)
