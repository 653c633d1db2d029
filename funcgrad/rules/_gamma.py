"""Relatives of the gamma function that keep their digits: far from 0, left of 0, near modes.

Formulas: NIST Digital Library of Mathematical Functions (DLMF), chapters 5, 8 and 25. The
densities are grouped by the saddle point as in C. Loader, "Fast and accurate computation of
binomial probabilities" (2000): in the plain form logarithms of the size of the parameters cancel.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

# --- zeta and polygamma functions -----------------------------------------------------------------

# From here on three terms of the Euler-Maclaurin formula are exact to 64 bits.
_FAR = 1e4


def _zeta_far(s: Any, q: Any) -> Any:
    """(s - 1) zeta(s, q) for large q (DLMF 25.11.43), where JAX's underflows too early."""
    return lax.pow(q, 1 - s) * (1 + (s - 1) / (2 * q) * (1 + s / (6 * q)))


def zeta_slope(s: Any, q: Any) -> Any:
    """d/dq of the Hurwitz zeta function: -s zeta(s + 1, q) (DLMF 25.11.17)."""
    far = q > _FAR
    nearby = s * lax.zeta(s + 1, jnp.where(far, 1, q))
    return -jnp.where(far, _zeta_far(s + 1, jnp.where(far, q, _FAR)), nearby)


def polygamma_slope(m: Any, x: Any) -> Any:
    """The polygamma function of order m + 1 (DLMF 5.15.1: by the zeta function)."""
    far = x > _FAR
    sign = 1 - 2 * lax.rem(m, lax.full_like(m, 2))
    distant = sign * lax.exp(lax.lgamma(m + 1)) * _zeta_far(m + 2, jnp.where(far, x, _FAR))
    return jnp.where(far, distant, lax.polygamma(m + 1, jnp.where(far, 1, x)))


def trigamma(x: Any) -> Any:
    """The derivative of digamma; left of 0 by reflection (DLMF 5.15.6)."""
    left = x < 0
    right = -zeta_slope(lax.full_like(x, 1), jnp.where(left, 1 - x, x))
    # the sine of pi times the distance to the nearest whole number, which is exact
    sine = lax.sin(math.pi * jnp.where(left, x - lax.round(x), 0.5))
    return jnp.where(left, (math.pi / sine) ** 2 - right, right)


# --- densities ------------------------------------------------------------------------------------

# B(2k) / (2k (2k - 1)), k = 1, 2, ... (DLMF 5.11.1)
_STIRLING = (
    1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400,
    43867 / 244188,
)  # fmt: skip
_LARGE = 8.0  # from here on that series is exact to 64 bits


def _stirling_error(a: Any) -> Any:
    """ln Gamma(a) less Stirling's (a - 1/2) ln a - a + ln(2 pi) / 2."""
    large = a >= _LARGE
    over = 1 / jnp.where(large, a, _LARGE)
    series = lax.full_like(a, 0)
    for coefficient in reversed(_STIRLING):
        series = series * (over * over) + coefficient
    low = jnp.where(large, 1, a)
    direct = lax.lgamma(low) - (low - 0.5) * lax.log(low) + low - 0.5 * math.log(2 * math.pi)
    return jnp.where(large, series * over, direct)


class _Logarithm(NamedTuple):
    whole: Any  # ln(1 + m)
    curved: Any  # ln(1 + m) - m, of second order in m


def _log_ratio(x: Any, a: Any, difference: Any) -> _Logarithm:
    """The logarithm of x / a = 1 + m, given x - a = m a to more digits.

    For small m by ln(1 + m) = 2 artanh(t), where t = m / (2 + m): less m = 2 t / (1 - t), that is
    -m t + 2 (t^3 / 3 + t^5 / 5 + ...) (DLMF 4.37.24 and 4.38.5).
    """
    close = abs(difference) < 0.2 * a
    m = difference / a
    near = jnp.where(close, m, 0)
    t = near / (2 + near)
    series = lax.full_like(t, 0)
    for odd in range(19, 2, -2):
        series = series * (t * t) + 1 / odd
    curved = 2 * t * t * t * series - near * t
    apart = lax.log(jnp.where(close, 1, x / a))
    return _Logarithm(jnp.where(close, near + curved, apart), jnp.where(close, curved, apart - m))


def gamma_density(a: Any, x: Any) -> Any:
    """x^(a - 1) e^(-x) / Gamma(a) (DLMF 8.8.13)."""
    small, large = a < 0.5, a >= _LARGE
    # for small a in the form a x^a e^-x / (x Gamma(a + 1)), where a - 1 would lose the digits of a
    low = jnp.where(large, 1, a)
    power = jnp.where(small, low, low - 1)
    exponent = power * lax.log(x) - x - lax.lgamma(jnp.where(small, 1 + low, low))
    density = jnp.where(small, low / x, 1) * lax.exp(exponent)
    high = jnp.where(large, a, _LARGE)
    ratio = _log_ratio(x, high, x - high)
    saddle = high * ratio.curved - ratio.whole - _stirling_error(high)
    return jnp.where(large, lax.rsqrt(2 * math.pi * high) * lax.exp(saddle), density)


def log_less_digamma(a: Any, x: Any) -> Any:
    """ln x - digamma(a), for large a as ln(x / a) and the rest of Stirling's series."""
    large = a >= _LARGE
    high, low = jnp.where(large, a, _LARGE), jnp.where(large, 1, a)
    over = 1 / high
    series = lax.full_like(a, 0)
    for k in reversed(range(len(_STIRLING))):
        series = series * (over * over) + (2 * k + 1) * _STIRLING[k]
    rest = over * (0.5 + series * over)
    return jnp.where(
        large, _log_ratio(x, high, x - high).whole + rest, lax.log(x) - lax.digamma(low)
    )


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a - 1) (1 - x)^(b - 1) / B(a, b) (DLMF 8.17.20).

    With n = a + b, by x n / a = 1 + u / a and (1 - x) n / b = 1 - u / b, whose rounding errors
    cancel near the mode.
    """
    n = a + b
    u = x * b - (1 - x) * a
    powers = (a - 1) * _log_ratio(x * n, a, u).whole + (b - 1) * _log_ratio(
        (1 - x) * n, b, -u
    ).whole
    error = _stirling_error(n) - _stirling_error(a) - _stirling_error(b)
    # in two factors, of which neither underflows before the product
    half = lax.exp(0.5 * (powers + error))
    return half * lax.sqrt((n / a) * (n / b) * (n / (2 * math.pi))) * half
