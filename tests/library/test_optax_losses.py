"""Every loss of Optax against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
import pytest

from tests.library.library_calls import (
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

BITS = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
SIGNS = 2 * BITS - 1
SHARES = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
CLASSES = np.array([2, 0], np.int32)
LOGITS = np.stack([M, N, M * N, M - N])[None].reshape(1, 4, 6)[:, :, :4]  # batch, time, classes
SILENT = np.zeros((1, 4), np.int32)
LABELS, UNPADDED = np.array([[1, 3]], np.int32), np.zeros((1, 2), np.int32)

TABLE: dict[str, Any] = {
    **{name: call(M, BITS) for name in names("hinge_loss perceptron_loss")},
    **{name: call(M, SHARES) for name in names("cosine_distance cosine_similarity")},
    **{name: (call(M, N), call(M, times=2)) for name in names("l2_loss log_cosh squared_error")},
    **{
        name: call(M, SHARES)
        for name in names(
            "generalized_kl_divergence kl_divergence "
            "poly_loss_cross_entropy ranking_softmax_loss safe_softmax_cross_entropy"
        )
    },
    **{name: call(M, CLASSES) for name in names("multiclass_hinge_loss multiclass_sparsemax_loss")},
    "binary_dice_loss": call(M, BITS),
    "ctc_loss": call(LOGITS, SILENT, LABELS, UNPADDED),
    "ctc_loss_with_forward_probs": call(LOGITS, SILENT, LABELS, UNPADDED),
    "dice_loss": (call(M, SHARES), call(M, SHARES, ignore_background=True)),
    "huber_loss": (call(M, N), call(M, 9 * N)),
    "kl_divergence_with_log_targets": call(M, N),
    "multiclass_perceptron_loss": call(M, CLASSES[::-1]),  # of other classes than the highest
    "make_fenchel_young_loss": call(
        X, Y, adapt=lambda f: f(lambda scores: jax.nn.logsumexp(scores, axis=-1))
    ),
    "multiclass_generalized_dice_loss": call(M, SHARES),
    "ntxent": call(np.stack([X, Y, X + Y, X * Y]), np.array([0, 0, 1, 1], np.int32), factor=10),
    "sigmoid_binary_cross_entropy": call(M, BITS),
    "sigmoid_focal_loss": (call(M, BITS), call(M, SHARES, alpha=0.3)),
    "smooth_labels": call(SHARES, np.array(0.1)),
    "softmax_cross_entropy": (call(M, SHARES), call(M, SHARES, times=2)),
    "softmax_cross_entropy_with_integer_labels": call(M, CLASSES),
    "sparsemax_loss": call(M, BITS),
    "triplet_margin_loss": call(M, N, M + N),
}

EXCLUDED = {"it is the old name of generalized_kl_divergence, and warns": "convex_kl_divergence"}


@pytest.mark.parametrize(("function", "one"), calls_of(TABLE, optax.losses))
def test_our_gradient_is_that_of_jax(function: Any, one: Call) -> None:
    compare(function, one)


def test_no_function_is_left_out() -> None:
    assert_complete(TABLE, EXCLUDED, public_functions(optax.losses))
