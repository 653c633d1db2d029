"""Every function of `jax.scipy.stats` that has a gradient, against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax
import jax.scipy.stats
import numpy as np
import pytest

from tests.library.library_calls import (
    COMPLEX,
    INTEGERS,
    LARGE,
    POSITIVE,
    SYMMETRIC,
    UNIT,
    Call,
    M,
    X,
    Y,
    assert_complete,
    call,
    calls_of,
    compare,
    names,
    public_functions,
)

LOCATION, SCALE = np.array(0.2), np.array(1.3)
PROBABILITY = np.array(0.35)
COUNTS = np.array([0, 3, 1], np.int32)
DENSITIES = "pdf logpdf cdf"
TAILS = "sf logcdf logsf"
WHOLE = "the custom rule of xlogy, which it calls with the whole number 1, fails for such"
BY_PARAMETERS = "the derivative of betainc by its parameters has no closed form"


def of(name: str, functions: str, *arguments: Any, **options: Any) -> dict[str, Call]:
    return {f"{name}.{function}": call(*arguments, **options) for function in names(functions)}


def lines(name: str, functions: str, quantiles: str = "", cannot: str = "") -> dict[str, Call]:
    """A distribution on the line with a location and a scale."""
    at = of(name, functions, X, LOCATION, SCALE, cannot=cannot)
    return at | of(name, quantiles, UNIT, LOCATION, SCALE, cannot=cannot)


CONTINUOUS = {
    **lines("cauchy", f"{DENSITIES} {TAILS}", "ppf isf"),
    **lines("gumbel_l", f"cdf {TAILS}"),
    **lines("gumbel_r", f"cdf {TAILS}"),
    **lines("gumbel_l", "pdf logpdf", "ppf", cannot=WHOLE),
    **lines("gumbel_r", "pdf logpdf", "ppf", cannot=WHOLE),
    **lines("laplace", DENSITIES),
    **lines("logistic", f"{DENSITIES} sf", "ppf isf"),
    **lines("norm", f"{DENSITIES} {TAILS}", "ppf isf"),
    **of("expon", f"{DENSITIES} {TAILS}", LARGE, LOCATION, SCALE),
    **of("expon", "ppf", UNIT, LOCATION, SCALE),
    **of("uniform", DENSITIES, UNIT, LOCATION - 0.3, SCALE),
    **of("uniform", "ppf", UNIT, LOCATION, SCALE),
    **of("chi2", f"{DENSITIES} {TAILS}", LARGE, np.array(2.4), LOCATION, SCALE, factor=10),
    **of("gamma", f"{DENSITIES} {TAILS}", LARGE, np.array(1.4), LOCATION, SCALE, factor=10),
    **of("gennorm", DENSITIES, X, np.array(1.7), factor=10),
    **of("pareto", f"{DENSITIES} {TAILS}", LARGE + 1, np.array(1.7), LOCATION, SCALE),
    **of("pareto", "ppf", UNIT, np.array(1.7), LOCATION, SCALE),
    **of("t", "pdf logpdf", X, np.array(3.5), LOCATION, SCALE),
    **of("truncnorm", f"{DENSITIES} {TAILS}", X, np.array(-1.5), np.array(2.5), LOCATION, SCALE,
         factor=10),
    **of("beta", "pdf logpdf", UNIT, np.array(1.4), np.array(2.2), LOCATION - 0.2, SCALE),
    **of("beta", f"cdf {TAILS}", UNIT, 1.4, 2.2),
    **of("vonmises", "pdf logpdf", X, np.array(1.4)),
    **of("wrapcauchy", "pdf logpdf", POSITIVE, np.array(0.4)),
}  # fmt: skip
DISCRETE = {
    **of("bernoulli", "pmf logpmf", np.array([0, 1, 1], np.int32), PROBABILITY),
    **of("bernoulli", "cdf", X, PROBABILITY),
    **of("bernoulli", "ppf", UNIT, PROBABILITY, zero=True),
    **of("betabinom", "pmf logpmf", COUNTS, 5, np.array(1.4), np.array(2.2)),
    **of("binom", "pmf logpmf", COUNTS, 5, PROBABILITY),
    **of("geom", "pmf logpmf", COUNTS + 1, PROBABILITY),
    **of("multinomial", "pmf logpmf", COUNTS, 4, np.array([0.2, 0.5, 0.3])),
    **of("nbinom", "pmf logpmf", COUNTS, np.array(2.5), PROBABILITY),
    **of("poisson", "pmf logpmf", COUNTS, np.array(1.4)),
    **of("poisson", "cdf", COUNTS, np.array(1.4)),
    **of("poisson", "entropy", POSITIVE, compiled=True),
}
OTHERS = {
    **of("dirichlet", "pdf logpdf", np.array([0.2, 0.5, 0.3]), POSITIVE),
    **of("multivariate_normal", "pdf logpdf", X, Y, SYMMETRIC, factor=4, compiled=True),
    "gaussian_kde": call(
        M,
        X[:2],
        compiled=True,
        adapt=lambda f: lambda data, x: f(data, weights=np.abs(COMPLEX)).logpdf(x),
    ),
    "mode": call(X, compiled=True),
    "sem": (call(X), call(M, axis=1)),
}

TABLE: dict[str, Any] = {**CONTINUOUS, **DISCRETE, **OTHERS}

EXCLUDED = {"the result is a rank among the others": "rankdata"}

BY_PARAMETER = [
    pytest.param(getattr(jax.scipy.stats.beta, name), id=name) for name in ("cdf", *names(TAILS))
]


@pytest.mark.parametrize(("function", "one"), calls_of(TABLE, jax.scipy.stats))
def test_our_gradient_is_that_of_jax(function: Any, one: Call) -> None:
    compare(function, one, compiled=False)  # many share their operations


@pytest.mark.parametrize("function", BY_PARAMETER)
def test_jax_has_no_derivative_by_the_parameters_of_betainc(function: Any) -> None:
    compare(function, call(UNIT, np.array(1.4), np.array(2.2), cannot=BY_PARAMETERS))


def test_no_function_is_left_out() -> None:
    inside = [
        name
        for name, value in vars(jax.scipy.stats).items()
        if type(value) is type(jax) and not name.startswith("_")
    ]
    functions = public_functions(jax.scipy.stats, inside)
    assert len(inside) > 20
    assert_complete(TABLE, EXCLUDED, functions | {"gaussian_kde"})


def test_whole_numbers_are_not_differentiated() -> None:
    with pytest.raises(AssertionError, match="no floating result"):
        compare(jax.numpy.negative, call(INTEGERS))
