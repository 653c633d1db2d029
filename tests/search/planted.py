"""Faults of every kind, planted in the engine's table of rules: a search has to find them.

Each is a function of no arguments by the name of the fault, as `setup` of `fuzz` takes it:
``setup="tests.search.planted:sin_sign"``. It replaces a rule in the process where it is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from funcgrad import _jaxcompat as compat
from funcgrad import _registry
from funcgrad import rules as _rules  # noqa: F401 -- fills the registry
from tests.rules.rule_faults import changed, with_functions

p = compat.primitives
Change = Callable[[Any], Any]


class Planting(NamedTuple):
    """A wrong rule.

    Attributes:
        kind: of fault.
        primitive: whose rule is replaced.
        operand: whose cotangent is wrong.
        change: what is done to the right cotangent, or
        function: what is called in its place, ``(cotangent, output, *operands, **params)``.
    """

    kind: str
    primitive: Any
    operand: int = 0
    change: Change | None = None
    function: Callable[..., Any] | None = None

    def __call__(self) -> None:
        """Plant it, for the rest of the process."""
        rule = _registry.rules()[self.primitive]
        if self.change is not None:
            wrong = changed(rule, self.operand, self.change)
        else:
            assert self.function is not None
            wrong = with_functions(rule, {self.operand: self.function})
        _registry._RULES[self.primitive] = wrong
        _registry.plan.cache_clear()


def _changed(kind: str, primitive: Any, change: Change, operand: int = 0) -> Planting:
    return Planting(kind, primitive, operand, change)


def _instead(kind: str, primitive: Any, function: Callable[..., Any], operand: int = 0) -> Planting:
    return Planting(kind, primitive, operand, None, function)


def _narrowed(ct: Any) -> Any:
    """Computed in half precision."""
    return lax.reduce_precision(ct, 8, 7)


def _first_along(ct: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """In the place of a sum over the axes that a broadcast added or stretched."""
    for axis in reversed([i for i in range(ct.ndim) if i not in axes]):
        ct = lax.index_in_dim(ct, 0, axis, keepdims=False)
    return lax.slice(ct, (0,) * len(shape), shape)


_SEEN: list[Any] = []


def _stale(ct: Any, y: Any, _a: Any, b: Any) -> Any:
    """The operand of the first call of that type in a trace, in the place of the present one."""
    trace = getattr(y, "_trace", None)
    if _SEEN[:1] != [trace]:
        _SEEN[:] = [trace]
    kept = [old for old in _SEEN[1:] if (old.shape, old.dtype) == (b.shape, b.dtype)]
    if trace is None or not kept:
        _SEEN.append(b)
    return ct * (kept or [b])[0]


def _end(_ct: Any) -> Any:
    """The process ends, as by an abort of the compiler."""
    os._exit(3)


SIGN, FACTOR, AXIS, OPERAND, STALE, SECOND, DTYPE, SUM, CONJUGATE, EDGE, DROPPED = (
    "sign", "factor", "axis", "operand", "stale residual", "second order only", "dtype",
    "missing reduction over a broadcast", "conjugate", "edge of the domain", "dropped",
)  # fmt: skip
FAULTS: dict[str, Planting] = {
    "sin_sign": _changed(SIGN, p.sin_p, lambda ct: -ct),
    "cos_sign": _changed(SIGN, p.cos_p, lambda ct: -ct),
    "neg_sign": _changed(SIGN, p.neg_p, lambda ct: -ct),
    "sub_sign": _changed(SIGN, p.sub_p, lambda ct: -ct, 1),
    "atan_sign": _changed(SIGN, p.atan_p, lambda ct: -ct),
    "square_factor": _changed(FACTOR, p.square_p, lambda ct: ct / 2),
    "tanh_factor": _changed(FACTOR, p.tanh_p, lambda ct: ct * 1.001),
    "exp_factor": _changed(FACTOR, p.exp_p, lambda ct: ct * 1.0001),
    "logistic_factor": _changed(FACTOR, p.logistic_p, lambda ct: ct * 0.999),
    "reduce_sum_factor": _changed(FACTOR, p.reduce_sum_p, lambda ct: ct * 2),
    "erf_factor": _changed(FACTOR, p.erf_p, lambda ct: ct / 2),
    "sqrt_factor": _changed(FACTOR, p.sqrt_p, lambda ct: ct * 2),
    "transpose_axis": _instead(
        AXIS, p.transpose_p,
        lambda ct, _y, x, *, permutation: lax.reshape(lax.transpose(ct, permutation), x.shape),
    ),
    "rev_axis": _changed(AXIS, p.rev_p, lambda ct: lax.rev(ct, tuple(range(ct.ndim)))),
    "reshape_axis": _changed(AXIS, p.reshape_p, jnp.flip),
    "cumsum_axis": _changed(AXIS, p.cumsum_p, jnp.flip),
    "dot_axis": _changed(AXIS, p.dot_general_p, jnp.flip),
    "slice_axis": _changed(AXIS, p.slice_p, lambda ct: jnp.roll(ct, 1)),
    "pad_axis": _changed(AXIS, p.pad_p, lambda ct: jnp.roll(ct, 1)),
    "mul_operand": _instead(OPERAND, p.mul_p, lambda ct, _y, a, _b: ct * a),
    "mul_second_operand": _instead(OPERAND, p.mul_p, lambda ct, _y, _a, b: ct * b, 1),
    "div_operand": _instead(OPERAND, p.div_p, lambda ct, y, a, _b: -ct * y / a, 1),
    "atan2_operand": _instead(
        OPERAND, p.atan2_p, lambda ct, _y, a, b: ct * a / (a * a + b * b)
    ),
    "dot_dropped": _changed(DROPPED, p.dot_general_p, jnp.zeros_like, 1),
    "concatenate_dropped": _changed(DROPPED, p.concatenate_p, jnp.zeros_like, 1),
    "select_dropped": _changed(DROPPED, p.select_n_p, jnp.zeros_like, 2),
    "gather_dropped": _changed(DROPPED, p.gather_p, lambda ct: ct * 0.5),
    "mul_stale": _instead(STALE, p.mul_p, _stale),
    "sin_second": _instead(
        SECOND, p.sin_p, lambda ct, _y, x: ct * lax.stop_gradient(lax.cos(x))
    ),
    "exp_second": _instead(SECOND, p.exp_p, lambda ct, y, _x: ct * lax.stop_gradient(y)),
    "mul_second": _instead(SECOND, p.mul_p, lambda ct, _y, _a, b: ct * lax.stop_gradient(b)),
    "square_second": _instead(
        SECOND, p.square_p, lambda ct, _y, x: 2 * ct * lax.stop_gradient(x)
    ),
    "sin_dtype": _changed(DTYPE, p.sin_p, _narrowed),
    "dot_dtype": _changed(DTYPE, p.dot_general_p, _narrowed),
    "broadcast_sum": _instead(
        SUM, p.broadcast_in_dim_p,
        lambda ct, _y, x, *, broadcast_dimensions: _first_along(
            ct, broadcast_dimensions, x.shape
        ),
    ),
    "conj_conjugate": _changed(CONJUGATE, p.conj_p, jnp.conj),
    "real_conjugate": _changed(CONJUGATE, p.imag_p, jnp.conj),
    "log1p_edge": _instead(
        EDGE, p.log1p_p, lambda ct, _y, x: jnp.where(x < 0.1, ct, ct / (1 + x))
    ),
    "tanh_edge": _instead(
        EDGE, p.tanh_p, lambda ct, y, _x: jnp.where(abs(y) > 0.8, 0 * ct, ct * (1 - y * y))
    ),
    "logistic_edge": _instead(
        EDGE, p.logistic_p, lambda ct, y, _x: jnp.where(y < 0.2, 0 * ct, ct * y * (1 - y))
    ),
}  # fmt: skip
abort = _changed("abort", p.cumsum_p, _end)  # not a wrong number: the search has to survive it


def __getattr__(name: str) -> Planting:
    try:
        return FAULTS[name]
    except KeyError:
        raise AttributeError(name) from None
