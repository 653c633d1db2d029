"""Forward mode from the rules of reverse mode: recorded steps and the tangents of what they read to
those of what they write.

The derivative of an elementwise primitive is a product with the same partial in either direction.
For the others, a rule is the transpose of the derivative, and linear: recorded on its own and
swept, it is transposed once more, which gives the derivative itself. Where the primitive is linear
in one operand, in each of several, or in all of them together, nothing needs to be transposed: it
is applied to the tangents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from . import _jaxcompat as compat
from ._jaxcompat import primitives as p
from ._registry import lookup, pullback_params
from ._reverse import output_of, pull, ready, sweep, times_partial, type_of
from ._tape import Slot, Step, Tape
from ._trace import record
from ._trees import add_cotangents

MULTILINEAR = frozenset({p.dot_general_p, p.conv_general_dilated_p})
# Linear in all operands of inexact dtype together; the others say where an entry goes.
LINEAR = frozenset({
    p.concatenate_p, p.stack_p, p.split_p, p.unstack_p, p.pad_p, p.select_n_p, p.dynamic_slice_p,
    p.dynamic_update_slice_p,
})  # fmt: skip


def push(tape: Tape, tangents: Sequence[Any]) -> list[Any]:
    """Carry tangents from the inputs of a tape to its outputs.

    Args:
        tape: a recorded program.
        tangents: for each input a tangent of its type, or None for a zero.

    Returns:
        For each output its tangent, or None where none arrives.
    """
    known = entering(tape, tangents)
    push_steps(tape.steps, known)
    return [None if slot is None else known.get(slot) for slot in tape.outputs]


def entering(tape: Tape, tangents: Sequence[Any]) -> dict[Slot, Any]:
    """The tangents that enter a tape, by their slots."""
    return {
        slot: tangent
        for slot, tangent in zip(tape.inputs, tangents, strict=True)
        if slot is not None and tangent is not None
    }


def push_steps(
    steps: Sequence[Step], known: dict[Slot, Any], _leaving: Sequence[Slot | None] | None = None
) -> None:
    """Add the tangents of what some steps write to those that are known."""
    for step in steps:
        arriving = [None if slot is None else known.get(slot) for slot in step.reads]
        if any(tangent is not None for tangent in arriving):
            for slot, tangent in zip(step.writes, _step_tangents(step, arriving), strict=True):
                if slot is not None and tangent is not None:
                    known[slot] = tangent


def _step_tangents(step: Step, entering: Sequence[Any]) -> Sequence[Any]:
    """The tangents of one step's outputs from those of its operands."""
    rule = lookup(step.primitive)
    assert rule is not None, f"the tape holds a step without a rule: {step.primitive}"
    if rule.family == "elementwise":
        return [_by_partials(step, rule, entering)]
    if step.primitive in MULTILINEAR:
        return [_by_each_operand(step, entering)]
    if step.primitive in LINEAR and _places_are_kept(step):
        return _by_all_operands(step, entering)
    if rule.family == "linear" and len(entering) == 1 and not step.primitive.multiple_results:
        return [step.primitive.bind(entering[0], **step.params)]
    return _twice_transposed(step, entering)


def _by_partials(step: Step, rule: Any, entering: Sequence[Any]) -> Any:
    whole = ready(step)
    kind = type_of(step.outputs[0])
    total = None
    for pullback, tangent in zip(rule.pullbacks, entering, strict=False):
        if tangent is None:
            continue
        params = pullback_params(pullback, step.params)
        partial = pullback.function(output_of(whole), *whole.operands, **params)
        wide = tangent if tangent.shape == kind.shape else jnp.broadcast_to(tangent, kind.shape)
        product = times_partial(wide, partial, step.strong_zeros, rule.bounded)
        total = _plus(total, product)
    return total


def _by_each_operand(step: Step, entering: Sequence[Any]) -> Any:
    """A primitive that is linear in each operand: the product rule."""
    total = None
    for i, tangent in enumerate(entering):
        if tangent is not None:
            operands = [tangent if i == j else kept for j, kept in enumerate(step.operands)]
            total = _plus(total, step.primitive.bind(*operands, **step.params))
    return total


def _plus(total: Any, new: Any) -> Any:
    return new if total is None else add_cotangents(total, new)


def _places_are_kept(step: Step) -> bool:
    return not any(
        isinstance(kept, compat.Aval) and not compat.is_inexact(kept) for kept in step.operands
    )


def _by_all_operands(step: Step, entering: Sequence[Any]) -> Sequence[Any]:
    operands = [
        tangent
        if tangent is not None
        else (_zeros_of(kept) if compat.is_inexact(type_of(kept)) else kept)
        for tangent, kept in zip(entering, step.operands, strict=True)
    ]
    results = step.primitive.bind(*operands, **step.params)
    return list(results) if step.primitive.multiple_results else [results]


def _twice_transposed(step: Step, entering: Sequence[Any]) -> list[Any]:
    """The pullback is linear, so the point at which it is recorded does not matter."""
    types = [compat.cotangent_type(type_of(output)) for output in step.outputs]
    carrying = [i for i, aval in enumerate(types) if compat.is_inexact(aval)]
    chosen = [i for i, tangent in enumerate(entering) if tangent is not None]

    def transpose(*cotangents: Any) -> list[Any]:
        arriving: list[Any] = [None] * len(types)
        for i, cotangent in zip(carrying, cotangents, strict=True):
            arriving[i] = cotangent
        pulled = pull(step, arriving)
        return [_zeros_of(step.operands[i]) if pulled[i] is None else pulled[i] for i in chosen]

    _, tape = record(transpose, [compat.zeros(types[i]) for i in carrying])
    found = dict(zip(carrying, sweep(tape, [entering[i] for i in chosen]), strict=True))
    return [found.get(i) for i in range(len(types))]


def _zeros_of(kept: Any) -> Any:
    return compat.zeros(compat.cotangent_type(type_of(kept)))
