"""Every layer of Flax NNX, and its pooling, against `jax.grad`: by parameters, state and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.library.library_calls import Call, M, N, call, compare, names, perturbed

BATCH = np.stack([M, N, M - N, M * N]).astype(np.float32)  # of 2 places or steps, 3 features
IMAGES = np.stack([BATCH, np.sin(BATCH)], axis=1)[:2]  # 2 samples, 2 by 2 by 3
QUADRUPLES = np.stack([BATCH[:, 0], BATCH[:, 1], BATCH[:, 0] * 2, BATCH[:, 1] * 2], axis=-1)
TOKENS = np.array([[0, 2], [1, 1]], np.int32)
Make = Callable[[Any], Any]  # a layer, from its random numbers


def _rnn(cell: str, **options: Any) -> Make:
    return lambda r: nnx.RNN(getattr(nnx, cell)(3, 2, rngs=r), **options)


def _both_ways(r: Any) -> Any:
    return nnx.Bidirectional(
        nnx.RNN(nnx.GRUCell(3, 2, rngs=r)), nnx.RNN(nnx.GRUCell(3, 2, rngs=r)), rngs=r
    )


def _dropping_attention(r: Any) -> Any:
    return nnx.MultiHeadAttention(
        2, 3, 4, use_bias=False, dropout_rate=0.4, deterministic=False, decode=False, rngs=r
    )


LAYERS: dict[str, tuple[Make, tuple[Any, ...]]] = {
    "BatchNorm": (lambda r: nnx.BatchNorm(3, rngs=r), (BATCH,)),
    "BatchNorm, running": (
        lambda r: nnx.BatchNorm(3, use_running_average=True, rngs=r),
        (BATCH,),
    ),
    "Bidirectional": (_both_ways, (BATCH,)),
    "Conv": (lambda r: nnx.Conv(3, 2, (2, 2), rngs=r), (IMAGES,)),
    "Conv, strides": (
        lambda r: nnx.Conv(3, 3, (2,), strides=2, padding="VALID", feature_group_count=3, rngs=r),
        (BATCH,),
    ),
    "ConvTranspose": (lambda r: nnx.ConvTranspose(3, 2, (2, 2), strides=2, rngs=r), (IMAGES,)),
    "Dropout": (lambda r: nnx.Dropout(0.4, rngs=r), (BATCH,)),
    "Einsum": (lambda r: nnx.Einsum("abc,cd->abd", (3, 2), (2,), rngs=r), (BATCH,)),
    "Embed": (lambda r: nnx.Embed(3, 2, rngs=r), (TOKENS,)),
    "GRUCell": (_rnn("GRUCell"), (BATCH,)),
    "GroupNorm": (lambda r: nnx.GroupNorm(3, num_groups=3, rngs=r), (BATCH,)),
    "InstanceNorm": (lambda r: nnx.InstanceNorm(3, rngs=r), (BATCH,)),
    "LSTMCell": (_rnn("LSTMCell", reverse=True, keep_order=True), (BATCH,)),
    "LayerNorm": (lambda r: nnx.LayerNorm(3, rngs=r), (BATCH,)),
    "Linear": (lambda r: nnx.Linear(3, 2, rngs=r), (BATCH,)),
    "LinearGeneral": (lambda r: nnx.LinearGeneral((2, 3), (4,), axis=(-2, -1), rngs=r), (BATCH,)),
    "LoRA": (lambda r: nnx.LoRA(3, 1, 2, rngs=r), (BATCH,)),
    "LoRALinear": (lambda r: nnx.LoRALinear(3, 2, lora_rank=1, rngs=r), (BATCH,)),
    "MultiHeadAttention": (
        _dropping_attention,
        (BATCH, np.sin(BATCH), np.cos(BATCH)),
    ),
    "OptimizedLSTMCell": (_rnn("OptimizedLSTMCell", unroll=2), (BATCH,)),
    "PReLU": (lambda _: nnx.PReLU(), (BATCH,)),
    "RMSNorm": (lambda r: nnx.RMSNorm(3, rngs=r), (BATCH,)),
    "RNN": (_rnn("SimpleCell", time_major=True, return_carry=True), (BATCH,)),
    "Sequential": (
        lambda r: nnx.Sequential(nnx.Linear(3, 4, rngs=r), nnx.gelu, nnx.Linear(4, 1, rngs=r)),
        (BATCH,),
    ),
    "SimpleCell": (_rnn("SimpleCell"), (BATCH,)),
    "SpectralNorm": (lambda r: nnx.SpectralNorm(nnx.Linear(3, 2, rngs=r), rngs=r), (BATCH,)),
    "WeightNorm": (lambda r: nnx.WeightNorm(nnx.Linear(3, 2, rngs=r), rngs=r), (BATCH,)),
}
if hasattr(nnx, "RoPE"):  # newer Flax
    LAYERS["RoPE"] = (lambda _: nnx.RoPE(embedding_size=4, max_seq_len=3), (QUADRUPLES,))

NO_LAYERS = names("Dict List Module RNNCellBase")  # containers and bases
FUNCTIONS = {  # those of jax.nn are tested there
    "avg_pool": call(IMAGES, (2, 1), padding="SAME"),
    "dot_product_attention": call(IMAGES, IMAGES, 2 * IMAGES, factor=20),
    "max_pool": call(IMAGES, (2, 2)),
    "min_pool": call(IMAGES, (2, 2)),
}


def layer_call(make: Make, inputs: tuple[Any, ...]) -> tuple[Any, Call]:
    """The outputs of a layer, and its statistics after, as a function of its state and inputs."""
    definition, state = nnx.split(make(nnx.Rngs(1, dropout=2)))

    def apply(state: Any, *inputs: Any) -> Any:
        layer = nnx.merge(definition, state)
        outputs = layer(*inputs)
        return outputs, nnx.state(layer, nnx.BatchStat)

    return apply, call(perturbed(state), *inputs, factor=4)


@pytest.mark.filterwarnings("ignore:'.value' access:DeprecationWarning")  # Flax's own, in RoPE
@pytest.mark.parametrize(("make", "inputs"), LAYERS.values(), ids=LAYERS)
def test_our_gradient_of_a_layer_is_that_of_jax(make: Make, inputs: tuple[Any, ...]) -> None:
    function, one = layer_call(make, inputs)
    compare(function, one)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_our_gradient_of_a_function_is_that_of_jax(name: str) -> None:
    compare(getattr(nnx, name), FUNCTIONS[name])


def test_the_second_gradient_of_a_network_is_that_of_jax() -> None:
    function, one = layer_call(*LAYERS["Sequential"])
    compare(function, one._replace(times=2, factor=20))


def test_a_module_itself_is_differentiated() -> None:
    """With `funcgrad.grad` of a function of the module, as with `jax.grad`."""
    layer = nnx.Linear(3, 2, rngs=nnx.Rngs(1))

    def loss(layer: Any) -> Any:
        return jnp.sum(jnp.sin(layer(jnp.asarray(M))))

    definition, state = nnx.split(layer)
    compare(lambda state: loss(nnx.merge(definition, state)), call(state))


def test_no_layer_is_left_out() -> None:
    found = {
        name
        for name, value in vars(nnx).items()
        if isinstance(value, type) and issubclass(value, nnx.Module)
    }
    tested = {name.split(",")[0] for name in LAYERS}
    assert not found - tested - set(NO_LAYERS)
    assert len(found) > 20
