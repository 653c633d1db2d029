"""`cond` and `switch` in reverse: each branch becomes a forward and a backward program.

All branches of one conditional return the same number of residuals. Branches share a residual's
place where its type agrees, and fill what only another branch needs with zeros, so that the memory
is that of the largest branch and not of their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._forward_trace import Moved, filled, moved
from .._jaxcompat import primitives as p
from .._registry import structured
from .._staging import Kept, Origin, Staged, once_for, run_backward, stage
from .._tape import Options


@dataclass(eq=False, slots=True)
class Choice:
    """A conditional made ready for reverse mode."""

    branches: tuple[Staged, ...]
    needed: tuple[bool, ...]  # for each operand after the index
    places: tuple[dict[Origin, int], ...]  # for each branch: its residual's place
    types: tuple[Any, ...]  # of the residuals that all branches return
    programs: dict[Any, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        return self.branches[0].outputs

    def inputs(self) -> list[int]:
        """The operands that some branch's backward program reads."""
        read = {o.place for b in self.branches for o in b.kept() if o.kind == "input"}
        return sorted(read)

    def results(self) -> list[int]:
        """The outputs that some branch's backward program reads."""
        read = {o.place for b in self.branches for o in b.kept() if o.kind == "output"}
        return sorted(read)


def _build(branches: Sequence[Any], needed: tuple[bool, ...], options: Options) -> Choice:
    staged = tuple(stage(branch, needed, options) for branch in branches)
    types: list[Any] = []
    places = tuple(_share_places(body, types) for body in staged)
    return Choice(staged, needed, places, tuple(types))


def _share_places(body: Staged, types: list[Any]) -> dict[Origin, int]:
    """A place for each residual of a branch; new places are appended to `types`."""
    free = list(range(len(types)))
    own = body.forward.out_avals[body.outputs :]
    places = {}
    for i, aval in enumerate(own):
        place = next((j for j in free if types[j] == aval), None)
        if place is None:
            place = len(types)
            types.append(aval)
        else:
            free.remove(place)
        places[Origin("residual", i)] = place
    return places


# --- forward --------------------------------------------------------------------------------------


def _cond_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Kept]:
    branches = params["branches"]
    choice: Choice = once_for(
        branches, ("cond", needed, options), lambda: _build(branches, needed[1:], options)
    )
    if "forward" not in choice.programs:
        choice.programs["forward"] = jax.jit(lambda *flat: _run_forward(choice, flat))
    results, residuals = choice.programs["forward"](*operands)
    index, *inputs = operands
    values = (
        index,
        *(inputs[i] for i in choice.inputs()),
        *(results[i] for i in choice.results()),
        *residuals,
    )
    return results, Kept(values, compat.Opaque(choice))


def _run_forward(choice: Choice, flat: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    index, *inputs = flat

    def branch(number: int) -> Callable[..., tuple[list[Any], list[Any]]]:
        body, places = choice.branches[number], choice.places[number]
        run = jaxprs.jaxpr_function(body.forward)

        def forward(*inputs: Any) -> tuple[list[Any], list[Any]]:
            everything = run(*inputs)
            residuals: list[Any] = [None] * len(choice.types)
            for origin, place in places.items():
                residuals[place] = everything[body.outputs + origin.place]
            filled = [
                compat.zeros(aval) if value is None else value
                for aval, value in zip(choice.types, residuals, strict=True)
            ]
            return everything[: body.outputs], filled

        return forward

    found: tuple[list[Any], list[Any]] = lax.switch(
        index, [branch(i) for i in range(len(choice.branches))], *inputs
    )
    return found


# --- backward -------------------------------------------------------------------------------------


def _cond_backward(kept: Kept, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    choice: Choice = kept.staged.value
    results = iter(
        run_backward(choice.programs, partial(_run_backward, choice), kept.values, arriving)
    )
    return [next(results) if wanted else None for wanted in needed]


def _run_backward(choice: Choice, values: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
    index, *rest = values
    inputs, results = choice.inputs(), choice.results()
    at = {Origin("input", place): i for i, place in enumerate(inputs)}
    at |= {Origin("output", place): len(inputs) + i for i, place in enumerate(results)}
    types = choice.branches[0].forward.in_avals

    def branch(number: int) -> Callable[..., list[Any]]:
        body = choice.branches[number]
        start = len(inputs) + len(results)
        places = at | {o: start + place for o, place in choice.places[number].items()}

        def backward(rest: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
            pulled = body.pull(lambda origin: rest[places[origin]], arriving)
            return [
                compat.zeros(compat.cotangent_type(aval)) if cotangent is None else cotangent
                for aval, cotangent, wanted in zip(types, pulled, choice.needed, strict=True)
                if wanted
            ]

        return backward

    cotangents: list[Any] = lax.switch(
        index, [branch(i) for i in range(len(choice.branches))], rest, list(arriving)
    )
    return cotangents


# --- with tangents --------------------------------------------------------------------------------


def _cond_tangents(
    options: Options, params: dict[str, Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]] | None:
    branches = params["branches"]
    moving = tuple(tangent is not None for tangent in tangents[1:])

    def make() -> Any:
        bodies = [moved(branch, moving, options) for branch in branches]
        known = [body for body in bodies if body is not None]
        return jax.jit(partial(_run_moved, known)) if len(known) == len(bodies) else None

    run = once_for(branches, ("cond moved", moving, options), make)
    found: tuple[list[Any], list[Any]] | None = run and run(list(primals), list(tangents[1:]))
    return found


def _run_moved(
    bodies: Sequence[Moved], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """The branch that is taken, with the tangents that any of them gives."""
    index, *inputs = primals
    reached = [any(each) for each in zip(*(body.reached for body in bodies), strict=True)]
    types = bodies[0].program.out_avals[: len(reached)]

    def branch(body: Moved) -> Callable[..., tuple[list[Any], list[Any]]]:
        def run(inputs: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            results, found = body(inputs, tangents)
            return results, filled(types, found, reached)

        return run

    taken: tuple[list[Any], list[Any]] = lax.switch(
        index, [branch(body) for body in bodies], inputs, tangents
    )
    return taken


structured(p.cond_p, _cond_forward, _cond_backward, tangents=_cond_tangents)
