"""Gradients from many threads at once: the same numbers as one after the other, bit by bit.

python -m tests.threads [--threads 32] [--gradients 1000]

Every thread computes all kinds of derivatives in an order of its own, while the others do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import funcgrad

_WARM = 4  # calls after which an eager gradient runs as the compiled sweep that it stays
KINDS: dict[str, Callable[[Any], Any]] = {}


def kind(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Enter a derivative of a point into the table."""
    KINDS[function.__name__] = function
    return function


def _loss(x: Any) -> Any:
    return jnp.sum(jnp.tanh(x) * x) + jnp.sum(x[:2] * x[1:]) ** 2


@jax.custom_vjp
def _ruled(x: Any) -> Any:
    return jnp.sum(jnp.sin(x))


_ruled.defvjp(lambda x: (_ruled(x), x), lambda x, g: (g * jnp.cos(x),))


@kind
def gradient(x: Any) -> Any:
    return funcgrad.grad(_loss)(x)


@kind
def value_and_gradient(x: Any) -> Any:
    tree = {"a": x, "b": x[0]}
    return funcgrad.value_and_grad(lambda p: _loss(p["a"]) * p["b"])(tree)


@kind
def second_order(x: Any) -> Any:
    return funcgrad.grad(lambda y: jnp.sum(funcgrad.grad(_loss)(y) ** 2))(x)


@kind
def product(x: Any) -> Any:
    return funcgrad.hvp(_loss, (x,), (jnp.ones_like(x),))


@kind
def jacobian(x: Any) -> Any:
    return funcgrad.jacrev(lambda y: jnp.cumsum(jnp.exp(-y)))(x)


@kind
def curvature(x: Any) -> Any:
    return funcgrad.hessian(_loss)(x)


@kind
def pulled_back(x: Any) -> Any:
    output, pullback = funcgrad.vjp(lambda y: {"s": jnp.sin(y), "p": y**2}, x)
    return output, pullback(output)


@kind
def with_a_rule(x: Any) -> Any:
    return funcgrad.grad(_ruled)(x)


@kind
def through_a_loop(x: Any) -> Any:
    return funcgrad.grad(lambda y: jnp.sum(lax.fori_loop(0, 3, lambda _, z: jnp.sin(z), y)))(x)


@kind
def mixed_with_jax(x: Any) -> Any:
    return jax.grad(lambda y: jnp.sum(funcgrad.grad(_loss)(y) ** 2))(x)


_COMPILED = jax.jit(funcgrad.grad(_loss))
_MAPPED = jax.jit(jax.vmap(funcgrad.grad(_loss)))


@kind
def compiled(x: Any) -> Any:
    return _COMPILED(x)


@kind
def mapped(x: Any) -> Any:
    return _MAPPED(jnp.stack([x, 2 * x]))


class Outcome(NamedTuple):
    """How many gradients all threads computed together, and where they differed."""

    gradients: int
    differences: list[str]


def points(count: int) -> list[Any]:
    """So many points."""
    return list(np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32))


def race(threads: int, gradients: int) -> Outcome:
    """So many gradients in each of so many threads, against the same ones in this thread alone."""
    where = points(4)
    for _ in range(_WARM):
        expected = {
            (name, i): jax.tree.map(np.asarray, function(x))
            for name, function in KINDS.items()
            for i, x in enumerate(where)
        }
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(partial(_run, where, expected, gradients), range(threads)))
    return Outcome(threads * gradients, [text for texts in found for text in texts])


def _run(where: Sequence[Any], expected: Any, gradients: int, number: int) -> list[str]:
    generator = np.random.default_rng(number)
    keys, wrong = sorted(expected), []
    for _ in range(gradients):
        name, i = keys[generator.integers(len(keys))]
        found = jax.tree.map(np.asarray, KINDS[name](where[i]))
        if not jax.tree.all(jax.tree.map(np.array_equal, found, expected[name, i])):
            wrong.append(f"{name} at point {i} in thread {number}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--gradients", type=int, default=1000)
    options = parser.parse_args()
    start = time.monotonic()
    outcome = race(options.threads, options.gradients)
    print(
        f"{options.threads} threads, {outcome.gradients:,} gradients of {len(KINDS)} kinds in "
        f"{time.monotonic() - start:.0f} s: {len(outcome.differences)} differ from the serial ones"
    )
    return min(1, len(outcome.differences))


if __name__ == "__main__":
    raise SystemExit(main())
