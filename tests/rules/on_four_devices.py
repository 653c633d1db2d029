"""Gradients over four devices: run by `test_placement.py` in a process that has them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import funcgrad

P = PartitionSpec
X = np.arange(8.0, dtype=np.float32).reshape(4, 2)


@pytest.fixture(name="mesh")
def explicit_mesh() -> Any:
    devices = np.array(jax.devices()[:4])
    return jax.sharding.Mesh(devices, ("i",), axis_types=(AxisType.Explicit,))


def test_a_gradient_lies_on_the_device_of_its_argument() -> None:
    here, there = jax.devices()[:2]
    x = jax.device_put(jnp.float32(2.0), here)
    gradient = funcgrad.grad(lambda x: jax.device_put(x * x, there) * 3.0)(x)
    assert gradient == 12.0
    assert gradient.devices() == {here}


def test_a_resharded_value_gives_a_gradient_with_the_first_sharding(mesh: Any) -> None:
    with jax.set_mesh(mesh):
        x = jax.device_put(X, NamedSharding(mesh, P("i")))

        def function(x: Any) -> Any:
            return jnp.sum(jnp.sin(jax.sharding.reshard(x, P())))

        for ours in (funcgrad.grad(function), jax.jit(funcgrad.grad(function))):
            gradient = ours(x)
            assert jax.typeof(gradient).sharding.spec == P("i", None)
            np.testing.assert_allclose(gradient, np.cos(X), rtol=1e-5)


def test_a_product_of_sharded_factors(mesh: Any) -> None:
    with jax.set_mesh(mesh):
        a = jax.device_put(X, NamedSharding(mesh, P("i", None)))
        b = jax.device_put(X.T[:, :3] * 0.1, NamedSharding(mesh, P(None, None)))

        def function(a: Any, b: Any) -> Any:
            return jnp.sum(jnp.sin(a @ b))

        ours = jax.jit(funcgrad.grad(function, argnums=(0, 1)))(a, b)
        theirs = jax.jit(jax.grad(function, argnums=(0, 1)))(a, b)
        for mine, other in zip(ours, theirs, strict=True):
            assert jax.typeof(mine) == jax.typeof(other)
            np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)


def products(w: Any, x: Any) -> Any:
    return jnp.sum(jnp.tanh(x @ w) ** 2)


def convolutions(w: Any, x: Any) -> Any:
    image, kernel = x.reshape(4, 1, 2), w.reshape(2, 1, 2)
    return jnp.sum(jnp.tanh(lax.conv_general_dilated(image, kernel, (1,), "VALID")))


@pytest.mark.parametrize("function", [products, convolutions])
def test_weights_made_outside_of_the_mesh_of_the_data(mesh: Any, function: Any) -> None:
    w = jnp.asarray([[0.3, -0.2], [0.1, 0.5]], jnp.float32)
    with jax.set_mesh(mesh):
        x = jax.device_put(X, NamedSharding(mesh, P("i", None)))
        # Of weights outside of it JAX has no gradient of a convolution.
        expected = jax.grad(function)(jax.device_put(w, NamedSharding(mesh, P(None, None))), x)
        for transform in (lambda f: f, jax.jit):
            ours = transform(funcgrad.grad(function))(w, x)
            assert (ours.shape, ours.dtype) == (w.shape, w.dtype)
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_a_sum_over_a_sharded_axis(mesh: Any) -> None:
    with jax.set_mesh(mesh):
        x = jax.device_put(X, NamedSharding(mesh, P("i", None)))

        def function(x: Any) -> Any:
            return jnp.sum(jnp.sum(x * x, axis=0) ** 2)

        ours, theirs = (lib.grad(function)(x) for lib in (funcgrad, jax))
        assert jax.typeof(ours) == jax.typeof(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_constrained_sharding_on_an_automatic_mesh() -> None:
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:4]), ("i",))
    sharding = NamedSharding(mesh, P("i"))

    def function(x: Any) -> Any:
        return jnp.sum(jnp.sin(lax.with_sharding_constraint(x, sharding)))

    gradient = jax.jit(funcgrad.grad(function))(X)
    assert gradient.sharding.is_equivalent_to(sharding, 2)
    np.testing.assert_allclose(gradient, np.cos(X), rtol=1e-5)
