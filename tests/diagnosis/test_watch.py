"""The watched run: its sweep gives the gradients of the engine, whatever it opens."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad import grad
from funcgrad._diagnosis._diagnose import watch_all
from funcgrad._diagnosis._flow import flow_of
from funcgrad._tape import Options
from tests.diagnosis.healthy import HEALTHY

OPENED = {"scan", "while", "cond", "fori", "jit and checkpoint", "gru", "experts", "mlp"}
CHOSEN = [case for case in HEALTHY if case.name in OPENED]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_the_watched_sweep_gives_the_gradient(case: Any) -> None:
    watched = watch_all(case.function, case.args, False, Options(), {})
    flow = flow_of(watched, [jnp.ones_like(value) for value in watched.values])
    expected = jax.tree.leaves(grad(case.function)(*case.args))
    for key, gradient in zip(watched.inputs, expected, strict=False):
        got = flow.totals.get(key)
        assert got is not None
        np.testing.assert_allclose(got, gradient, rtol=1e-4, atol=1e-6)


def test_every_case_was_chosen() -> None:
    assert len(CHOSEN) == len(OPENED)
