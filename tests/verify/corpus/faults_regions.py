"""Rules that are wrong in a part of the domain: at ties, in the tails, on one piece."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import erf

from .cases import Array, Problem, by_jvp, by_vjp, collected, fault, normal, uniform

Dtype = np.dtype[Any]
Rng = np.random.Generator

# --- ties -----------------------------------------------------------------------------------------


def _largest(wrong: bool) -> Any:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        ties = (x == x.max(-1, keepdims=True)).astype(x.dtype)
        share = ties if wrong else ties / ties.sum(-1, keepdims=True)
        return (g[..., None] * share,)

    return by_vjp(lambda x: x.max(-1), backward)


@fault("ties", smooth=False)
def maximum_of_a_row_with_ties(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    x = normal(rng, dtype, 3, 6)
    x = x.at[:, 4].set(x.max(1)).at[:, 1].set(x.max(1))
    return Problem(_largest(wrong), (x,))


@fault("ties")
def maximum_of_a_row_without_ties_here(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return Problem(_largest(wrong), (normal(rng, dtype, 5),))


@fault("ties", smooth=False)
def both_sides_of_a_maximum_get_all(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, y = args
        first, second = (x >= y), (y >= x if wrong else y > x)
        return jnp.where(first, g, 0), jnp.where(second, g, 0)

    x = normal(rng, dtype, 6)
    y = normal(rng, dtype, 6).at[2].set(x[2])
    return Problem(by_vjp(jnp.maximum, backward), (x, y))


@fault("ties", smooth=False)
def clip_counts_the_value_and_its_limit(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, limit = args
        below = x <= limit
        above = (x >= limit) if wrong else ~below
        return jnp.where(below, g, 0), jnp.sum(jnp.where(above, g, 0))

    x = normal(rng, dtype, 8)
    return Problem(by_vjp(jnp.minimum, backward), (x, x[3]))


@fault("ties", smooth=False)
def sort_finds_its_places_by_value(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        if wrong:
            return (g[jnp.searchsorted(jnp.sort(x), x)],)
        return (jnp.zeros_like(x).at[jnp.argsort(x)].set(g),)

    sort = by_vjp(jnp.sort, backward)
    weights = jnp.arange(7).astype(dtype)
    x = normal(rng, dtype, 7)
    return Problem(lambda x: jnp.sum(sort(x) * weights), (x.at[5].set(x[0]),))


# --- tails ----------------------------------------------------------------------------------------


@fault("tails")
def sigmoid_is_flat_beyond_six(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        right = g * jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)
        return (jnp.where(jnp.abs(x) > 6, 0, right) if wrong else right,)

    return Problem(by_vjp(jax.nn.sigmoid, backward), (uniform(rng, dtype, -9, 9, 30),))


@fault("tails")
def softplus_is_linear_beyond_four(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        right = g * jax.nn.sigmoid(x)
        return (jnp.where(x > 4, g, right) if wrong else right,)

    softplus = by_vjp(lambda x: jnp.logaddexp(x, 0), backward)
    return Problem(lambda x: jnp.sum(softplus(x)), (uniform(rng, dtype, -6, 6, 25),))


@fault("tails")
def small_derivatives_are_flushed(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        right = -2 * x * jnp.exp(-(x**2)) * g
        return (jnp.where(jnp.abs(right) < 1e-5, 0, right) if wrong else right,)

    bell = by_vjp(lambda x: jnp.exp(-(x**2)), backward)
    return Problem(lambda x: jnp.sum(bell(x)), (uniform(rng, dtype, -4.5, 4.5, 60),))


@fault("tails")
def error_function_is_flat_beyond_three(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        (x,) = args
        slope = 2 / math.sqrt(math.pi) * jnp.exp(-(x**2))
        return (jnp.where(jnp.abs(x) > 3, 0, slope) if wrong else slope) * tangents[0]

    return Problem(by_jvp(erf, tangent), (uniform(rng, dtype, -1, 1, 8),))


@fault("tails")
def steep_part_of_a_logarithm_is_capped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        return (g / (jnp.maximum(x, 0.02) if wrong else x),)

    log = by_vjp(jnp.log, backward)
    x = jnp.exp(uniform(rng, dtype, -6, 0, 20))
    return Problem(lambda x: jnp.sum(log(x)), (x,))


@fault("tails")
def slope_of_a_cube_saturates(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def gradient(x: Array) -> Array:
        right = 3 * x**2
        return jnp.minimum(right, 100) if wrong else right

    x = uniform(rng, dtype, -9, 9, 20)
    return Problem(lambda x: jnp.sum(x**3), (x,), gradient)


# --- piecewise regions ----------------------------------------------------------------------------


def _elementwise(
    function: Any, right: Any, other: Any, dtype: Dtype, rng: Rng, wrong: bool, scale: float
) -> Problem:
    slope = other if wrong else right
    rule = by_vjp(function, lambda args, g: (g * slope(args[0]),))
    return Problem(rule, (normal(rng, dtype, 15, scale=scale),))


@fault("piecewise regions")
def elu_forgets_its_constant_below_zero(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def slope(low: float, x: Array) -> Array:
        return jnp.where(x > 0, 1, low * jnp.exp(jnp.minimum(x, 0)))

    def elu(x: Array) -> Array:
        return jnp.where(x > 0, x, 0.5 * jnp.expm1(jnp.minimum(x, 0)))

    return _elementwise(
        elu, lambda x: slope(0.5, x), lambda x: slope(1.0, x), dtype, rng, wrong, 1.0
    )


@fault("piecewise regions")
def leak_of_a_unit_is_lost(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    return _elementwise(
        lambda x: jnp.where(x >= 0, x, x / 8),
        lambda x: jnp.where(x >= 0, 1, 1 / 8).astype(x.dtype),
        lambda x: (x >= 0).astype(x.dtype),
        dtype,
        rng,
        wrong,
        1.0,
    )


@fault("piecewise regions")
def hard_swish_between_its_constants(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def slope(twice: int, x: Array) -> Array:
        middle = (twice * x + 3) / 6
        return jnp.where(x <= -3, 0, jnp.where(x >= 3, 1, middle))

    def swish(x: Array) -> Array:
        return x * jnp.clip(x + 3, 0, 6) / 6

    return _elementwise(swish, lambda x: slope(2, x), lambda x: slope(1, x), dtype, rng, wrong, 3.0)


@fault("piecewise regions")
def huber_beyond_its_constant_not_here(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def huber(x: Array) -> Array:
        size = jnp.abs(x)
        return jnp.where(size < 2, x**2 / 2, 2 * size - 2)

    return _elementwise(huber, lambda x: jnp.clip(x, -2, 2), lambda x: x, dtype, rng, wrong, 0.3)


@fault("piecewise regions")
def taylor_polynomial_used_too_far_out(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def slope(x: Array) -> Array:
        return 1 - jnp.tanh(x) ** 2

    def shortcut(x: Array) -> Array:
        return jnp.where(jnp.abs(x) < 0.5, 1 - x**2 + 2 * x**4 / 3, slope(x))

    return _elementwise(jnp.tanh, slope, shortcut, dtype, rng, wrong, 0.5)


@fault("piecewise regions")
def branch_that_is_not_taken_here(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 if wrong else 2

    def energy(x: Array) -> Array:
        return lax.cond(x > 1.5, lambda x: x**2 - 1.25, lambda x: jnp.sin(x - 1.5) + 1, x)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        return (g * lax.cond(x > 1.5, lambda x: factor * x, lambda x: jnp.cos(x - 1.5), x),)

    return Problem(by_vjp(energy, backward), (uniform(rng, dtype, -1, 1),))


FAULTS = collected(vars().copy().values())
