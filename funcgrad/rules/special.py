"""Special functions. Formulas: NIST Digital Library of Mathematical Functions (DLMF)."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from .._jaxcompat import primitives as p
from .._registry import elementwise
from ._bessel import bessel_gap
from ._cases import binary, unary
from ._gamma import (
    beta_density,
    gamma_density,
    log_less_digamma,
    polygamma_slope,
    trigamma,
    zeta_slope,
)

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

# --- error functions (DLMF 7.2) -------------------------------------------------------------------


def _error_density(x: Any) -> Any:
    """2 / sqrt(pi) e^(-x^2), the factor in the exponent: so no part of it underflows first."""
    return lax.exp(math.log(_TWO_OVER_ROOT_PI) - x * x)


elementwise(p.erf_p, lambda _y, x: _error_density(x), ignores=["accuracy"], bounded=True,
            cases=[unary(lax.erf, -2, 2)])  # fmt: skip
elementwise(p.erfc_p, lambda _y, x: -_error_density(x), ignores=["accuracy"], bounded=True,
            cases=[unary(lax.erfc, -2, 2)])  # fmt: skip
elementwise(p.erf_inv_p, lambda y, _x: lax.exp(y * y) / _TWO_OVER_ROOT_PI, ignores=["accuracy"],
            cases=[unary(lax.erf_inv, -0.9, 0.9)])  # fmt: skip

# --- gamma and related functions (DLMF 5.2, 5.15) -------------------------------------------------

elementwise(p.lgamma_p, lambda _y, x: lax.digamma(x), ignores=["accuracy"],
            cases=[unary(lax.lgamma, 0.3, 6)])  # fmt: skip
elementwise(p.digamma_p, lambda _y, x: trigamma(x), ignores=["accuracy"],
            cases=[unary(lax.digamma, 0.3, 6),
                   unary(lax.digamma, -1.8, -1.2, order=0,
                         note="JAX has the derivative without its reflection")])  # fmt: skip
# The order of a polygamma function, and the exponent of the Hurwitz zeta function (DLMF 25.11.17),
# have no derivative in closed form; JAX has none either.
elementwise(p.polygamma_p, None, lambda _y, m, x: polygamma_slope(m, x),
            cases=[unary(lambda x: lax.polygamma(lax.full_like(x, 1), x), 0.5, 6)])  # fmt: skip
elementwise(p.zeta_p, None, lambda _y, s, q: zeta_slope(s, q),
            cases=[unary(lambda q: lax.zeta(lax.full_like(q, 2), q), 0.5, 6, order=0,
                         note="JAX has no derivative")])  # fmt: skip
elementwise(
    p.igamma_p,
    lambda _y, a, x: lax.igamma_grad_a(a, x),
    lambda _y, a, x: gamma_density(a, x),
    cases=[binary(lax.igamma, (0.5, 5), (0.3, 6), order=1)],
)
elementwise(
    p.igammac_p,
    lambda _y, a, x: -lax.igamma_grad_a(a, x),
    lambda _y, a, x: -gamma_density(a, x),
    cases=[binary(lax.igammac, (0.5, 5), (0.3, 6), order=1)],
)
# d/dx of d/da P(a, x) = d/da of the density; the second derivative by a has no closed form.
elementwise(
    p.igamma_grad_a_p,
    None,
    lambda _y, a, x: gamma_density(a, x) * log_less_digamma(a, x),
    cases=[unary(lambda x: lax.igamma_grad_a(lax.full_like(x, 1.5), x), 0.3, 6, order=0,
                 note="JAX has no derivative")],
)  # fmt: skip
elementwise(
    # the parameters a and b have no derivative in closed form; JAX has none either
    p.regularized_incomplete_beta_p,
    None,
    None,
    lambda _y, a, b, x: beta_density(a, b, x),
    cases=[unary(lambda x: lax.betainc(lax.full_like(x, 1.5), lax.full_like(x, 2.5), x), 0.1, 0.9)],
)

# --- modified Bessel functions scaled by exp(-|x|) (DLMF 10.29) -----------------------------------


def _bessel_i0e_slope(y: Any, x: Any) -> Any:
    """i1e(x) - sign(x) i0e(x); where the two cancel, by their difference."""
    near = abs(x) < _NEAR
    apart = -lax.sign(x) * bessel_gap(abs(jnp.where(near, _NEAR, x)))
    return jnp.where(near, lax.bessel_i1e(x) - lax.sign(x) * y, apart)


_NEAR = 0.125

elementwise(p.bessel_i0e_p, _bessel_i0e_slope,
            cases=[unary(lax.bessel_i0e, 0.2, 5), unary(lax.bessel_i0e, -5, -0.2),
                   unary(lax.bessel_i0e, 15, 30)])  # fmt: skip


def _bessel_i1e_slope(y: Any, x: Any) -> Any:
    """i0e(x) - sign(x) i1e(x) - i1e(x) / x, whose last term is 1/2 - |x| / 2 near 0."""
    near = abs(x) < _NEAR
    tiny = abs(x) < 2.0 ** (4 - 8 * x.dtype.itemsize)
    ratio = jnp.where(tiny, 0.5 - 0.5 * lax.sign(x) * x, y / jnp.where(tiny, 1, x))
    gap = bessel_gap(abs(jnp.where(near, _NEAR, x)))
    return jnp.where(near, lax.bessel_i0e(x) - lax.sign(x) * y, gap) - ratio


elementwise(p.bessel_i1e_p, _bessel_i1e_slope,
            cases=[unary(lax.bessel_i1e, 0.2, 5), unary(lax.bessel_i1e, -5, -0.2),
                   unary(lax.bessel_i1e, 15, 30)])  # fmt: skip
