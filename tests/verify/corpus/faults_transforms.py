"""Rules that are wrong only in a batch, only under jit, or only outside it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap

from .cases import Array, Problem, by_jvp, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator


def _traced(x: Any) -> bool:
    return isinstance(x, jax.core.Tracer)


# --- batch only: the rule calls a helper that mixes the members of a batch ------------------------


@fault("batch only")
def host_function_sums_over_the_batch(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    axis = None if wrong else -1

    def on_the_host(x: Any) -> Any:
        x = np.asarray(x)
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        return e / np.sum(e, axis=axis, keepdims=True)

    def primal(x: Array) -> Array:
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.pure_callback(on_the_host, shape, x, vmap_method="broadcast_all")

    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        return jax.jvp(jax.nn.softmax, args, tangents)[1]

    softmax = by_jvp(primal, tangent)
    total = by_vjp(jax.nn.logsumexp, lambda args, g: (g * softmax(args[0]),))
    return Problem(total, (normal(rng, dtype, 6),))


def _cosine(at_batch: Any) -> Any:
    """The cosine, with a batching rule of its own, and differentiable."""
    batched = custom_vmap(jnp.cos)
    batched.def_vmap(at_batch)
    return by_jvp(batched, lambda args, tangents: -jnp.sin(args[0]) * tangents[0])


@fault("batch only")
def batching_rule_evaluates_the_mean(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def at_batch(size: int, batched: list[bool], x: Array) -> tuple[Array, bool]:
        del size, batched
        return jnp.cos(x.mean(0, keepdims=True) * jnp.ones_like(x) if wrong else x), True

    cos = _cosine(at_batch)
    sin = by_vjp(jnp.sin, lambda args, g: (g * cos(args[0]),))
    return Problem(sin, (normal(rng, dtype, 4),))


@fault("batch only")
def batching_rule_reverses_the_batch(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def at_batch(size: int, batched: list[bool], x: Array) -> tuple[Array, bool]:
        del size, batched
        return jnp.cos(x)[:: -1 if wrong else 1], True

    cos = _cosine(at_batch)
    sin = by_vjp(jnp.sin, lambda args, g: (g * cos(args[0]),))
    return Problem(lambda x: jnp.sum(sin(x)), (normal(rng, dtype, 5),))


@fault("batch only")
def batching_rule_has_another_sign(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = -1 if wrong else 1

    def at_batch(size: int, batched: list[bool], x: Array) -> tuple[Array, bool]:
        del size, batched
        return sign * jnp.cos(x), True

    cos = _cosine(at_batch)
    sin = by_vjp(jnp.sin, lambda args, g: (g * cos(args[0]),))
    return Problem(lambda x: sin(x) ** 2, (normal(rng, dtype),))


# --- jit only -------------------------------------------------------------------------------------


@fault("jit only")
def shortcut_in_a_traced_rule(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        if wrong and _traced(x):
            return (g * (1 - x**2 / 2),)
        return (g * jnp.cos(x),)

    sin = by_vjp(jnp.sin, backward)
    return Problem(lambda x: jnp.sum(sin(x)), (normal(rng, dtype, 7),))


@fault("jit only")
def clipping_in_a_traced_rule(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    limit = 1.0 if wrong else jnp.inf

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        right = 3 * args[0] ** 2
        if _traced(right):
            right = jnp.clip(right, -limit, limit)
        return (g * right,)

    cube = by_vjp(lambda x: x**3, backward)
    return Problem(cube, (normal(rng, dtype, 6).at[0].set(2),))


@fault("jit only")
def gradient_by_hand_when_traced(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def gradient(x: Array) -> Array:
        right = jnp.exp(x) * (1 + x)
        return jnp.exp(x) if wrong and _traced(x) else right

    return Problem(lambda x: jnp.sum(x * jnp.exp(x)), (normal(rng, dtype, 5),), gradient)


# --- eager only -----------------------------------------------------------------------------------


@fault("eager only")
def shortcut_in_a_concrete_rule(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        if wrong and not _traced(x):
            return (jnp.zeros_like(x) if float(jnp.max(jnp.abs(x))) > 1 else g,)
        return (g * (1 - jnp.tanh(x) ** 2),)

    tanh = by_vjp(jnp.tanh, backward)
    return Problem(lambda x: jnp.sum(tanh(x)), (normal(rng, dtype, 6),))


@fault("eager only")
def concrete_rule_of_numpy_has_a_wrong_sign(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = 1 if wrong else -1

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        if _traced(x) or _traced(g):
            return (-g * jnp.sin(x),)
        return (jnp.asarray(sign * np.asarray(g) * np.sin(np.asarray(x)), x.dtype),)

    cos = by_vjp(jnp.cos, backward)
    return Problem(lambda x: jnp.sum(cos(x) * x), (normal(rng, dtype, 5),))


@fault("eager only")
def concrete_gradient_by_hand_is_averaged(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def gradient(x: Array) -> Array:
        right = 2 * x / (1 + x**2)
        return right / x.size if wrong and not _traced(x) else right

    return Problem(lambda x: jnp.sum(jnp.log1p(x**2)), (normal(rng, dtype, 8),), gradient)


FAULTS = collected(vars().copy().values())
