"""What the device can do at best, measured: a large product of matrices and a large copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

_SIDE = {"cpu": 1024}  # of the matrices; elsewhere 8192
_COPIED = {"cpu": 2**24}  # entries; elsewhere 2**28


class Roofline(NamedTuple):
    """The measured peaks of a device, in float32.

    Attributes:
        operations: floating point operations a second, of a product of matrices.
        traffic: bytes a second read and written, of a sweep over a large array, in place: a fresh
            array would measure how fast the system hands out memory.
    """

    operations: float
    traffic: float


def device() -> Any:
    """The device that new arrays come to, `--device` heeded."""
    (found,) = jnp.zeros(()).devices()
    return found


def roofline() -> Roofline:
    """Measure the default device."""
    platform = device().platform
    side, entries = _SIDE.get(platform, 8192), _COPIED.get(platform, 2**28)
    square = jnp.ones((side, side))
    product = _seconds(jax.jit(lambda a, _: a @ a), square)
    copied = _seconds(jax.jit(lambda _, b: b + 1, donate_argnums=1), jnp.ones(entries))
    return Roofline(2 * side**3 / product, 8 * entries / copied)


def _seconds(function: Callable[[Any, Any], Any], argument: Any) -> float:
    """Of a call with the argument and with the result before, whose memory it may take."""
    result = jax.block_until_ready(function(argument, jnp.copy(argument)))
    times = []
    for _ in range(15):
        begin = time.perf_counter()
        result = jax.block_until_ready(function(argument, result))
        times.append(time.perf_counter() - begin)
    return min(times)  # others may use the device, too, and a peak is what it can do
