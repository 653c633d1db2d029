"""Every sampler of `jax.random` whose sample moves with a parameter, against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from tests.library.library_calls import (
    LARGE,
    POSITIVE,
    SYMMETRIC,
    Call,
    M,
    X,
    Y,
    assert_complete,
    call,
    calls_of,
    compare,
    public_functions,
)

RATE = np.array(0.7)


def keyed(function: Any) -> Any:
    return lambda *arguments, **options: function(jax.random.key(5), *arguments, **options)


def sampled(*parameters: Any, **options: Any) -> Call:
    return call(*parameters, adapt=keyed, **options)


TABLE: dict[str, Any] = {
    "beta": sampled(POSITIVE, LARGE, factor=10),
    "chisquare": sampled(LARGE, factor=10),
    "choice": (sampled(X, (4,)), sampled(X, (2,), replace=False, p=np.array([0.2, 0.5, 0.3]))),
    "dirichlet": sampled(POSITIVE, factor=10),
    "double_sided_maxwell": sampled(X, POSITIVE),
    "f": sampled(LARGE, POSITIVE, factor=10),
    "gamma": (sampled(POSITIVE, factor=10), sampled(POSITIVE / 8, factor=10)),
    "generalized_normal": sampled(np.array(1.7), (3,), factor=10),
    "loggamma": sampled(POSITIVE, factor=10),
    "lognormal": sampled(RATE, (3,)),
    "multivariate_normal": (
        sampled(X, SYMMETRIC, method="cholesky", factor=10),
        sampled(X, SYMMETRIC, method="eigh", factor=30),
        sampled(X, SYMMETRIC, method="svd", factor=30),
    ),
    "pareto": sampled(LARGE),
    "permutation": (sampled(X), sampled(M, axis=1, independent=True)),
    "rayleigh": sampled(POSITIVE),
    "t": sampled(LARGE, factor=10),
    "triangular": sampled(-POSITIVE, Y / 9, LARGE),
    "truncated_normal": sampled(-LARGE, POSITIVE, factor=10),
    "uniform": call(X, LARGE, adapt=lambda f: lambda low, high: f(
        jax.random.key(5), (3,), low.dtype, low, high)),
    "wald": sampled(POSITIVE),
    "weibull_min": sampled(POSITIVE, LARGE),
}  # fmt: skip

EXCLUDED = {
    "keys and bits": (
        "Key PRNGKey bits clone fold_in key key_data key_dtype key_impl split wrap_key_data"
    ),
    "the sample is of whole numbers, or does not move with a parameter": (
        "bernoulli binomial categorical geometric multinomial poisson rademacher randint"
    ),
    "there is no parameter but the shape": (
        "ball cauchy exponential gumbel laplace logistic maxwell normal orthogonal"
    ),
}


@pytest.mark.parametrize(("function", "one"), calls_of(TABLE, jax.random))
def test_our_gradient_is_that_of_jax(function: Any, one: Call) -> None:
    compare(function, one)


def test_no_function_is_left_out() -> None:
    assert_complete(TABLE, EXCLUDED, public_functions(jax.random))
