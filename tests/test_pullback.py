"""The pullback that `vjp` returns is a pytree: it crosses jit and vmap, and is applied again."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad._errors import GradientTypeError, GradientValueError
from funcgrad._pullback import Pullback
from tests.comparing import Counted, assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
COTANGENTS = jnp.asarray([[1.0, 0.0, 2.0], [0.5, -1.0, 0.0], [3.0, 1.0, 1.0]], jnp.float32)


@jax.custom_vjp
def doubled_slope(x: Any) -> Any:
    return jnp.sin(x)


doubled_slope.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (2 * ct * jnp.cos(x),))

FUNCTIONS: dict[str, Any] = {
    "primitives": lambda x: jnp.tanh(x) * x[0],
    "jit": jax.jit(lambda x: jnp.exp(jnp.sin(x)) * x),
    "a constant array": lambda x: jnp.sin(x) * COTANGENTS[0],
    "custom_jvp": lambda x: jax.nn.silu(x) * x,
    "custom_vjp": doubled_slope,
    "custom_vjp in jit": jax.jit(lambda x: doubled_slope(x) * x),
    "control flow": lambda x: x * x if x[0] > 0 else x,
}
EVERY = pytest.mark.parametrize("fun", FUNCTIONS.values(), ids=FUNCTIONS)
# A condition on a value cannot be traced by jit.
STAGED = {name: fun for name, fun in FUNCTIONS.items() if name != "control flow"}
EVERY_STAGED = pytest.mark.parametrize("fun", STAGED.values(), ids=STAGED)


def expected(fun: Any, cotangent: Any) -> Any:
    return jax.vjp(fun, X)[1](cotangent)


@EVERY
def test_it_is_applied_twice(fun: Any) -> None:
    _, pullback = funcgrad.vjp(fun, X)
    for cotangent in (COTANGENTS[0], COTANGENTS[1], COTANGENTS[0]):
        assert_same(pullback(cotangent), expected(fun, cotangent))


@EVERY
def test_it_is_taken_apart_and_put_together(fun: Any) -> None:
    _, pullback = funcgrad.vjp(fun, X)
    leaves, treedef = jax.tree.flatten(pullback)
    assert leaves
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    again = jax.tree.unflatten(treedef, [jnp.copy(leaf) for leaf in leaves])
    assert isinstance(again, Pullback)
    assert_same(again(COTANGENTS[0]), expected(fun, COTANGENTS[0]))


@EVERY_STAGED
def test_it_leaves_a_jit(fun: Any) -> None:
    output, pullback = jax.jit(lambda x: funcgrad.vjp(fun, x))(X)
    assert_same(output, fun(X))
    assert_same(pullback(COTANGENTS[0]), expected(fun, COTANGENTS[0]))
    assert_same(pullback(COTANGENTS[1]), expected(fun, COTANGENTS[1]))


@EVERY
def test_it_enters_a_jit(fun: Any) -> None:
    _, pullback = funcgrad.vjp(fun, X)
    result = jax.jit(lambda pull, ct: pull(ct))(pullback, COTANGENTS[0])
    assert_same(result, expected(fun, COTANGENTS[0]))


@EVERY
def test_it_is_mapped_over_cotangents(fun: Any) -> None:
    _, pullback = funcgrad.vjp(fun, X)
    assert_same(jax.vmap(pullback)(COTANGENTS), jax.vmap(jax.vjp(fun, X)[1])(COTANGENTS))


@EVERY_STAGED
def test_it_is_mapped_over_points(fun: Any) -> None:
    pullbacks = jax.vmap(lambda x: funcgrad.vjp(fun, x)[1])(COTANGENTS)
    result = jax.vmap(lambda pull, ct: pull(ct))(pullbacks, COTANGENTS)
    reference = jax.vmap(lambda x, ct: jax.vjp(fun, x)[1](ct))(COTANGENTS, COTANGENTS)
    assert_same(result, reference)


def test_it_is_carried_through_a_scan() -> None:
    _, pullback = funcgrad.vjp(FUNCTIONS["primitives"], X)
    _, results = lax.scan(lambda pull, ct: (pull, pull(ct)[0]), pullback, COTANGENTS)
    assert_same(results, jax.vmap(lambda ct: expected(FUNCTIONS["primitives"], ct)[0])(COTANGENTS))


def scaled(x: Any, factor: float = 2.0) -> Any:
    return jnp.sin(x) * factor


def test_a_second_pullback_of_the_same_structure_compiles_nothing() -> None:
    apply = Counted(lambda pull, ct: pull(ct))
    compiled = jax.jit(apply)
    for point in (X, 2 * X, COTANGENTS[2]):
        _, pullback = funcgrad.vjp(scaled, point)
        assert_same(compiled(pullback, COTANGENTS[0]), jax.vjp(scaled, point)[1](COTANGENTS[0]))
    assert apply.calls == 1


def test_a_second_pullback_through_a_jit_compiles_nothing() -> None:
    body = jax.jit(scaled)
    apply = Counted(lambda pull, ct: pull(ct))
    compiled = jax.jit(apply)
    for point in (X, 2 * X):
        compiled(funcgrad.vjp(body, point)[1], COTANGENTS[0])
    assert apply.calls == 1


@pytest.mark.parametrize(
    ("fun", "point"),
    [
        (lambda x: jnp.cos(x) * 2.0, X),  # another primitive
        (lambda x: jnp.sin(x) * x, X),  # other wiring
        (scaled, COTANGENTS),  # another shape
        (scaled, X.astype(jnp.float16)),  # another dtype
    ],
    ids=["primitive", "wiring", "shape", "dtype"],
)
def test_a_pullback_of_another_structure_must_compile(fun: Any, point: Any) -> None:
    apply = Counted(lambda pull, ct: pull(ct))
    compiled = jax.jit(apply)
    compiled(funcgrad.vjp(scaled, X)[1], X)
    compiled(funcgrad.vjp(fun, point)[1], point)
    assert apply.calls == 2


def test_the_repr_names_the_function_and_the_steps() -> None:
    _, pullback = funcgrad.vjp(scaled, X)
    assert repr(pullback) == "<pullback of scaled: 2 steps, PyTreeDef(*)>"


def test_a_rule_set_that_does_not_exist() -> None:
    with pytest.raises(
        GradientValueError, match='custom_rules must be "honour" or "ignore", but is \'honor\''
    ):
        funcgrad.vjp(jnp.sin, X, custom_rules="honor")  # type: ignore[arg-type]  # the fault


# --- cotangents that do not fit -------------------------------------------------------------------


def two(x: Any) -> Any:
    return {"a": x * 2, "b": jnp.sum(x)}


ONE = np.float32(1)
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "structure": (
        {"a": X},
        GradientValueError,
        r"cotangent for `two` has the tree structure PyTreeDef\(\{'a': \*\}\), but the output has "
        r"PyTreeDef\(\{'a': \*, 'b': \*\}\); give one cotangent for each output leaf",
    ),
    "shape": (
        {"a": X[:2], "b": ONE},
        GradientValueError,
        r"cotangent for `two` has shape \(2,\), but the output has shape \(3,\)",
    ),
    "dtype": (
        {"a": X, "b": np.float16(1)},
        GradientValueError,
        "has dtype float16, but an output of its type has a cotangent of dtype float32",
    ),
    "a string": (
        {"a": X, "b": "one"},
        GradientTypeError,
        "cotangent for `two` holds 'one' of type str; an array was expected",
    ),
}


@pytest.mark.parametrize(("cotangent", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_cotangent_that_does_not_fit(
    cotangent: Any, error: type[Exception], message: str
) -> None:
    _, pullback = funcgrad.vjp(two, X)
    with pytest.raises(error, match=message):
        pullback(cotangent)
    _, theirs = jax.vjp(two, X)
    builtin = TypeError if error is GradientTypeError else ValueError
    with pytest.raises(builtin):
        theirs(cotangent)


def test_a_gradient_under_jit_is_one_flat_program() -> None:
    def linear(x: Any) -> Any:  # its tape holds no value
        return jnp.sum(jnp.reshape(x, (3, 1)))

    for _ in range(3):  # what is met again is compiled, outside of traces
        program = jax.make_jaxpr(partial(funcgrad.grad(linear)))(X)
        assert "jit" not in {equation.primitive.name for equation in program.eqns}
        assert_same(funcgrad.grad(linear)(X), jax.grad(linear)(X))


def test_a_backward_rule_of_a_user_under_jit_takes_an_array() -> None:
    @jax.custom_vjp
    def ruled(x: Any) -> Any:
        return x * 2

    ruled.defvjp(lambda x: (x * 2, None), lambda _, ct: (ct.at[...].mul(2),))
    assert_same(*(jax.jit(m.grad(ruled))(X[0]) for m in (funcgrad, jax)))


def test_a_gradient_of_one_under_jit_is_an_array() -> None:
    @jax.jit
    def gradient(x: Any) -> Any:
        found = funcgrad.grad(lambda y: y)(x)
        assert isinstance(found, jax.Array)
        return found

    assert float(gradient(X[0])) == 1
