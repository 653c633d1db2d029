"""Why a gradient becomes zero at an operation."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any, NamedTuple

import jax.numpy as jnp

from .. import _jaxcompat as compat
from .._reverse import pull
from . import _zero_advice as advice
from ._events import Event, Key
from ._flow import Back, Flow, vanishes
from ._layers import chain, steady

# An operation whose partial is zero on a whole region: being there is a dead end for training.
FLAT = frozenset({
    "max", "min", "clamp", "select_n", "sign", "tanh", "logistic", "erf", "erfc", "exp", "exp2",
    "expm1", "atan", "reduce_max", "reduce_min", "convert_element_type", "floor", "ceil", "round",
    "rem", "rsqrt", "log1p", "custom_jvp_call", "custom_vjp_call", "gt", "lt", "ge", "le", "eq",
    "ne", "and", "or", "not", "argmax", "argmin", "argsort", "is_finite", "reduce_and",
    "reduce_or", "erf_inv", "igamma", "igammac", "lt_to", "le_to",
})  # fmt: skip
# Multiplied by what they read beside the operand: that factor, not the operation, is at fault.
PRODUCTS = frozenset({"mul", "dot_general", "conv_general_dilated", "div"})
OWN_FACTOR = frozenset({"integer_pow", "square", "pow", "sin", "cos", "cosh", "abs"})
POWERS = frozenset({"integer_pow", "square"})
EXPONENTIALS = frozenset({"exp", "exp2", "expm1"})  # flat below only
MASK = -1e8  # nothing but a mask is so far below
# Hand entries on or leave them out: what is left out is no fault of theirs.
MOVING = frozenset({
    "concatenate", "pad", "slice", "dynamic_slice", "dynamic_update_slice", "gather", "scatter",
    "scatter-add", "rev", "sort", "copy",
})  # fmt: skip
# What a custom rule's own function is known by: relu is a max.
KINKED = frozenset({"max", "min", "clamp", "tanh", "logistic", "erf", "exp", "sign", "select_n"})


class Place(NamedTuple):
    """Where a gradient becomes zero, and why."""

    event: Event
    why: str  # a key of `_zero_advice`
    kind: str = "zero"
    benign: bool = False


def classify(flow: Flow, event: Event, back: Back, key: Key, start: Key, alive: Set[Key]) -> Place:
    """Why the cotangent that arrives at an operation becomes zero at an operand."""
    if event.step is None:
        return Place(event, "flat")
    if not all(map(vanishes, _handed(event, key, [_probe(ct) for ct in back.arriving]))):
        return _small(flow, event, back, key)
    return _structural(flow, event, back, key, start, alive)


def _handed(event: Event, key: Key, arriving: Sequence[Any]) -> list[Any]:
    """What an operation hands on to a value, of some cotangents."""
    assert event.step is not None
    delivered = pull(event.step, arriving)
    return [ct for read, ct in zip(event.reads, delivered, strict=True) if read == key]


def _small(flow: Flow, event: Event, back: Back, key: Key) -> Place:
    """What another cotangent would pass: an underflow, or contributions that cancel."""
    handed = [ct for r, ct in zip(event.reads, back.delivered, strict=True) if r == key]
    raised = _handed(event, key, _raised(back.arriving))
    if not all(map(vanishes, handed)) or all(map(vanishes, raised)):
        return Place(event, "cancelled", benign=True)
    lengths = [steady(chain(flow, written), "vanishing") for written in event.writes]
    if max(lengths, default=0.0) > 0:  # in many steps
        return Place(event, "underflow", "vanishing")
    return Place(event, "too small")


def _raised(arriving: Sequence[Any]) -> list[Any]:
    """Cotangents of about one: times a power of two, by which a cancellation stays exact."""
    sizes = [float(jnp.abs(ct).max()) for ct in arriving if not vanishes(ct)]
    power = -math.floor(math.log2(max([*sizes, 1e-300])))
    half = power // 2  # the whole factor may be beyond the range of the dtype
    return [ct if vanishes(ct) else ct * 2.0**half * 2.0 ** (power - half) for ct in arriving]


def _structural(
    flow: Flow, event: Event, back: Back, key: Key, start: Key, alive: Set[Key]
) -> Place:
    """Why the partial of an operation is zero, whatever the cotangent."""
    if event.primitive in MOVING:
        return Place(event, "left out", benign=True)
    if event.inner is not None:
        return Place(_rule_primal(event), "flat")
    if event.primitive in PRODUCTS:
        others = [k for k in event.reads if k != key] or [key]
        factor = event.reads[0] if event.primitive == "div" else others[0]
        return _factor(flow, event, factor, start, alive)
    if event.primitive in OWN_FACTOR:
        return _own_factor(flow, event, start, alive)
    return _flat(event, back)


def _own_factor(flow: Flow, event: Event, start: Key, alive: Set[Key]) -> Place:
    if event.primitive in POWERS and _nowhere_zero(event.operands[0]):
        return Place(event, "too small")  # the partial, n x**(n-1), is below the dtype's range
    return _factor(flow, event, event.reads[0], start, alive)


def _flat(event: Event, back: Back) -> Place:
    if event.primitive not in advice.SATURATING:
        return Place(event, "flat")
    if event.primitive in EXPONENTIALS:
        return Place(event, "low", benign=_masked(event, back))
    return Place(event, "saturated")


def _masked(event: Event, back: Back) -> bool:
    """Whether exp meets the entries that a mask has left out, beside some that it has not."""
    operand, ct = event.operands[0], back.arriving[0]
    limits: Any = jnp.finfo
    hidden = operand <= max(MASK, float(limits(operand.dtype).min) / 2)
    return not bool(((ct != 0) & ~hidden).any()) and not bool(hidden.all())


def _nowhere_zero(value: Any) -> bool:
    return bool((jnp.asarray(value) != 0).all())


def _probe(cotangent: Any) -> Any:
    """Another cotangent with the same zeros: what is zero for it too is zero by structure."""
    if cotangent is None or compat.is_float0(cotangent):
        return cotangent
    weights = 1 + 0.5 * jnp.cos(1.0 + 2.4 * jnp.arange(cotangent.size)).reshape(cotangent.shape)
    return jnp.where(cotangent != 0, weights, 0).astype(cotangent.dtype)


def _rule_primal(event: Event) -> Event:
    """What a custom rule's function does itself, rather than the rule's arithmetic."""
    if event.inner is None:
        return event
    plain = [e for e in event.inner.events if e.step is None and e.primitive in KINKED]
    return plain[0] if plain else event


def _factor(flow: Flow, event: Event, factor: Key, start: Key, alive: Set[Key]) -> Place:
    """Why the other factor of a product is zero."""
    key = factor
    while key in flow.writer:
        maker = flow.event(flow.writer[key])
        if not all(_all_zero(value) for value in maker.outputs):
            return Place(event, "product", benign=True)
        zeros = [i for i, value in enumerate(maker.operands) if _all_zero(value)]
        passing = maker.primitive not in FLAT or maker.primitive == "convert_element_type"
        if not (passing and zeros):
            return Place(_rule_primal(maker), "factor", benign=maker.primitive not in FLAT)
        key = next((maker.reads[i] for i in zeros if maker.reads[i] is not None), None)
    if key is None or key not in flow.watched.inputs:
        return Place(event, "constant", benign=event.primitive != "mul")
    started = key == start or key in alive or not _floating_key(key)
    return Place(event, "start" if started else "both zero", benign=started)


def _floating_key(key: Key) -> bool:
    return key is not None and key[0] == "slot"


def _all_zero(value: Any) -> bool:
    kind = compat.typeof(value).dtype
    if not (jnp.issubdtype(kind, jnp.number) or jnp.issubdtype(kind, jnp.bool_)):
        return False
    return not bool((jnp.asarray(value) != 0).any())
