"""Every function of `jax.nn` that has a gradient, against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from tests.library.library_calls import (
    FLAGS,
    Call,
    M,
    N,
    X,
    assert_complete,
    call,
    calls_of,
    compare,
    names,
    public_functions,
)

QUERIES = np.stack([M, N, M + N, M * N])[None]  # batch, time, heads, features
KEYS = np.sin(QUERIES + 0.3)

TABLE: dict[str, Any] = {
    **{
        name: call(M)
        for name in names(
            "celu elu glu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu "
            "log_sigmoid log_softmax logmeanexp logsumexp mish relu relu6 selu sigmoid silu "
            "soft_sign softmax softplus sparse_plus sparse_sigmoid squareplus standardize swish "
            "tanh"
        )
    },
    "celu": (call(X), call(X, np.array(1.5))),
    "dot_product_attention": (
        call(QUERIES, KEYS, KEYS - 0.2),
        call(QUERIES, KEYS, KEYS, is_causal=True, scale=0.5),
    ),
    "elu": (call(X), call(X, np.array(1.5))),
    "gelu": (call(X), call(X, approximate=False)),
    "glu": call(QUERIES[0, :, :, :2]),
    "leaky_relu": (call(X), call(X, np.array(0.1))),
    "log1mexp": call(np.array([0.3, 1.1, 4.0])),
    "log_softmax": (call(M), call(M, axis=0)),
    "logsumexp": (call(M), call(M, axis=0, b=N, return_sign=True)),
    "relu": (call(X), call(0 * X, zero=True)),
    "relu6": (call(X), call(X + 6)),
    "softmax": (call(M), call(X, where=FLAGS)),
    "standardize": (call(M), call(M, axis=0)),
}

EXCLUDED = {
    "the result depends on no floating argument but on numbers of classes": "one_hot",
    "it needs cuDNN": "get_scaled_dot_general_config scaled_dot_general scaled_matmul",
}


@pytest.mark.parametrize(("function", "one"), calls_of(TABLE, jax.nn))
def test_our_gradient_is_that_of_jax(function: Any, one: Call) -> None:
    compare(function, one)


def test_no_function_is_left_out() -> None:
    assert_complete(TABLE, EXCLUDED, public_functions(jax.nn))
