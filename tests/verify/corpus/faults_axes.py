"""Sums over the wrong axes, missing sums, transposed results, swapped and missing leaves."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .cases import WIDTHS, Array, Problem, by_jvp, by_vjp, collected, fault, normal

Dtype = np.dtype[Any]
Rng = np.random.Generator

# --- axis -----------------------------------------------------------------------------------------


@fault("axis", dtypes=WIDTHS)
def softmax_sums_over_the_batch(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    axis = 0 if wrong else -1

    def softmax(x: Array) -> Array:
        e = jnp.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array]:
        p = softmax(args[0])
        return (p * (g - jnp.sum(g * p, axis, keepdims=True)),)

    return Problem(by_vjp(softmax, backward), (normal(rng, dtype, 4, 4),))


@fault("axis", dtypes=WIDTHS)
def square_matrix_product_transposed(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        a, b = args
        return (g @ b if wrong else g @ b.T), a.T @ g

    product = by_vjp(jnp.matmul, backward)
    args = (normal(rng, dtype, 5, 5), normal(rng, dtype, 5, 5))
    return Problem(lambda a, b: jnp.sum(jnp.tanh(product(a, b))), args)


@fault("axis", dtypes=WIDTHS)
def gradient_by_hand_transposed(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    a = normal(rng, dtype, 4, 4)

    def gradient(w: Array) -> Array:
        right = jnp.cos(a * w) * a
        return right.T if wrong else right

    return Problem(lambda w: jnp.sum(jnp.sin(a * w)), (normal(rng, dtype, 4, 4),), gradient)


@fault("axis", dtypes=WIDTHS)
def mean_is_taken_over_columns_for_rows(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    axis = 0 if wrong else 1

    def centre(x: Array) -> Array:
        return x - x.mean(1, keepdims=True)

    rule = by_jvp(centre, lambda _, tangents: tangents[0] - tangents[0].mean(axis, keepdims=True))
    return Problem(lambda x: jnp.sum(rule(x) ** 3), (normal(rng, dtype, 6, 6),))


@fault("axis", dtypes=WIDTHS)
def einsum_with_two_letters_exchanged(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    order = "hqk,khd->hqd" if wrong else "hqk,qhd->hkd"

    def mix(weights: Array, values: Array) -> Array:
        return jnp.einsum("hqk,hkd->qhd", weights, values)

    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        weights, values = args
        return jnp.einsum("qhd,hkd->hqk", g, values), jnp.einsum(order, weights, g)

    rule = by_vjp(mix, backward)
    args = (normal(rng, dtype, 2, 3, 3), normal(rng, dtype, 2, 3, 4))
    return Problem(lambda w, v: jnp.sum(rule(w, v) ** 2), args)


# --- broadcasting ---------------------------------------------------------------------------------


@fault("broadcasting", dtypes=WIDTHS)
def gradient_of_a_scale_is_averaged(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        scale, x = args
        terms = g * x
        return (terms.mean() if wrong else terms.sum()), g * scale

    scaled = by_vjp(lambda scale, x: scale * x, backward)
    args = (normal(rng, dtype), normal(rng, dtype, 8))
    return Problem(lambda scale, x: jnp.sum(jnp.sin(scaled(scale, x))), args)


@fault("broadcasting", dtypes=WIDTHS)
def gradient_of_a_bias_is_of_the_first_row(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(_: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        return g, (g[0] if wrong else g.sum(0))

    add = by_vjp(lambda x, b: x + b, backward)
    args = (normal(rng, dtype, 5, 3), normal(rng, dtype, 3))
    return Problem(lambda x, b: jnp.sum(jnp.exp(-(add(x, b) ** 2))), args)


@fault("broadcasting", dtypes=WIDTHS)
def outer_product_keeps_the_diagonal(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    def backward(args: tuple[Array, ...], g: Array) -> tuple[Array, Array]:
        u, v = args
        if wrong:
            return jnp.diagonal(g) * v, jnp.diagonal(g) * u
        return g @ v, u @ g

    outer = by_vjp(lambda u, v: u[:, None] * v[None, :], backward)
    args = (normal(rng, dtype, 4), normal(rng, dtype, 4))
    return Problem(lambda u, v: jnp.sum(jnp.sin(outer(u, v))), args)


@fault("broadcasting", dtypes=WIDTHS)
def column_gets_the_sums_of_the_row(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    column, row = normal(rng, dtype, 4, 1), normal(rng, dtype, 1, 4)

    def gradient(c: Array, r: Array) -> tuple[Array, Array]:
        g = jnp.cos(c - r)
        by_row, by_column = g.sum(1, keepdims=True), -g.sum(0, keepdims=True)
        return (-by_column.T, -by_row.T) if wrong else (by_row, by_column)

    return Problem(lambda c, r: jnp.sum(jnp.sin(c - r)), (column, row), gradient)


# --- structure ------------------------------------------------------------------------------------


@fault("structure", dtypes=WIDTHS)
def leaves_of_equal_shape_are_swapped(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    params = {"scale": normal(rng, dtype, 5), "shift": normal(rng, dtype, 5)}
    x = normal(rng, dtype, 5)

    def loss(params: dict[str, Array]) -> Array:
        return jnp.sum(jnp.sin(params["scale"] * x + params["shift"]))

    def gradient(params: dict[str, Array]) -> dict[str, Array]:
        shift = jnp.cos(params["scale"] * x + params["shift"])
        scale = shift * x
        return {"scale": shift, "shift": scale} if wrong else {"scale": scale, "shift": shift}

    return Problem(loss, (params,), gradient)


@fault("structure", dtypes=WIDTHS)
def a_leaf_is_missing(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    params = {"a": normal(rng, dtype, 3), "b": normal(rng, dtype, 3)}

    def gradient(params: dict[str, Array]) -> dict[str, Array]:
        right = {"a": params["b"], "b": params["a"]}
        return {"a": right["a"]} if wrong else right

    return Problem(lambda p: jnp.sum(p["a"] * p["b"]), (params,), gradient)


@fault("structure", dtypes=WIDTHS)
def a_column_instead_of_a_vector(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    a = normal(rng, dtype, 6, 4)

    def gradient(x: Array) -> Array:
        right = 2 * a.T @ (a @ x)
        return right[:, None] if wrong else right

    return Problem(lambda x: jnp.sum((a @ x) ** 2), (normal(rng, dtype, 4),), gradient)


@fault("structure", dtypes=WIDTHS)
def layers_come_back_in_backward_order(dtype: Dtype, rng: Rng, *, wrong: bool) -> Problem:
    layers = [normal(rng, dtype, 3, 3, scale=0.6) for _ in range(3)]
    x = normal(rng, dtype, 3)

    def loss(layers: list[Array]) -> Array:
        h = x
        for w in layers:
            h = jnp.tanh(w @ h)
        return jnp.sum(h)

    def gradient(layers: list[Array]) -> list[Array]:
        states = [x]
        for w in layers:
            states.append(jnp.tanh(w @ states[-1]))
        g, grads = jnp.ones_like(x), []
        for w, before, after in zip(layers[::-1], states[-2::-1], states[:0:-1], strict=True):
            local = g * (1 - after**2)
            grads.append(jnp.outer(local, before))
            g = w.T @ local
        return grads if wrong else grads[::-1]

    return Problem(loss, (layers,), gradient)


FAULTS = collected(vars().copy().values())
