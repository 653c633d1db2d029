"""Programs at which JAX or XLA fail with an error of their own, each with a reproducer.

They came out of `funcgrad fuzz`. Each is noticed by a test when it is mended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Crash(NamedTuple):
    """A program that fails.

    Attributes:
        name: what fails.
        function: it, of the arguments.
        arguments: where.
        message: a part of the error's text.
        reason: what is known.
        same: a program of the same meaning that runs.
        until: the version of JAX that mends it; empty as long as none does.
        platform: where it fails.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    message: str
    reason: str
    same: Callable[..., Any]
    until: str = ""
    platform: str = "cpu"


_A = np.array([[2.0, 0.0, 0.0], [0.5, 1.5, 0.0], [-1.0, 0.25, 3.0]], np.float32)
_B = np.arange(9, dtype=np.float32).reshape(3, 3)


def _solved(a: Any, b: Any) -> Any:
    return lax.linalg.triangular_solve(a, jnp.fft.fft2(b).real, left_side=True, lower=True)


def _gradient(a: Any, b: Any) -> Any:
    def loss(b: Any) -> Any:
        spectrum = jnp.fft.rfft2(jnp.linalg.solve(a, b))
        return jnp.sum(spectrum.real + 2 * spectrum.imag)

    return jax.grad(loss)(b)


CRASHES = (
    Crash(
        "a triangular solve of a Fourier transform, compiled", jax.jit(_solved), (_A, _B),
        "IsMonotonicWithDim0Major",
        "XLA lays the right-hand side of the solve out by columns, and with it the transform, "
        "whose run time takes rows only; found as program 6661 of seed 6",
        _solved,
    ),
    Crash(
        "the gradient of a Fourier transform of a solution, compiled", jax.jit(_gradient), (_A, _B),
        "IsMonotonicWithDim0Major",
        "the same: the transposed transform feeds the transposed solve",
        _gradient,
    ),
)  # fmt: skip
