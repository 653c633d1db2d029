"""`while_loop` in reverse, which JAX cannot do: against the same loop as a scan."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

import funcgrad
from funcgrad.rules._binomial import binomial_table, evaluations, split
from tests.comparing import assert_close, temporary_bytes

X = jnp.array([0.3, 0.7])
W = jnp.array([1.2, 0.9])


def by_while(x: Any, w: Any, count: Any) -> Any:
    def body(state: Any) -> Any:
        i, y = state
        return i + 1, jnp.sin(w * y) + 0.1 * i.astype(y.dtype)

    return jnp.sum(lax.while_loop(lambda s: s[0] < count, body, (jnp.int32(0), x))[1])


def by_scan(x: Any, w: Any, count: int) -> Any:
    def step(y: Any, i: Any) -> Any:
        return jnp.sin(w * y) + 0.1 * i.astype(y.dtype), None

    return jnp.sum(lax.scan(step, x, jnp.arange(count, dtype=jnp.int32))[0])


@pytest.mark.parametrize("count", [0, 1, 2, 5, 17, 60])
def test_eager_gradients_are_those_of_the_scan(count: int) -> None:
    ours = funcgrad.grad(by_while, (0, 1))(X, W, count)
    assert_close(ours, jax.grad(by_scan, (0, 1))(X, W, count))


@pytest.mark.parametrize("checkpoints", [1, 2, 3, 5, 64])
def test_compiled_gradients_are_those_of_the_scan(checkpoints: int) -> None:
    compiled = jax.jit(funcgrad.grad(by_while, (0, 1), checkpoints=checkpoints))
    for count in (0, 1, 2, 7, 40):
        assert_close(compiled(X, W, count), jax.grad(by_scan, (0, 1))(X, W, count))


@pytest.mark.parametrize("wrap", [lambda g: g, jax.jit], ids=["eager", "jit"])
def test_second_order(wrap: Any) -> None:
    def again(module: Any, program: Any) -> Any:
        return module.grad(lambda x: jnp.sum(module.grad(program)(x, W, 6)))

    assert_close(wrap(again(funcgrad, by_while))(X), again(jax, by_scan)(X), factor=10)


def test_each_entry_of_a_map_runs_its_own_number_of_iterations() -> None:
    def squared(x: Any) -> Any:
        return lax.while_loop(lambda y: y < 10, lambda y: y * y, x)

    ours = jax.vmap(funcgrad.grad(squared))(jnp.array([1.5, 2.0, 20.0]))
    assert_close(ours, jnp.array([8 * 1.5**7, 4 * 2.0**3, 1.0]))


def _count_bodies(count: int, checkpoints: int) -> int:
    calls: list[int] = []

    def loop(x: Any) -> Any:
        def body(state: Any) -> Any:
            jax.debug.callback(lambda: calls.append(1))
            return state[0] + 1, jnp.sin(state[1])

        return lax.while_loop(lambda s: s[0] < count, body, (0, x))[1]

    jax.block_until_ready(jax.jit(funcgrad.grad(loop, checkpoints=checkpoints))(0.5))
    jax.effects_barrier()
    return len(calls)


@pytest.mark.parametrize(("count", "checkpoints"), [(7, 1), (20, 2), (20, 3), (33, 5), (9, 64)])
def test_the_body_runs_as_often_as_the_binomial_bound_says(count: int, checkpoints: int) -> None:
    counting_pass, reversed_steps = count, count
    expected = counting_pass + reversed_steps + evaluations(count, checkpoints)
    assert _count_bodies(count, checkpoints) == expected


def _advances(count: int, checkpoints: int) -> int:
    """How often the schedule of `split` advances the body, by recursion."""
    if count <= 1:
        return 0
    if checkpoints == 1:
        return count * (count - 1) // 2
    table = binomial_table(checkpoints)
    ahead = int(split(table, jnp.int32(count), jnp.int32(checkpoints)))
    return ahead + _advances(count - ahead, checkpoints - 1) + _advances(ahead, checkpoints)


@given(st.integers(1, 60), st.integers(1, 8))
def test_no_schedule_advances_less(count: int, checkpoints: int) -> None:
    best = _optimum(count, checkpoints)
    assert evaluations(count, checkpoints) == best
    if count <= 16:
        assert _advances(count, checkpoints) == best


_KNOWN: dict[tuple[int, int], int] = {}


def _optimum(count: int, checkpoints: int) -> int:
    """The fewest advances by dynamic programming, which knows nothing of binomials."""
    if count <= 1:
        return 0
    if checkpoints == 1:
        return count * (count - 1) // 2
    key = (count, checkpoints)
    if key not in _KNOWN:
        _KNOWN[key] = min(
            m + _optimum(count - m, checkpoints - 1) + _optimum(m, checkpoints)
            for m in range(1, count)
        )
    return _KNOWN[key]


def test_memory_does_not_depend_on_the_number_of_iterations() -> None:
    big = jnp.ones(10_000)
    sizes = []
    for count in (10, 10_000):
        loop = partial(by_while, w=1.0, count=count)
        sizes.append(temporary_bytes(funcgrad.grad(loop, checkpoints=8), big))
    assert sizes[0] == sizes[1]
    assert sizes[0] < 24 * big.nbytes
