"""Right at first order and wrong at second; right in one mode and wrong in the other."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero, linear_call

from .cases import WIDTHS, Array, Problem, by_jvp, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator

# --- second order only ----------------------------------------------------------------------------


@fault("second order only", dtypes=WIDTHS)
def slope_is_stopped_in_the_rule(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        slope = 1 - jnp.tanh(args[0]) ** 2
        return (g * (lax.stop_gradient(slope) if wrong else slope),)

    tanh = by_vjp(jnp.tanh, backward)
    return Problem(lambda x: jnp.sum(tanh(x)), (normal(rng, dtype, 6),))


@fault("second order only", dtypes=WIDTHS)
def residual_is_a_constant(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    exp = jax.custom_vjp(jnp.exp)

    def forward(x: Array) -> tuple[Array, Array]:
        y = exp(x)
        return y, (lax.stop_gradient(y) if wrong else y)

    exp.defvjp(forward, lambda y, g: (g * y,))
    return Problem(lambda x: jnp.sum(exp(x)), (normal(rng, dtype, 3, 2),))


@fault("second order only", dtypes=WIDTHS)
def derivative_has_a_wrong_rule_of_its_own(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 if wrong else 2

    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        t = jnp.tanh(args[0])
        return -factor * t * (1 - t**2) * tangents[0]

    slope = by_jvp(lambda x: 1 - jnp.tanh(x) ** 2, tangent)
    tanh = by_vjp(jnp.tanh, lambda args, g: (g * slope(args[0]),))
    return Problem(tanh, (normal(rng, dtype, 5),))


@fault("second order only", dtypes=WIDTHS)
def probabilities_are_stopped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        p = jax.nn.softmax(args[0])
        return (g * (lax.stop_gradient(p) if wrong else p),)

    total = by_vjp(jax.nn.logsumexp, backward)
    return Problem(total, (normal(rng, dtype, 7),))


@fault("second order only", dtypes=WIDTHS)
def nested_forward_rule_has_the_wrong_sign(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = 1 if wrong else -1
    cos = by_jvp(jnp.cos, lambda args, tangents: sign * jnp.sin(args[0]) * tangents[0])
    sin = by_jvp(jnp.sin, lambda args, tangents: cos(args[0]) * tangents[0])
    return Problem(lambda x: jnp.sum(sin(x) ** 2), (normal(rng, dtype, 8),))


@fault("second order only", dtypes=WIDTHS)
def half_of_the_slope_is_stopped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        s = jax.nn.sigmoid(x)
        curved = x * s * (1 - s)
        return (g * (s + (lax.stop_gradient(curved) if wrong else curved)),)

    swish = by_vjp(lambda x: x * jax.nn.sigmoid(x), backward)
    return Problem(lambda x: jnp.sum(swish(x)), (normal(rng, dtype, 9),))


@fault("second order only", dtypes=WIDTHS)
def only_the_mixed_derivative(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, y = args
        other = lax.stop_gradient(y) if wrong else y
        return g * other, g * x

    product = by_vjp(jnp.multiply, backward)
    args = (normal(rng, dtype, 4), normal(rng, dtype, 4))
    return Problem(lambda x, y: jnp.sum(product(x, y)), args)


# --- forward against reverse ----------------------------------------------------------------------


def _solved(matrix: Array, b: Array, *, symmetric: bool, swap: bool) -> Array:
    def solve(apply: Any, b: Array) -> Array:
        del apply
        return jnp.linalg.solve(matrix, b)

    def back(apply: Any, b: Array) -> Array:
        del apply
        return jnp.linalg.solve(matrix if swap else matrix.T, b)

    other = None if symmetric else back
    return lax.custom_linear_solve(lambda x: matrix @ x, b, solve, other, symmetric=symmetric)


def _matrix(rng: Rng, dtype: Dtype, n: int) -> Array:
    return normal(rng, dtype, n, n, scale=0.3) + jnp.eye(n, dtype=dtype) * 2


@fault("forward against reverse")
def solver_is_called_symmetric(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    matrix = _matrix(rng, dtype, 4)
    return Problem(
        lambda b: jnp.sum(jnp.sin(_solved(matrix, b, symmetric=wrong, swap=False))),
        (normal(rng, dtype, 4),),
    )


@fault("forward against reverse")
def transposed_solver_solves_the_same(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    matrix = _matrix(rng, dtype, 5)
    return Problem(
        lambda b: _solved(matrix, b, symmetric=False, swap=wrong), (normal(rng, dtype, 5),)
    )


@fault("forward against reverse")
def transpose_of_a_linear_map_is_wrong(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    step = 1 if wrong else -1

    def shift(x: Array) -> Array:
        return linear_call(lambda _, x: jnp.roll(x, 1), lambda _, ct: jnp.roll(ct, step), (), x)

    return Problem(lambda x: jnp.sum(x**2 * shift(x)), (normal(rng, dtype, 7),))


@fault("forward against reverse")
def masked_tangents_are_filled_with_ones(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    mask = jnp.asarray(np.arange(6) % 3 > 0)

    def tangent(_: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        return jnp.where(mask, tangents[0], 1 if wrong else 0)

    keep = by_jvp(lambda x: jnp.where(mask, x, 0), tangent)
    return Problem(lambda x: jnp.sum(jnp.sin(keep(x))), (normal(rng, dtype, 6),))


@fault("forward against reverse")
def tangent_of_one_argument_has_the_wrong_sign(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = 1 if wrong else -1

    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        (y, x), (ty, tx) = args, tangents
        return (x * ty + sign * y * tx) / (x**2 + y**2)

    angle = by_jvp(jnp.arctan2, tangent)
    args = (normal(rng, dtype, 4), normal(rng, dtype, 4))
    return Problem(lambda y, x: jnp.sum(angle(y, 4 + jnp.sin(x))), args)


@fault("forward against reverse")
def symbolic_zero_is_taken_for_one(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    product = jax.custom_jvp(jnp.multiply)

    def rule(args: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        (x, y), (tx, ty) = args, tangents
        other = x * ty if not isinstance(ty, SymbolicZero) else (x * tx if wrong else 0 * x)
        return product(x, y), tx * y + other

    product.defjvp(rule, symbolic_zeros=True)
    gain = normal(rng, dtype, 5)
    return Problem(lambda x: jnp.sum(product(x, gain)), (normal(rng, dtype, 5),))


FAULTS = collected(vars().copy().values())
