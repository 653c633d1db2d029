"""A few entries are wrong: of one argument, tiny ones, one of thousands, those of an index."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .cases import WIDTHS, Array, Problem, by_jvp, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator

# --- dropped argument -----------------------------------------------------------------------------


@fault("dropped argument", dtypes=WIDTHS)
def second_argument_gets_none(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array | None]:
        x, scale = args
        return g * scale, (None if wrong else jnp.sum(g * x))

    scaled = by_vjp(lambda x, scale: x * scale, backward)
    return Problem(scaled, (normal(rng, dtype, 6), normal(rng, dtype)))


@fault("dropped argument", dtypes=WIDTHS)
def forward_rule_reads_one_tangent(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 0 if wrong else 1

    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        (x, y), (tx, ty) = args, tangents
        size = 1 + x**2 + y**2
        return (x * tx + factor * y * ty) / jnp.sqrt(size)

    length = by_jvp(lambda x, y: jnp.sqrt(1 + x**2 + y**2), tangent)
    return Problem(length, (normal(rng, dtype, 4), normal(rng, dtype, 4)))


@fault("dropped argument", dtypes=WIDTHS)
def slope_of_a_unit_is_not_learned(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, slope = args
        below = jnp.sum(jnp.where(x < 0, g * x, 0))
        return jnp.where(x < 0, g * slope, g), jnp.zeros_like(slope) if wrong else below

    prelu = by_vjp(lambda x, slope: jnp.where(x < 0, slope * x, x), backward)
    args = (normal(rng, dtype, 20), normal(rng, dtype))
    return Problem(lambda x, slope: jnp.sum(prelu(x, slope) ** 2), args)


@fault("dropped argument", dtypes=WIDTHS)
def a_leaf_of_three_is_zero_by_hand(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    params = {key: normal(rng, dtype, 3) for key in ("bias", "gain", "rate")}

    def loss(p: dict[str, Array]) -> Array:
        return jnp.sum(p["gain"] * jnp.exp(-(p["rate"] ** 2)) + p["bias"] ** 2)

    def gradient(p: dict[str, Array]) -> dict[str, Array]:
        bell = jnp.exp(-(p["rate"] ** 2))
        rate = -2 * p["rate"] * p["gain"] * bell
        return {"bias": 2 * p["bias"], "gain": bell, "rate": 0 * rate if wrong else rate}

    return Problem(loss, (params,), gradient)


@fault("dropped argument", dtypes=WIDTHS)
def forward_rule_has_none_for_one(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def by_gain(t: Array, _: Array, x: Array, gain: Array) -> Array:
        del gain
        return jnp.sin(x) * t

    wave = jax.custom_jvp(lambda x, gain: jnp.sin(x) * gain)
    wave.defjvps(lambda t, _, x, gain: jnp.cos(x) * gain * t, None if wrong else by_gain)
    return Problem(wave, (normal(rng, dtype, 5), normal(rng, dtype, 5)))


# --- hidden small component -----------------------------------------------------------------------


@fault("hidden small component")
def last_of_nine_magnitudes_has_the_wrong_sign(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    weights = jnp.asarray(10.0 ** -np.arange(9), dtype)
    signs = weights.at[-1].multiply(-1) if wrong else weights
    wave = by_vjp(
        lambda x: jnp.sum(weights * jnp.sin(x)), lambda args, g: (g * signs * jnp.cos(args[0]),)
    )
    return Problem(wave, (normal(rng, dtype, 9),))


@fault("hidden small component")
def tiny_leaf_is_off_by_two(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 6 if wrong else 3
    params = {"large": normal(rng, dtype, 6), "tiny": normal(rng, dtype, 2)}

    def loss(p: dict[str, Array]) -> Array:
        return jnp.sum(p["large"] ** 2) + jnp.sum(1e-8 * p["tiny"] ** 3)

    def gradient(p: dict[str, Array]) -> dict[str, Array]:
        return {"large": 2 * p["large"], "tiny": 1e-8 * factor * p["tiny"] ** 2}

    return Problem(loss, (params,), gradient)


@fault("hidden small component")
def weak_coupling_is_dropped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, y = args
        weak = jnp.zeros_like(y) if wrong else -1e-8 * g * jnp.sin(y)
        return g * (1 + x**2), weak

    rule = by_vjp(lambda x, y: x + x**3 / 3 + 1e-8 * jnp.cos(y), backward)
    return Problem(rule, (normal(rng, dtype, 5), normal(rng, dtype, 5)))


@fault("hidden small component")
def far_sample_of_a_density_is_off(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        (x,) = args
        bell = -x * jnp.exp(-(x**2) / 2)
        return (jnp.where(x > 5.5, 1.5 * bell, bell) if wrong else bell) * tangents[0]

    bell = by_jvp(lambda x: jnp.exp(-(x**2) / 2), tangent)
    x = normal(rng, dtype, 8).at[3].set(6.25)
    return Problem(lambda x: jnp.sum(bell(x)), (x,))


# --- one entry in thousands -----------------------------------------------------------------------


@fault("one entry in thousands")
def last_entry_is_left_out(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        right = g * jnp.cos(args[0])
        return (right.at[-1].set(0) if wrong else right,)

    sin = by_vjp(jnp.sin, backward)
    return Problem(lambda x: jnp.sum(sin(x)), (normal(rng, dtype, 5000),))


@fault("one entry in thousands")
def first_entry_of_a_running_sum(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(_: tuple[Array, ...], g: Array) -> tuple[Array]:
        right = jnp.cumsum(g[::-1])[::-1]
        return (right.at[0].set(right[1]) if wrong else right,)

    running = by_vjp(jnp.cumsum, backward)
    x = normal(rng, dtype, 2000)
    return Problem(lambda x: jnp.mean(jnp.sin(running(x))), (x,))


@fault("one entry in thousands")
def edge_of_a_difference(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(_: tuple[Array, ...], g: Array) -> tuple[Array]:
        inner = g[:-1] - g[1:]
        first = jnp.zeros_like(g[:1]) if wrong else -g[:1]
        return (jnp.concatenate([first, inner, g[-1:]]),)

    difference = by_vjp(jnp.diff, backward)
    return Problem(lambda x: jnp.sum(difference(x) ** 2), (normal(rng, dtype, 4000),))


@fault("one entry in thousands")
def a_pixel_is_counted_twice_by_hand(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    row, column = (int(i) for i in rng.integers(0, 64, 2))

    def gradient(x: Array) -> Array:
        right = 1 - jnp.tanh(x) ** 2
        return right.at[row, column].multiply(2) if wrong else right

    return Problem(lambda x: jnp.sum(jnp.tanh(x)), (normal(rng, dtype, 64, 64),), gradient)


@fault("one entry in thousands")
def first_entry_of_a_second_block(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        slope = jnp.exp(args[0])
        return (slope.at[1024].multiply(-1) if wrong else slope) * tangents[0]

    exp = by_jvp(jnp.exp, tangent)
    return Problem(lambda x: jnp.mean(exp(x)), (normal(rng, dtype, 20_000),))


# --- integer arguments ----------------------------------------------------------------------------


def _integers(*values: int) -> Array:
    return jnp.asarray(values, jnp.int32)


@fault("integer arguments")
def scatters_one_place_too_far(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    shift = 1 if wrong else 0

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, None]:
        x, index = args
        return jnp.zeros_like(x).at[(index + shift) % len(x)].add(g), None

    gather = by_vjp(lambda x, index: x[index], backward)
    return Problem(gather, (normal(rng, dtype, 8), _integers(1, 5, 3)))


@fault("integer arguments")
def repeated_index_overwrites(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, None]:
        table, index = args
        place = jnp.zeros_like(table).at[index]
        return place.set(g) if wrong else place.add(g), None

    embed = by_vjp(lambda table, index: table[index], backward)
    args = (normal(rng, dtype, 6, 3), _integers(0, 4, 4, 2, 0))
    return Problem(lambda table, index: jnp.sum(jnp.sin(embed(table, index))), args)


@fault("integer arguments")
def negative_index_is_dropped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, None]:
        x, index = args
        place = index if wrong else index % len(x)
        return jax.ops.segment_sum(g, place, len(x)), None

    gather = by_vjp(lambda x, index: x[index], backward)
    return Problem(gather, (normal(rng, dtype, 7), _integers(2, -1, -3)))


@fault("integer arguments")
def clipped_index_is_dropped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, None]:
        x, index = args
        place = index if wrong else jnp.clip(index, 0, len(x) - 1)
        return jnp.zeros_like(x).at[place].add(g, mode="drop"), None

    take = by_vjp(lambda x, index: jnp.take(x, index, mode="clip"), backward)
    return Problem(take, (normal(rng, dtype, 5), _integers(0, 3, 9)))


@fault("integer arguments")
def power_keeps_its_exponent(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    less = 0 if wrong else 1

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, None]:
        x, n = args
        return g * n.astype(x.dtype) * x ** (n - less), None

    power = by_vjp(lambda x, n: x**n, backward)
    return Problem(power, (normal(rng, dtype, 6), jnp.asarray(3, jnp.int32)))


@fault("integer arguments")
def labels_counted_from_one(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    shift = 1 if wrong else 0

    def entropy(logits: Array, labels: Array) -> Array:
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -jnp.mean(picked)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, None]:
        logits, labels = args
        target = jax.nn.one_hot(labels - shift, logits.shape[1], dtype=logits.dtype)
        return g * (jax.nn.softmax(logits) - target) / len(labels), None

    loss = by_vjp(entropy, backward)
    return Problem(loss, (normal(rng, dtype, 5, 4), _integers(0, 3, 1, 2, 2)))


FAULTS = collected(vars().copy().values())
