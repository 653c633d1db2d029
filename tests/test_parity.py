"""What else goes in and comes out of JAX's gradients goes in and comes out of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import funcgrad
from tests.comparing import assert_same

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)


def loss(x: Any) -> Any:
    return jnp.sum(jnp.tanh(x) * jnp.exp(-x))


# --- abstract evaluation and export ---------------------------------------------------------------


def test_eval_shape() -> None:
    ours, theirs = (jax.eval_shape(m.value_and_grad(loss), X) for m in (funcgrad, jax))
    assert ours == theirs


def test_eval_shape_runs_nothing() -> None:
    huge = jax.ShapeDtypeStruct((10**6, 10**6), jnp.float32)
    assert jax.eval_shape(funcgrad.grad(loss), huge).shape == huge.shape


def test_export() -> None:
    exported = export.export(jax.jit(funcgrad.grad(loss)))(X)
    assert_same(exported.call(X), jax.grad(loss)(X))


def test_export_with_a_symbolic_size() -> None:
    (size,) = export.symbolic_shape("n")
    kind = jax.ShapeDtypeStruct((size,), jnp.float32)
    exported = export.export(jax.jit(funcgrad.grad(loss)))(kind)
    for x in (X, jnp.ones(5)):
        assert_same(exported.call(x), jax.grad(loss)(x))


def test_ours_through_an_exported_function() -> None:
    exported = export.export(jax.jit(loss))(X)
    assert_same(funcgrad.grad(exported.call)(X), jax.grad(loss)(X))


# --- unusual leaves -------------------------------------------------------------------------------


@dataclass
class Model:
    """A node of a user's."""

    weight: Any
    bias: Any
    name: str = "layer"


jax.tree_util.register_dataclass(Model, ["weight", "bias"], ["name"])


def apply(model: Model, x: Any) -> Any:
    bias = 0.0 if model.bias is None else model.bias
    return jnp.sum(jnp.tanh(model.weight * x + bias))


@pytest.mark.parametrize("bias", [None, 0.5, X])
def test_custom_nodes_and_missing_leaves(bias: Any) -> None:
    model = Model(X, bias, "first")
    ours, theirs = (m.grad(apply)(model, 2.0) for m in (funcgrad, jax))
    assert str(jax.tree.structure(ours)) == str(jax.tree.structure(theirs))
    assert ours.name == "first"
    assert_same(ours, theirs)


def test_whole_numbers_get_a_gradient_of_float0() -> None:
    def function(tree: Any) -> Any:
        return jnp.sum(tree["x"] * tree["n"]) + jnp.sum(tree["flag"])

    tree = {"x": X, "n": jnp.arange(3), "flag": jnp.array([True, False])}
    ours, theirs = (m.grad(function, allow_int=True)(tree) for m in (funcgrad, jax))
    assert {k: v.dtype for k, v in ours.items()} == {k: v.dtype for k, v in theirs.items()}
    assert ours["n"].dtype == jax.dtypes.float0
    assert_same(ours["x"], theirs["x"])


def test_keys_pass_as_arguments_and_inside() -> None:
    def function(x: Any, key: Any) -> Any:
        first, second = jax.random.split(key)
        noise = jax.random.normal(first, x.shape) * jax.random.bernoulli(second, 0.5, x.shape)
        return jnp.sum(jnp.sin(x + noise) * jax.random.gamma(second, jnp.exp(x)))

    key = jax.random.key(7)
    for wrap in (lambda f: f, jax.jit):
        ours, theirs = (wrap(m.grad(function))(X, key) for m in (funcgrad, jax))
        assert_same(ours, theirs, factor=8)
    keys = jax.random.split(key, 4)
    ours, theirs = (jax.vmap(m.grad(function), (None, 0))(X, keys) for m in (funcgrad, jax))
    assert_same(ours, theirs, factor=8)


def test_a_scan_that_carries_a_key() -> None:
    def function(x: Any) -> Any:
        def step(carry: Any, _: Any) -> Any:
            y, key = carry
            key, used = jax.random.split(key)
            return (y * jnp.cos(jax.random.uniform(used)), key), y

        (last, _), ys = jax.lax.scan(step, (x, jax.random.key(0)), length=4)
        return last * jnp.sum(ys)

    assert_same(funcgrad.grad(function)(1.5), jax.grad(function)(1.5), factor=4)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "bfloat16", "float16"])
def test_narrow_numbers(dtype: str) -> None:
    def function(x: Any) -> Any:
        wide = x.astype(jnp.float32)
        return jnp.sum(jnp.sin(wide) * wide)

    x = jnp.asarray([0.25, -0.5, 1.5], jnp.dtype(dtype))
    ours, theirs = (m.grad(function)(x) for m in (funcgrad, jax))
    assert ours.dtype == theirs.dtype == x.dtype
    np.testing.assert_array_equal(ours.astype(jnp.float32), theirs.astype(jnp.float32))


def test_a_product_of_narrow_factors() -> None:
    a = jnp.asarray([[0.25, -0.5], [1.5, 2.0]], jnp.float8_e4m3fn)

    def function(a: Any, b: Any) -> Any:
        return jnp.sum(jax.lax.dot(a, b, preferred_element_type=jnp.float32) ** 2)

    ours, theirs = (m.grad(function, (0, 1))(a, a.T) for m in (funcgrad, jax))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine.astype(jnp.float32), other.astype(jnp.float32))


# --- weak types and complex numbers ---------------------------------------------------------------


@pytest.mark.parametrize("point", [2.0, jnp.float32(2.0), np.float32(2.0), jnp.bfloat16(2.0)])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_weak_types(point: Any, wrap: Callable[[Any], Any]) -> None:
    def function(x: Any) -> Any:
        return 3 * x**2 + jnp.where(x > 0, x, 1.0)

    ours, theirs = (wrap(m.grad(function))(point) for m in (funcgrad, jax))
    assert (ours.dtype, ours.weak_type) == (theirs.dtype, theirs.weak_type)
    assert ours == theirs


def test_complex_arguments_of_a_real_function() -> None:
    def function(z: Any) -> Any:
        return jnp.sum(jnp.abs(z) ** 2 * jnp.real(jnp.exp(1j * z)))

    z = X + 0.5j * X[::-1]
    assert_same(funcgrad.grad(function)(z), jax.grad(function)(z), factor=8)


# --- to the third order through structured programs -----------------------------------------------

STRUCTURED: dict[str, Callable[[Any], Any]] = {
    "scan": lambda x: jax.lax.scan(lambda c, k: (jnp.sin(c * k), None), x, jnp.arange(1.0, 4.0))[0],
    "cond": lambda x: jax.lax.cond(x > 0, lambda y: y**4, jnp.cos, x),
    "switch of scan": lambda x: jax.lax.switch(
        1,
        [jnp.sin, lambda y: jax.lax.fori_loop(0, 3, lambda _, c: jnp.sin(c) * y, y)],
        x,
    ),
    "checkpoint": jax.checkpoint(lambda x: jnp.sin(jnp.sin(x)) * x),
    "custom_jvp": lambda x: jax.nn.softplus(x) * jax.nn.silu(x),
    "vmap": lambda x: jnp.sum(jax.vmap(lambda k: jnp.sin(k * x) * x)(jnp.arange(1.0, 4.0))),
    "linear solve": lambda x: jnp.sum(
        jnp.linalg.solve(jnp.array([[3.0, 1.0], [0.5, 2.0]]) + x, jnp.stack([x, x * x]))
    ),
}


@pytest.mark.parametrize("name", STRUCTURED)
def test_three_orders_compiled(name: str) -> None:
    function = STRUCTURED[name]
    ours = jax.jit(funcgrad.grad(funcgrad.grad(funcgrad.grad(function))))(0.8)
    theirs = jax.jit(jax.grad(jax.grad(jax.grad(function))))(0.8)
    np.testing.assert_allclose(ours, theirs, rtol=2e-4)


@pytest.mark.parametrize("name", STRUCTURED)
def test_forward_over_ours_and_ours_over_forward(name: str) -> None:
    function = STRUCTURED[name]

    def slope(f: Any) -> Callable[[Any], Any]:
        return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]

    x = jnp.float32(0.8)
    expected = jax.grad(jax.grad(function))(x)
    np.testing.assert_allclose(slope(funcgrad.grad(function))(x), expected, rtol=1e-4)
    np.testing.assert_allclose(funcgrad.grad(slope(function))(x), expected, rtol=1e-4)
