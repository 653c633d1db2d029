"""What the forward pass of a loop keeps for its backward pass, and what that computes again.

The body and its sweep are put into one graph of values. The sweep reads values that no cotangent
reaches. Of these and what they are made of the cheapest to keep are kept: constants of the loop and
entries of `xs` and `ys` cost nothing, a cheap value is computed again if that saves memory, a dear
one never is. A value that is in the next iteration what another one is in this is not kept twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import jax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._dataflow import Dataflow, Value
from .._staging import Origin, Staged
from ._cut import cheapest_cut

Results = tuple[Value | None, ...]  # for each input of the body its cotangent, in the graph


@dataclass(eq=False, slots=True)
class Division:
    """Where the backward pass of a loop finds what it reads."""

    staged: Staged
    flow: Dataflow
    consts: tuple[Value, ...]
    carry: tuple[Value, ...]
    xs: tuple[Value, ...]
    made: tuple[Value, ...]  # by the forward program of the body: its outputs and its residuals
    cotangents: tuple[Value, ...]  # of its outputs
    sweeps: dict[tuple[bool, ...], Results] = field(default_factory=dict)
    hoisted: tuple[Value, ...] = ()  # made of constants alone, before the loop
    stacked: tuple[Value, ...] = ()
    shared: dict[Value, Value] = field(default_factory=dict)  # is what another was one step before
    lock: Any = field(default_factory=RLock)  # threads may differentiate at the same time

    @property
    def full(self) -> Results:
        return self.sweeps[(True,) * self.staged.outputs]

    @property
    def ys(self) -> tuple[Value, ...]:
        return self.made[len(self.carry) : self.staged.outputs]

    @property
    def last(self) -> tuple[Value, ...]:
        """The carry that leaves the body."""
        return self.made[: len(self.carry)]

    @property
    def carried(self) -> tuple[Value, ...]:
        """What a backward step hands on to the one before it, where values are shared."""
        return tuple(dict.fromkeys(self.shared.values()))

    def find(self, origin: Origin) -> Value:
        """The value that the staged body has in a place."""
        if origin.kind == "input":
            return (*self.consts, *self.carry, *self.xs)[origin.place]
        return self.made[origin.place + (self.staged.outputs if origin.kind == "residual" else 0)]

    def read(self) -> set[Value]:
        """What the backward pass reads in an iteration, of all that it could."""
        kept = {*self.hoisted, *self.stacked, *self.shared}
        given = {*self.consts, *self.xs, *self.ys, *kept}
        wanted = [*present(self.full), *self.shared.values()]
        return self.flow.inputs_of(wanted, given) - set(self.cotangents)

    def sweep(self, mask: tuple[bool, ...]) -> Results:
        """The sweep where some outputs have no cotangent; the full one if it would read more."""
        with self.lock:
            if mask not in self.sweeps:
                found = _masked_sweep(self, mask)
                given = {*self.read(), *self.cotangents}
                enough = self.flow.inputs_of(present(found), given) <= given
                self.sweeps[mask] = found if enough else self.full
            return self.sweeps[mask]


def divide(staged: Staged, consts: int, carry: int) -> Division:
    """Divide the work of a loop with so many constants and carries."""
    flow = Dataflow()
    inputs = tuple(flow.enter(aval) for aval in staged.forward.in_avals)
    made = tuple(flow.add(_whole_if_effects(staged.forward), inputs))
    types = [compat.cotangent_type(aval) for aval in staged.forward.out_avals[: staged.outputs]]
    cotangents = tuple(flow.enter(aval) for aval in types)
    parts = (inputs[:consts], inputs[consts : consts + carry], inputs[consts + carry :])
    division = Division(staged, flow, *parts, made, cotangents)
    division.sweeps[(True,) * staged.outputs] = _full_sweep(division)
    _choose(division)
    return division


def _whole_if_effects(program: Any) -> Any:
    """The program, as one equation if it has effects, so that none is dropped or repeated."""
    if not program.effects:
        return program
    whole = jax.jit(jaxprs.jaxpr_function(program), keep_unused=True)
    return jax.make_jaxpr(whole)(*program.in_avals)


def _full_sweep(division: Division) -> Results:
    """The sweep with all cotangents, which was traced when the body was staged."""
    staged, flow = division.staged, division.flow
    leaves = [
        flow.enter(staged.unused[origin.place])
        if origin.kind == "unused"
        else division.find(origin)
        for origin, traced in zip(staged.origins, staged.swept.traced, strict=True)
        if traced
    ]
    program = _whole_if_effects(staged.swept.program)
    arrived = iter(flow.add(program, [*leaves, *division.cotangents]))
    return tuple(next(arrived) if there else None for there in staged.swept.arrives)


def _masked_sweep(division: Division, mask: Sequence[bool]) -> Results:
    """The sweep with some cotangents."""
    staged, arrives = division.staged, list[bool]()
    kept = staged.kept()

    def backward(values: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        waiting = iter(given)
        found = dict(zip(kept, values, strict=True))
        arriving = [next(waiting) if there else None for there in mask]
        pulled = staged.pull(found.__getitem__, arriving)
        arrives.extend(value is not None for value in pulled)
        return [value for value in pulled if value is not None]

    flow = division.flow
    places = [division.find(origin) for origin in kept]
    given = [ct for ct, there in zip(division.cotangents, mask, strict=True) if there]
    types = [[flow.types[value] for value in values] for values in (places, given)]
    program = _whole_if_effects(jax.make_jaxpr(backward)(*types))
    arrived = iter(flow.add(program, [*places, *given]))
    return tuple(next(arrived) if there else None for there in arrives)


# --- choosing -------------------------------------------------------------------------------------


def _choose(division: Division) -> None:
    """Decide what is stacked, what is made before the loop, and what is found in the next step."""
    flow = division.flow
    moving = flow.depends_on([*division.carry, *division.xs])
    border = _border(division)
    free = {*division.consts, *division.xs, *division.ys, *flow.constants}
    weights: dict[Value, int] = {}
    operands: dict[Value, list[Value]] = {}
    waiting = [value for value in border if moving[value]]
    while waiting:
        value = waiting.pop()
        if value not in weights and value not in free:
            weights[value] = _bytes(flow.types[value])
            if flow.is_cheap(value):
                taken = [v for v in flow.operands(value) if moving[v] and v not in free]
                operands[value] = taken
                waiting.extend(taken)
    sources = [value for value in weights if not flow.is_cheap(value)]
    sinks = [value for value in border if value in weights]
    cut = cheapest_cut(weights, operands, sources, sinks)
    # What can be shared with a kept value costs nothing beside it; so decide again.
    moved = _one_step_on(division)
    pairs = _shared(moved, cut, weights)
    cheaper = weights | dict.fromkeys([*pairs, *pairs.values()], 0)
    cut = cheapest_cut(cheaper, operands, sources, sinks)
    division.hoisted = _dear_and_still(flow, border, cut | free, moving)
    division.shared = _shared(moved, cut, cut)
    division.stacked = tuple(sorted(cut - division.shared.keys()))


def _border(division: Division) -> list[Value]:
    """The values that depend on no cotangent, and are read by what does."""
    flow = division.flow
    later = flow.depends_on(division.cotangents)
    wanted = present(division.full)
    border = {value for value in wanted if not later[value]}
    for value in flow.needed(wanted, division.cotangents):
        if later[value]:
            border.update(v for v in flow.operands(value) if not later[v])
    return sorted(border)


def _dear_and_still(
    flow: Dataflow, border: Sequence[Value], given: set[Value], moving: Sequence[bool]
) -> tuple[Value, ...]:
    """What the backward pass needs of the values that are the same in all iterations."""
    found, seen, waiting = set[Value](), set[Value](), list(border)
    while waiting:
        value = waiting.pop()
        if value in seen or value in given:
            continue
        seen.add(value)
        if moving[value] or flow.is_cheap(value):
            waiting.extend(flow.operands(value))
        else:
            found.add(value)
    return tuple(sorted(found))


def _one_step_on(division: Division) -> list[Value | None]:
    """For each value of an iteration the one that it is in the next, if this one has it, too."""
    still = {value: value for value in division.consts}
    return division.flow.moved(still | dict(zip(division.carry, division.last, strict=True)))


def _shared(
    moved: Sequence[Value | None], kept: Iterable[Value], among: Container[Value]
) -> dict[Value, Value]:
    """The values that are in an iteration what a kept one is in the next, and that one."""
    pairs = ((moved[value], value) for value in sorted(kept))
    return {now: then for now, then in pairs if now is not None and now in among}


def _bytes(aval: Any) -> int:
    return int(aval.size * aval.dtype.itemsize)


def present(results: Results) -> list[Value]:
    return [value for value in results if value is not None]
