"""Derivatives off by a factor: sign, scale, and relative errors of 1e-3 to 1e-6."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from .cases import WIDTHS, Array, Problem, by_jvp, by_vjp, collected, fault, normal, uniform

Dtype = np.dtype[Any]
Rng = np.random.Generator

# --- sign -----------------------------------------------------------------------------------------


@fault("sign", dtypes=WIDTHS)
def sign_of_a_cosine(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = 1 if wrong else -1
    cos = by_vjp(jnp.cos, lambda args, g: (sign * g * jnp.sin(args[0]),))
    return Problem(lambda x: jnp.sum(cos(x)), (normal(rng, dtype, 12),))


@fault("sign", dtypes=WIDTHS)
def sign_of_the_divisor(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = 1 if wrong else -1

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        x, y = args
        return g / y, sign * g * x / y**2

    divide = by_vjp(jnp.divide, backward)
    return Problem(divide, (normal(rng, dtype, 4, 3), uniform(rng, dtype, 1, 2, 4, 3)))


@fault("sign", dtypes=WIDTHS)
def sign_of_a_forward_rule_on_thousands(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = -1 if wrong else 1
    sin = by_jvp(jnp.sin, lambda args, tangents: sign * jnp.cos(args[0]) * tangents[0])
    return Problem(lambda x: jnp.mean(sin(x)), (normal(rng, dtype, 4000),))


@fault("sign", dtypes=WIDTHS)
def sign_of_one_leaf_by_hand(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    sign = -1 if wrong else 1
    params = {"bias": normal(rng, dtype, 3), "weight": normal(rng, dtype, 5, 3)}
    x, y = normal(rng, dtype, 8, 5), normal(rng, dtype, 8, 3)

    def loss(params: dict[str, Array]) -> Array:
        return jnp.mean((x @ params["weight"] + params["bias"] - y) ** 2)

    def gradient(params: dict[str, Array]) -> dict[str, Array]:
        residual = 2 * (x @ params["weight"] + params["bias"] - y) / y.size
        return {"bias": sign * residual.sum(0), "weight": x.T @ residual}

    return Problem(loss, (params,), gradient)


# --- scale ----------------------------------------------------------------------------------------


@fault("scale", dtypes=WIDTHS)
def missing_two_of_a_square(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 if wrong else 2
    return Problem(lambda x: jnp.sum(x**2), (normal(rng, dtype, 9),), gradient=lambda x: factor * x)


@fault("scale", dtypes=WIDTHS)
def mean_without_its_count(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        count = 1 if wrong else x.size
        return (jnp.broadcast_to(g / count, x.shape),)

    mean = by_vjp(jnp.mean, backward)
    return Problem(lambda x: mean(jnp.sin(x)), (normal(rng, dtype, 6, 4),))


@fault("scale", dtypes=WIDTHS)
def mean_over_the_batch_by_the_batch_squared(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    x, y = normal(rng, dtype, 16, 5), normal(rng, dtype, 16)

    def loss(w: Array) -> Array:
        return 0.5 * jnp.mean((x @ w - y) ** 2)

    def gradient(w: Array) -> Array:
        terms = x * (x @ w - y)[:, None] / 16
        return terms.mean(0) if wrong else terms.sum(0)

    return Problem(loss, (normal(rng, dtype, 5),), gradient)


@fault("scale", dtypes=WIDTHS)
def logarithm_of_the_wrong_base(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1.0 if wrong else 1 / math.log(10)
    log10 = by_jvp(jnp.log10, lambda args, tangents: factor * tangents[0] / args[0])
    return Problem(lambda x: jnp.sum(log10(1 + x**2)), (normal(rng, dtype, 11),))


@fault("scale", dtypes=WIDTHS)
def temperature_forgotten(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    temperature = 1 if wrong else 4
    squash = by_vjp(
        lambda x: jnp.tanh(x / 4),
        lambda args, g: (g * (1 - jnp.tanh(args[0] / 4) ** 2) / temperature,),
    )
    return Problem(squash, (normal(rng, dtype, 7),))


# --- relative error -------------------------------------------------------------------------------


@fault("relative error 1e-3")
def gelu_with_the_derivative_of_its_approximation(
    dtype: Dtype, rng: Rng, *, wrong: bool
) -> Problem:
    slope = math.sqrt(2 / math.pi)

    def gelu(x: Array) -> Array:
        return x * (1 + erf(x / math.sqrt(2))) / 2

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        if wrong:
            t = jnp.tanh(slope * (x + 0.044715 * x**3))
            inner = slope * (1 + 3 * 0.044715 * x**2)
            return (g * ((1 + t) / 2 + x * (1 - t**2) * inner / 2),)
        return (g * ((1 + erf(x / math.sqrt(2))) / 2 + x * jnp.exp(-(x**2) / 2) * slope / 2),)

    return Problem(by_vjp(gelu, backward), (normal(rng, dtype, 40),))


@fault("relative error 1e-3")
def exponential_off_by_1e_3(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 + 1e-3 if wrong else 1
    exp = by_vjp(jnp.exp, lambda args, g: (g * jnp.exp(args[0]) * factor,))
    return Problem(lambda x: jnp.sum(exp(x)), (normal(rng, dtype, 5),))


@fault("relative error 1e-3")
def quartic_off_by_1e_3_by_hand(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    excess = 1e-3 if wrong else 0
    x = normal(rng, dtype, 12)
    return Problem(lambda x: jnp.sum(x**4), (x,), gradient=lambda x: 4 * x**3 * (1 + excess))


@fault("relative error 1e-4")
def matrix_product_off_by_1e_4(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 - 1e-4 if wrong else 1

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        a, b = args
        return g @ b.T, factor * (a.T @ g)

    product = by_vjp(jnp.matmul, backward)
    args = (normal(rng, dtype, 4, 6), normal(rng, dtype, 6, 3))
    return Problem(lambda a, b: jnp.sum(jnp.sin(product(a, b))), args)


@fault("relative error 1e-4")
def binary_logarithm_with_a_rounded_constant(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    constant = 0.6931 if wrong else math.log(2)
    log2 = by_jvp(jnp.log2, lambda args, tangents: tangents[0] / (args[0] * constant))
    return Problem(lambda x: jnp.sum(log2(x)), (uniform(rng, dtype, 1, 3, 20),))


@fault("relative error 1e-4")
def tanh_of_thousands_off_by_1e_4(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 + 1e-4 if wrong else 1
    tanh = by_jvp(
        jnp.tanh, lambda args, tangents: (1 - jnp.tanh(args[0]) ** 2) * tangents[0] * factor
    )
    return Problem(lambda x: jnp.sum(tanh(x) ** 2), (normal(rng, dtype, 3000),))


@fault("relative error 1e-5")
def density_with_a_rounded_constant(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    constant = 0.39894 if wrong else 1 / math.sqrt(2 * math.pi)

    def distribution(x: Array) -> Array:
        return (1 + erf(x / math.sqrt(2))) / 2

    cdf = by_vjp(distribution, lambda args, g: (g * constant * jnp.exp(-(args[0] ** 2) / 2),))
    return Problem(cdf, (normal(rng, dtype, 16),))


@fault("relative error 1e-5")
def arctangent_off_by_1e_5(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 + 1e-5 if wrong else 1
    arctan = by_vjp(jnp.arctan, lambda args, g: (factor * g / (1 + args[0] ** 2),))
    return Problem(lambda x: jnp.sum(arctan(x)), (normal(rng, dtype, 3, 4),))


@fault("relative error 1e-5")
def quadratic_form_off_by_1e_5_by_hand(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 - 1e-5 if wrong else 1
    a = normal(rng, dtype, 6, 6)
    return Problem(
        lambda x: x @ a @ x, (normal(rng, dtype, 6),), lambda x: factor * (a @ x + x @ a)
    )


@fault("relative error 1e-6")
def area_with_a_rounded_pi(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    pi = 3.14159 if wrong else math.pi
    area = by_vjp(lambda r: math.pi * r**2, lambda args, g: (g * 2 * pi * args[0],))
    return Problem(area, (jnp.asarray(abs(rng.normal()) + 0.5, dtype),))


@fault("relative error 1e-6")
def sine_off_by_1e_6(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 + 1e-6 if wrong else 1
    sin = by_vjp(jnp.sin, lambda args, g: (factor * g * jnp.cos(args[0]),))
    return Problem(lambda x: jnp.sum(sin(x) * jnp.exp(-x)), (normal(rng, dtype, 10),))


@fault("relative error 1e-6")
def second_factor_off_by_1e_6_in_forward_mode(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 - 1e-6 if wrong else 1
    product = by_jvp(
        jnp.multiply, lambda args, tangents: tangents[0] * args[1] + factor * args[0] * tangents[1]
    )
    args = (normal(rng, dtype, 30), normal(rng, dtype, 30))
    return Problem(lambda x, y: jnp.sum(jnp.tanh(product(x, y))), args)


@fault("relative error 1e-6")
def residual_scaled_by_1e_6_in_a_tree(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    factor = 1 + 1e-6 if wrong else 1

    def affine(params: dict[str, Array], x: Array) -> Array:
        return x @ params["w"] + params["b"]

    def backward(args: tuple[Any, ...], g: Array) -> tuple[dict[str, Array], Array]:
        params, x = args
        return {"w": x.T @ g * factor, "b": g.sum(0)}, g @ params["w"].T

    layer = by_vjp(affine, backward)
    params = {"w": normal(rng, dtype, 4, 2), "b": normal(rng, dtype, 2)}
    args = (params, normal(rng, dtype, 7, 4))
    return Problem(lambda params, x: jnp.sum(jnp.cos(layer(params, x))), args)


FAULTS = collected(vars().copy().values())
