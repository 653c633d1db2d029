"""The tape: a recorded program as immutable data, with a printer and a check of its form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from . import _jaxcompat as compat
from ._errors import TapeError
from ._exact import distinction

Slot = int


class Step(NamedTuple):
    """One primitive that was applied to at least one value that requires a gradient.

    >>> import funcgrad
    >>> (step,) = funcgrad.tape(jax.lax.sin, 0.5)
    >>> step.primitive, step.reads, step.writes
    (sin, (0,), (1,))
    """

    primitive: Any
    params: Mapping[str, Any]
    reads: tuple[Slot | None, ...]  # the slot of each operand; None: nothing flows back to it
    writes: tuple[Slot | None, ...]  # the slot of each output; None: it carries no gradient
    operands: tuple[Any, ...]  # the value of each operand that the pullback reads, else its type
    outputs: tuple[Any, ...]  # likewise for the outputs
    body: Any = None  # what a structured rule keeps: a pytree
    source: Any = None  # where the user's code applied it
    strong_zeros: bool = False  # zero times non-finite is zero in its elementwise product

    @property
    def needed(self) -> tuple[bool, ...]:
        """Which operands take a cotangent."""
        return tuple(slot is not None for slot in self.reads)

    def __repr__(self) -> str:
        return f"<step {_line(self).strip()}>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tape:
    """A recorded program: its steps in the order of execution, and where values go in and out.

    A tape is a pytree whose leaves are the arrays that its pullbacks read. It can leave a `jit`,
    be stored, and be swept any number of times.

    Attributes:
        steps: the `Step` records.
        inputs: for each flat input its slot, or ``None`` where it carries no gradient.
        outputs: for each flat output its slot, or ``None`` where it does not depend on an input.
        input_types: the abstract value of each flat input.
        output_types: the abstract value of each flat output.

    >>> import funcgrad
    >>> tape = funcgrad.tape(lambda x: jax.lax.sin(x) * x, 0.5)
    >>> len(tape), [step.primitive.name for step in tape], tape.outputs
    (2, ['sin', 'mul'], (2,))
    """

    steps: tuple[Step, ...]
    inputs: tuple[Slot | None, ...]
    outputs: tuple[Slot | None, ...]
    input_types: tuple[Any, ...]
    output_types: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __repr__(self) -> str:
        return "\n".join(_lines(self))


# --- how it is recorded, and what calls of custom rules keep --------------------------------------


class Options(NamedTuple):
    """How a function is recorded.

    Attributes:
        custom_rules: "honour" runs a function's own custom_jvp or custom_vjp rule; "ignore"
            differentiates its body instead; "honour of vjp" does so for custom_jvp.
        checkpoints: how many states a compiled `while_loop` may hold to be reversed.
        strong_zeros: in the product of a cotangent and an elementwise partial, zero times
            non-finite is zero.
        keep_values: keep every operand and output, for people to look at, and not only those that
            a pullback reads.
    """

    custom_rules: str = "honour"
    keep_values: bool = False
    checkpoints: int = 64
    strong_zeros: bool = False

    def on_tangents(self) -> Options:
        """For the tangent map of a custom_jvp rule, which may call its own function: it is linear
        there, and runs as it is."""
        return self._replace(custom_rules="honour of vjp")


class CustomBackward(NamedTuple):
    """What a custom_vjp call keeps: its residuals, and how to call its backward rule."""

    residuals: tuple[Any, ...]
    call: compat.Opaque


class TangentMap(NamedTuple):
    """What a custom_jvp call keeps: the tape of its tangent map, a linear function."""

    tape: Tape
    inputs: compat.Opaque  # which operand each of the tape's inputs is the tangent of


# --- printing -------------------------------------------------------------------------------------


def _short(aval: Any) -> str:
    return str(aval.str_short(short_dtypes=True))


def _type_of(kept: Any) -> Any:
    return kept if isinstance(kept, compat.Aval) else compat.typeof(kept)


def _operand(slot: Slot | None, kept: Any) -> str:
    if slot is not None:
        return f"%{slot}"
    if not isinstance(kept, compat.Aval) and getattr(kept, "shape", ()) == ():
        value = compat.concrete(kept)
        if value is not None:
            return f"{value}"
    return _short(_type_of(kept))


def _target(slot: Slot | None, kept: Any) -> str:
    return f"{'_' if slot is None else f'%{slot}'}:{_short(_type_of(kept))}"


# How `jit` compiles a program, not what the program computes.
_COMPILING = frozenset({
    "in_shardings", "out_shardings", "in_layouts", "out_layouts", "donated_invars", "keep_unused",
    "inline", "compiler_options_kvs",
})  # fmt: skip


def _params(params: Mapping[str, Any]) -> str:
    shown = {
        name: value
        for name, value in params.items()
        if isinstance(value, (bool, int, float, str, tuple)) and len(str(value)) <= 40
        if name not in _COMPILING
    }
    return f"[{', '.join(f'{k}={v}' for k, v in shown.items())}]" if shown else ""


def _line(step: Step) -> str:
    left = ", ".join(_target(*pair) for pair in zip(step.writes, step.outputs, strict=True))
    right = " ".join(_operand(*pair) for pair in zip(step.reads, step.operands, strict=True))
    where = compat.source_line(step.source) if step.source is not None else None
    note = f"    # {where.rsplit('/', 1)[-1]}" if where else ""
    return f"  {left} = {step.primitive.name}{_params(step.params)} {right}{note}"


def _lines(tape: Tape) -> Iterator[str]:
    heads = [
        f"%{slot}:{_short(aval)}" if slot is not None else _short(aval)
        for slot, aval in zip(tape.inputs, tape.input_types, strict=True)
    ]
    yield f"tape({', '.join(heads)}):"
    yield from map(_line, tape.steps)
    ends = ["constant" if slot is None else f"%{slot}" for slot in tape.outputs]
    yield f"  return {', '.join(ends)}"


# --- form -----------------------------------------------------------------------------------------


def check_tape(tape: Tape) -> None:
    """Raise `TapeError` unless every slot is written exactly once and before it is read."""
    written = {slot for slot in tape.inputs if slot is not None}
    for number, step in enumerate(tape.steps):
        for slot in step.reads:
            if slot is not None and slot not in written:
                raise TapeError(
                    f"step {number} ({step.primitive.name}) reads slot %{slot}, which no input and "
                    "no earlier step wrote"
                )
        for slot in step.writes:
            if slot in written:
                raise TapeError(
                    f"step {number} ({step.primitive.name}) writes slot %{slot}, which was written "
                    "before; every slot is written once"
                )
        written.update(slot for slot in step.writes if slot is not None)
    missing = [slot for slot in tape.outputs if slot is not None and slot not in written]
    if missing:
        raise TapeError(f"the output reads slot %{missing[0]}, which nothing wrote")


# --- a tape as a pytree ---------------------------------------------------------------------------


class _Layout(NamedTuple):
    """All of a tape but its arrays. Compared and hashed by content, so that `jit` may cache."""

    steps: tuple[Step, ...]
    exact: tuple[Any, ...]  # what tells the parameters of each step from equal ones
    wiring: tuple[Any, ...]
    treedef: Any
    leaves: tuple[Any, ...]  # None stands for an array

    def __hash__(self) -> int:
        names = tuple((step.primitive.name, step.reads, step.writes) for step in self.steps)
        return hash((names, self.treedef, len(self.leaves)))

    def __repr__(self) -> str:
        return f"<layout of {len(self.steps)} steps>"


def _is_static(leaf: Any) -> bool:
    return isinstance(leaf, compat.Aval)


def _flatten_tape(tape: Tape) -> tuple[list[Any], _Layout]:
    held = [(step.operands, step.outputs, step.body) for step in tape.steps]
    leaves, treedef = jax.tree.flatten(held)
    bare = tuple(
        step._replace(operands=(), outputs=(), body=None, source=None) for step in tape.steps
    )
    exact = tuple(distinction(step.primitive, step.params) for step in tape.steps)
    wiring = (tape.inputs, tape.outputs, tape.input_types, tape.output_types)
    fixed = tuple(leaf if _is_static(leaf) else None for leaf in leaves)
    return [leaf for leaf in leaves if not _is_static(leaf)], _Layout(
        bare, exact, wiring, treedef, fixed
    )


def _unflatten_tape(layout: _Layout, arrays: Any) -> Tape:
    given = iter(arrays)
    leaves = [next(given) if fixed is None else fixed for fixed in layout.leaves]
    held = jax.tree.unflatten(layout.treedef, leaves)
    steps = tuple(
        step._replace(operands=operands, outputs=outputs, body=body)
        for step, (operands, outputs, body) in zip(layout.steps, held, strict=True)
    )
    inputs, outputs, input_types, output_types = layout.wiring
    return Tape(steps, inputs, outputs, input_types, output_types)


jax.tree_util.register_pytree_node(Tape, _flatten_tape, _unflatten_tape)
