"""`jacrev`, `hessian` and `hvp` against JAX's; weak types of a Jacobian are those of its input."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcgrad
from tests.comparing import assert_close, assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
M = jnp.asarray([[0.5, -0.2], [0.3, 0.8], [-0.6, 0.7]], jnp.float32)
ONE = np.float32(1.5)


class Pair(NamedTuple):
    left: Any
    right: Any


def coupled(x: Any, m: Any) -> Any:
    return {"a": jnp.sin(x) @ m, "b": (jnp.sum(x**2) * m[0, 0],)}


Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
CALLS: dict[str, Call] = {
    "an array": (lambda x: x * x[0], (X,), {}),
    "a number": (lambda x: x**2, (2.0,), {}),
    "a matrix": (lambda m: m.T @ m, (M,), {}),
    "trees in and out": (
        lambda p: {"s": p.left * jnp.sum(p.right["r"]), "none": None},
        (Pair(X, {"r": M, "none": None}),),
        {},
    ),
    "argnums a tuple": (coupled, (X, M), {"argnums": (0, 1)}),
    "argnums negative": (coupled, (X, M), {"argnums": -1}),
    "argnums a list": (coupled, (X, M), {"argnums": [1, 0]}),
    "holomorphic": (
        lambda z: jnp.stack([z[0] * z[1], jnp.exp(z[0])]),
        (np.array([1j, 0.5], np.complex64),),
        {"holomorphic": True},
    ),
    "half precision": (lambda x: x * x[0], (X.astype(jnp.float16),), {}),
    "a scalar output": (lambda x: jnp.sum(x**3), (X,), {}),
    "jit": (jax.jit(lambda x: jnp.tanh(x) * x[1]), (X,), {}),
    "an unused argument": (lambda x, _: x * 2, (X, M), {"argnums": (0, 1)}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_jacrev_is_that_of_jax(call: Call) -> None:
    fun, args, options = call
    assert_same(funcgrad.jacrev(fun, **options)(*args), jax.jacrev(fun, **options)(*args))


# Compiled, because eagerly every operation of two nested sweeps compiles on its own.
SECOND = ["an array", "a number", "trees in and out", "argnums a tuple", "holomorphic", "jit"]


@pytest.mark.parametrize("call", [CALLS[name] for name in SECOND], ids=SECOND)
def test_hessian_is_that_of_jax(call: Call) -> None:
    fun, args, options = call
    expected = jax.jit(jax.hessian(fun, **options))(*args)
    zero = not any(np.any(leaf) for leaf in jax.tree.leaves(expected))
    # JAX's is forward over reverse, so the weak types of mixed entries are those of the other leaf.
    ours = jax.jit(funcgrad.hessian(fun, **options))(*args)
    assert_close(ours, expected, zero=zero, factor=4)


def test_an_eager_hessian_is_that_of_jax() -> None:
    fun = CALLS["an array"][0]
    assert_same(funcgrad.hessian(fun)(X), jax.jit(jax.hessian(fun))(X), factor=4)


def test_the_types_of_a_hessian_follow_the_inner_argument() -> None:
    result = funcgrad.hessian(lambda t: t["a"] ** 2 * jnp.sum(t["b"]))({"a": 2.0, "b": M * 1.0})
    types = {(i, j): leaf for i, row in result.items() for j, leaf in row.items()}
    assert {key: leaf.shape for key, leaf in types.items()} == {
        ("a", "a"): (), ("a", "b"): (3, 2), ("b", "a"): (3, 2), ("b", "b"): (3, 2, 3, 2),
    }  # fmt: skip
    assert {key: leaf.weak_type for key, leaf in types.items()} == {
        ("a", "a"): True, ("a", "b"): False, ("b", "a"): True, ("b", "b"): False,
    }  # fmt: skip


def test_integers_have_rows_of_zeros() -> None:
    def fun(n: Any, x: Any) -> Any:
        return x * jnp.asarray(n, jnp.float32)

    options: dict[str, Any] = {"argnums": (0, 1), "allow_int": True}
    ours = funcgrad.jacrev(fun, **options)(3, X)
    assert_same(ours, jax.jacrev(fun, **options)(3, X))
    assert not np.any(ours[0])


def test_aux_and_keywords() -> None:
    def fun(x: Any, *, scale: float) -> Any:
        return x**2 * scale, {"aux": x, "none": None}

    ours, theirs = (m.jacrev(fun, has_aux=True)(X, scale=2.0) for m in (funcgrad, jax))
    assert_same(ours, theirs)
    ours, theirs = (m.hessian(fun, has_aux=True)(X, scale=2.0) for m in (funcgrad, jax))
    assert_same(ours, theirs)


def test_an_output_without_entries() -> None:
    ours, theirs = (m.jacrev(lambda x: x[:0] * 2)(X) for m in (funcgrad, jax))
    assert ours.shape == (0, 3)
    assert_same(ours, theirs, zero=True)


def test_a_constant_output() -> None:
    ours, theirs = (m.jacrev(lambda _: jnp.ones(2, jnp.float32))(X) for m in (funcgrad, jax))
    assert_same(ours, theirs, zero=True)


@pytest.mark.parametrize("around", [jax.jit, lambda f: jax.jit(jax.vmap(f, in_axes=1))])
def test_under_jit_and_vmap(around: Any) -> None:
    def fun(x: Any) -> Any:
        return jnp.tanh(x) * jnp.sum(x)

    for transform in ("jacrev", "hessian"):
        ours, theirs = (around(getattr(m, transform)(fun))(M) for m in (funcgrad, jax))
        assert_same(ours, theirs, factor=4)


# --- hvp ------------------------------------------------------------------------------------------


def loss(p: Any, m: Any) -> Any:
    return jnp.sum(jnp.sin(p["x"]) * (m @ m.T @ p["x"])) + p["s"] ** 3


POINT = ({"x": X, "s": ONE}, M)
VECTOR = ({"x": X[::-1], "s": ONE * 2}, M[::-1])


def forward_over_reverse(fun: Any, primals: Any, tangents: Any) -> Any:
    return jax.jvp(jax.grad(fun, tuple(range(len(primals)))), primals, tangents)[1]


def test_hvp_is_the_derivative_of_the_gradient() -> None:
    expected = forward_over_reverse(loss, POINT, VECTOR)
    assert_same(funcgrad.hvp(loss, POINT, VECTOR), expected, factor=4)
    assert_same(funcgrad.hvp(jax.jit(loss), POINT, VECTOR), expected, factor=4)
    staged = jax.jit(lambda p, t: funcgrad.hvp(loss, p, t))(POINT, VECTOR)
    assert_same(staged, expected, factor=4)


def test_hvp_of_one_argument_is_not_a_tuple() -> None:
    ours = funcgrad.hvp(lambda x: jnp.sum(x**3), (X,), [X])
    assert_same(ours, 6 * X * X)
    assert_same(funcgrad.hvp(lambda x: x**3, [2.0], [10.0]), jnp.asarray(120.0))


def quartic(x: Any) -> Any:
    return jnp.prod(jnp.sin(x)) + jnp.sum(x**4)


COMPILED_HVP = jax.jit(lambda vector: funcgrad.hvp(quartic, (X,), (vector,)))
COMPILED_HESSIAN = jax.jit(jax.hessian(quartic))


@given(st.lists(st.integers(-3, 3), min_size=3, max_size=3))
def test_hvp_is_the_hessian_times_the_vector(entries: list[int]) -> None:
    vector = jnp.asarray(entries, jnp.float32)

    ours, hessian = COMPILED_HVP(vector), COMPILED_HESSIAN(X)
    assert_close(ours, hessian @ vector, zero=not any(entries), factor=4)


def test_custom_rules_pass_through() -> None:
    @jax.custom_vjp
    def wrong(x: Any) -> Any:
        return x**2

    wrong.defvjp(lambda x: (x**2, x), lambda x, ct: (ct * x**2,))  # a slope of x^2, not 2x
    by_rule = funcgrad.jacrev(wrong)(3.0)
    by_body = funcgrad.jacrev(wrong, custom_rules="ignore")(3.0)
    assert (float(by_rule), float(by_body)) == (9, 6)
    assert float(funcgrad.hessian(wrong)(3.0)) == 6
    assert float(funcgrad.hessian(wrong, custom_rules="ignore")(3.0)) == 2
    assert float(funcgrad.hvp(wrong, (3.0,), (1.0,))) == 6
    assert float(funcgrad.hvp(wrong, (3.0,), (1.0,), custom_rules="ignore")) == 2


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_a_rule_without_a_symmetric_hessian_has_one_product(wrap: Any) -> None:
    """The derivative of the gradient along the vector, as `jax.jvp` of `jax.grad` is."""

    @jax.custom_jvp
    def biased(x: Any, y: Any) -> Any:
        return x * y

    biased.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] ** 2 + t[1] * p[0] * 5))

    def function(p: Any) -> Any:
        return jnp.sum(biased(p[0], p[1]) ** 2)

    point, vector = jnp.array([0.5, 2.0]), jnp.array([1.0, 0.0])
    product = wrap(lambda p, v: funcgrad.hvp(function, (p,), (v,)))(point, vector)
    theirs = jax.jvp(jax.grad(function), (point,), (vector,))[1]
    np.testing.assert_allclose(product, theirs, rtol=1e-6)
    assert theirs.tolist() == [16.0, 20.0]
