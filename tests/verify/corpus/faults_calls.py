"""Rules that depend on what they should not: earlier calls, the cotangent; or change the value."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .cases import WIDTHS, Array, Problem, by_jvp, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator

# --- repeat only ----------------------------------------------------------------------------------


@fault("repeat only")
def buffer_of_gradients_is_not_cleared(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    buffer = np.zeros(6, dtype)

    def gradient(x: Array) -> Any:
        fresh = np.cos(np.asarray(x))
        if not wrong:
            return fresh
        buffer[:] += fresh
        return buffer.copy()

    return Problem(lambda x: jnp.sum(jnp.sin(x)), (normal(rng, dtype, 6),), gradient)


@fault("repeat only")
def only_the_first_backward_pass_is_right(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    calls = itertools.count()

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        factor = 2 if wrong and next(calls) else 1
        return (factor * g * jnp.exp(args[0]),)

    exp = by_vjp(jnp.exp, backward)
    return Problem(lambda x: jnp.sum(exp(x)), (normal(rng, dtype, 4),))


@fault("repeat only")
def every_second_call_is_lagged(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    calls = itertools.count()

    def gradient(x: Array) -> Array:
        right = 4 * x**3
        return right / 2 if wrong and next(calls) % 2 else right

    return Problem(lambda x: jnp.sum(x**4), (normal(rng, dtype, 5),), gradient)


@fault("repeat only")
def rule_draws_a_new_mask_each_time(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    masks = np.random.default_rng(1)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        right = g * jnp.cos(args[0])
        return (right * (masks.random(12) > 0.3) if wrong else right,)

    sin = by_vjp(jnp.sin, backward)
    return Problem(lambda x: jnp.sum(sin(x)), (normal(rng, dtype, 12),))


# --- stale cache ----------------------------------------------------------------------------------


@fault("stale cache")
def residual_of_the_first_point_by_shape(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    cache: dict[tuple[int, ...], Any] = {}

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        slope = 1 - jnp.tanh(args[0]) ** 2
        if wrong and not isinstance(slope, jax.core.Tracer):
            slope = cache.setdefault(slope.shape, slope)
        return (g * slope,)

    tanh = by_vjp(jnp.tanh, backward)
    return Problem(lambda x: jnp.sum(tanh(x)), (normal(rng, dtype, 5),))


@fault("stale cache")
def gradient_by_hand_of_the_first_point(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    cache: dict[str, Any] = {}
    a = normal(rng, dtype, 6, 4)

    def gradient(x: Array) -> Any:
        residual = np.asarray(a) @ np.asarray(x)
        if wrong:
            residual = cache.setdefault("residual", residual)
        return 2 * np.asarray(a).T @ residual

    return Problem(lambda x: jnp.sum((a @ x) ** 2), (normal(rng, dtype, 4),), gradient)


@fault("stale cache")
def normaliser_of_the_first_point(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    cache: dict[str, Any] = {}

    def gradient(x: Array) -> Any:
        shift = np.max(np.asarray(x))
        e = np.exp(np.asarray(x) - shift)
        total = np.log(e.sum()) + shift
        if wrong:
            total = cache.setdefault("total", total)
        return np.exp(np.asarray(x) - total)

    return Problem(jax.nn.logsumexp, (normal(rng, dtype, 5),), gradient)


@fault("stale cache")
def forward_pass_leaves_its_residual_outside(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    first: list[Any] = []
    square = jax.custom_vjp(lambda x: x**2)

    def forward(x: Array) -> tuple[Array, Array]:
        first.append(x)
        return square(x), x

    square.defvjp(forward, lambda x, g: (2 * g * (first[0] if wrong else x),))
    return Problem(lambda x: jnp.sum(square(x)), (normal(rng, dtype, 6),))


# --- cotangent-dependent --------------------------------------------------------------------------


def _by_cotangent(function: Any, change: Any, dtype: Dtype, rng: Rng, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        kept = change(g) if wrong else g
        (right,) = jax.vjp(function, *args)[1](kept.astype(g.dtype))
        return (right,)

    return Problem(by_vjp(function, backward), (normal(rng, dtype, 6),))


def _energy(x: Array) -> Array:
    return jnp.sum(jnp.sin(x) ** 2)


@fault("cotangent-dependent", dtypes=WIDTHS)
def cotangent_is_taken_for_one(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(_energy, jnp.ones_like, dtype, rng, wrong)


@fault("cotangent-dependent", dtypes=WIDTHS)
def cotangent_is_clipped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(jnp.sin, lambda g: jnp.clip(g, -1, 1), dtype, rng, wrong)


@fault("cotangent-dependent", dtypes=WIDTHS)
def cotangent_is_normalised(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(jnp.tanh, lambda g: g / jnp.sqrt(jnp.sum(g**2) + 1e-30), dtype, rng, wrong)


@fault("cotangent-dependent", dtypes=WIDTHS)
def negative_cotangents_are_stopped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(jnp.sin, lambda g: jnp.where(g > 0, g, 0), dtype, rng, wrong)


@fault("cotangent-dependent", dtypes=WIDTHS)
def zero_cotangent_gives_nan(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(jnp.cos, lambda g: g * g / g, dtype, rng, wrong)


@fault("cotangent-dependent", dtypes=WIDTHS)
def large_cotangents_are_skipped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(_energy, lambda g: jnp.where(jnp.abs(g) < 1e4, g, 0), dtype, rng, wrong)


@fault("cotangent-dependent", dtypes=WIDTHS)
def tiny_cotangents_are_flushed(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(jnp.tanh, lambda g: jnp.where(jnp.abs(g) < 1e-4, 0, g), dtype, rng, wrong)


@fault("cotangent-dependent", dtypes=WIDTHS)
def cotangents_are_averaged(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_cotangent(jnp.exp, lambda g: jnp.broadcast_to(g.mean(), g.shape), dtype, rng, wrong)


# --- primal changed -------------------------------------------------------------------------------


def _by_value(function: Any, other: Any, dtype: Dtype, rng: Rng, wrong: bool) -> Problem:
    """The forward pass of the derivative returns another value."""
    ruled = jax.custom_vjp(function)
    value = other if wrong else ruled
    ruled.defvjp(lambda x: (value(x), x), lambda x, g: jax.vjp(function, x)[1](g))
    return Problem(lambda x: jnp.sum(ruled(x)), (normal(rng, dtype, 8),))


@fault("primal changed")
def value_is_scaled_in_the_forward_pass(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_value(jnp.sin, lambda x: jnp.sin(x) * (1 + 1e-3), dtype, rng, wrong)


@fault("primal changed")
def value_is_approximated_in_the_forward_pass(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _by_value(jnp.tanh, lambda x: x * (27 + x**2) / (27 + 9 * x**2), dtype, rng, wrong)


@fault("primal changed")
def value_is_narrowed_in_a_forward_rule(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    ruled = jax.custom_jvp(jnp.exp)

    def rule(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
        y = ruled(args[0])
        narrow = y.astype(jnp.bfloat16).astype(dtype) if wrong else y
        return narrow, y * tangents[0]

    ruled.defjvp(rule)
    return Problem(ruled, (normal(rng, dtype, 6),))


@fault("primal changed")
def forward_pass_adds_a_penalty(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    weight = 0.01 if wrong else 0
    ruled = jax.custom_jvp(lambda x: jnp.mean(jnp.cos(x)))

    def rule(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
        (x,), (t,) = args, tangents
        return ruled(x) + weight * jnp.sum(x**2), -jnp.mean(jnp.sin(x) * t)

    ruled.defjvp(rule)
    return Problem(ruled, (normal(rng, dtype, 10),))


@fault("primal changed")
def forward_pass_adds_an_argument(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        return tangents[0] * args[1] + args[0] * tangents[1]

    product = by_jvp(jnp.multiply, tangent)
    ruled = jax.custom_vjp(product)

    def forward(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
        return (y + product(x, y) if wrong else product(x, y)), (x, y)

    ruled.defvjp(forward, lambda args, g: (g * args[1], g * args[0]))
    args = (normal(rng, dtype, 4), normal(rng, dtype, 4))
    return Problem(lambda x, y: jnp.sum(jnp.sin(ruled(x, y))), args)


FAULTS = collected(vars().copy().values())
