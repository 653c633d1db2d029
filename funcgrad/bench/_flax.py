"""Workloads in Flax: a small convolutional net and a transformer block, each with its loss."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from funcgrad.bench._workload import UNOPTIMISED, Workload, of_loss


class _ConvNet(nn.Module):  # type: ignore[misc]  # flax is not followed, so its classes are Any
    @nn.compact  # type: ignore[untyped-decorator]  # likewise
    def __call__(self, x: Any) -> Any:
        for features in (16, 32):
            x = nn.relu(nn.Conv(features, (3, 3))(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(nn.Dense(64)(x.reshape(len(x), -1)))
        return nn.Dense(10)(x)


class _Block(nn.Module):  # type: ignore[misc]  # flax is not followed, so its classes are Any
    @nn.compact  # type: ignore[untyped-decorator]  # likewise
    def __call__(self, tokens: Any) -> Any:
        x = nn.Embed(256, 64)(tokens)
        mask = nn.make_causal_mask(tokens)
        x = x + nn.MultiHeadDotProductAttention(num_heads=4)(nn.LayerNorm()(x), mask=mask)
        x = x + nn.Dense(64)(nn.gelu(nn.Dense(256)(nn.LayerNorm()(x))))
        return nn.Dense(256)(nn.LayerNorm()(x))


def _of(name: str, model: Any, x: Any, labels: Any) -> Workload:
    seed = jax.random.key(0)
    variables = jax.jit(model.init).lower(seed, x).compile(UNOPTIMISED)(seed, x)

    def loss(variables: Any, x: Any, labels: Any) -> Any:
        logits = model.apply(variables, x)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    return of_loss(name, loss, variables, x, labels, bound="compute")


def conv_net() -> Workload:
    """Two convolutions with pooling and two dense layers, on 32 images of 28 by 28."""
    images = jax.random.normal(jax.random.key(1), (32, 28, 28, 1))
    return _of("conv net", _ConvNet(), images, jnp.arange(32) % 10)


def transformer() -> Workload:
    """One block of causal attention over 8 sequences of 64 tokens."""
    tokens = jax.random.randint(jax.random.key(1), (8, 65), 0, 256)
    return _of("transformer", _Block(), tokens[:, :-1], tokens[:, 1:])
