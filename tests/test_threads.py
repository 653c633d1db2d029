"""Transforms in many threads, in processes that are spawned, and called back from within."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcgrad
from tests import threads
from tests.comparing import assert_same


def test_threads_find_what_one_finds(count: Callable[[str, int], None]) -> None:
    outcome = threads.race(threads=32, gradients=12)
    assert outcome.differences == []
    assert outcome.gradients == 384
    count("threads at once", 32)
    count("gradients in them", outcome.gradients)


def test_a_difference_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(10**6))
    monkeypatch.setattr(threads, "KINDS", {"drifting": lambda _: np.float32(next(calls))})
    assert len(threads.race(threads=2, gradients=3).differences) >= 5


def in_a_process(numbers: list[float]) -> list[float]:
    """Ends in another process, with nothing of this one's."""
    gradient = funcgrad.grad(lambda x: jnp.sum(jnp.sin(x) ** 2))(jnp.asarray(numbers, jnp.float32))
    return [float(g) for g in gradient]


def test_spawned_processes() -> None:
    context = multiprocessing.get_context("spawn")
    points = [[0.1 * i, 1.0] for i in range(4)]
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = list(pool.map(in_a_process, points, timeout=120))
    assert_same(found, [in_a_process(numbers) for numbers in points])


def inner(x: Any) -> Any:
    """A gradient of a NumPy array, as a callback computes it."""
    return np.asarray(funcgrad.grad(lambda y: jnp.sum(y**3))(jnp.asarray(x)))


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_a_callback_may_differentiate(wrap: Any) -> None:
    """A callback runs while the gradient around it does, in a thread of the device."""
    seen: list[Any] = []

    def loss(x: Any) -> Any:
        jax.debug.callback(lambda value: seen.append(inner(value)), x)
        kept = jax.pure_callback(
            inner, jax.ShapeDtypeStruct((3,), jnp.float32), jax.lax.stop_gradient(x)
        )
        return jnp.sum(kept * x)

    x = jnp.array([1.0, 2.0, 3.0])
    gradient = wrap(funcgrad.grad(loss))(x)
    jax.effects_barrier()
    assert_same(gradient, 3 * x**2)
    assert seen
    assert_same(seen[0], 3 * x**2)
