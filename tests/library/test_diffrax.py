"""Diffrax, on our rules for Equinox and Lineax, against `jax.grad`; where it is installed."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.rules import third_party as third_party  # its rules are declared by the import
from tests.library.library_calls import Call, X, call, compare

diffrax = pytest.importorskip("diffrax")

RATE = np.array(0.7)


def _solve(solver: Any, accuracy: float | None = None, **options: Any) -> Any:
    def run(start: Any, rate: Any) -> Any:
        terms = diffrax.ODETerm(lambda t, y, rate: jnp.sin(t) - rate * y * y)
        steps = (
            diffrax.ConstantStepSize()
            if accuracy is None
            else diffrax.PIDController(rtol=accuracy, atol=accuracy)
        )
        return diffrax.diffeqsolve(
            terms, solver, 0.0, 1.0, 0.25, start, rate,
            stepsize_controller=steps, max_steps=16, **options,
        ).ys  # fmt: skip

    return run


CALLS: dict[str, tuple[Any, Call]] = {
    "steps of one length": (_solve(diffrax.Tsit5()), call(X, RATE)),
    "steps of their own length": (_solve(diffrax.Tsit5(), 1e-3), call(X, RATE)),
    "an implicit method": (_solve(diffrax.Kvaerno3(), 1e-3), call(X, RATE)),
    "at chosen times": (
        _solve(diffrax.Heun(), saveat=diffrax.SaveAt(ts=jnp.array([0.2, 0.7]))),
        call(X, RATE),
    ),
    "DirectAdjoint": (
        _solve(diffrax.Euler(), adjoint=diffrax.DirectAdjoint()),
        call(X, RATE, times=2),
    ),
    "BacksolveAdjoint": (
        _solve(diffrax.Tsit5(), adjoint=diffrax.BacksolveAdjoint()),
        call(X, RATE),
    ),
    "twice through the default adjoint": (
        _solve(diffrax.Euler()),
        call(X, RATE, times=2, cannot="its checkpointed loop is differentiated once only"),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_our_gradient_is_that_of_jax(name: str) -> None:
    function, one = CALLS[name]
    compare(function, one._replace(factor=20))
