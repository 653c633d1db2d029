"""`vjp`, `grad` and `value_and_grad` give what JAX's give, to the dtype and the weak type."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

import funcgrad
from tests.comparing import assert_close, assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

FLOAT0 = jax.dtypes.float0
VECTOR = np.array([0.5, -1.0, 2.0], np.float32)
NUMBERS = st.floats(-2, 2, width=32, allow_subnormal=False)


class Pair(NamedTuple):
    left: Any
    right: Any


@jax.tree_util.register_pytree_node_class
class Box:
    """A container of a user's own, with a static part."""

    def __init__(self, content: Any, label: str) -> None:
        self.content, self.label = content, label

    def tree_flatten(self) -> tuple[tuple[Any], str]:
        return (self.content,), self.label

    @classmethod
    def tree_unflatten(cls, label: str, children: tuple[Any]) -> "Box":
        return cls(children[0], label)


def product(x: Any, y: Any) -> Any:
    return jnp.sin(x) * y


# name: function, arguments, options
Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
CALLS: dict[str, Call] = {
    "a number": (lambda x: x * x, (3.0,), {}),
    "an array": (lambda x: jnp.sum(x * x), (jnp.asarray(VECTOR),), {}),
    "a numpy array": (lambda x: jnp.sum(x * x), (VECTOR,), {}),
    "a numpy number": (lambda x: x * x, (np.float32(3),), {}),
    "half precision": (lambda x: x * x, (np.float16(3),), {}),
    "bfloat16": (lambda x: x * x, (jnp.bfloat16(3),), {}),
    "argnums an integer": (product, (0.5, 2.0), {"argnums": 1}),
    "argnums a tuple": (product, (0.5, 2.0), {"argnums": (1, 0)}),
    "argnums a list": (product, (0.5, 2.0), {"argnums": [1]}),
    "argnums negative": (product, (0.5, 2.0), {"argnums": -1}),
    "argnums all negative": (product, (0.5, 2.0), {"argnums": (-1, -2)}),
    "argnums a numpy integer": (product, (0.5, 2.0), {"argnums": np.int64(1)}),
    "an integer beside": (lambda n, x: x**n, (3, np.float32(2)), {"argnums": 1}),
    "allow_int": (lambda x, n: x * n, (2.0, 3), {"argnums": (0, 1), "allow_int": True}),
    "allow_int for a boolean": (
        lambda flags, x: jnp.sum(jnp.where(flags, x, -x)),
        (np.array([True, False, True]), VECTOR),
        {"argnums": (0, 1), "allow_int": True},
    ),
    "holomorphic": (lambda z: z * z * 1j, (1.0 + 2.0j,), {"holomorphic": True}),
    "holomorphic array": (
        lambda z: jnp.sum(jnp.exp(z)),
        (np.array([1j, 0.5], np.complex64),),
        {"holomorphic": True},
    ),
    "a complex input": (
        lambda z: jnp.sum(jnp.abs(z) ** 2),
        (np.array([1j, 0.5 + 2j], np.complex64),),
        {},
    ),
    "a dictionary": (lambda t: t["a"] * t["b"][0], ({"a": 2.0, "b": [5.0, 1.0]},), {}),
    "None in a tree": (lambda t: t["a"] * 2.0, ({"a": 1.0, "b": None, "c": ()},), {}),
    "a NamedTuple": (lambda t: t.left * t.right, (Pair(2.0, np.float32(3)),), {}),
    "a node of a user": (lambda b: b.content["x"] ** 2, (Box({"x": 3.0}, "label"),), {}),
    "an output that is the input": (lambda x: x, (jnp.asarray(2.0),), {}),
    "a value used often": (lambda x: x * x + x * x * x + x, (1.5,), {}),
    "an unused argument": (lambda x, _: x * 2.0, (1.5, VECTOR), {"argnums": (0, 1)}),
    "an unused leaf": (lambda t: t["a"] * 2.0, ({"a": 1.5, "b": VECTOR},), {}),
    "mixed precision": (
        lambda x, y: x.astype(jnp.float32) * y,
        (np.float16(2), np.float32(3)),
        {"argnums": (0, 1)},
    ),
    "numbers straight into lax": (
        lambda x: lax.pow(x, 2.5) + lax.clamp(x, 0.5, 9.0) + lax.atan2(2.0, x),
        (jnp.asarray(1.5, float),),
        {},
    ),
}
CONSTANT: dict[str, Call] = {
    "a number": (lambda _: 3.0, (2.0,), {}),
    "an array": (lambda _: jnp.float32(3), (VECTOR,), {}),
    "a numpy number": (lambda _: np.float32(3), (np.float32(2),), {}),
    "a staircase": (lambda x: jnp.sum(jnp.floor(x)), (VECTOR,), {}),
    "a stopped gradient": (lax.stop_gradient, (np.float32(2),), {}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_grad_and_value_are_those_of_jax(call: Call) -> None:
    fun, args, options = call
    expected = jax.value_and_grad(fun, **options)(*args)
    assert_same(funcgrad.value_and_grad(fun, **options)(*args), expected)
    assert_same(funcgrad.grad(fun, **options)(*args), expected[1])


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_they_are_those_of_jax_under_jit(call: Call) -> None:
    fun, args, options = call
    expected = jax.value_and_grad(fun, **options)(*args)
    ours = jax.jit(funcgrad.value_and_grad(fun, **options))(*args)
    assert_same(ours, expected)


@pytest.mark.parametrize("call", CONSTANT.values(), ids=CONSTANT)
def test_the_gradient_of_a_constant_is_zero(call: Call) -> None:
    fun, args, _ = call
    value, gradient = funcgrad.value_and_grad(fun)(*args)
    expected = jax.value_and_grad(fun)(*args)
    assert_same(gradient, expected[1], zero=True)
    assert_close(value, expected[0], zero=float(expected[0]) == 0)


def test_aux_comes_back_as_it_is() -> None:
    def fun(x: Any) -> Any:
        return x * x, {"twice": x + x, "input": x, "none": None, "many": jnp.arange(3), "n": 3}

    x = jnp.asarray(1.5)
    ours, theirs = (m.value_and_grad(fun, has_aux=True)(x) for m in (funcgrad, jax))
    assert_same(ours, theirs)
    ours, theirs = (m.grad(fun, has_aux=True)(x) for m in (funcgrad, jax))
    assert_same(ours, theirs)
    assert ours[1]["none"] is None
    assert ours[1]["n"] == 3


def test_keyword_arguments_pass_through() -> None:
    def fun(x: Any, *, scale: Any, label: str) -> Any:
        assert label == "kept"
        return x * scale["by"]

    keywords: Any = {"scale": {"by": jnp.asarray(3.0)}, "label": "kept"}
    expected = jax.value_and_grad(fun)(2.0, **keywords)
    assert_same(funcgrad.value_and_grad(fun)(2.0, **keywords), expected)
    assert_same(funcgrad.grad(fun)(2.0, **keywords), expected[1])


def test_the_gradient_function_keeps_the_name_of_the_function() -> None:
    assert funcgrad.grad(product).__name__ == "product"
    assert funcgrad.value_and_grad(product).__wrapped__ is product  # type: ignore[attr-defined]


def test_a_number_that_passes_through_has_a_dtype() -> None:
    value, gradient = funcgrad.value_and_grad(lambda x: x)(2.0)
    assert isinstance(value, jax.Array)
    assert float(value) == 2
    assert float(gradient) == 1


@given(x=NUMBERS, y=NUMBERS)
def test_any_point(x: float, y: float) -> None:
    def fun(t: Any) -> Any:
        return t["x"] * jnp.tanh(t["y"]) + jnp.exp(t["x"]) * jnp.where(t["y"] > 0, t["x"], 1.0)

    tree = {"x": jnp.float32(x), "y": jnp.float32(y)}
    assert_same(funcgrad.grad(fun)(tree), jax.grad(fun)(tree))


LEAVES = st.sampled_from([np.float32(1.5), VECTOR, VECTOR[:2, None], None])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        st.tuples(inner, inner).map(lambda pair: Pair(*pair)),
        inner.map(lambda content: Box(content, "box")),
    ),
    max_leaves=5,
)


@given(tree=TREES)
def test_any_tree(tree: Any) -> None:
    def fun(t: Any) -> Any:
        return sum((jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(t)), start=jnp.float32(0))

    empty = not jax.tree.leaves(tree)
    assert_same(funcgrad.grad(fun)(tree), jax.grad(fun)(tree), zero=empty)


# --- vjp ------------------------------------------------------------------------------------------


def pulled(module: Any, fun: Any, args: tuple[Any, ...], cotangent: Any) -> Any:
    output, pullback = module.vjp(fun, *args)
    return output, pullback(cotangent)


KEY = jax.random.key(3)
ONE = np.float32(1)
NOTHING = np.zeros((), FLOAT0)
PULLED: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {
    "a number": (jnp.sin, (0.5,), 2.0),
    "no argument but one": (lambda x: {"a": x * 2.0, "b": None}, (0.5,), {"a": 1.0, "b": None}),
    "several outputs": (
        lambda x, y: (x * y, {"s": jnp.sum(x)}),
        (jnp.asarray(VECTOR), ONE),
        (jnp.asarray(VECTOR), {"s": ONE}),
    ),
    "one output twice": (lambda x: (x * 2.0, x * 2.0), (0.5,), (1.0, 3.0)),
    "outputs that are inputs": (
        lambda x, y: (y, x, x),
        (jnp.asarray(VECTOR), jnp.asarray(ONE)),
        (ONE, VECTOR, VECTOR),
    ),
    "an integer output": (
        lambda n, x: (n * 2, n * x),
        (jnp.asarray(3), 2.0),
        (NOTHING, 1.0),
    ),
    "a rounded output": (
        lambda x: (x.astype(jnp.int8), x * 2),
        (jnp.asarray(VECTOR),),
        (np.zeros(3, FLOAT0), VECTOR),
    ),
    "a key": (lambda k, x: x * jax.random.uniform(k, (), "float32"), (KEY, ONE), ONE),
    "keys": (
        lambda ks, x: x * jax.random.uniform(ks[1], (), "float32"),
        (jax.random.split(KEY, 3), ONE),
        ONE,
    ),
    "a key that comes back": (lambda k, x: (k, x * 2), (KEY, ONE), (NOTHING, ONE)),
    "a boolean": (
        lambda b, x: jnp.where(b, x, -x),
        (np.array([True, False, True]), VECTOR),
        VECTOR,
    ),
    "a complex cotangent": (lambda z: z * z, (np.complex64(1 + 2j),), np.complex64(1j)),
    "real to complex": (lambda x: lax.complex(x, 2 * x), (ONE,), np.complex64(2 + 3j)),
    "no entries": (lambda x: (x * 2, jnp.sum(x)), (np.zeros((0, 2), np.float32),), None),
    "eight bits": (lambda x: x.astype(jnp.float32), (jnp.float8_e4m3fn(1),), ONE),
}


@pytest.mark.parametrize("call", PULLED.values(), ids=PULLED)
def test_vjp_is_that_of_jax(call: tuple[Any, Any, Any]) -> None:
    fun, args, cotangent = call
    if cotangent is None:
        cotangent = jax.tree.map(jnp.ones_like, fun(*args))
    expected = pulled(jax, fun, args, cotangent)
    empty = all(np.size(leaf) == 0 for leaf in jax.tree.leaves(args))
    assert_same(pulled(funcgrad, fun, args, cotangent), expected, zero=empty)


def test_vjp_of_a_function_without_arguments() -> None:
    output, pullback = funcgrad.vjp(lambda: jnp.asarray(3.0))
    assert float(output) == 3
    assert pullback(jnp.asarray(1.0)) == ()


def test_vjp_returns_aux_last() -> None:
    output, pullback, aux = funcgrad.vjp(lambda x: (x * x, {"x": x}), 3.0, has_aux=True)
    assert (float(output), float(aux["x"]), float(pullback(1.0)[0])) == (9, 3, 6)


# --- tape -----------------------------------------------------------------------------------------


def test_a_tape_keeps_every_value() -> None:
    recorded = funcgrad.tape(lambda x, n: jnp.sin(x) * 2.0 + n, 0.5, 3)
    assert [step.primitive.name for step in recorded] == ["sin", "mul", "add"]
    assert not any(
        isinstance(kept, jax.core.AbstractValue)
        for step in recorded
        for kept in (*step.operands, *step.outputs)
    )
    assert recorded.inputs == (0, None)
