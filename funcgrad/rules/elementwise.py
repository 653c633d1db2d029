"""Elementwise primitives: for each operand the local partial derivative of the output.

Formulas: Abramowitz and Stegun, chapters 3 and 4, unless a comment says otherwise. Where the same
derivative can be written by the output or by the operand, the choice is the one that loses no
digits in the tails, and the cheaper one of those. What programs use most is written with `lax`: the
operators of JAX's arrays take two to four times as long to trace.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .._jaxcompat import primitives as p
from .._registry import Over, Quotient, elementwise, joint
from ._cases import binary, scalar_beside, several, shaped, unary

# --- arithmetic -----------------------------------------------------------------------------------

elementwise(p.neg_p, lambda _y, _x: -1, cases=[unary(lax.neg, -3, 3, dtypes="fc")])
elementwise(
    p.add_p, lambda _y, _a, _b: 1, lambda _y, _a, _b: 1,
    cases=[binary(lax.add, (-3, 3), (-3, 3), "fc"), scalar_beside(lax.add, (-3, 3), (-3, 3))],
)  # fmt: skip
elementwise(
    # the sum of cotangents that JAX's own reverse mode emits
    p.add_jaxvals_p, lambda _y, _a, _b: 1, lambda _y, _a, _b: 1,
    cases=[binary(p.add_jaxvals_p.bind, (-3, 3), (-3, 3), "fc")],
)  # fmt: skip
elementwise(
    p.sub_p, lambda _y, _a, _b: 1, lambda _y, _a, _b: -1,
    cases=[binary(lax.sub, (-3, 3), (-3, 3), "fc"), scalar_beside(lax.sub, (-3, 3), (-3, 3))],
)  # fmt: skip
elementwise(
    p.mul_p, lambda _y, _a, b: b, lambda _y, a, _b: a, ignores=["out_dtype"],
    cases=[binary(lax.mul, (-3, 3), (-3, 3), "fc"), scalar_beside(lax.mul, (-3, 3), (-3, 3))],
)  # fmt: skip
elementwise(
    p.div_p, lambda _y, _a, b: Over(b), lambda y, _a, b: Quotient(lax.neg(y), b),
    cases=[
        binary(lax.div, (-3, 3), (0.3, 3), "fc"),
        binary(lax.div, (-3, 3), (-3, -0.3), "fc"),
        scalar_beside(lax.div, (-3, 3), (0.3, 3)),
    ],
)  # fmt: skip
elementwise(
    # a - q b, where the whole number q is a constant between its jumps. Found by the output: the
    # rounded quotient of a and b may lie on the other side of a jump.
    p.rem_p, lambda _y, _a, _b: 1, lambda y, a, b: lax.round((y - a) / b),
    cases=[binary(lax.rem, (2.1, 2.8), (0.95, 1.04)), binary(lax.rem, (-2.8, -2.1), (0.95, 1.04)),
           scalar_beside(lax.rem, (2.1, 2.8), (0.95, 1.04))],
)  # fmt: skip
elementwise(p.square_p, lambda _y, x: lax.mul(_exact(2, x), x),
            cases=[unary(lax.square, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(
    p.integer_pow_p, lambda _out, x, *, y: _integer_power_slope(x, y),
    cases=[
        unary(lambda x: lax.integer_pow(x, 3), -3, 3, dtypes="fc"),
        unary(lambda x: lax.integer_pow(x, 1), -3, 3, dtypes="fc"),
        unary(lambda x: lax.integer_pow(x, 0), -3, 3, note="constant"),
        unary(lambda x: lax.integer_pow(x, -2), 0.3, 3, dtypes="fc"),
    ],
)  # fmt: skip
elementwise(
    p.pow_p, lambda _y, a, b: _power_by_base(a, b), lambda y, a, _b: _power_by_exponent(y, a),
    cases=[
        binary(lax.pow, (0.3, 3), (-2, 2), "fc"),
        scalar_beside(lax.pow, (0.3, 3), (-2, 2)),
        unary(lambda x: lax.pow(x, lax.full(jnp.shape(x), 3, jnp.int32)), -3, 3),
        unary(lambda x: lax.pow(x, lax.full_like(x, 2)), 0.3, 3, kinks=(0.0,)),
        unary(lambda x: lax.pow(x, lax.full_like(x, 1)), 0.3, 3, kinks=(0.0,)),
        unary(lambda x: lax.pow(x, lax.full_like(x, 0)), 0.3, 3,
              note="constant; at 0 JAX gives NaN"),
        unary(lambda x: lax.pow(x, lax.full(jnp.shape(x), 0, jnp.int32)), 0.3, 3,
              note="constant; at 0 JAX gives NaN"),
    ],
)  # fmt: skip
elementwise(p.sqrt_p, lambda y, _x: Over(lax.mul(_exact(2, y), y)), ignores=["accuracy"],
            cases=[unary(lax.sqrt, 0.1, 9, dtypes="fc")])  # fmt: skip
elementwise(p.rsqrt_p, lambda y, x: lax.div(lax.mul(_exact(-0.5, y), y), x), ignores=["accuracy"],
            cases=[unary(lax.rsqrt, 0.1, 9, dtypes="fc")])  # fmt: skip
elementwise(p.cbrt_p, lambda y, x: y / x * (1 / 3), ignores=["accuracy"],
            cases=[unary(lax.cbrt, 0.1, 9), unary(lax.cbrt, -9, -0.1)])  # fmt: skip
elementwise(p.one_minus_square_p, lambda _y, x: -2 * x,
            cases=[unary(p.one_minus_square_p.bind, -3, 3, dtypes="fc")])  # fmt: skip


def _polynomial_pullback(ct: Any, _y: Any, x: Any, *coefficients: Any) -> list[Any]:
    """Of a_0 + a_1 x + a_2 x^2 + ...: a_1 + 2 a_2 x + ... by x, and x^k by a_k."""
    slope = lax.polynomial(x, [k * a for k, a in enumerate(coefficients)][1:])
    return [ct * slope, *(ct * lax.integer_pow(x, k) for k in range(len(coefficients)))]


joint(
    p.polynomial_p, _polynomial_pullback, ignores=["unroll"],
    cases=[
        several(lambda x, a, b: lax.polynomial(x, [a, b]), (2, 3), (2, 3), (2, 3)),
        several(lambda x, a, b, c: lax.polynomial(x, [a, b, c, 2.0]), (3,), (), (3,), ()),
        shaped(lambda x: lax.polynomial(x, [0.5] * 12), (), (3,), (0, 2), domain=(-1, 1)),
    ],
)  # fmt: skip


def _one_minus_square(x: Any) -> Any:
    one = _exact(1, x)
    return lax.mul(lax.sub(one, x), lax.add(one, x))


def _exact(number: float, like: Any) -> Any:
    """A number in the dtype of `like`: JAX's operators cost four times as much to trace."""
    return np.asarray(number, like.dtype)


def _integer_power_slope(x: Any, exponent: int) -> Any:
    if exponent == 0:
        return lax.full_like(x, 0)
    return 1 if exponent == 1 else lax.mul(_exact(exponent, x), lax.integer_pow(x, exponent - 1))


def _power_by_base(base: Any, exponent: Any) -> Any:
    """b a^(b - 1), and 0 for b = 0 even where a = 0 makes the power infinite."""
    flat = exponent == 0
    safe = lax.select(*_same_shape(flat, lax.full_like(exponent, 1), exponent))
    slope = safe.astype(base.dtype) * lax.pow(base, safe - 1)
    return lax.select(*_same_shape(flat, lax.full_like(slope, 0), slope))


def _power_by_exponent(power: Any, base: Any) -> Any:
    """a^b ln a; at a = 0, where the power is 0 or 1, its limit 0."""
    safe = lax.select(base == 0, lax.full_like(base, 1), base)
    return power * lax.log(safe)


def _same_shape(condition: Any, *values: Any) -> tuple[Any, ...]:
    shape = values[-1].shape
    return (jnp.broadcast_to(condition, shape), *(jnp.broadcast_to(v, shape) for v in values))


# --- exponentials and logarithms ------------------------------------------------------------------

elementwise(p.exp_p, lambda y, _x: y, ignores=["accuracy"],
            cases=[unary(lax.exp, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(p.exp2_p, lambda y, _x: y * _LN2, ignores=["accuracy"],
            cases=[unary(lax.exp2, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(p.expm1_p, lambda _y, x: lax.exp(x), ignores=["accuracy"],
            cases=[unary(lax.expm1, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(p.log_p, lambda _y, x: Over(x), ignores=["accuracy"],
            cases=[unary(lax.log, 0.1, 9, dtypes="fc")])  # fmt: skip
elementwise(p.log2_p, lambda _y, x: (1 / _LN2) / x, ignores=["accuracy"],
            cases=[unary(jnp.log2, 0.1, 9)])  # fmt: skip
elementwise(p.log1p_p, lambda _y, x: Over(lax.add(x, _exact(1, x))), ignores=["accuracy"],
            cases=[unary(lax.log1p, -0.8, 9, dtypes="fc")])  # fmt: skip
# s(x) (1 - s(x)) with 1 - s(x) = s(-x), which keeps its digits for large x
elementwise(p.logistic_p, lambda y, x: lax.mul(y, lax.logistic(lax.neg(x))),
            ignores=["accuracy"], bounded=True,
            cases=[unary(lax.logistic, -5, 5, dtypes="fc")])  # fmt: skip

_LN2 = 0.6931471805599453

# --- trigonometric and hyperbolic functions -------------------------------------------------------

elementwise(p.sin_p, lambda _y, x: lax.cos(x), ignores=["accuracy"], bounded=True,
            cases=[unary(lax.sin, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(p.cos_p, lambda _y, x: lax.neg(lax.sin(x)), ignores=["accuracy"], bounded=True,
            cases=[unary(lax.cos, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(p.tan_p, lambda y, _x: 1 + y * y, ignores=["accuracy"],
            cases=[unary(lax.tan, -1.2, 1.2, dtypes="fc")])  # fmt: skip
# (1 - y)(1 + y) and not 1 - y^2, whose square loses digits near saturation. By the output, though
# the far tail then rounds to 0 (for |x| > 9 in float32): reading the operand costs a second
# exponential for every entry of every hidden layer.
elementwise(p.tanh_p, lambda y, _x: _one_minus_square(y), ignores=["accuracy"], bounded=True,
            cases=[unary(lax.tanh, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(p.sinh_p, lambda _y, x: lax.cosh(x), ignores=["accuracy"],
            cases=[unary(lax.sinh, -3, 3, dtypes="fc")])  # fmt: skip
elementwise(p.cosh_p, lambda _y, x: lax.sinh(x), ignores=["accuracy"],
            cases=[unary(lax.cosh, -3, 3, dtypes="fc")])  # fmt: skip
# (1 - x)(1 + x) and not 1 - x^2: near the ends of the domain the square loses half the digits
elementwise(p.asin_p, lambda _y, x: lax.rsqrt((1 - x) * (1 + x)), ignores=["accuracy"],
            cases=[unary(lax.asin, -0.8, 0.8, dtypes="fc")])  # fmt: skip
elementwise(p.acos_p, lambda _y, x: -lax.rsqrt((1 - x) * (1 + x)), ignores=["accuracy"],
            cases=[unary(lax.acos, -0.8, 0.8, dtypes="fc")])  # fmt: skip
elementwise(p.atan_p, lambda _y, x: Over(1 + x * x), ignores=["accuracy"], bounded=True,
            cases=[unary(lax.atan, -3, 3, dtypes="fc")])  # fmt: skip


def _over_square_norm(x: Any, other: Any) -> Any:
    """x / (x^2 + other^2) by the ratio of the two: the squares may overflow or underflow."""
    larger = abs(x) >= abs(other)
    size = jnp.where(larger, x, other)
    ratio = jnp.where(larger, other, x) / size
    return jnp.where(larger, 1, ratio) / size / (1 + ratio * ratio)


elementwise(
    p.atan2_p,
    lambda _y, a, b: _over_square_norm(b, a),
    lambda _y, a, b: -_over_square_norm(a, b),
    cases=[binary(lax.atan2, (-3, 3), (0.3, 3)), binary(lax.atan2, (0.3, 3), (-3, 3))],
)


def _asinh_slope(x: Any) -> Any:
    """1 / sqrt(x^2 + 1); of real numbers whose square could overflow 1 / |x|, to all digits."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return lax.rsqrt(x * x + 1)
    far = abs(x) > 2.0 ** (7 * x.dtype.itemsize // 2)
    return jnp.where(far, 1 / abs(jnp.where(far, x, 1)), lax.rsqrt(x * x + 1))


elementwise(p.asinh_p, lambda _y, x: _asinh_slope(x), ignores=["accuracy"],
            cases=[unary(lax.asinh, -3, 3, dtypes="fc")])  # fmt: skip
# two roots and not the root of the product: the branch of a complex root is right only so
elementwise(p.acosh_p, lambda _y, x: lax.rsqrt(x - 1) * lax.rsqrt(x + 1), ignores=["accuracy"],
            cases=[unary(lax.acosh, 1.2, 5, dtypes="fc")])  # fmt: skip
elementwise(p.atanh_p, lambda _y, x: Over((1 - x) * (1 + x)), ignores=["accuracy"],
            cases=[unary(lax.atanh, -0.8, 0.8, dtypes="fc")])  # fmt: skip
