"""Random numbers. Keys and bits carry no gradient; a sample of a gamma distribution does.

The other samplers of `jax.random` are functions of uniform bits and of gamma samples, so their
gradients by the parameters ("reparametrised") need no rule of their own.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._jaxcompat import primitives as p
from .._registry import general, no_derivative
from ._cases import shaped

no_derivative(
    p.random_bits_p, p.random_seed_p, p.random_split_p, p.random_fold_in_p, p.random_wrap_p,
    p.random_unwrap_p, p.random_clone_p, p.threefry2x32_p, p.rng_bit_generator_p,
)  # fmt: skip

# A sample s of the gamma distribution with parameter a moves with a such that its quantile P(a, s)
# stays: ds/da = -(dP/da) / (dP/ds) (implicit reparametrisation; Figurnov, Mohamed and Mnih, 2018).
# `lax.random_gamma_grad` computes that quotient without forming its parts, which both underflow.
#
# For small a most samples lie below every floating number, and only their logarithm L is known.
# There P = e^(a L) / Gamma(a + 1) (1 - s a / (a + 1) + ...) (DLMF 8.7.1), so that for s below the
# precision dL/da = (digamma(a + 1) - L) / a.


def _log_sample_slope(a: Any, log_s: Any) -> Any:
    """dL/da by the first term of the series."""
    return (lax.digamma(a + 1) - log_s) / a


def _gamma_pullback(ct: Any, y: Any, _key: Any, a: Any, *, log_space: bool) -> Any:
    log_s = y if log_space else lax.log(jnp.where(y > 0, y, 1))
    s = lax.exp(y) if log_space else y
    small = 1 + s == 1
    slope = lax.random_gamma_grad(a, jnp.where(small, 1, s))
    if log_space:
        return ct * jnp.where(small, _log_sample_slope(a, log_s), slope / jnp.where(small, 1, s))
    return ct * jnp.where(small, s * _log_sample_slope(a, log_s), slope)


def _sampled(function: Any) -> Any:
    return lambda a: function(jax.random.key(3), a)


general(
    p.random_gamma_p, None, _gamma_pullback,
    cases=[
        shaped(_sampled(jax.random.gamma), (), (3,), (2, 3), (0, 2), dtypes="f", domain=(0.3, 5),
               order=1, note="no numbers: rejection sampling jumps"),
        shaped(_sampled(jax.random.loggamma), (), (3,), dtypes="f", domain=(0.3, 5),
               order=1, note="no numbers: rejection sampling jumps"),
        shaped(_sampled(jax.random.gamma), (3,), dtypes="f", domain=(90, 110),
               order=1, note="no numbers: rejection sampling jumps"),
    ],
)  # fmt: skip
