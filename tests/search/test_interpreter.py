"""NumPy against XLA: every case of every rule, and the gradients of random programs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad.audit._cases import Example, examples
from funcgrad.audit._points import draw_arguments
from funcgrad.search._draw import draw_program
from funcgrad.search._interpreter import RULES, Machine, staged
from funcgrad.search._twin import flatten, widened

CASES = [one for one in examples() if one.has_numbers]
SEEDS = range(12)


def close(received: Any, expected: Any) -> None:
    for one, other in zip(jax.tree.leaves(received), jax.tree.leaves(expected), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if jnp.issubdtype(other.dtype, jnp.inexact):
            size = float(np.max(np.abs(other), initial=1.0))
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * size)


@pytest.mark.parametrize("one", CASES, ids=lambda one: f"{one.name}-{one.number}")
def test_a_case_of_a_rule(one: Example) -> None:
    dtype = "float32" if "f" in one.case.dtypes else "complex64"
    arguments = draw_arguments(one, dtype, 0)
    expected = one.case.function(*map(jnp.asarray, arguments))
    close(staged(one.case.function, arguments)(*arguments), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_of_a_random_program(seed: int) -> None:
    flat = flatten(draw_program(np.random.default_rng(seed), operations=(4, 10)))
    with jax.enable_x64(True):
        wide = widened(flat)
        gradient = jax.jit(funcgrad.grad(wide.run, wide.every))
        close(wide.gradient(funcgrad.grad)(*wide.leaves), gradient(*wide.leaves))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_numbers_of_16_bits_are_rounded_after_each_operation(dtype: str) -> None:
    x = jnp.linspace(-2, 2, 12, dtype=dtype).reshape(3, 4)
    found = staged(lambda x: jnp.tanh(x @ x.T).sum(0), [x])(x)[0]
    assert found.dtype == x.dtype
    np.testing.assert_allclose(
        found.astype(np.float32), jnp.tanh(x @ x.T).sum(0).astype(np.float32), rtol=0.02, atol=0.02
    )


def test_every_result_is_shown_to_who_watches() -> None:
    seen: list[Any] = []
    closed = jax.make_jaxpr(lambda x: lax.scan(lambda c, _: (c * x, c), 1.0, None, length=3))(2.0)
    Machine(seen.append).run(closed, [np.float32(2)])
    assert max(float(np.max(value)) for value in seen) == 8


def test_what_numpy_does_not_know_jax_runs() -> None:
    assert "random_bits" not in RULES
    draw = jax.random.normal
    key = jax.random.key(0)
    np.testing.assert_allclose(staged(lambda x: x * draw(key), [1.0])(1.0)[0], draw(key), rtol=1e-6)


def test_keys_of_random_generators_go_through_the_operations_of_jax() -> None:
    x = jnp.array([1.0, 2.0])
    gradient = jax.vmap(funcgrad.grad(lambda x: jax.random.gamma(jax.random.key(0), x)))
    close(staged(gradient, [x])(x), [gradient(x)])
