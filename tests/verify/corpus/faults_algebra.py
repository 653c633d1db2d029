"""Mistakes in the adjoints of linear algebra, of transforms, and of loops."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .cases import Array, Problem, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator


def _positive(x: Array) -> Array:
    return x @ x.T + 2 * jnp.eye(len(x), dtype=x.dtype)


def _regular(rng: Rng, dtype: Dtype, n: int) -> Array:
    return normal(rng, dtype, n, n, scale=0.4) + 2 * jnp.eye(n, dtype=dtype)


# --- linear algebra -------------------------------------------------------------------------------


@fault("linear algebra")
def factor_without_half_of_its_diagonal(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        factor = jnp.linalg.cholesky(args[0])
        inner = jnp.tril(factor.T @ g)
        if not wrong:
            inner = inner - jnp.diag(jnp.diagonal(inner)) / 2
        inverse = jnp.linalg.inv(factor)
        full = inverse.T @ inner @ inverse
        return ((full + full.T) / 2,)

    cholesky = by_vjp(jnp.linalg.cholesky, backward)
    weights = jnp.tril(normal(rng, dtype, 4, 4))
    return Problem(lambda x: jnp.sum(weights * cholesky(_positive(x))), (normal(rng, dtype, 4, 4),))


@fault("linear algebra")
def solution_without_a_transpose(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        a, b = args
        back = jnp.linalg.solve(a if wrong else a.T, g)
        return -jnp.outer(back, jnp.linalg.solve(a, b)), back

    solve = by_vjp(jnp.linalg.solve, backward)
    return Problem(solve, (_regular(rng, dtype, 4), normal(rng, dtype, 4)))


@fault("linear algebra")
def logarithm_of_a_determinant_not_transposed(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        inverse = jnp.linalg.inv(args[0])
        return (g * (inverse if wrong else inverse.T),)

    logdet = by_vjp(lambda a: jnp.linalg.slogdet(a)[1], backward)
    return Problem(logdet, (_regular(rng, dtype, 5),))


@fault("linear algebra")
def inverse_is_squared_from_one_side(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        inverse = jnp.linalg.inv(args[0]).T
        return (-inverse @ inverse @ g if wrong else -inverse @ g @ inverse,)

    invert = by_vjp(jnp.linalg.inv, backward)
    return Problem(lambda a: jnp.sum(jnp.sin(invert(a))), (_regular(rng, dtype, 3),))


@fault("linear algebra")
def quadratic_form_of_a_matrix_called_symmetric(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def gradient(a: Array, x: Array) -> tuple[Array, Array]:
        return jnp.outer(x, x), (2 * a @ x if wrong else a @ x + a.T @ x)

    args = (normal(rng, dtype, 4, 4), normal(rng, dtype, 4))
    return Problem(lambda a, x: x @ a @ x, args, gradient)


# --- transforms and running sums ------------------------------------------------------------------


@fault("transform")
def running_sum_runs_the_same_way_back(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(_: tuple[Array, ...], g: Array) -> tuple[Array]:
        return (jnp.cumsum(g) if wrong else jnp.cumsum(g[::-1])[::-1],)

    running = by_vjp(jnp.cumsum, backward)
    return Problem(lambda x: jnp.sum(jnp.cos(running(x))), (normal(rng, dtype, 9),))


@fault("transform")
def inverse_transform_without_its_count(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def smooth(x: Array) -> Array:
        return jnp.fft.ifft(jnp.fft.fft(x) * response).real

    def backward(_: tuple[Array, ...], g: Array) -> tuple[Array]:
        back = jnp.fft.ifft(jnp.fft.fft(g) * response.conj()).real
        return (back / g.size if wrong else back,)

    response = jnp.fft.fft(normal(rng, dtype, 8))
    rule = by_vjp(smooth, backward)
    return Problem(lambda x: jnp.sum(rule(x) ** 3), (normal(rng, dtype, 8),))


@fault("transform")
def halved_spectrum_counts_its_ends_twice(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    twice = np.r_[1, np.full(4, 2), 1]

    def energy(x: Array) -> Array:
        f = jnp.fft.rfft(x)
        return jnp.sum(jnp.asarray(twice, x.dtype) * (f.real**2 + f.imag**2)) / len(x)

    def gradient(x: Array) -> Array:
        f = jnp.fft.rfft(x)
        ends = jnp.asarray(np.where(twice == 1, 2, 1) if wrong else np.ones(6), x.dtype)
        return 2 * jnp.fft.irfft(f * ends, len(x)).astype(x.dtype)

    return Problem(energy, (normal(rng, dtype, 10),), gradient)


@fault("transform")
def running_product_divides_by_the_wrong_factor(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        (x,) = args
        after = jnp.cumsum((g * jnp.cumprod(x))[::-1])[::-1]
        return (after / (jnp.roll(x, 1) if wrong else x),)

    running = by_vjp(jnp.cumprod, backward)
    return Problem(lambda x: jnp.sum(running(1.5 + jnp.sin(x))), (normal(rng, dtype, 6),))


# --- loops ----------------------------------------------------------------------------------------


def _trajectory(rate: Array, start: Array) -> Array:
    """Eight steps of Euler's method for a logistic growth."""

    def step(y: Array, _: None) -> tuple[Array, Array]:
        return y + rate * y * (1 - y) / 8, y

    return jnp.append(*lax.scan(step, start, None, 8)[::-1])


@fault("loop")
def adjoint_reads_the_state_after_the_step(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        states = _trajectory(*args)

        def back(carry: tuple[Array, Array], y: Array) -> tuple[tuple[Array, Array], None]:
            adjoint, rate = carry
            rate = rate + adjoint * y * (1 - y) / 8
            return (adjoint * (1 + args[0] * (1 - 2 * y) / 8), rate), None

        read = states[1:] if wrong else states[:-1]
        (start, rate), _ = lax.scan(back, (g, jnp.zeros_like(g)), read, reverse=True)
        return rate, start

    final = by_vjp(lambda rate, start: _trajectory(rate, start)[-1], backward)
    rate, start = normal(rng, dtype), jnp.asarray(rng.uniform(0.2, 0.7), dtype)
    return Problem(final, (rate, start))


def _states(w: Array, xs: Array) -> Array:
    def step(h: Array, x: Array) -> tuple[Array, Array]:
        h = jnp.tanh(w @ h + x)
        return h, h

    start = jnp.zeros_like(xs[0])
    return jnp.concatenate([start[None], lax.scan(step, start, xs)[1]])


def _recurrent(shift: int, last: bool) -> Any:
    """A recurrent layer: the weight's gradient reads a state too late, or of one step alone."""

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        states = _states(*args)

        def back(carry: Array, pair: tuple[Array, Array]) -> tuple[Array, Array]:
            h, g = pair
            local = (carry + g) * (1 - h**2)
            return args[0].T @ local, local

        _, local = lax.scan(back, jnp.zeros_like(g[0]), (states[1:], g), reverse=True)
        before = states[shift : len(g) + shift]
        rows = slice(-1, None) if last else slice(None)
        return local[rows].T @ before[rows], local

    return by_vjp(lambda w, xs: _states(w, xs)[1:], backward)


@fault("loop")
def recurrence_is_off_by_one_step(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    layer = _recurrent(1 if wrong else 0, last=False)
    args = (normal(rng, dtype, 3, 3, scale=0.6), normal(rng, dtype, 6, 3))
    return Problem(lambda w, xs: jnp.sum(layer(w, xs) ** 2), args)


@fault("loop")
def weight_is_learned_from_the_last_step_alone(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    layer = _recurrent(0, last=wrong)
    args = (normal(rng, dtype, 3, 3, scale=0.6), normal(rng, dtype, 5, 3))
    return Problem(lambda w, xs: jnp.sum(layer(w, xs)[-1]), args)


@fault("loop")
def fixed_point_is_differentiated_for_one_step(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    a = normal(rng, dtype, 4, 4) / 12

    def point(b: Array) -> Array:
        return lax.fori_loop(0, 60, lambda _, x: jnp.tanh(a @ x + b), jnp.zeros_like(b))

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        slope = 1 - point(*args) ** 2
        if wrong:
            return (slope * g,)
        system = jnp.eye(4, dtype=dtype) - slope[:, None] * a
        return (slope * jnp.linalg.solve(system.T, g),)

    rule = by_vjp(point, backward)
    return Problem(lambda b: jnp.sum(rule(b) ** 2), (normal(rng, dtype, 4),))


FAULTS = collected(vars().copy().values())
