"""Functions with a custom_jvp rule: the rule is honoured, or ignored on request."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.custom_derivatives import SymbolicZero

import funcgrad
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
M = jnp.asarray([[0.5, -0.2, 0.1], [0.3, 0.8, -0.4]], jnp.float32)

# Rules are wrong on purpose, by a factor, so that following the body would show.


@jax.custom_jvp
def sine(x: Any) -> Any:
    return jnp.sin(x)


sine.defjvp(lambda primals, tangents: (sine(primals[0]), 2 * jnp.cos(primals[0]) * tangents[0]))


@jax.custom_jvp
def product(x: Any, y: Any) -> Any:
    return x * y


product.defjvps(lambda t, _, x, y: 3 * t * y + 0 * x, lambda t, _, x, y: 5 * t * x + 0 * y)


@jax.custom_jvp
def half_given(x: Any, y: Any) -> Any:
    return x * y


half_given.defjvps(None, lambda t, _, x, y: 5 * t * x + 0 * y)


@partial(jax.custom_jvp, nondiff_argnums=(0, 2))
def applied(f: Callable[[Any], Any], x: Any, power: int) -> Any:
    return f(x) ** power


@applied.defjvp
def _applied_jvp(f: Any, power: int, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return applied(f, x, power), 7 * power * f(x) * t


@jax.custom_jvp
def of_trees(tree: Any, n: Any) -> Any:
    return {"s": tree["a"] * tree["b"][0], "n": n}


@of_trees.defjvp
def _of_trees_jvp(primals: Any, tangents: Any) -> Any:
    tree, n = primals
    t, t_n = tangents
    out = {"s": 4 * (t["a"] * tree["b"][0] + tree["a"] * t["b"][0]), "n": t_n}
    return of_trees(tree, n), out


@jax.custom_jvp
def branching(x: Any) -> Any:
    return jnp.abs(x)


@branching.defjvp
def _branching_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return branching(x), (6 * t if x > 0 else -8 * t)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "one argument": (lambda x: jnp.sum(sine(x)), (X,)),
    "after and before others": (lambda x: jnp.sum(sine(x * x) * x), (X,)),
    "defjvps": (lambda x, y: jnp.sum(product(x, y)), (X, 2 * X)),
    "defjvps by one": (lambda y: jnp.sum(product(X, y)), (X,)),
    "defjvps with None": (lambda x, y: jnp.sum(half_given(x, y)), (X, 2 * X)),
    "nondiff_argnums": (lambda x: jnp.sum(applied(jnp.tanh, x, 3)), (X,)),
    "trees": (lambda a, b: jnp.sum(of_trees({"a": a, "b": [b]}, 3)["s"]), (X, 2 * X)),
    "twice": (lambda x: jnp.sum(sine(sine(x))), (X,)),
    "relu": (lambda x: jnp.sum(jax.nn.relu(x) * x), (X,)),
    "relu at its kink": (lambda x: jnp.sum(jax.nn.relu(x)) + jnp.sum(x), (jnp.zeros(2),)),
    "relu6": (lambda x: jnp.sum(jax.nn.relu6(4 * x)), (X,)),
    "silu": (lambda x: jnp.sum(jax.nn.silu(x)), (X,)),
    "gelu": (lambda x: jnp.sum(jax.nn.gelu(x)), (X,)),
    "softplus": (lambda x: jnp.sum(jax.nn.softplus(x)), (X,)),
    "logsumexp": (jax.nn.logsumexp, (X,)),
    "logsumexp of an axis": (lambda m: jnp.sum(jax.nn.logsumexp(m, axis=1) ** 2), (M,)),
    "softmax": (lambda x: jax.nn.softmax(x)[0], (X,)),
    "log_softmax": (lambda m: jax.nn.log_softmax(m, axis=0)[1, 0], (M,)),
    "logaddexp": (lambda x, y: jnp.sum(jnp.logaddexp(x, y)), (X, 2 * X)),
    "sinc": (lambda x: jnp.sum(jnp.sinc(x)), (X,)),
}
EVERY = pytest.mark.parametrize("call", FUNCTIONS.values(), ids=FUNCTIONS)


@EVERY
def test_the_rule_is_honoured(call: Any) -> None:
    fun, args = call
    argnums = tuple(range(len(args)))
    assert_same(funcgrad.grad(fun, argnums)(*args), jax.grad(fun, argnums)(*args))


@EVERY
def test_the_rule_is_honoured_inside_jit_and_vmap(call: Any) -> None:
    fun, args = call
    argnums = tuple(range(len(args)))
    expected = jax.jit(jax.grad(fun, argnums))(*args)
    assert_same(funcgrad.grad(jax.jit(fun), argnums)(*args), expected)
    many = [jnp.stack([arg, arg]) for arg in args]
    ours = jax.jit(jax.vmap(funcgrad.grad(fun, argnums)))(*many)
    assert_same(jax.tree.map(lambda leaf: leaf[1], ours), expected)


SECOND = ["after and before others", "nondiff_argnums", "twice", "silu", "logsumexp"]


@pytest.mark.parametrize("name", SECOND)
def test_the_rule_is_differentiated_again(name: str) -> None:
    fun, args = FUNCTIONS[name]
    ours, theirs = (jax.jit(m.jacrev(m.grad(fun)))(*args) for m in (funcgrad, jax))
    assert_same(ours, theirs, factor=4)


def test_relu_is_zero_at_its_kink() -> None:
    np.testing.assert_array_equal(funcgrad.grad(lambda x: jnp.sum(jax.nn.relu(x)))(jnp.zeros(2)), 0)


def test_an_inner_gradient_honours_it_too() -> None:
    def fun(module: Any, x: Any) -> Any:
        return module.grad(lambda y: jnp.sum(sine(y) * x))(X)[0]

    assert_same(funcgrad.grad(partial(fun, funcgrad))(X), jax.grad(partial(fun, jax))(X))


def test_a_rule_may_branch_on_values() -> None:
    for point in (0.5, -0.5):
        assert_same(funcgrad.grad(branching)(point), jax.grad(branching)(point))


def test_outputs_that_are_not_floating() -> None:
    def fun(a: Any, n: Any) -> Any:
        out = of_trees({"a": a, "b": [X]}, n)
        return out["s"], out["n"]

    cotangent = (X, np.zeros((), jax.dtypes.float0))
    (_, ours), (_, theirs) = (m.vjp(fun, X, jnp.asarray(3)) for m in (funcgrad, jax))
    assert_same(ours(cotangent), theirs(cotangent))


# --- ignoring -------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_ignoring_follows_the_body(around: Any) -> None:
    fun = around(lambda x: jnp.sum(sine(x)))
    honoured = funcgrad.grad(fun)(X)
    ignored = funcgrad.grad(fun, custom_rules="ignore")(X)
    assert_same(honoured, 2 * jnp.cos(X))
    assert_same(ignored, jnp.cos(X))
    assert_same(funcgrad.value_and_grad(fun, custom_rules="ignore")(X)[1], jnp.cos(X))
    assert_same(funcgrad.vjp(fun, X, custom_rules="ignore")[1](jnp.float32(1))[0], jnp.cos(X))


def test_a_body_is_staged_for_each_choice() -> None:
    fun = jax.jit(lambda x: jnp.sum(sine(x)))
    for _ in range(2):
        assert_same(funcgrad.grad(fun, custom_rules="ignore")(X), jnp.cos(X))
        assert_same(funcgrad.grad(fun)(X), 2 * jnp.cos(X))


# --- symbolic zeros -------------------------------------------------------------------------------


def make_symbolic(seen: list[tuple[bool, ...]]) -> Any:
    @jax.custom_jvp
    def fun(x: Any, y: Any, n: Any) -> Any:
        return x * y * jnp.asarray(n, jnp.float32), y

    def rule(primals: Any, tangents: Any) -> Any:
        x, y, n = primals
        seen.append(tuple(isinstance(t, SymbolicZero) for t in tangents))
        t_x, t_y, _ = tangents
        total = jnp.zeros_like(x)
        if not isinstance(t_x, SymbolicZero):
            total = total + 2 * t_x * y
        if not isinstance(t_y, SymbolicZero):
            total = total + 3 * t_y * x
        return fun(x, y, n), (total, t_y)

    fun.defjvp(rule, symbolic_zeros=True)
    return fun


@pytest.mark.parametrize("argnums", [0, 1, (0, 1)])
@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_symbolic_zeros_stand_for_what_is_not_differentiated(argnums: Any, around: Any) -> None:
    seen: list[tuple[bool, ...]] = []
    symbolic = make_symbolic(seen)

    def fun(x: Any, y: Any) -> Any:
        first, second = symbolic(x, y, 3)
        return jnp.sum(first) + jnp.sum(second)

    ours = funcgrad.grad(around(fun), argnums)(X, 2 * X)
    mine = set(seen)
    seen.clear()
    assert_same(ours, jax.grad(around(fun), argnums)(X, 2 * X))
    wanted = (argnums,) if isinstance(argnums, int) else argnums
    assert mine == {(0 not in wanted, 1 not in wanted, True)}


# --- closures -------------------------------------------------------------------------------------


def test_a_closed_over_variable_is_refused_as_by_jax() -> None:
    def fun(x: Any, w: Any) -> Any:
        @jax.custom_jvp
        def closed(y: Any) -> Any:
            return y * w

        closed.defjvp(lambda p, t: (p[0] * w, t[0] * w))
        return closed(x)

    for module in (funcgrad, jax):
        with pytest.raises(jax.errors.UnexpectedTracerError):
            module.grad(fun, argnums=(0, 1))(2.0, 3.0)
    assert float(funcgrad.grad(fun)(2.0, 3.0)) == 3  # a constant may be closed over


@pytest.mark.parametrize("wrap", [lambda g: g, jax.jit], ids=["eager", "jit"])
def test_a_rule_may_call_its_own_function_on_tangents(wrap: Any) -> None:
    @jax.custom_jvp
    def double(x: Any) -> Any:
        return 2 * x

    double.defjvp(lambda primals, tangents: (double(*primals), double(*tangents)))
    assert wrap(funcgrad.grad(lambda x: double(x) ** 2))(3.0) == 24.0


def test_a_custom_vjp_function_on_tangents_is_honoured() -> None:
    @jax.custom_vjp
    def double(x: Any) -> Any:
        return 2 * x

    double.defvjp(lambda x: (2 * x, None), lambda _, ct: (5 * ct,))

    @jax.custom_jvp
    def outer(x: Any) -> Any:
        return 2 * x

    outer.defjvp(lambda primals, tangents: (outer(*primals), double(*tangents)))
    assert funcgrad.grad(outer)(3.0) == 5.0  # JAX refuses
