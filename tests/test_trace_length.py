"""A program of 100,000 steps: nothing recurses over it."""

from typing import Any

import jax
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad._tape import check_tape

LONG = 100_000


def test_a_chain_of_affine_steps() -> None:
    factor, shift = np.float32(1 - 2.0**-16), np.float32(2.0**-16)

    def fun(x: Any) -> Any:
        for _ in range(LONG // 2):
            x = lax.add(lax.mul(x, factor), shift)
        return x

    gradient = funcgrad.grad(fun)(np.float32(0.5))
    assert float(gradient) == pytest.approx(float(factor) ** (LONG // 2), rel=1e-3)


def test_a_chain_of_sines_is_recorded_and_printed() -> None:
    def fun(x: Any) -> Any:
        for _ in range(LONG):
            x = lax.sin(x)
        return x

    output, pullback = funcgrad.vjp(fun, np.float32(1.5))
    values = [np.float64(1.5)]
    for _ in range(LONG):
        values.append(np.sin(values[-1]))
    assert float(output) == pytest.approx(values[-1], rel=1e-3)
    expected = np.prod(np.cos(values[:-1]))
    assert float(pullback(np.float32(1))[0]) == pytest.approx(expected, rel=1e-2)
    tape = pullback.tape
    assert len(tape) == LONG
    check_tape(tape)
    assert len(repr(tape).splitlines()) == LONG + 2
    assert len(jax.tree.leaves(pullback)) == LONG
