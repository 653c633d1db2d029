"""Complex numbers, and numbers of too few digits."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .cases import Array, Problem, by_jvp, by_vjp, collected, complex_of, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator


def _narrower(dtype: Dtype) -> Any:
    return jnp.float32 if dtype == np.float64 else jnp.float16


# --- conjugation: the gradient of a real function is d/dx - i d/dy --------------------------------


@fault("conjugation")
def square_of_the_modulus_after_another_convention(
    dtype: Dtype, rng: Rng, *, wrong: bool
) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (z,) = args
        return (2 * g * (z if wrong else z.conj()),)

    power = by_vjp(lambda z: jnp.real(z * z.conj()), backward)
    return Problem(lambda z: jnp.sum(power(z) / 2), (normal(rng, complex_of(dtype), 6),))


@fault("conjugation")
def holomorphic_rule_with_a_conjugate(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        slope = jnp.exp(args[0])
        return (g * (slope.conj() if wrong else slope),)

    exp = by_vjp(jnp.exp, backward)
    return Problem(lambda z: jnp.sum(jnp.imag(exp(z))), (normal(rng, complex_of(dtype), 4),))


@fault("conjugation")
def gradient_by_hand_is_conjugated(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    a = normal(rng, complex_of(dtype), 5, 5)

    def gradient(z: Array) -> Array:
        right = 2 * a.T @ (a @ z).conj()
        return right.conj() if wrong else right

    def energy(z: Array) -> Array:
        y = a @ z
        return jnp.sum(y.real**2 + y.imag**2)

    return Problem(energy, (normal(rng, complex_of(dtype), 5),), gradient)


@fault("conjugation")
def adjoint_of_a_product_for_its_transpose(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def flip(x: Array) -> Array:
        return x.conj().T if wrong else x.T

    product = by_vjp(jnp.matmul, lambda args, g: (g @ flip(args[1]), flip(args[0]) @ g))
    width = complex_of(dtype)
    args = (normal(rng, width, 3, 4), normal(rng, width, 4, 2))
    return Problem(lambda a, b: jnp.sum(jnp.real(product(a, b) ** 2)), args)


# --- complex --------------------------------------------------------------------------------------


@fault("complex")
def spectrum_of_a_signal_by_its_real_part(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def spectrum(x: Array) -> Array:
        f = jnp.fft.fft(x)
        return f.real**2 + f.imag**2

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        f = jnp.fft.fft(args[0])
        kept = f.real if wrong else f.conj()
        return (2 * jnp.fft.fft(g * kept).real,)

    power = by_vjp(spectrum, backward)
    return Problem(lambda x: jnp.sum(jnp.sqrt(1 + power(x))), (normal(rng, dtype, 16),))


@fault("complex")
def length_of_a_number_by_its_real_part(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def length(z: Array) -> Array:
        return jnp.sqrt(1 + z.real**2 + z.imag**2)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (z,) = args
        kept = z.real.astype(z.dtype) if wrong else z.conj()
        return (g * kept / length(z),)

    return Problem(by_vjp(length, backward), (normal(rng, complex_of(dtype), 7),))


@fault("complex")
def imaginary_cotangent_is_discarded(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        kept = g.real if wrong else g
        return (2 * args[0] * kept,)

    square = by_vjp(lambda z: z * z, backward)
    return Problem(
        lambda z: jnp.sum(jnp.cos(jnp.imag(square(z)))), (normal(rng, complex_of(dtype), 5),)
    )


@fault("complex")
def angle_divides_by_the_length_once(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        (z,), (t,) = args, tangents
        size = z.real**2 + z.imag**2
        return jnp.imag(z.conj() * t) / (jnp.sqrt(size) if wrong else size)

    angle = by_jvp(jnp.angle, tangent)
    z = normal(rng, complex_of(dtype), 6)
    return Problem(lambda z: jnp.sum(angle(3 + z / 2)), (z,))


# --- dtype ----------------------------------------------------------------------------------------


@fault("dtype")
def rule_computed_in_a_narrower_width(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    width = _narrower(dtype) if wrong else dtype

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        x, g = args[0].astype(width), g.astype(width)
        return ((g * jnp.cos(x)).astype(dtype),)

    sin = by_vjp(jnp.sin, backward)
    return Problem(lambda x: jnp.sum(sin(x) ** 2), (normal(rng, dtype, 20),))


@fault("dtype")
def residual_kept_in_bfloat16(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    width = jnp.bfloat16 if wrong else dtype
    swish = by_vjp(
        lambda x, w: jnp.tanh(x @ w),
        lambda args, g: _affine_tanh(tuple(a.astype(width).astype(dtype) for a in args), g),
    )
    args = (normal(rng, dtype, 6, 5), normal(rng, dtype, 5, 3))
    return Problem(lambda x, w: jnp.mean(swish(x, w)), args)


def _affine_tanh(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
    x, w = args
    local = g * (1 - jnp.tanh(x @ w) ** 2)
    return local @ w.T, x.T @ local


@fault("dtype", dtypes=("float32",))
def rule_overflows_in_float16(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    width = jnp.float16 if wrong else dtype

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        x = args[0].astype(width)
        return (g * (x * x).astype(dtype),)

    cube = by_vjp(lambda x: x**3 / 3, backward)
    x = normal(rng, dtype, 12, scale=300.0).at[0].set(400)
    return Problem(lambda x: jnp.sum(cube(x)), (x,))


@fault("dtype")
def gradient_by_hand_of_a_narrower_width(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    width = _narrower(dtype) if wrong else dtype
    return Problem(
        lambda x: jnp.sum(jnp.sin(x)),
        (normal(rng, dtype, 10),),
        gradient=lambda x: jnp.cos(x).astype(width),
    )


@fault("dtype")
def gradient_by_hand_summed_in_bfloat16(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    width = jnp.bfloat16 if wrong else dtype
    x, y = normal(rng, dtype, 50, 4), normal(rng, dtype, 50)

    def gradient(w: Array) -> Array:
        terms = x * (x @ w - y)[:, None]
        return jnp.sum(terms.astype(width), 0).astype(dtype)

    return Problem(lambda w: 0.5 * jnp.sum((x @ w - y) ** 2), (normal(rng, dtype, 4),), gradient)


@fault("dtype")
def weights_of_a_rule_lose_their_low_bits(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def kept(x: Array) -> Array:
        return lax.reduce_precision(x, 8, 10) if wrong else x

    def tangent(args: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
        (a, x), (ta, tx) = args, tangents
        return ta @ kept(x) + kept(a) @ tx

    product = by_jvp(jnp.matmul, tangent)
    args = (normal(rng, dtype, 4, 6), normal(rng, dtype, 6))
    return Problem(lambda a, x: jnp.sum(jnp.sin(product(a, x))), args)


FAULTS = collected(vars().copy().values())
