"""Elementwise primitives with kinks and ties, selection, and the parts of complex numbers.

At a tie of `max` and `min` the cotangent is shared in halves; at a limit of `clamp` it does not
pass; the slope of `abs` at 0 is 1. These are JAX's conventions, and each an element of the
subdifferential.

Complex convention, as JAX's: a real-valued loss moves by Re(sum(ct * dx)), so a holomorphic
function's pullback multiplies by its derivative without conjugation.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import elementwise, general, joint, linear
from .._reverse import type_of
from ._cases import at_least_single, binary, scalar_beside, several, unary

# The neighbour of a number moves with it; towards which side it lies does not matter.
general(
    p.nextafter_p, lambda ct, _y, _x, _towards: ct,
    lambda _ct, _y, _x, _towards: None,
    cases=[binary(lax.nextafter, (-2, 2), (3, 4), note="newer JAX: the older one has no rule")],
)  # fmt: skip

# --- kinks and ties -------------------------------------------------------------------------------


def _share(_y: Any, chosen: Any, other: Any) -> Any:
    """1 where the operand was chosen, a half where both were, else 0."""
    if not compat.is_plain(type_of(_y)):
        shares = jnp.where(chosen == other, 0.5, jnp.where(chosen > other, 1.0, 0.0))
        return shares.astype(_y.dtype)
    one, half, zero = (compat.filled(number, _y) for number in (1, 0.5, 0))
    tied = lax.select(lax.eq(chosen, other), half, zero)
    return lax.select(lax.gt(chosen, other), one, tied)


elementwise(
    p.max_p, _share, lambda _y, a, b: _share(_y, b, a), ignores=["accuracy"],
    cases=[
        binary(lax.max, (-3, 0), (0.1, 3)),
        scalar_beside(lax.max, (0.5, 3), (-3, 0)),
        unary(lambda x: lax.max(x, lax.full_like(x, 0)), 0.1, 2, kinks=(0.0,)),
    ],
)  # fmt: skip
elementwise(
    p.min_p, lambda _y, a, b: _share(_y, b, a), _share, ignores=["accuracy"],
    cases=[
        binary(lax.min, (-3, 0), (0.1, 3)),
        scalar_beside(lax.min, (0.5, 3), (-3, 0)),
        unary(lambda x: lax.min(x, lax.full_like(x, 0)), -2, -0.1, kinks=(0.0,)),
    ],
)  # fmt: skip


def _abs_pullback(ct: Any, _y: Any, x: Any) -> Any:
    """|x| moves by Re(conj(x) dx) / |x|; at 0 by dx if that is real, and not at all if complex."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return lax.convert_element_type(ct, x.dtype) * lax.conj(lax.sign(x))
    return lax.select(lax.ge(x, compat.filled(0, x)), ct, lax.neg(ct))


general(
    p.abs_p, _abs_pullback,
    cases=[unary(lax.abs, 0.3, 3, kinks=(0.0,), dtypes="fc"), unary(lax.abs, -3, -0.3)],
)  # fmt: skip


def _like(number: float, x: Any) -> Any:
    return jnp.asarray(number, x.dtype)


def _clamp_limit(ct: Any, outside: Any, limit: Any) -> Any:
    held = lax.select(jnp.broadcast_to(outside, ct.shape), ct, compat.filled(0, ct))
    return held if limit.shape == ct.shape else held.sum()


general(
    p.clamp_p,
    # min(max(x, low), high): where the limits cross, it is the upper one that holds
    lambda ct, _y, low, x, high: _clamp_limit(ct, (low > x) & (low < high), low),
    lambda ct, _y, low, x, high: lax.select((low < x) & (x < high), ct, compat.filled(0, ct)),
    lambda ct, _y, low, x, high: _clamp_limit(ct, (x > high) | (low > high), high),
    cases=[
        unary(lambda x: lax.clamp(_like(-1, x), x, _like(1, x)), -0.9, 0.9, kinks=(-1.0, 1.0)),
        unary(lambda x: lax.clamp(_like(-1, x), x, _like(1, x)), 1.1, 3, note="constant"),
        several(lambda a, x, b: lax.clamp(a - 3, 2 * x, b + 3), (2, 3), (2, 3), (2, 3), dtypes="f"),
        several(lambda a, x, b: lax.clamp(a - 3, 2 * x, b + 3), (), (2, 3), (), dtypes="f", order=0,
                note="JAX has no derivative by scalar limits"),
        several(lax.clamp, (2, 3), (2, 3), (2, 3), dtypes="f", order=0,
                note="JAX gives limits that cross no cotangent"),
    ],
)  # fmt: skip


def _select_pullback(ct: Any, _y: Any, which: Any, *_cases: Any) -> list[Any]:
    none = compat.filled(0, ct)
    if which.shape != ct.shape:
        which = lax.broadcast(which, ct.shape)
    if which.dtype == bool:
        return [None, lax.select(which, none, ct), lax.select(which, ct, none)]
    return [None, *(lax.select(which == i, ct, none) for i in range(len(_cases)))]


joint(
    p.select_n_p, _select_pullback,
    cases=[
        several(lambda a, b: lax.select(jnp.real(a) > 0, a, b), (2, 3), (2, 3)),
        several(lambda a, b: lax.select_n(jnp.array(True), a, b), (2, 3), (2, 3)),
        several(lambda a, b, c: lax.select_n(jnp.array([2, 0, 1]), a, b, c), (3,), (3,), (3,)),
    ],
)  # fmt: skip

# --- parts of complex numbers ---------------------------------------------------------------------


linear(
    p.real_p, lambda ct, _y, _x: lax.complex(ct, lax.full_like(ct, 0)),
    cases=[unary(lax.real, -2, 2, dtypes="c")],
)  # fmt: skip
linear(
    p.imag_p, lambda ct, _y, _x: lax.complex(lax.full_like(ct, 0), -ct),
    cases=[unary(lax.imag, -2, 2, dtypes="c")],
)  # fmt: skip
linear(
    p.complex_p, lambda ct, _y, _a, _b: lax.real(ct), lambda ct, _y, _a, _b: -lax.imag(ct),
    cases=[
        binary(lambda a, b: lax.complex(at_least_single(a), at_least_single(b)), (-2, 2), (-2, 2))
    ],
)  # fmt: skip


def _conj_transpose(ct: Any, _y: Any, _x: Any, *, input_dtype: Any) -> Any:
    return lax.conj(ct) if jnp.issubdtype(input_dtype, jnp.complexfloating) else lax.real(ct)


linear(
    p.conj_p, _conj_transpose,
    cases=[unary(lambda x: lax.conj(at_least_single(x)), -2, 2, dtypes="fc")],
)  # fmt: skip


def _sign_pullback(ct: Any, y: Any, x: Any) -> Any:
    """The phase x / |x| of a complex number turns with dx across it; a real sign is constant.

    With y = x / |x|, of dx only the part across y counts: dy = y i Im(conj(y) dx) / |x|, so that
    Re(ct dy) = Re(conj(y) i Im(ct y) dx) / |x|. At 0, where y = 0, that is 0.
    """
    if not jnp.issubdtype(x.dtype, jnp.complexfloating):
        return lax.full_like(x, 0)
    size = lax.abs(x)
    across = lax.imag(ct * y) / jnp.where(size == 0, 1, size)
    return lax.conj(y) * lax.complex(lax.full_like(across, 0), across)


general(
    p.sign_p, _sign_pullback,
    cases=[unary(lax.sign, 0.3, 3, dtypes="c", order=0, note="JAX takes the phase for constant"),
           unary(lax.sign, 0.3, 3, kinks=(0.0,), note="constant")],
)  # fmt: skip

# --- passing through ------------------------------------------------------------------------------

linear(p.copy_p, lambda ct, _y, _x: ct, cases=[unary(jnp.copy, -2, 2, dtypes="fc")])
linear(p.name_p, lambda ct, _y, _x: ct, ignores=["name"],
       cases=[unary(lambda x: checkpoint_name(x, "here"), -2, 2, dtypes="fc")])  # fmt: skip
linear(
    p.reduce_precision_p,
    lambda ct, _y, _x, *, exponent_bits, mantissa_bits: lax.reduce_precision(
        ct, exponent_bits, mantissa_bits
    ),
    cases=[
        unary(
            lambda x: lax.reduce_precision(x, 8, 7), -2, 2, order=1,
            note="no numbers: a staircase",
        )
    ],
)  # fmt: skip


def _convert_back(ct: Any, _y: Any, _x: Any) -> Any:
    """The cotangent in the operand's dtype; for a real operand a complex one's real part."""
    if jnp.issubdtype(ct.dtype, jnp.complexfloating) and not jnp.issubdtype(
        _x.dtype, jnp.complexfloating
    ):
        ct = lax.real(ct)
    return lax.convert_element_type(ct, _x.dtype)


linear(
    p.convert_element_type_p, _convert_back, ignores=["new_dtype", "weak_type", "sharding"],
    cases=[
        unary(lambda x: lax.convert_element_type(x, jnp.float32), -2, 2),
        unary(lambda x: lax.convert_element_type(x, jnp.bfloat16), -2, 2,
              note="no numbers: a staircase in wider dtypes"),
        unary(lambda x: lax.convert_element_type(x, jnp.complex64), -2, 2, dtypes="fc"),
    ],
)  # fmt: skip
