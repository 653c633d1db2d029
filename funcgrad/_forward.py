"""Forward mode from the rules of reverse mode: a tape and the tangents of its inputs to those of
its outputs.

The derivative of an elementwise primitive is a product with the same partial in either direction.
For the others, a rule is the transpose of the derivative, and linear: recorded on its own and
swept, it is transposed once more, which gives the derivative itself. Where the primitive is linear
in one operand, or in each of several, nothing needs to be transposed: it is applied to the tangent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from . import _jaxcompat as compat
from ._jaxcompat import primitives as p
from ._registry import lookup, pullback_params
from ._reverse import output_of, pull, ready, sweep, times_partial, type_of
from ._staging import Kept, Staged
from ._tape import Slot, Step, Tape
from ._trace import record
from ._trees import add_cotangents

MULTILINEAR = frozenset({p.dot_general_p, p.conv_general_dilated_p})


def can_push(tape: Tape) -> bool:
    """Whether `push` knows every step of a tape.

    It does not know loops, branches and users' backward rules: transposing those twice would work,
    but their reversal is costlier than what it would save.
    """
    return all(_is_known(step) for step in tape.steps)


def _is_known(step: Step) -> bool:
    if step.primitive is p.custom_jvp_call_p:
        return can_push(step.body.tape)
    if step.primitive is p.jit_p:
        return can_push(_staged_tape(step.body))
    rule = lookup(step.primitive)
    return rule is not None and rule.family != "structured"


def push(tape: Tape, tangents: Sequence[Any]) -> list[Any]:
    """Carry tangents from the inputs of a tape to its outputs.

    Args:
        tape: a recorded program of which `can_push` holds.
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


def push_steps(steps: Sequence[Step], known: dict[Slot, Any]) -> None:
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
    if step.primitive is p.custom_jvp_call_p:
        chosen = [entering[operand] for operand in step.body.inputs.value]
        return push(step.body.tape, chosen)
    if rule.family == "structured":
        return _through_body(step.body, entering)
    if rule.family == "elementwise":
        return [_by_partials(step, rule, entering)]
    if step.primitive in MULTILINEAR:
        return [_by_each_operand(step, entering)]
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


def _twice_transposed(step: Step, entering: Sequence[Any]) -> list[Any]:
    """The pullback is linear, so the point at which it is recorded does not matter."""
    zeros = [compat.zeros(compat.cotangent_type(type_of(output))) for output in step.outputs]
    chosen = [i for i, tangent in enumerate(entering) if tangent is not None]

    def transpose(*cotangents: Any) -> list[Any]:
        pulled = pull(step, cotangents)
        return [_zeros_of(step.operands[i]) if pulled[i] is None else pulled[i] for i in chosen]

    _, tape = record(transpose, zeros)
    return sweep(tape, [entering[i] for i in chosen])


def _zeros_of(kept: Any) -> Any:
    return compat.zeros(compat.cotangent_type(type_of(kept)))


# --- bodies ---------------------------------------------------------------------------------------


def _staged_tape(kept: Kept) -> Tape:
    """The tape of a staged body, with what it keeps in place."""
    staged: Staged = kept.staged.value
    return staged.tape(dict(zip(staged.kept(), kept.values, strict=True)).__getitem__)


def _through_body(kept: Kept, entering: Sequence[Any]) -> list[Any]:
    """Run the tangent program of a staged body, compiled once for each set of moving inputs."""
    staged: Staged = kept.staged.value
    mask = tuple(tangent is not None for tangent in entering)
    if ("tangents", mask) not in staged.programs:

        def moved(values: Any, given: Sequence[Any]) -> list[Any]:
            waiting = iter(given)
            tangents = [next(waiting) if there else None for there in mask]
            return push(_staged_tape(kept._replace(values=values)), tangents)

        staged.programs["tangents", mask] = jax.jit(moved)
    given = [tangent for tangent in entering if tangent is not None]
    return list(staged.programs["tangents", mask](kept.values, given))
