"""Functions of one entry at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from ._rule import Array, NotHereError, Params, Rule, plain, shaped


def _div(x: Array, y: Array) -> Array:
    if np.asarray(x).dtype.kind in "iu":  # towards zero
        safe = np.where(y == 0, 1, y)
        return np.where(y == 0, -1, np.sign(x) * np.sign(safe) * (np.abs(x) // np.abs(safe)))
    return np.divide(x, y)


def _rsqrt(x: Array) -> Array:
    return 1 / np.sqrt(x)


def _sign(x: Array) -> Array:
    if np.asarray(x).dtype.kind != "c":
        return np.sign(x)
    return np.where(x == 0, 0, x / np.where(x == 0, 1, np.abs(x)))


def _round(params: Params, x: Array) -> Array:
    if getattr(params["rounding_method"], "name", "") == "AWAY_FROM_ZERO":
        return np.sign(x) * np.floor(np.abs(x) + 0.5)
    return np.round(x)


def _integer_pow(params: Params, x: Array) -> Array:
    y = params["y"]
    return np.power(x, y) if y >= 0 else 1 / np.power(x, -y)


def _pow(x: Array, y: Array) -> Array:
    return np.power(x, np.asarray(y, np.asarray(x).dtype))


def _select(which: Array, *cases: Array) -> Array:
    if np.asarray(which).dtype == bool:
        return np.where(which, cases[1], cases[0]) if len(cases) == 2 else cases[0]
    return np.choose(which, np.broadcast_arrays(*cases))


def _clamp(low: Array, x: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


def _convert(params: Params, x: Array) -> Array:
    dtype, value = params["new_dtype"], np.asarray(x)
    if value.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        value = value.real
    if value.dtype.kind == "f" and np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return np.clip(np.nan_to_num(value, posinf=limits.max), limits.min, limits.max)
    return value.astype(dtype)


def _bits(params: Params, x: Array) -> Array:
    dtype = np.dtype(params["new_dtype"])
    if dtype.itemsize != np.asarray(x).dtype.itemsize:
        raise NotHereError
    return np.asarray(x).view(dtype)


def _reduce_precision(params: Params, x: Array) -> Array:
    if np.asarray(x).dtype != np.float64 or params["exponent_bits"] < 11:
        raise NotHereError
    kept = 2.0 ** params["mantissa_bits"]
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(mantissa * 2 * kept) / (2 * kept), exponent)


def _polygamma(order: Array, x: Array) -> Array:
    sign = np.where(np.mod(order, 2) == 0, -1.0, 1.0)
    series = sign * special.gamma(order + 1.0) * special.zeta(order + 1.0, x)
    return np.where(order == 0, special.digamma(x), series)


def _shift(left: bool) -> Any:
    def shifted(x: Array, by: Array) -> Array:
        bits = np.asarray(x).dtype.itemsize * 8
        moved = np.left_shift(x, by) if left else np.right_shift(x, by)
        return np.where(np.asarray(by) >= bits, 0, moved)

    return shifted


def _right_logical(x: Array, by: Array) -> Array:
    unsigned = np.dtype(f"u{np.asarray(x).dtype.itemsize}")
    found = _shift(False)(np.asarray(x).view(unsigned), np.asarray(by).astype(unsigned))
    return np.asarray(found).view(np.asarray(x).dtype)


def _ordered(strict: bool) -> Any:
    """Whether one comes before another, where NaN comes after all."""

    def before(x: Array, y: Array) -> Array:
        plain = np.less(x, y) if strict else np.less_equal(x, y)
        last = np.isnan(y) & (~np.isnan(x) if strict else True)
        return plain | last

    return before


def _same(x: Array) -> Array:
    return x


# The functions of SciPy are other codes than XLA's, which are series of its own.
_SPECIAL: dict[str, Any] = {
    "erf": special.erf,
    "erfc": special.erfc,
    "erf_inv": special.erfinv,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "polygamma": _polygamma,
    "zeta": special.zeta,
    "logistic": special.expit,
    "bessel_i0e": special.i0e,
    "bessel_i1e": special.i1e,
    "igamma": special.gammainc,
    "igammac": special.gammaincc,
    "regularized_incomplete_beta": special.betainc,
}
_PLAIN: dict[str, Any] = {
    "neg": np.negative, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "exp": np.exp, "exp2": np.exp2,
    "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt, "cbrt": np.cbrt,
    "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "square": np.square, "real": np.real,
    "imag": np.imag, "conj": np.conj, "is_finite": np.isfinite, "not": np.invert,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "add": np.add,
    "sub": np.subtract, "mul": np.multiply, "rem": np.fmod, "max": np.maximum, "min": np.minimum,
    "atan2": np.arctan2, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal, "add_any": np.add,
    "div": _div, "rsqrt": _rsqrt, "sign": _sign, "pow": _pow, "select_n": _select, "clamp": _clamp,
    "complex": lambda x, y: x + 1j * np.asarray(y), "shift_left": _shift(True),
    "shift_right_arithmetic": _shift(False), "shift_right_logical": _right_logical,
    "lt_to": _ordered(True), "le_to": _ordered(False), "copy": _same,
    "copy_p": _same, "name": _same, "stop_gradient": _same,
}  # fmt: skip
RULES: Mapping[str, Rule] = {
    **{name: plain(function) for name, function in {**_PLAIN, **_SPECIAL}.items()},
    "round": shaped(_round),
    "integer_pow": shaped(_integer_pow),
    "convert_element_type": shaped(_convert),
    "bitcast_convert_type": shaped(_bits, widens=False),
    "reduce_precision": shaped(_reduce_precision, widens=False),
    "nextafter": plain(np.nextafter, widens=False),
}
