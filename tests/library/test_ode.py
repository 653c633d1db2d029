"""`jax.experimental.ode.odeint`, a custom rule with a loop inside, against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.ode import odeint

from tests.library.library_calls import Call, X, Y, call, compare

TIMES = np.array([0.0, 0.3, 0.8])


def _pendulum(state: Any, time: Any, friction: Any, force: Any) -> Any:
    angle, speed = state
    return speed, force * jnp.cos(time) - friction * speed - jnp.sin(angle)


def _with(function: Any) -> Any:
    return lambda f: lambda *arguments, **options: f(function, *arguments, **options)


CALLS = {
    "a tree with two parameters": call(
        (np.array(0.7), np.array(-0.2)), TIMES, np.array(0.3), np.array(0.5), adapt=_with(_pendulum)
    ),
    "a vector": call(X, TIMES, Y, adapt=_with(lambda x, _, k: -k * x * x)),
    "options": call(
        X, TIMES, adapt=_with(lambda x, t: jnp.sin(x + t)), rtol=1e-4, atol=1e-4, mxstep=50
    ),
}


@pytest.mark.parametrize("one", CALLS.values(), ids=CALLS)
def test_our_gradient_is_that_of_jax(one: Call) -> None:
    compare(odeint, one)
