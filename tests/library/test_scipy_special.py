"""Every function of `jax.scipy.special` that has a gradient, against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax.scipy.special
import numpy as np
import pytest

from tests.library.library_calls import (
    COMPLEX,
    LARGE,
    POSITIVE,
    UNIT,
    Call,
    M,
    N,
    X,
    Y,
    assert_complete,
    call,
    calls_of,
    compare,
    names,
    public_functions,
)

ORDERS = np.array([1, 2, 3], np.int32)
BY_PARAMETERS = "the derivative by the parameters has no closed form"

TABLE: dict[str, Any] = {
    **{name: call(X) for name in names("dawsn erf erfc erfcx expit i0 i0e i1 i1e log_ndtr ndtr")},
    **{
        name: call(POSITIVE)
        for name in names("digamma entr exp1 expi gammaln loggamma factorial gamma")
    },
    **{name: call(UNIT) for name in names("erfcinv erfinv logit ndtri")},
    **{name: call(POSITIVE, LARGE) for name in names("beta betaln kl_div rel_entr xlogy xlog1py")},
    # the backward recurrence cancels: in single precision JAX and we miss the truth alike
    "bessel_jn": call(LARGE, v=3, n_iter=20, factor=20),
    "betainc": (
        call(1.5, 2.5, UNIT),
        call(POSITIVE, LARGE, UNIT, cannot=BY_PARAMETERS),
    ),
    "boxcox": call(POSITIVE, Y),
    "boxcox1p": call(POSITIVE, Y),
    "comb": call(LARGE, POSITIVE),
    "expn": call(ORDERS, POSITIVE),
    "fresnel": call(X),
    "gammainc": call(LARGE, POSITIVE, factor=10),
    "gammaincc": call(LARGE, POSITIVE, factor=10),
    "gammasgn": call(X, zero=True),
    "hyp1f1": call(1.5, 2.5, X),
    "hyp2f1": call(1.5, 2.5, 3.5, UNIT),
    "log_softmax": (call(M), call(M, axis=0)),
    "logsumexp": (call(M), call(M, axis=0, b=N), call(COMPLEX)),
    "multigammaln": call(LARGE, 2),
    "owens_t": call(X, Y),
    "poch": call(POSITIVE, LARGE),
    "polygamma": call(ORDERS, POSITIVE),
    "sici": call(POSITIVE),
    "softmax": (call(M), call(M, axis=0)),
    "spence": call(POSITIVE),
    "sph_harm_y": call(
        np.array([1], np.int32), np.array([1], np.int32), POSITIVE[:1], UNIT[:1], n_max=1
    ),
    "wofz": call(COMPLEX),
    "zeta": call(2.0, LARGE, adapt=lambda f: lambda s, q: f(jax.numpy.full_like(q, s), q)),
}

EXCLUDED = {"it takes whole numbers only": "bernoulli"}


@pytest.mark.parametrize(("function", "one"), calls_of(TABLE, jax.scipy.special))
def test_our_gradient_is_that_of_jax(function: Any, one: Call) -> None:
    compare(function, one)


def test_no_function_is_left_out() -> None:
    assert_complete(TABLE, EXCLUDED, public_functions(jax.scipy.special))
