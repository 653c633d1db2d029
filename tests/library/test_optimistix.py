"""Optimistix, on our rules for Equinox and Lineax, against `jax.grad`; where it is installed."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.rules import third_party as third_party  # its rules are declared by the import
from tests.library.library_calls import Call, call, compare

optx = pytest.importorskip("optimistix")

A, TARGETS = np.array(1.3), np.array([1.2, 0.6, 0.4])
START = jnp.array([0.5, 0.3])
ACCURACY = (1e-6, 1e-6)


def _cubic(y: Any, a: Any) -> Any:
    return y**3 + a * y - 1


def _root(solver: Any, **options: Any) -> Any:
    def find(a: Any) -> Any:
        return optx.root_find(_cubic, solver, START[0], args=a, options=options).value

    return find


def _fixed_point(a: Any) -> Any:
    solver = optx.FixedPointIteration(*ACCURACY)
    return optx.fixed_point(lambda y, a: jnp.cos(y * a), solver, START, args=a).value


def _residuals(y: Any, a: Any) -> Any:
    return jnp.stack([y[0] - a[0], y[1] * y[0] - a[1], jnp.sin(y[1]) - a[2]])


def _least_squares(solver: Any) -> Any:
    return lambda a: optx.least_squares(_residuals, solver, START, args=a, throw=False).value


def _minimum(a: Any) -> Any:
    def function(y: Any, a: Any) -> Any:
        return jnp.sum((y - a[:2]) ** 2 + y**4)

    return optx.minimise(function, optx.BFGS(*ACCURACY), START, args=a, throw=False).value


CALLS: dict[str, tuple[Any, Call]] = {
    "Newton": (_root(optx.Newton(*ACCURACY)), call(A, times=2)),
    "Chord": (_root(optx.Chord(*ACCURACY)), call(A)),
    "Bisection": (_root(optx.Bisection(*ACCURACY), lower=-1.0, upper=3.0), call(A)),
    "FixedPointIteration": (_fixed_point, call(TARGETS[:2])),
    "LevenbergMarquardt": (_least_squares(optx.LevenbergMarquardt(*ACCURACY)), call(TARGETS)),
    "GaussNewton": (_least_squares(optx.GaussNewton(*ACCURACY)), call(TARGETS)),
    "BFGS": (_minimum, call(TARGETS)),
}


@pytest.mark.parametrize("name", CALLS)
def test_our_gradient_is_that_of_jax(name: str) -> None:
    function, one = CALLS[name]
    compare(function, one._replace(factor=200))  # of an iteration that ends near the solution
