"""The reverse sweep: a tape and the cotangents of its outputs to the cotangents of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from . import _jaxcompat as compat
from ._errors import RuleError
from ._registry import Over, Quotient, Rule, lookup, pullback_params
from ._tape import Slot, Step, Tape
from ._trees import add_cotangents


def sweep(tape: Tape, cotangents: Sequence[Any]) -> list[Any]:
    """Carry cotangents from the outputs of a tape back to its inputs.

    Args:
        tape: a recorded program.
        cotangents: for each output a cotangent of its tangent type, or None for a zero.

    Returns:
        For each input its cotangent, or None where none arrives.
    """
    waiting: dict[Any, Any] = {}
    deliver(waiting, tape.outputs, cotangents)
    sweep_steps(tape.steps, waiting)
    return [None if slot is None else waiting.get(slot) for slot in tape.inputs]


def sweep_steps(steps: Sequence[Step], waiting: dict[Any, Any]) -> None:
    """Carry the cotangents that wait at slots back over some steps, the last step first."""
    for step in reversed(steps):
        # A cotangent is dropped as soon as it has been carried on: nothing waits at None.
        arriving = [waiting.pop(slot, None) for slot in step.writes]
        for cotangent in arriving:
            if cotangent is not None:
                deliver(waiting, step.reads, pull(step, arriving))
                break


def deliver(
    waiting: dict[Any, Any], slots: Sequence[Slot | None], cotangents: Sequence[Any]
) -> None:
    """Add cotangents to those that wait at their slots."""
    for slot, cotangent in zip(slots, cotangents, strict=True):
        if slot is not None and cotangent is not None:
            earlier = waiting.get(slot)
            waiting[slot] = cotangent if earlier is None else add_cotangents(earlier, cotangent)


def pull(step: Step, arriving: Sequence[Any]) -> Sequence[Any]:
    """The cotangents of one step's operands; None where none flows."""
    rule = lookup(step.primitive)
    assert rule is not None, f"the tape holds a step without a rule: {step.primitive}"
    if rule.family == "structured":
        (pullback,) = rule.pullbacks
        assert pullback is not None
        return list(pullback.function(step.body, step.needed, arriving))
    results = _FORMS[rule.family](rule, ready(step), _whole(step, arriving))
    for i, result in enumerate(results):
        if result is not None:
            results[i] = _fit(step, i, result)
    return results


def ready(step: Step) -> Step:
    """The step as rules take it: they ask operands for shapes and dtypes, which numbers lack."""
    for kept in step.operands:
        if isinstance(kept, _NUMBERS):
            return step._replace(operands=tuple(map(_as_array, step.operands)))
    return step


_NUMBERS = (int, float, complex)


def _as_array(kept: Any) -> Any:
    return compat.as_array(kept) if isinstance(kept, _NUMBERS) else kept


def _whole(step: Step, arriving: Sequence[Any]) -> Any:
    """The cotangent as a rule takes it: an array, or a tuple with zeros filled in."""
    if not step.primitive.multiple_results:
        return arriving[0]
    return tuple(
        compat.zeros(compat.cotangent_type(type_of(output))) if cotangent is None else cotangent
        for output, cotangent in zip(step.outputs, arriving, strict=True)
    )


def type_of(kept: Any) -> Any:
    """The abstract value of something that a step kept either as a value or as its type."""
    return kept if isinstance(kept, compat.Aval) else compat.typeof(kept)


def output_of(step: Step) -> Any:
    return step.outputs if step.primitive.multiple_results else step.outputs[0]


def _by_partial(rule: Rule, step: Step, cotangent: Any) -> list[Any]:
    results: list[Any] = []
    for i, slot in enumerate(step.reads):
        pullback = None if slot is None else rule.pullbacks[i]
        if pullback is None:
            results.append(None)
            continue
        params = pullback_params(pullback, step.params)
        partial = pullback.function(output_of(step), *step.operands, **params)
        if isinstance(partial, Quotient) and not step.strong_zeros:
            results.append(_times_quotient(cotangent, *partial))
            continue
        results.append(times_partial(cotangent, partial, step.strong_zeros, rule.bounded))
    return results


def _by_pullback(rule: Rule, step: Step, cotangent: Any) -> list[Any]:
    results: list[Any] = []
    for i, slot in enumerate(step.reads):
        pullback = None if slot is None else rule.pullbacks[i]
        if pullback is None:
            results.append(None)
            continue
        params = pullback_params(pullback, step.params)
        results.append(pullback.function(cotangent, output_of(step), *step.operands, **params))
    return results


def _jointly(rule: Rule, step: Step, cotangent: Any) -> list[Any]:
    (pullback,) = rule.pullbacks
    assert pullback is not None
    params = pullback_params(pullback, step.params)
    results = pullback.function(cotangent, output_of(step), *step.operands, **params)
    return [
        result if slot is not None else None
        for result, slot in zip(results, step.reads, strict=True)
    ]


_FORMS = {
    "elementwise": _by_partial,
    "linear": _by_pullback,
    "general": _by_pullback,
    "joint": _jointly,
}


def _is_narrow(dtype: Any) -> bool:
    """Whether numbers of a dtype end where products of usual ones lie: those of float16 do."""
    return bool(dtype.itemsize < 4 and dtype != jnp.bfloat16)


def _times_quotient(cotangent: Any, numerator: Any, denominator: Any) -> Any:
    """The product with a partial whose denominator may have been stretched.

    Then the sum is divided, and not each of its terms; unless these might overflow before.
    """
    stretched = denominator.shape != cotangent.shape and denominator.ndim in {0, cotangent.ndim}
    if not stretched or _is_narrow(cotangent.dtype):
        return lax.mul(cotangent, lax.div(numerator, denominator))
    return lax.div(_sum_to(lax.mul(cotangent, numerator), denominator.shape), denominator)


def times_partial(
    cotangent: Any, partial: Any, strong_zeros: bool = False, bounded: bool = False
) -> Any:
    """The product of a cotangent and an elementwise partial: the one place where it is formed."""
    if isinstance(partial, int):
        return cotangent if partial == 1 else lax.neg(cotangent)
    if isinstance(partial, Quotient):
        partial = lax.div(partial.numerator, partial.denominator)
    quotient = isinstance(partial, Over)
    divisor = partial.denominator if quotient else partial
    product = lax.div(cotangent, divisor) if quotient else lax.mul(cotangent, divisor)
    if not strong_zeros:
        return product
    zero = jnp.zeros((), product.dtype)
    vanishing = jnp.isinf(divisor) if quotient else divisor == 0
    guarded = jnp.where(vanishing, zero, product)
    # One selection after the other: a CPU takes half as long for them as for one with two causes.
    return guarded if bounded else jnp.where(cotangent == 0, zero, guarded)


def _fit(step: Step, operand: int, cotangent: Any) -> Any:
    """Give a cotangent the shape of its operand, and insist that its type is the operand's.

    Elementwise primitives stretch a scalar, or an axis of length 1, beside a longer operand; the
    cotangent of what was stretched is a sum.
    """
    kind = type_of(step.operands[operand])
    mine = compat.typeof(cotangent)
    if mine is kind or (mine.shape == kind.shape and mine.dtype == kind.dtype):
        return cotangent
    kind = compat.cotangent_type(kind)  # of another dtype, where the operand's is extended
    if cotangent.shape == kind.shape and cotangent.dtype == kind.dtype:
        return cotangent
    if kind.ndim in {0, cotangent.ndim}:
        cotangent = _sum_to(cotangent, kind.shape)
    if cotangent.shape != kind.shape or cotangent.dtype != kind.dtype:
        raise RuleError(
            f"the rule for `{step.primitive}` gave operand {operand} a cotangent of type "
            f"{compat.typeof(cotangent)}; a cotangent of {kind} was expected"
        )
    return cotangent


def _sum_to(value: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which `shape` was stretched; the value itself where it was not."""
    sizes = shape or (1,) * value.ndim
    axes = tuple(i for i, size in enumerate(sizes) if size == 1 and value.shape[i] != 1)
    if tuple(1 if i in axes else size for i, size in enumerate(value.shape)) != sizes:
        return value
    summed = compat.sum_over(value, axes) if axes else value
    return summed if summed.shape == shape else lax.reshape(summed, shape)
