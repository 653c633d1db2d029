"""Every layer of Flax Linen against `jax.grad`: by parameters, statistics and inputs."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
import pytest
from flax import linen as nn

from tests.library.library_calls import Call, M, N, call, compare, names

BATCH = np.stack([M, N, M - N, M * N]).astype(np.float32)  # of 2 places or steps, 3 features
IMAGES = np.stack([BATCH, np.sin(BATCH)], axis=1)[:2]  # 2 samples, 2 by 2 by 3
TOKENS = np.array([[0, 2], [1, 1]], np.int32)
KEYS = {"params": 1, "dropout": 2}

LAYERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "BatchNorm": (nn.BatchNorm(use_running_average=False), (BATCH,)),
    "BatchNorm, running": (nn.BatchNorm(use_running_average=True), (BATCH,)),
    "Bidirectional": (nn.Bidirectional(nn.RNN(nn.GRUCell(2)), nn.RNN(nn.GRUCell(2))), (BATCH,)),
    "Conv": (nn.Conv(2, (2, 2)), (IMAGES,)),
    "Conv, strides": (nn.Conv(3, (2,), strides=2, feature_group_count=3), (BATCH,)),
    "ConvLSTMCell": (nn.RNN(nn.ConvLSTMCell(2, (2,))), (IMAGES,)),
    "ConvLocal": (nn.ConvLocal(2, (2,)), (BATCH,)),
    "ConvTranspose": (nn.ConvTranspose(2, (2, 2), strides=(2, 2)), (IMAGES,)),
    "Dense": (nn.Dense(2), (BATCH,)),
    "DenseGeneral": (nn.DenseGeneral((4,), axis=(-2, -1)), (BATCH,)),
    "Dropout": (nn.Dropout(0.4, deterministic=False), (BATCH,)),
    "Einsum": (nn.Einsum((3, 2), "abc,cd->abd"), (BATCH,)),
    "Embed": (nn.Embed(3, 2), (TOKENS,)),
    "GRUCell": (nn.RNN(nn.GRUCell(2)), (BATCH,)),
    "GroupNorm": (nn.GroupNorm(num_groups=3), (BATCH,)),
    "InstanceNorm": (nn.InstanceNorm(), (BATCH,)),
    "LSTMCell": (nn.RNN(nn.LSTMCell(2), reverse=True, keep_order=True), (BATCH,)),
    "LayerNorm": (nn.LayerNorm(), (BATCH,)),
    "MGUCell": (nn.RNN(nn.MGUCell(2)), (BATCH,)),
    "MultiHeadAttention": (
        nn.MultiHeadAttention(
            2, qkv_features=4, use_bias=False, dropout_rate=0.4, deterministic=False
        ),
        (BATCH, np.sin(BATCH)),
    ),
    "MultiHeadDotProductAttention": (
        nn.MultiHeadDotProductAttention(2, qkv_features=4, use_bias=False),
        (BATCH, np.sin(BATCH)),
    ),
    "OptimizedLSTMCell": (nn.RNN(nn.OptimizedLSTMCell(2), unroll=2), (BATCH,)),
    "PReLU": (nn.PReLU(), (BATCH,)),
    "RMSNorm": (nn.RMSNorm(), (BATCH,)),
    "RNN": (nn.RNN(nn.SimpleCell(2), time_major=True, return_carry=True), (BATCH,)),
    "Sequential": (nn.Sequential([nn.Dense(4), nn.gelu, nn.Dense(1)]), (BATCH,)),
    "SimpleCell": (nn.RNN(nn.SimpleCell(2)), (BATCH,)),
    "SpectralNorm": (nn.SpectralNorm(nn.Dense(2)), (BATCH,)),
    "WeightNorm": (nn.WeightNorm(nn.Dense(2)), (BATCH,)),
}
OPTIONS: dict[str, Any] = {"SpectralNorm": {"update_stats": True}}

NO_LAYERS = {
    "containers and bases": "Module RNNCellBase",
    "it warns that it is the old name of MultiHeadDotProductAttention": "SelfAttention",
    "numbers of eight bits, which the tests of dtypes have": (
        "Fp8DirectDotGeneralOp Fp8DotGeneral Fp8DotGeneralOp Fp8Einsum NANOOFp8DotGeneralOp"
    ),
}
FUNCTIONS = {  # those of jax.nn are tested there
    "avg_pool": call(IMAGES, (2, 1), padding="SAME"),
    "dot_product_attention": call(IMAGES, IMAGES, 2 * IMAGES, factor=20),
    "max_pool": call(IMAGES, (2, 2)),
}


def _filled(like: Any) -> Any:
    """Numbers about a half, as variances are positive; drawing them would have to be compiled."""
    return (0.5 + 0.4 * np.sin(1.0 + np.arange(like.size))).reshape(like.shape).astype(like.dtype)


def layer_call(layer: Any, inputs: tuple[Any, ...], **options: Any) -> tuple[Any, Call]:
    """The outputs of a layer and its statistics after, as a function of variables and inputs."""
    keys = {name: jax.random.key(seed) for name, seed in KEYS.items()}
    variables = jax.eval_shape(functools.partial(layer.init, **options), keys, *inputs)

    def apply(variables: Any, *inputs: Any) -> Any:
        return layer.apply(variables, *inputs, rngs=keys, mutable=["batch_stats"], **options)

    return apply, call(jax.tree.map(_filled, variables), *inputs, factor=4)


@pytest.mark.parametrize("name", LAYERS)
def test_our_gradient_of_a_layer_is_that_of_jax(name: str) -> None:
    function, one = layer_call(*LAYERS[name], **OPTIONS.get(name, {}))
    compare(function, one)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_our_gradient_of_a_function_is_that_of_jax(name: str) -> None:
    compare(getattr(nn, name), FUNCTIONS[name])


def test_the_second_gradient_of_a_network_is_that_of_jax() -> None:
    function, one = layer_call(*LAYERS["Sequential"])
    compare(function, one._replace(times=2, factor=20))


def test_our_gradient_of_layers_scanned_and_rematerialised_is_that_of_jax() -> None:
    steps = nn.scan(
        nn.remat(nn.SimpleCell), variable_broadcast="params", split_rngs={"params": False},
        in_axes=1, out_axes=1,
    )  # fmt: skip
    function, one = layer_call(steps(3), (BATCH[:, 0], BATCH))
    compare(function, one)


def test_no_layer_is_left_out() -> None:
    found = {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    }
    tested = {name.split(",")[0] for name in LAYERS}
    assert not found - tested - set(names(" ".join(NO_LAYERS.values())))
    assert len(found) > 20
