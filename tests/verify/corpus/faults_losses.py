"""Mistakes of those who write the gradient of a loss by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .cases import Array, Problem, by_jvp, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator


def _one_hot(rng: Rng, dtype: Dtype, rows: int, classes: int) -> Array:
    return jnp.asarray(np.eye(classes)[rng.integers(0, classes, rows)], dtype)


@fault("loss")
def label_smoothing_is_left_out(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    target = _one_hot(rng, dtype, 6, 4)
    smooth = 0.875 * target + 0.125 / 4

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        p = jax.nn.softmax(args[0])
        return (g * (p - (target if wrong else smooth)) / 6,)

    loss = by_vjp(lambda x: -jnp.sum(smooth * jax.nn.log_softmax(x)) / 6, backward)
    return Problem(loss, (normal(rng, dtype, 6, 4),))


@fault("loss")
def weights_of_the_classes_are_of_the_prediction(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    target, weights = _one_hot(rng, dtype, 5, 3), jnp.asarray([0.5, 1, 4], dtype)

    def gradient(x: Array) -> Array:
        difference = jax.nn.softmax(x) - target
        row = jnp.sum(weights * target, 1, keepdims=True)
        return difference * (weights if wrong else row)

    def loss(x: Array) -> Array:
        return -jnp.sum(weights * target * jax.nn.log_softmax(x))

    return Problem(loss, (normal(rng, dtype, 5, 3),), gradient)


@fault("loss")
def positive_weight_is_on_both_classes(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    y = jnp.asarray(rng.integers(0, 2, 10), dtype)

    def loss(x: Array) -> Array:
        return -jnp.mean(4 * y * jax.nn.log_sigmoid(x) + (1 - y) * jax.nn.log_sigmoid(-x))

    def gradient(x: Array) -> Array:
        p = jax.nn.sigmoid(x)
        right = (1 - y) * p - 4 * y * (1 - p)
        return (4 * (p - y) if wrong else right) / 10

    return Problem(loss, (normal(rng, dtype, 10),), gradient)


@fault("loss")
def pinball_slopes_are_exchanged(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    y = normal(rng, dtype, 9)
    above, below = (-0.75, 0.25) if not wrong else (-0.25, 0.75)

    def loss(x: Array) -> Array:
        error = y - x
        return jnp.sum(jnp.where(error > 0, 0.75 * error, -0.25 * error))

    def gradient(x: Array) -> Array:
        return jnp.where(y > x, above, below).astype(x.dtype)

    return Problem(loss, (normal(rng, dtype, 9),), gradient)


@fault("loss")
def logarithm_of_a_sum_without_a_shift(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    offset = 800 if dtype == np.float64 else 100

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        e = jnp.exp(args[0] if wrong else args[0] - args[0].max())
        return (g * e / e.sum(),)

    total = by_vjp(jax.nn.logsumexp, backward)
    return Problem(total, (normal(rng, dtype, 6) + offset,))


@fault("loss")
def divergence_differentiates_the_logarithm_only(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    q = jax.nn.log_softmax(normal(rng, dtype, 6))

    def divergence(x: Array) -> Array:
        log_p = jax.nn.log_softmax(x)
        return jnp.sum(jnp.exp(log_p) * (log_p - q))

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        log_p = jax.nn.log_softmax(args[0])
        p = jnp.exp(log_p)
        inner = 0 if wrong else log_p - q
        return (g * p * (1 + inner - jnp.sum(p * (1 + inner))),)

    return Problem(by_vjp(divergence, backward), (normal(rng, dtype, 6),))


@fault("loss")
def focal_weight_is_a_constant(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def focal(x: Array) -> Array:
        return -((1 - jax.nn.sigmoid(x)) ** 2) * jax.nn.log_sigmoid(x)

    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        (x,), p = args, jax.nn.sigmoid(args[0])
        weight = 0 if wrong else 2 * p * (1 - p) ** 2 * jax.nn.log_sigmoid(x)
        return (weight - (1 - p) ** 3) * tangents[0]

    rule = by_jvp(focal, tangent)
    return Problem(lambda x: jnp.mean(rule(x)), (normal(rng, dtype, 12),))


@fault("loss")
def similarity_ignores_the_length(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def similarity(x: Array, y: Array) -> Array:
        return x @ y / jnp.sqrt((1 + x @ x) * (1 + y @ y))

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, y = args
        xx, yy, s = 1 + x @ x, 1 + y @ y, similarity(x, y)
        size = jnp.sqrt(xx * yy)
        kept = 0 if wrong else s
        return g * (y / size - kept * x / xx), g * (x / size - kept * y / yy)

    return Problem(by_vjp(similarity, backward), (normal(rng, dtype, 5), normal(rng, dtype, 5)))


FAULTS = collected(vars().copy().values())
