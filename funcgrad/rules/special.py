"""Special functions. Formulas: NIST Digital Library of Mathematical Functions (DLMF)."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from .._jaxcompat import primitives as p
from .._registry import elementwise
from ._cases import binary, unary

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

# --- error functions (DLMF 7.2) -------------------------------------------------------------------

elementwise(p.erf_p, lambda _y, x: _TWO_OVER_ROOT_PI * lax.exp(-x * x), ignores=["accuracy"],
            cases=[unary(lax.erf, -2, 2)])  # fmt: skip
elementwise(p.erfc_p, lambda _y, x: -_TWO_OVER_ROOT_PI * lax.exp(-x * x), ignores=["accuracy"],
            cases=[unary(lax.erfc, -2, 2)])  # fmt: skip
elementwise(p.erf_inv_p, lambda y, _x: lax.exp(y * y) / _TWO_OVER_ROOT_PI, ignores=["accuracy"],
            cases=[unary(lax.erf_inv, -0.9, 0.9)])  # fmt: skip

# --- gamma and related functions (DLMF 5.2, 5.15) -------------------------------------------------

elementwise(p.lgamma_p, lambda _y, x: lax.digamma(x), ignores=["accuracy"],
            cases=[unary(lax.lgamma, 0.3, 6)])  # fmt: skip
elementwise(p.digamma_p, lambda _y, x: lax.polygamma(lax.full_like(x, 1), x), ignores=["accuracy"],
            cases=[unary(lax.digamma, 0.3, 6)])  # fmt: skip
# The order of a polygamma function, and the exponent of the Hurwitz zeta function (DLMF 25.11.17),
# have no derivative in closed form; JAX has none either.
elementwise(p.polygamma_p, None, lambda _y, m, x: lax.polygamma(m + 1, x),
            cases=[unary(lambda x: lax.polygamma(lax.full_like(x, 1), x), 0.5, 6)])  # fmt: skip
elementwise(p.zeta_p, None, lambda _y, s, q: -s * lax.zeta(s + 1, q),
            cases=[unary(lambda q: lax.zeta(lax.full_like(q, 2), q), 0.5, 6, order=0,
                         note="JAX has no derivative")])  # fmt: skip


def _gamma_density(a: Any, x: Any) -> Any:
    """x^(a - 1) e^(-x) / Gamma(a), by its logarithm so that no factor overflows (DLMF 8.8.13)."""
    return lax.exp((a - 1) * lax.log(x) - x - lax.lgamma(a))


elementwise(
    p.igamma_p,
    lambda _y, a, x: lax.igamma_grad_a(a, x),
    lambda _y, a, x: _gamma_density(a, x),
    cases=[binary(lax.igamma, (0.5, 5), (0.3, 6), order=1)],
)
elementwise(
    p.igammac_p,
    lambda _y, a, x: -lax.igamma_grad_a(a, x),
    lambda _y, a, x: -_gamma_density(a, x),
    cases=[binary(lax.igammac, (0.5, 5), (0.3, 6), order=1)],
)
# d/dx of d/da P(a, x) = d/da of the density; the second derivative by a has no closed form.
elementwise(
    p.igamma_grad_a_p,
    None,
    lambda _y, a, x: _gamma_density(a, x) * (lax.log(x) - lax.digamma(a)),
    cases=[unary(lambda x: lax.igamma_grad_a(lax.full_like(x, 1.5), x), 0.3, 6, order=0,
                 note="JAX has no derivative")],
)  # fmt: skip


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a - 1) (1 - x)^(b - 1) / B(a, b) (DLMF 8.17.20)."""
    norm = gammaln(a + b) - gammaln(a) - gammaln(b)
    return lax.exp((a - 1) * lax.log(x) + (b - 1) * lax.log1p(-x) + norm)


elementwise(
    # the parameters a and b have no derivative in closed form; JAX has none either
    p.regularized_incomplete_beta_p,
    None,
    None,
    lambda _y, a, b, x: _beta_density(a, b, x),
    cases=[unary(lambda x: lax.betainc(lax.full_like(x, 1.5), lax.full_like(x, 2.5), x), 0.1, 0.9)],
)

# --- modified Bessel functions scaled by exp(-|x|) (DLMF 10.29) -----------------------------------

elementwise(p.bessel_i0e_p, lambda y, x: lax.bessel_i1e(x) - lax.sign(x) * y,
            cases=[unary(lax.bessel_i0e, 0.2, 5), unary(lax.bessel_i0e, -5, -0.2)])  # fmt: skip


def _bessel_i1e_slope(y: Any, x: Any) -> Any:
    """i0e(x) - y (sign(x) + 1/x), whose limit at 0 is 1/2."""
    safe = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, 0.5, lax.bessel_i0e(x) - y * (lax.sign(x) + 1 / safe))


elementwise(p.bessel_i1e_p, _bessel_i1e_slope,
            cases=[unary(lax.bessel_i1e, 0.2, 5), unary(lax.bessel_i1e, -5, -0.2)])  # fmt: skip
