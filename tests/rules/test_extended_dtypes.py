"""Extended dtypes, whose tangents have a dtype that they name."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import primal_tangent_dtype

import funcgrad

X = jnp.arange(1.0, 4.0, dtype=jnp.float32) / 3


def program(primal: str, tangent: str, order: int, module: Any) -> Any:
    """The gradient of a program whose values pass through an extended dtype, used twice."""
    extended: Any = primal_tangent_dtype(primal, tangent)

    def loss(x: Any) -> Any:
        held = lax.convert_element_type(jnp.sin(x).astype(primal), extended)
        first = lax.convert_element_type(held[:2], primal)
        whole = lax.convert_element_type(held, primal)
        return (jnp.sum(first**2) + jnp.sum(whole**3)).astype(jnp.float32)

    if order == 1:
        return jax.jit(module.grad(loss))
    return jax.jit(module.grad(lambda x: jnp.sum(jnp.sin(module.grad(loss)(x)))))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("primal", "tangent"),
    [("float32", "float32"), ("float32", "bfloat16"), ("bfloat16", "float32")],
)
def test_gradients_are_jaxs(primal: str, tangent: str, order: int) -> None:
    ours = program(primal, tangent, order, funcgrad)(X)
    theirs = program(primal, tangent, order, jax)(X)
    np.testing.assert_allclose(ours, theirs, rtol=2e-2 if "b" in primal + tangent else 1e-6)
    assert np.all(theirs != 0)
