"""Programs inside programs: a recorded body becomes a forward and a backward program.

The body (a jaxpr) is recorded once for each choice of differentiated inputs. The forward program
is the body with its residuals as further outputs; the backward program sweeps the body's tape.
What the backward program reads is found by tracing it and dropping dead code. A value that is an
input or an output of the body, or a constant, is not saved again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax

from . import _jaxcompat as compat
from ._reverse import sweep
from ._trace import Options, record


class Origin(NamedTuple):
    """Where the backward program finds one leaf of the tape."""

    kind: str  # "input", "output", "residual", "constant" or "unused"
    place: int


@dataclass(eq=False, slots=True)
class Staged:
    """A body made ready for reverse mode; compared by identity, made once for each body."""

    forward: Any  # a closed jaxpr: the outputs, then the residuals
    residuals: int
    outputs: int
    origins: tuple[Origin, ...]
    constants: tuple[Any, ...]
    treedef: Any
    output_types: tuple[Any, ...]
    programs: dict[tuple[bool, ...], Any] = field(default_factory=dict)

    def kept(self) -> list[Origin]:
        """The values that the backward program takes, each once."""
        carried = (o for o in self.origins if o.kind in {"input", "output", "residual"})
        return list(dict.fromkeys(carried))


class Kept(NamedTuple):
    """What a step with a body keeps: values, and the body that they belong to."""

    values: tuple[Any, ...]
    staged: compat.Opaque


_STAGED: WeakKeyDictionary[Any, dict[Any, Staged]] = WeakKeyDictionary()


def stage(closed: Any, needed: tuple[bool, ...], options: Options) -> Staged:
    """The staged form of a closed jaxpr; cached for as long as the jaxpr lives."""
    known = _STAGED.setdefault(closed, {})
    key = (needed, options)
    if key not in known:
        known[key] = _build(closed, needed, options)
    return known[key]


def _build(closed: Any, needed: tuple[bool, ...], options: Options) -> Staged:
    body = compat.jaxpr_function(closed)
    found: list[Any] = []

    def forward(*inputs: Any) -> list[Any]:
        results, tape = record(body, inputs, differentiate=needed, options=options)
        leaves, treedef = jax.tree.flatten(tape)
        read = _read_leaves(tape, leaves, treedef)
        origins, residuals, constants = _originate(leaves, read, inputs, results)
        found[:] = [len(residuals), len(results), origins, constants, treedef, tape.output_types]
        return [*results, *residuals]

    program = jax.make_jaxpr(forward)(*closed.in_avals)
    return Staged(program, *found)


def _read_leaves(tape: Any, leaves: list[Any], treedef: Any) -> tuple[bool, ...]:
    """Which leaves of a tape its sweep reads when every output has a cotangent."""
    arriving = [compat.cotangent_type(aval) for aval in tape.output_types]
    count = len(leaves)

    def backward(*flat: Any) -> list[Any]:
        swept = sweep(jax.tree.unflatten(treedef, flat[:count]), flat[count:])
        return [value for value in swept if value is not None]

    types = [compat.typeof(leaf) for leaf in leaves]
    return compat.used_inputs(jax.make_jaxpr(backward)(*types, *arriving))[:count]


def _originate(
    leaves: list[Any], read: Sequence[bool], inputs: Sequence[Any], results: Sequence[Any]
) -> tuple[tuple[Origin, ...], list[Any], tuple[Any, ...]]:
    """Where each leaf comes from, the values to save, and the constants."""
    places = {id(value): Origin("output", i) for i, value in enumerate(results)}
    places |= {id(value): Origin("input", i) for i, value in enumerate(inputs)}
    residuals: list[Any] = []
    constants: list[Any] = []
    origins = []
    for leaf, wanted in zip(leaves, read, strict=True):
        if not wanted:
            origins.append(Origin("unused", 0))
            continue
        if not compat.is_tracer(leaf):
            origins.append(Origin("constant", len(constants)))
            constants.append(leaf)
            continue
        if id(leaf) not in places:
            places[id(leaf)] = Origin("residual", len(residuals))
            residuals.append(leaf)
        origins.append(places[id(leaf)])
    return tuple(origins), residuals, tuple(constants)


def keep(staged: Staged, inputs: Sequence[Any], results: Sequence[Any]) -> Kept:
    """Pick from the inputs and all results of the forward program what the backward one takes."""
    pools = {
        "input": inputs,
        "output": results[: staged.outputs],
        "residual": results[staged.outputs :],
    }
    values = tuple(pools[origin.kind][origin.place] for origin in staged.kept())
    return Kept(values, compat.Opaque(staged))


def pull_body(kept: Kept, arriving: Sequence[Any]) -> list[Any]:
    """Run the backward program of a staged body: one cotangent or None for each input."""
    staged: Staged = kept.staged.value
    mask = tuple(cotangent is not None for cotangent in arriving)
    if mask not in staged.programs:
        staged.programs[mask] = _backward_program(staged, mask)
    given = [cotangent for cotangent in arriving if cotangent is not None]
    return list(staged.programs[mask](kept.values, given))


def _backward_program(staged: Staged, mask: tuple[bool, ...]) -> Any:
    order = {origin: i for i, origin in enumerate(staged.kept())}

    def leaf(origin: Origin, values: Sequence[Any]) -> Any:
        if origin.kind == "unused":
            return None
        if origin.kind == "constant":
            return staged.constants[origin.place]
        return values[order[origin]]

    def backward(values: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        leaves = [leaf(origin, values) for origin in staged.origins]
        cotangents = iter(given)
        arriving = [next(cotangents) if there else None for there in mask]
        return sweep(jax.tree.unflatten(staged.treedef, leaves), arriving)

    return jax.jit(backward)
