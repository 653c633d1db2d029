"""Operations are counted as a textbook counts them."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from funcgrad.bench._count import equations, operations


def counted(function: Any, *arguments: Any, trips: int = 0) -> float:
    return operations(jax.make_jaxpr(function)(*arguments), trips)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_a_product_of_matrices(n: int, k: int, m: int) -> None:
    assert counted(jnp.matmul, jnp.ones((n, k)), jnp.ones((k, m))) == 2 * n * k * m


@given(st.integers(1, 6), st.integers(1, 6))
def test_a_loop_counts_its_body_as_often_as_it_runs(length: int, size: int) -> None:
    def loop(x: Any) -> Any:
        return lax.scan(lambda c, _: (c * 2 + 1, None), x, length=length)[0]

    assert counted(loop, jnp.ones(size)) == 2 * length * size


def test_a_while_loop_needs_its_trips() -> None:
    def loop(x: Any) -> Any:
        return lax.while_loop(lambda x: x < 10, lambda x: x * 2, x)

    assert math.isnan(counted(loop, 1.0))
    assert counted(loop, 1.0, trips=4) == 8  # the condition counts as well


def test_of_the_branches_the_dearest() -> None:
    def choose(which: Any, x: Any) -> Any:
        return lax.cond(which, jnp.sin, lambda x: x + 1, x)

    assert counted(choose, True, jnp.ones(3)) >= 30


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda x: jnp.reshape(x, (6,)), (2, 3), 0),
        (jnp.sum, (2, 3), 6),
        (lambda x: lax.linalg.cholesky(x, symmetrize_input=False), (6, 6), 72),
        (lambda x: lax.linalg.triangular_solve(x, x), (6, 6), 216),
        (jnp.fft.fft, (8,), 120),
        (jnp.cumsum, (5,), 5),
        (lambda x: lax.conv(x, x, (1, 1), "VALID"), (2, 3, 4, 4), 192 * 2),
    ],
)
def test_costs(function: Any, shape: tuple[int, ...], expected: float) -> None:
    dtype = jnp.complex64 if len(shape) == 1 and shape[0] == 8 else jnp.float32
    jaxpr = jax.make_jaxpr(function)(jnp.ones(shape, dtype))
    masks = {"ge", "add", "select_n"}  # what JAX puts around a factor, to keep its triangle
    around = [eqn for eqn in jaxpr.jaxpr.eqns if eqn.primitive.name in masks]
    rest = sum(float(np.prod(np.shape(eqn.outvars[0].aval))) for eqn in around)
    assert operations(jaxpr) - rest == expected


def test_equations_of_bodies_count() -> None:
    flat = jax.make_jaxpr(lambda x: jnp.sin(x) + 1)(1.0)
    nested = jax.make_jaxpr(jax.jit(lambda x: jnp.sin(x) + 1))(1.0)
    assert equations(flat) == 2
    assert equations(nested) == 3
