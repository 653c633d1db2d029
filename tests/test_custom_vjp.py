"""Functions with a custom_vjp rule: the rule is honoured, or ignored on request."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero

import funcgrad
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
SCALE = jnp.asarray([2.0, 3.0, 5.0], jnp.float32)

# Rules are wrong on purpose, by a factor, so that following the body would show.


@jax.custom_vjp
def sine(x: Any) -> Any:
    return jnp.sin(x)


sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (2 * ct * jnp.cos(x),))


@partial(jax.custom_vjp, nondiff_argnums=(0, 2))
def applied(f: Callable[[Any], Any], x: Any, power: int) -> Any:
    return f(x) ** power


applied.defvjp(
    lambda f, x, power: (f(x) ** power, x),
    lambda f, power, x, ct: (7 * power * ct * f(x),),
)


@jax.custom_vjp
def of_trees(tree: Any, n: Any) -> Any:
    return {"s": tree["a"] * tree["b"][0], "t": (tree["a"] * 2,), "n": n}


of_trees.defvjp(
    lambda tree, n: (of_trees(tree, n), {"saved": tree, "none": None}),
    lambda kept, ct: (
        {"a": 4 * ct["s"] * kept["saved"]["b"][0] + ct["t"][0], "b": [5 * ct["s"]]},
        None,
    ),
)


@jax.custom_vjp
def partly(x: Any, y: Any) -> Any:
    return x * y


partly.defvjp(lambda x, y: (x * y, y), lambda y, ct: (3 * ct * y, None))  # None: a zero


@jax.custom_vjp
def closing(x: Any) -> Any:
    return x * SCALE


closing.defvjp(lambda x: (x * SCALE, None), lambda _, ct: (ct * SCALE * SCALE,))


@jax.custom_vjp
def forwarding(x: Any, y: Any) -> Any:
    return x * y


# Its residuals are its inputs, which JAX does not copy.
forwarding.defvjp(lambda x, y: (x * y, (x, y)), lambda kept, ct: (2 * ct * kept[1], ct * kept[0]))


@jax.custom_vjp
def identity(x: Any) -> Any:
    return x


identity.defvjp(lambda x: (x, None), lambda _, ct: (10 * ct,))

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "one argument": (lambda x: jnp.sum(sine(x)), (X,)),
    "after and before others": (lambda x: jnp.sum(sine(x * x) * x), (X,)),
    "nondiff_argnums": (lambda x: jnp.sum(applied(jnp.tanh, x, 3)), (X,)),
    "trees": (lambda a, b: jnp.sum(of_trees({"a": a, "b": [b]}, 3)["s"]), (X, 2 * X)),
    "trees, another output": (
        lambda a, b: jnp.sum(of_trees({"a": a, "b": [b]}, 3)["t"][0] * b),
        (X, 2 * X),
    ),
    "None for a zero": (lambda x, y: jnp.sum(partly(x, y)), (X, 2 * X)),
    "a closed-over constant": (lambda x: jnp.sum(closing(x)), (X,)),
    "forwarded residuals": (lambda x, y: jnp.sum(forwarding(x, y)), (X, 2 * X)),
    "forwarded residuals by one": (lambda y: jnp.sum(forwarding(X, y)), (2 * X,)),
    "one value twice": (lambda x: jnp.sum(forwarding(x, x)), (X,)),
    "identity": (lambda x: jnp.sum(identity(x) * x), (X,)),
    "twice": (lambda x: jnp.sum(sine(sine(x))), (X,)),
    "beside a custom_jvp": (lambda x: jnp.sum(jax.nn.silu(sine(x))), (X,)),
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


@pytest.mark.parametrize("name", ["one argument", "nondiff_argnums", "trees", "identity", "twice"])
def test_the_rule_is_differentiated_again(name: str) -> None:
    fun, args = FUNCTIONS[name]
    ours, theirs = (jax.jit(m.jacrev(m.grad(fun)))(*args) for m in (funcgrad, jax))
    zero = not np.any(theirs)
    assert_same(ours, theirs, zero=zero, factor=4)


def test_a_vmap_of_the_function_inside_the_gradient() -> None:
    def fun(x: Any) -> Any:
        return jnp.sum(jax.vmap(forwarding)(x, 2 * x) + jax.vmap(sine)(x))

    assert_same(funcgrad.grad(fun)(X), jax.grad(fun)(X))
    assert_same(funcgrad.grad(jax.jit(fun))(X), jax.grad(fun)(X))


def test_an_integer_argument_and_output() -> None:
    def fun(a: Any, n: Any) -> Any:
        out = of_trees({"a": a, "b": [X]}, n)
        return out["s"], out["n"]

    cotangent = (X, np.zeros((), jax.dtypes.float0))
    (_, ours), (_, theirs) = (m.vjp(fun, X, jnp.asarray(3)) for m in (funcgrad, jax))
    assert_same(ours(cotangent), theirs(cotangent))


def test_it_is_run_straight_where_nothing_is_differentiated() -> None:
    gradient = funcgrad.grad(lambda x: jnp.sum(sine(X) * x))(X)
    assert_same(gradient, jnp.sin(X))


# --- ignoring -------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_ignoring_follows_the_body(around: Any) -> None:
    fun = around(lambda x: jnp.sum(sine(x)))
    assert_same(funcgrad.grad(fun)(X), 2 * jnp.cos(X))
    assert_same(funcgrad.grad(fun, custom_rules="ignore")(X), jnp.cos(X))
    second = funcgrad.hvp(fun, (X,), (X,), custom_rules="ignore")
    assert_same(second, -jnp.sin(X) * X)


def test_ignoring_finds_the_gradient_that_a_wrong_rule_hides() -> None:
    by_rule, by_body = (
        funcgrad.grad(lambda x, y: jnp.sum(partly(x, y)), (0, 1), custom_rules=rules)(X, SCALE)
        for rules in ("honour", "ignore")
    )
    assert_same(by_rule, (3 * SCALE, jnp.zeros_like(X)))
    assert_same(by_body, (SCALE, X))


# --- symbolic zeros -------------------------------------------------------------------------------


def make_symbolic(seen: list[Any]) -> Any:
    @jax.custom_vjp
    def fun(x: Any, y: Any) -> Any:
        return x * y, x + y

    def forward(x: CustomVJPPrimal, y: CustomVJPPrimal) -> Any:
        seen.append(("forward", x.perturbed, y.perturbed))
        return fun(x.value, y.value), (x.value, y.value)

    def backward(kept: Any, cts: Any) -> Any:
        seen.append(("backward", *(isinstance(ct, SymbolicZero) for ct in cts)))
        first, second = (0.0 if isinstance(ct, SymbolicZero) else ct for ct in cts)
        x, y = kept
        return 2 * first * y + second, 3 * first * x + second

    fun.defvjp(forward, backward, symbolic_zeros=True)
    return fun


@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["plain", "jit"])
@pytest.mark.parametrize("argnums", [0, 1, (0, 1)])
@pytest.mark.parametrize("used", [0, 1])
def test_symbolic_zeros(argnums: Any, used: int, around: Any) -> None:
    seen: list[Any] = []
    symbolic = make_symbolic(seen)

    fun = around(lambda x, y: jnp.sum(symbolic(x, y)[used]))
    ours = funcgrad.grad(fun, argnums)(X, SCALE)
    mine = set(seen)
    assert_same(ours, jax.grad(fun, argnums)(X, SCALE))
    wanted = (argnums,) if isinstance(argnums, int) else argnums
    assert mine >= {("forward", 0 in wanted, 1 in wanted), ("backward", used != 0, used != 1)}


# --- Python in a rule -----------------------------------------------------------------------------


def test_a_backward_rule_sees_concrete_values_each_time() -> None:
    seen: list[float] = []

    @jax.custom_vjp
    def clipped(x: Any) -> Any:
        return x * 2

    def backward(x: Any, ct: Any) -> Any:
        seen.append(float(x))  # a traced value could not be read
        return (ct * 3 if x > 0 else jnp.zeros_like(ct),)

    clipped.defvjp(lambda x: (x * 2, x), backward)

    def fun(x: Any) -> Any:
        return jnp.sin(clipped(jnp.cos(x)))

    points = (0.5, 3.0, 0.5, 3.0)  # the same program again: still not compiled
    ours = [funcgrad.grad(fun)(point) for point in points]
    assert seen == [float(jnp.cos(point)) for point in points]
    for mine, point in zip(ours, points, strict=True):
        assert_same(mine, jax.grad(fun)(point), zero=point == 3.0)


def test_residuals_need_not_be_arrays_of_one_kind() -> None:
    @jax.custom_vjp
    def fun(x: Any) -> Any:
        return x * 2

    fun.defvjp(
        lambda x: (x * 2, {"n": 3, "x": x, "flag": True, "none": None}),
        lambda kept, ct: (ct * kept["x"] * kept["n"] if kept["flag"] else ct,),
    )
    assert_same(funcgrad.grad(lambda x: jnp.sum(fun(x)))(X), 3 * X)
    assert_same(funcgrad.grad(jax.jit(fun))(1.5), jax.grad(fun)(1.5))


@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_a_closed_over_variable_is_refused_as_by_jax(around: Any) -> None:
    def fun(x: Any, w: Any) -> Any:
        @jax.custom_vjp
        def closed(y: Any) -> Any:
            return y * w

        closed.defvjp(lambda y: (y * w, None), lambda _, ct: (ct * w,))
        return closed(x)

    for module in (funcgrad, jax):
        with pytest.raises(Exception, match=r"unexpected tracer|closed-over value"):
            module.grad(around(fun), argnums=(0, 1))(2.0, 3.0)


@pytest.mark.parametrize("wrap", [lambda g: g, jax.jit], ids=["eager", "jit"])
def test_a_converted_closure_takes_the_differentiated_values_along(wrap: Any) -> None:
    """`jax.closure_convert` asks each value whether it may be differentiated."""

    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def apply(function: Any, x: Any, *consts: Any) -> Any:
        return function(x, *consts)

    def backward(function: Any, kept: Any, ct: Any) -> Any:
        return jax.vjp(function, kept[0], *kept[1])[1](ct)

    apply.defvjp(lambda f, x, *consts: (f(x, *consts), (x, consts)), backward)

    def loss(x: Any) -> Any:
        scale = 2 * x
        closed, consts = jax.closure_convert(lambda q: jnp.sin(q * scale), x)
        return apply(closed, x, *consts)

    assert_same(wrap(funcgrad.grad(loss))(0.7), jax.grad(loss)(0.7))


@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_the_forward_rule_gives_the_value(around: Callable[[Any], Any]) -> None:
    tripled = jax.custom_vjp(jnp.sin)
    tripled.defvjp(lambda x: (3 * jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),))
    fun = lambda x: jnp.sum(around(tripled)(x) * x)  # noqa: E731 -- one line
    assert_same(funcgrad.value_and_grad(fun)(X), jax.value_and_grad(fun)(X), factor=4)


def test_a_call_in_jit_is_no_custom_one_once_its_forward_rule_has_run() -> None:
    calls: list[None] = []

    def loss(x: Any) -> Any:
        calls.append(None)
        return jnp.sum(jax.jit(sine)(x) * x)

    ours = funcgrad.hvp(loss, (X,), (SCALE,))
    plain = lambda x: jnp.sum(sine(x) * x)  # noqa: E731 -- one line
    assert_same(ours, funcgrad.hvp(plain, (X,), (SCALE,)), factor=4)
    assert len(calls) == 1  # it goes forward: twice would be in reverse
