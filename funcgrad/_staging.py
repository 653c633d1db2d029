"""Programs inside programs: a recorded body becomes a forward and a backward program.

The body (a jaxpr) is recorded once for each choice of differentiated inputs. The forward program
is the body with its residuals as further outputs; the backward program sweeps the body's tape.
What the backward program reads is found by tracing it and dropping dead code. A value that is an
input or an output of the body, or a constant, is not saved again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax

from . import _jaxcompat as compat
from . import _jaxprs as jaxprs
from ._reverse import sweep
from ._sharing import shared
from ._tape import Options, Tape
from ._trace import record


class Origin(NamedTuple):
    """Where the backward program finds one leaf of the tape."""

    kind: str  # "input", "output", "residual", "constant" or "unused"
    place: int


class Swept(NamedTuple):
    """The sweep of a body's tape as a program, where every output has a cotangent."""

    program: Any  # a closed jaxpr: traced leaves and cotangents, to the cotangents that arrive
    traced: tuple[bool, ...]  # which leaves of the tape the program takes
    arrives: tuple[bool, ...]  # for which inputs of the body it returns a cotangent


@dataclass(eq=False, slots=True)
class Staged:
    """A body made ready for reverse mode; compared by identity, made once for each body."""

    forward: Any  # a closed jaxpr: the outputs, then the residuals
    residuals: int
    outputs: int
    origins: tuple[Origin, ...]
    constants: tuple[Any, ...]
    unused: tuple[Any, ...]  # the types of leaves that no cotangent depends on
    treedef: Any
    reached: tuple[bool, ...]  # which outputs depend on a differentiated input
    swept: Swept
    programs: dict[Any, Any] = field(default_factory=dict)

    def kept(self) -> list[Origin]:
        """The values that the backward program takes, each once."""
        carried = (o for o in self.origins if o.kind in {"input", "output", "residual"})
        return list(dict.fromkeys(carried))

    def pick(
        self, origins: Sequence[Origin], inputs: Sequence[Any], results: Sequence[Any]
    ) -> list[Any]:
        """Values out of the inputs and all results of the forward program."""
        pools = {
            "input": inputs,
            "output": results[: self.outputs],
            "residual": results[self.outputs :],
        }
        return [pools[origin.kind][origin.place] for origin in origins]

    def layout(self) -> Tape:
        """The body's tape without its values."""
        whole: Tape = jax.tree.unflatten(self.treedef, [None] * self.treedef.num_leaves)
        return whole

    def pull(self, value_of: Callable[[Origin], Any], arriving: Sequence[Any]) -> list[Any]:
        """Sweep the body's tape, with its leaves taken from where they are found."""
        return sweep(self.tape(value_of), arriving)

    def tape(self, value_of: Callable[[Origin], Any]) -> Tape:
        """The body's tape, with its leaves taken from where they are found."""

        def leaf(origin: Origin) -> Any:
            if origin.kind == "unused":  # a rule may mention it, though no result depends on it
                return compat.zeros(self.unused[origin.place])
            return self.constants[origin.place] if origin.kind == "constant" else value_of(origin)

        whole: Tape = jax.tree.unflatten(self.treedef, [leaf(origin) for origin in self.origins])
        return whole


class Kept(NamedTuple):
    """What a step with a body keeps: values, and what they belong to."""

    values: tuple[Any, ...]
    staged: compat.Opaque


@dataclass(eq=False, slots=True)
class Table:
    """What was made for some objects; it is dropped with the first of them that is."""

    made: dict[Any, Any] = field(default_factory=dict)
    further: WeakKeyDictionary[Any, Table] = field(default_factory=WeakKeyDictionary)

    def of(self, *objects: Any) -> dict[Any, Any]:
        table = self
        for entry in objects:
            found = table.further.get(entry)
            table = table.further.setdefault(entry, Table()) if found is None else found
        return table.made


_MADE = Table()


def once_for(bodies: Sequence[Any], key: Any, make: Callable[[], Any]) -> Any:
    """What `make` returns, made once for a key and all jaxprs that have the structures of these.

    It is kept while the bodies live. So neither it nor the key may refer to one of them: then they
    would live for ever. What needs the program of a body later has its `jaxprs.twin`.
    """
    made = _MADE.of(*map(shared, bodies))
    if key not in made:
        made[key] = make()
    return made[key]


def stage(closed: Any, needed: tuple[bool, ...], options: Options) -> Staged:
    """The staged form of a closed jaxpr, for one choice of differentiated inputs."""
    staged: Staged = once_for(
        [closed], ("stage", needed, options), lambda: _build(closed, needed, options)
    )
    return staged


def _build(closed: Any, needed: tuple[bool, ...], options: Options) -> Staged:
    body = jaxprs.jaxpr_function(closed)
    found: list[Staged] = []

    def forward(*inputs: Any) -> list[Any]:
        results, tape = record(body, inputs, differentiate=needed, options=options)
        staged, residuals = analyse(tape, inputs, results)
        found.append(staged)
        return [*results, *residuals]

    program = jax.make_jaxpr(forward)(*closed.in_avals)
    staged = found[-1]
    staged.forward = program
    return staged


def analyse(tape: Any, inputs: Sequence[Any], results: Sequence[Any]) -> tuple[Staged, list[Any]]:
    """A recorded body as data, and the residuals that its forward program must return."""
    leaves, treedef = jax.tree.flatten(tape)
    swept = _swept(tape, leaves, treedef)
    read = _read_leaves(swept)
    origins, residuals, constants, unused = _originate(leaves, read, inputs, results)
    reached = tuple(slot is not None for slot in tape.outputs)
    fixed = (origins, constants, unused, treedef, reached, swept)
    return Staged(None, len(residuals), len(results), *fixed), residuals


def _swept(tape: Tape, leaves: list[Any], treedef: Any) -> Swept:
    """The sweep of a tape whose leaves are arguments, all cotangents given."""
    arriving = [compat.cotangent_type(aval) for aval in tape.output_types]
    traced = tuple(compat.is_tracer(leaf) for leaf in leaves)
    count = sum(traced)
    arrives: tuple[bool, ...] = ()

    def backward(*flat: Any) -> list[Any]:
        nonlocal arrives
        values = iter(flat[:count])
        whole = [next(values) if t else leaf for leaf, t in zip(leaves, traced, strict=True)]
        swept = sweep(jax.tree.unflatten(treedef, whole), flat[count:])
        arrives = tuple(value is not None for value in swept)
        return [value for value in swept if value is not None]

    types = [compat.typeof(leaf) for leaf, t in zip(leaves, traced, strict=True) if t]
    program = jax.make_jaxpr(backward)(*types, *arriving)
    return Swept(program, traced, arrives)


def _read_leaves(swept: Swept) -> list[bool]:
    """Which leaves of a tape its sweep reads when every output has a cotangent.

    Constants always are: a backward rule of a user's may branch on one, which no program shows.
    """
    used = iter(jaxprs.used_inputs(swept.program)[: sum(swept.traced)])
    return [next(used) if traced else True for traced in swept.traced]


def _originate(
    leaves: list[Any], read: Sequence[bool], inputs: Sequence[Any], results: Sequence[Any]
) -> tuple[tuple[Origin, ...], list[Any], tuple[Any, ...], tuple[Any, ...]]:
    """Where each leaf comes from, the values to save, the constants, and the types of the rest."""
    places = {id(value): Origin("output", i) for i, value in enumerate(results)}
    places |= {id(value): Origin("input", i) for i, value in enumerate(inputs)}
    residuals: list[Any] = []
    constants: list[Any] = []
    unused: list[Any] = []
    origins = []
    for leaf, wanted in zip(leaves, read, strict=True):
        if not wanted:
            origins.append(Origin("unused", len(unused)))
            unused.append(compat.typeof(leaf))
            continue
        if not compat.is_tracer(leaf):
            origins.append(Origin("constant", len(constants)))
            constants.append(leaf)
            continue
        if id(leaf) not in places:
            places[id(leaf)] = Origin("residual", len(residuals))
            residuals.append(leaf)
        origins.append(places[id(leaf)])
    return tuple(origins), residuals, tuple(constants), tuple(unused)


def keep(staged: Staged, inputs: Sequence[Any], results: Sequence[Any]) -> Kept:
    """Pick from the inputs and all results of the forward program what the backward one takes."""
    return Kept(tuple(staged.pick(staged.kept(), inputs, results)), compat.Opaque(staged))


def pull_body(kept: Kept, arriving: Sequence[Any]) -> list[Any]:
    """Run the backward program of a staged body: one cotangent or None for each input."""
    staged: Staged = kept.staged.value
    return run_backward(staged.programs, partial(_backward, staged), kept.values, arriving)


def _backward(staged: Staged, values: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
    found = dict(zip(staged.kept(), values, strict=True))
    return staged.pull(found.__getitem__, arriving)


def run_backward(
    programs: dict[Any, Any],
    backward: Callable[[Any, Sequence[Any]], list[Any]],
    values: Any,
    arriving: Sequence[Any],
) -> list[Any]:
    """Call `backward(values, arriving)` compiled, once for each set of outputs with a cotangent."""
    mask = tuple(cotangent is not None for cotangent in arriving)
    if mask not in programs:

        def masked(values: Any, given: Sequence[Any]) -> list[Any]:
            waiting = iter(given)
            return backward(values, [next(waiting) if there else None for there in mask])

        programs[mask] = jax.jit(masked)
    given = [cotangent for cotangent in arriving if cotangent is not None]
    return list(programs[mask](values, given))
