"""Mistakes of those who write the gradient of a layer by hand."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .cases import Array, Problem, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator

# --- normalisation --------------------------------------------------------------------------------


@fault("layer")
def softmax_without_its_mean(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        p = jax.nn.softmax(args[0])
        mean = 0 if wrong else jnp.sum(g * p, -1, keepdims=True)
        return (p * (g - mean),)

    return Problem(by_vjp(jax.nn.softmax, backward), (normal(rng, dtype, 3, 5),))


def _normalised(x: Array, axis: int) -> tuple[Array, Array]:
    centred = x - x.mean(axis, keepdims=True)
    spread = jnp.sqrt(jnp.mean(centred**2, axis, keepdims=True) + 1 / 128)
    return centred / spread, spread


def _normaliser(axis: int, change: Any) -> Any:
    """A normalisation whose rule is given the terms of its three parts."""

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        y, spread = _normalised(args[0], axis)
        mean = g.mean(axis, keepdims=True)
        slope = jnp.mean(g * y, axis, keepdims=True)
        return (change(g, mean, y * slope, y.shape[axis]) / spread,)

    return by_vjp(lambda x: _normalised(x, axis)[0], backward)


@fault("layer")
def layer_norm_with_a_constant_variance(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    kept = 0 if wrong else 1
    norm = _normaliser(-1, lambda g, mean, slope, _: g - mean - kept * slope)
    return Problem(norm, (normal(rng, dtype, 4, 6),))


@fault("layer")
def layer_norm_with_the_unbiased_variance(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    less = 1 if wrong else 0
    norm = _normaliser(-1, lambda g, mean, slope, n: g - mean - slope * n / (n - less))
    return Problem(norm, (normal(rng, dtype, 3, 8),))


@fault("layer")
def statistics_of_the_batch_are_constants(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    kept = 0 if wrong else 1
    norm = _normaliser(0, lambda g, mean, slope, _: g - kept * (mean + slope))
    weights = normal(rng, dtype, 8, 3)
    return Problem(lambda x: jnp.sum(norm(x) * weights), (normal(rng, dtype, 8, 3),))


@fault("layer")
def root_mean_square_with_epsilon_outside(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    epsilon = 1 / 64

    def root(x: Array) -> Array:
        return jnp.sqrt(jnp.mean(x**2, -1, keepdims=True) + epsilon)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        r = root(x)
        slope = jnp.mean(g * x, -1, keepdims=True)
        inner = r + epsilon if wrong else r
        return (g / r - x * slope / inner**3,)

    return Problem(by_vjp(lambda x: x / root(x), backward), (normal(rng, dtype, 4, 6),))


@fault("layer")
def length_with_epsilon_outside(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def length(x: Array) -> Array:
        return jnp.sqrt(jnp.sum(x**2) + 1e-2)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        size = jnp.sqrt(jnp.sum(x**2) + 1e-4) + 1e-2 if wrong else length(x)
        return (g * x / size,)

    return Problem(by_vjp(length, backward), (normal(rng, dtype, 7),))


# --- attention, convolution, pooling --------------------------------------------------------------


def _weights(q: Array, k: Array) -> Array:
    mask = np.tril(np.ones((len(q), len(k)), bool))
    scores = q @ k.T / math.sqrt(q.shape[1])
    return jax.nn.softmax(jnp.where(mask, scores, -1e9))


def _attention(q: Array, k: Array, v: Array) -> Array:
    return _weights(q, k) @ v


def _attention_backward(
    args: tuple[Array, ...], g: Array, *, scale: float, leak: float
) -> tuple[Array, Array, Array]:
    q, k, v = args
    p = _weights(q, k)
    dp = g @ v.T
    ds = p * (dp - jnp.sum(p * dp, -1, keepdims=True))
    ds = ds + leak * jnp.where(p > 0, 0, dp)
    return ds @ k / math.sqrt(q.shape[1]), ds.T @ q * scale, p.T @ g


def _heads(rng: Rng, dtype: Dtype) -> tuple[Array, Array, Array]:
    q, k, v = (normal(rng, dtype, 5, 4) for _ in range(3))
    return q, k, v


@fault("layer")
def attention_forgets_the_scale_of_its_keys(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    scale = 1 if wrong else 1 / math.sqrt(4)
    rule = by_vjp(_attention, lambda a, g: _attention_backward(a, g, scale=scale, leak=0))
    return Problem(lambda q, k, v: jnp.sum(rule(q, k, v) ** 2), _heads(rng, dtype))


@fault("layer")
def attention_leaks_through_its_mask(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    leak = 0.2 if wrong else 0
    rule = by_vjp(_attention, lambda a, g: _attention_backward(a, g, scale=0.5, leak=leak))
    return Problem(rule, _heads(rng, dtype))


def _convolution(x: Array, kernel: Array) -> Array:
    """Valid cross-correlation of a batch of rows."""
    width = x.shape[1] - len(kernel) + 1
    return sum(kernel[i] * x[:, i : i + width] for i in range(len(kernel)))


@fault("layer")
def bias_of_a_convolution_is_averaged_over_space(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(_: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        return g, (g.mean(2).sum(0) if wrong else g.sum((0, 2)))

    add = by_vjp(lambda y, bias: y + bias[:, None], backward)
    args = (normal(rng, dtype, 4, 3, 6), normal(rng, dtype, 3))
    return Problem(lambda y, bias: jnp.sum(jnp.tanh(add(y, bias))), args)


@fault("layer")
def kernel_is_not_flipped_on_the_way_back(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, kernel = args
        padded = jnp.pad(g, ((0, 0), (len(kernel) - 1,) * 2))
        width = g.shape[1]
        shifts = [jnp.sum(g * x[:, i : i + width]) for i in range(len(kernel))]
        return _convolution(padded, kernel if wrong else kernel[::-1]), jnp.stack(shifts)

    rule = by_vjp(_convolution, backward)
    args = (normal(rng, dtype, 2, 9), normal(rng, dtype, 3))
    return Problem(lambda x, kernel: jnp.sum(jnp.sin(rule(x, kernel))), args)


@fault("layer")
def pooled_gradient_goes_to_the_first_of_the_window(
    dtype: Dtype, rng: Rng, *, wrong: bool
) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        windows = args[0].reshape(-1, 4)
        place = jnp.zeros_like(windows, jnp.int32)[:, 0] if wrong else windows.argmax(1)
        return ((g[:, None] * jax.nn.one_hot(place, 4, dtype=g.dtype)).reshape(-1),)

    pool = by_vjp(lambda x: x.reshape(-1, 4).max(1), backward)
    return Problem(lambda x: jnp.sum(pool(x) ** 2), (normal(rng, dtype, 20),))


@fault("layer")
def dropped_units_are_not_rescaled(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    mask = jnp.asarray(rng.random(12) < 0.75, dtype)
    factor = 1 if wrong else 1 / 0.75
    drop = by_vjp(lambda x: x * mask / 0.75, lambda _, g: (g * mask * factor,))
    return Problem(lambda x: jnp.sum(jnp.sin(drop(x))), (normal(rng, dtype, 12),))


@fault("layer")
def mean_of_a_segment_without_its_count(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    segments = np.array([0, 0, 1, 2, 2, 2, 1])
    counts = jnp.asarray(np.bincount(segments), dtype)

    def backward(_: tuple[Array, ...], g: Array) -> tuple[Array]:
        return ((g if wrong else g / counts)[segments],)

    mean = by_vjp(lambda x: jax.ops.segment_sum(x, segments, 3) / counts, backward)
    return Problem(lambda x: jnp.sum(jnp.exp(mean(x))), (normal(rng, dtype, 7),))


FAULTS = collected(vars().copy().values())
