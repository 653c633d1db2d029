"""How the time of tracing grows with the depth of a program: linearly, or worse."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp

from funcgrad._transform import grad
from funcgrad.bench._basic import chain_of
from funcgrad.bench._figures import Figure, fresh
from funcgrad.bench._measure import Ratio

_DEPTHS = (100, 1000, 10_000)


def growth(seconds: float) -> Iterator[Figure]:
    """The exponent of the gradient's tracing time over depth, beside that of the function's."""
    turns = 3 if seconds >= 1 else 1
    with _own_garbage():
        ours = [_fastest(grad(chain_of(depth)), turns) for depth in _DEPTHS]
        own = [_fastest(chain_of(depth), turns) for depth in _DEPTHS]
    exponents = exponent(_DEPTHS, ours), exponent(_DEPTHS, own)
    apart = exponents[0] - exponents[1]
    yield Figure(
        "depth 10^2..10^4", "growth", "exponent", *exponents, "tracing f",
        Ratio(apart, apart, apart), note="the ratio is the difference of the exponents",
    )  # fmt: skip


@contextmanager
def _own_garbage() -> Iterator[None]:
    """The collector looks at what is made from here on, not at what the process held before.

    It walks through everything each time a quarter is new: beside the programs of all workloads
    and a few large packages, that takes longer than to trace, and only in deep programs.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _fastest(function: Callable[..., Any], turns: int) -> float:
    times = []
    for _ in range(turns):
        copy = fresh(function)
        begin = time.perf_counter()
        copy.trace(jnp.float32(0.5))
        times.append(time.perf_counter() - begin)
    return min(times)


def exponent(sizes: Sequence[int], times: Sequence[float]) -> float:
    """The slope of the logarithm of the time by that of the size, by least squares.

    >>> round(exponent([10, 100, 1000], [2.0, 20.0, 200.0]), 6)
    1.0
    """
    xs, ys = [math.log(size) for size in sizes], [math.log(time) for time in times]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    along = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return along / sum((x - middle_x) ** 2 for x in xs)
