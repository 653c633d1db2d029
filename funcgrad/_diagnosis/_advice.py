"""What to do about it: a suggestion for each pattern of a non-finite number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from .. import _jaxcompat as compat
from . import _advice_texts as texts
from ._events import Event, finite


class Case(NamedTuple):
    """What a suggestion depends on."""

    event: Event
    kind: str  # "nan" or "inf"
    forward: bool
    cut: bool  # the cotangent is zero where the non-finite number appears
    cured: bool  # strong_zeros=True was seen to make every gradient finite


def suggest(case: Case) -> str:
    """The suggestion that fits the pattern."""
    special = _special(case)
    if case.cut:
        checked = " (tried: every gradient is finite then)" if case.cured else ""
        return f"{texts.WHERE}{checked}. Here: {special}"
    return special


def _special(case: Case) -> str:
    name = case.event.primitive
    if _narrow(case.event) and _overflows(case.event):
        return (  # the dtype is the cause more often than the function
            f"overflow in low precision ({_dtype(case.event)} ends at {_largest(case.event):.3g}): "
            "compute this part in float32, or "
            "use bfloat16, and scale the loss down"
        ) + (f". Here: {texts.EXP}" if name.startswith("exp") else "")
    if name in texts.FIXED:
        return texts.FIXED[name]
    return _RULES.get(name, _generic)(case)


def _dtype(event: Event) -> Any:
    return compat.typeof(event.outputs[0]).dtype


def _narrow(event: Event) -> bool:
    return bool(event.outputs) and compat.is_inexact(compat.typeof(event.outputs[0])) and (
        _dtype(event).itemsize <= 2
    )  # fmt: skip


def _largest(event: Event) -> float:
    limits: Any = jnp.finfo
    return float(limits(_dtype(event)).max)


def _overflows(event: Event) -> bool:
    """Whether large finite operands gave an infinity; a division by zero is another matter."""
    if event.primitive in {"log", "log1p", "div", "rsqrt", "pow", "integer_pow", "atanh"}:
        return False
    return all(map(finite, event.operands)) and not all(map(finite, event.outputs))


def _operand(case: Case, index: int = 0) -> Any:
    return jnp.asarray(case.event.operands[index])


def _called(case: Case, *names: str) -> bool:
    return any(name in call for call in case.event.calls for name in names)


# --- one function for each pattern ----------------------------------------------------------------


def _root(case: Case) -> str:
    x = _operand(case)
    if bool((jnp.real(x) < 0).any()):
        return (
            "sqrt of a negative number is NaN; clip the operand from below, as in "
            "`jnp.sqrt(jnp.maximum(x, eps))`, and see why it turns negative "
            "(rounding in a variance?)"
        )
    if _called(case, "norm"):
        return (
            "the norm has no gradient at 0 (sqrt has an infinite slope there). Use "
            "`optax.safe_norm(x, 1e-6)`, the squared norm `jnp.sum(x ** 2)`, or a double where "
            "around the zero vector"
        )
    if _called(case, "std", "var"):
        return (
            "the standard deviation of equal numbers is 0, where sqrt has an infinite slope: use "
            "`jnp.sqrt(jnp.var(x) + eps)`"
        )
    return (
        "sqrt at 0 has an infinite slope; a norm or a distance at zero meets it too. Add a small "
        "number inside, `jnp.sqrt(x + eps)`, or use a double where that replaces the 0 before sqrt "
        "(for a norm: `optax.safe_norm`)"
    )


def _logarithm(case: Case) -> str:
    x = _operand(case)
    if bool((jnp.real(x) < (-1 if case.event.primitive == "log1p" else 0)).any()):
        return (
            "log of a negative number is NaN; keep the operand positive, with "
            "`jnp.log(jnp.maximum(x, eps))` or a parametrisation by softplus or exp"
        )
    return (
        "log of 0 is -inf, with an infinite slope. If the operand is a probability, work with "
        "logits: `jax.nn.log_softmax`, `jax.nn.log_sigmoid`, `optax` losses on logits; for x log x "
        "use `jax.scipy.special.xlogy` or `entr`; else `jnp.log(jnp.maximum(x, eps))` or "
        "`jnp.log(x + eps)`"
    )


def _division(case: Case) -> str:
    if bool((_operand(case, 1) == 0).any()):
        return (
            "division by zero. Keep the denominator away from 0: `x / (y + eps)`, "
            "`x / jnp.maximum(y, eps)` (a mean over an empty mask: `jnp.maximum(count, 1)`; a "
            "vector over its norm: `optax.safe_norm`), or a double where that "
            "replaces the 0 in the denominator before the division"
        )
    if not finite(_operand(case, 1)) or not finite(_operand(case, 0)):
        return (
            "inf / inf: numerator and denominator overflow together; subtract the maximum first, "
            "as `jax.nn.softmax` and `jax.nn.logsumexp` do"
        )
    return (
        "the quotient (or 1 / y**2 in its gradient) overflows, since the denominator is close to "
        "zero: keep it away from 0 with `jnp.maximum(y, eps)` or divide in a higher precision"
    )


def _power(case: Case) -> str:
    base = _operand(case)
    if bool((jnp.real(base) < 0).any()):
        return (
            "a negative base with a fractional power is NaN, and its gradient by the exponent has "
            "log(base): use `jnp.abs(x) ** p`, or clip the base from below"
        )
    if bool((base == 0).any()):
        return (
            "power at 0: the slope p x**(p-1) is infinite for p < 1 (and log(0) enters the "
            "gradient by the exponent). Keep the base away from 0, `(x + eps) ** p`, replace 0 "
            "before the power with a double where, or make the exponent a static Python integer"
        )
    return "the power overflows: clip the base or the exponent, or work with its logarithm"


def _integer_power(case: Case) -> str:
    if bool((_operand(case) == 0).any()):
        return (
            "division by zero: a negative power at 0 is infinite. Keep the base away from 0, "
            "`(x + eps) ** -n`, or replace 0 before the power with a double where"
        )
    return "the power overflows: scale the values down, or work with their logarithm"


def _reciprocal_root(case: Case) -> str:
    if bool((_operand(case) < 0).any()):
        return _root(case)
    return (
        "rsqrt at 0 divides by zero (a variance or a squared norm of 0): add a small number "
        "inside, `jax.lax.rsqrt(x + eps)`, as normalisation layers do with their epsilon"
    )


def _product(case: Case) -> str:
    if any(not finite(value) for value in case.event.operands):
        return (
            "zero times infinity is NaN: the infinity is among the operands. Masks belong in "
            "jnp.where, not in a product, and the masked values must be finite"
        )
    return (
        "overflow: the product of large numbers is infinite. Scale inputs or weights down, clip, "
        "normalise, lower the learning rate, or work with logarithms"
    )


def _eigen(case: Case) -> str:
    return (
        f"`{case.event.primitive}` with equal eigenvalues (or singular values): its gradient "
        "divides by their differences. Break the tie with a small jitter on the diagonal, use only "
        "the eigenvalues (`eigvalsh`) or a function that is smooth there, or a custom rule that "
        "masks equal pairs"
    )


def _inverse_trigonometric(case: Case) -> str:
    name = case.event.primitive
    return (
        f"`{name}` has an infinite slope at the ends of its domain (and is NaN outside): clip the "
        "operand, `jnp.clip(x, -1 + eps, 1 - eps)`; an angle between vectors is safer by "
        "`jnp.arctan2(norm(cross), dot)`"
    )


def _sum(case: Case) -> str:
    if any(not finite(value) for value in case.event.operands):
        return texts.DIFFERENCE
    return (
        "overflow: the sum is beyond the largest number of its dtype. Use mean instead of sum, "
        "scale the values down, or sum in a wider dtype"
    )


def _cast(case: Case) -> str:
    return (
        f"overflow in low precision: the value does not fit into {_dtype(case.event)}. Keep this "
        "part in float32, or use bfloat16 and loss scaling"
    )


def _special_function(case: Case) -> str:
    return (
        f"`{case.event.primitive}` has a pole, or leaves its domain, at this operand: clip the "
        "operand to the open domain before it"
    )


def _generic(case: Case) -> str:
    if case.forward:
        return (
            f"`{case.event.primitive}` gives a non-finite number of finite operands: keep its "
            "operands inside the domain, or choose safe ones with jnp.where before it"
        )
    return (
        f"the slope of `{case.event.primitive}` is not finite at this operand: keep the operand "
        "away from there (clip it, add eps), or choose a safe one with jnp.where before it"
    )


_RULES: dict[str, Callable[[Case], str]] = {
    "sqrt": _root, "cbrt": _root, "rsqrt": _reciprocal_root, "log": _logarithm, "log1p":
    _logarithm, "div": _division, "rem": _division, "pow": _power, "integer_pow":
    _integer_power, "add": _sum, "reduce_sum": _sum, "cumsum": _sum, "add_any": _sum, "mul":
    _product, "square": _product, "dot_general": _product, "conv_general_dilated": _product,
    "reduce_prod": _product, "cumprod": _product, "eigh": _eigen, "eig": _eigen, "svd": _eigen,
    "schur": _eigen, "acos": _inverse_trigonometric, "asin": _inverse_trigonometric,
    "convert_element_type": _cast, "reduce_precision": _cast, "lgamma": _special_function,
    "digamma": _special_function, "erf_inv": _special_function, "igamma": _special_function,
    "polygamma": _special_function, "zeta": _special_function, "regularized_incomplete_beta":
    _special_function,
}  # fmt: skip
