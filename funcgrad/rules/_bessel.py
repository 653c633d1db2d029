"""The difference of two modified Bessel functions, which subtraction would lose."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax


def _coefficients(start: float, count: int) -> list[float]:
    """Of the series in start/x for sqrt(2 pi x) e^(-x) (I0(x) - I1(x)), by DLMF 10.40.1."""
    first, second, result = 1.0, 1.0, []
    for k in range(1, count + 1):
        odd = (2 * k - 1) ** 2
        first, second = -first * (0 - odd) / (8 * k), -second * (4 - odd) / (8 * k)
        result.append((first - second) / start**k)
    return result


# From where on, and with how many terms, the series is exact to the digits of a dtype; and with how
# many nodes the integral is up to there.
_SINGLE = (9.0, _coefficients(9.0, 14), 13)
_DOUBLE = (20.0, _coefficients(20.0, 28), 25)


def bessel_gap(x: Any) -> Any:
    """e^(-x) (I0(x) - I1(x)) for x >= 0; for large x the two functions agree in most digits."""
    start, terms, nodes = _DOUBLE if x.dtype == jnp.float64 else _SINGLE
    far = x > start
    size = jnp.where(far, x, start)
    over = start / size
    series = lax.full_like(x, 0)
    for coefficient in reversed(terms):
        series = series * over + coefficient
    distant = series * over * lax.rsqrt(size) * (1 / math.sqrt(2 * math.pi))
    return jnp.where(far, distant, _by_integral(jnp.where(far, start, x), nodes))


def _by_integral(x: Any, nodes: int) -> Any:
    """The mean of (1 - cos t) e^(-x (1 - cos t)) over half a period (DLMF 10.32.1).

    Of a smooth periodic function the trapezoidal rule finds the mean to all digits, and no term
    here cancels another.
    """
    t = np.linspace(0, math.pi, nodes)
    weights = np.full(nodes, 1 / (nodes - 1))
    weights[[0, -1]] /= 2
    rise = 2 * np.sin(t / 2) ** 2
    shape = (1,) * x.ndim + (nodes,)
    factors, rates = (
        jnp.asarray(np.reshape(values, shape), x.dtype) for values in (weights * rise, -rise)
    )
    return (factors * lax.exp(lax.expand_dims(x, [x.ndim]) * rates)).sum(-1)
