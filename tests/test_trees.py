"""Trees: sums, products, what carries a gradient, and splitting and merging parameters."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcgrad
from funcgrad import detach, inner_product, merge, partition, tree_sum
from funcgrad._errors import TreeError
from funcgrad._trees import flatten, is_float_leaf, leaf_paths
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

NUMBERS = st.floats(-4, 4, width=32, allow_subnormal=False).map(np.float32)
TREES = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
        st.tuples(inner, st.none()),
    ),
    max_leaves=6,
)


class Layer(NamedTuple):
    weight: Any
    bias: Any


NESTED = {"first": Layer(jnp.ones((2, 3)), jnp.zeros(3)), "rest": [Layer(1.0, None)], "step": 7}

# --- leaves ---------------------------------------------------------------------------------------


def test_paths_are_what_one_would_write() -> None:
    assert leaf_paths(NESTED, "params") == [
        "params['first'].weight",
        "params['first'].bias",
        "params['rest'][0].weight",
        "params['step']",
    ]
    assert leaf_paths(3.0) == [""]


def test_flatten_and_back() -> None:
    flat = flatten(NESTED)
    assert len(flat.leaves) == 4
    assert jax.tree.unflatten(flat.treedef, flat.leaves)["step"] == 7


@pytest.mark.parametrize(
    ("leaf", "expected"),
    [
        (1.0, True),
        (1j, True),
        (np.float16(1), True),
        (jnp.bfloat16(1), True),
        (np.zeros(2, np.complex64), True),
        (np.zeros((0,), np.float32), True),
        (1, False),
        (True, False),
        (np.int8(1), False),
        (np.zeros(2, jax.dtypes.float0), False),
        (jax.random.key(0), False),
        ("text", False),
        (None, False),
        (object(), False),
    ],
)
def test_which_leaves_carry_a_gradient(leaf: Any, expected: bool) -> None:
    assert is_float_leaf(leaf) is expected


# --- sums and products ----------------------------------------------------------------------------


@given(TREES)
def test_the_inner_product_is_that_of_the_flat_vectors(tree: Any) -> None:
    other = jax.tree.map(lambda x: x * 2 + 1, tree)
    left, right = (np.array(jax.tree.leaves(t), np.float64) for t in (tree, other))
    np.testing.assert_allclose(inner_product(tree, other), left @ right, rtol=1e-5, atol=1e-4)


def test_the_inner_product_of_complex_vectors_conjugates_nothing() -> None:
    assert complex(inner_product([jnp.asarray(1j)], [jnp.asarray(1j)])) == -1


def test_the_inner_product_of_empty_trees_is_zero() -> None:
    assert float(inner_product({}, {})) == 0


@given(TREES)
def test_the_sum_is_that_of_the_leaves(tree: Any) -> None:
    doubled = jax.tree.map(lambda x: jnp.asarray(2 * x), tree)
    zero = not any(jax.tree.leaves(tree))
    assert_same(tree_sum(tree, tree), doubled, zero=zero)


def test_a_sum_of_gradients_of_integers_holds_nothing() -> None:
    nothing = np.zeros(2, jax.dtypes.float0)
    total = tree_sum({"n": nothing, "x": 1.0}, {"n": nothing, "x": 2.0})
    assert total["n"].dtype == jax.dtypes.float0
    assert float(total["x"]) == 3


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (inner_product, r"the second tree of an inner product must have the tree structure "),
        (tree_sum, r"the second tree of a sum must have the tree structure "),
    ],
)
def test_two_structures_do_not_fit(function: Any, message: str) -> None:
    rest = (
        r"PyTreeDef\(\{'a': \*\}\), but has PyTreeDef\(\{'b': \*\}\); "
        "give every leaf its counterpart"
    )
    with pytest.raises(TreeError, match=message + rest) as caught:
        function({"a": 1.0}, {"b": 1.0})
    assert isinstance(caught.value, ValueError)


# --- detach ---------------------------------------------------------------------------------------


def test_detach_cuts_the_gradient_and_keeps_the_value() -> None:
    def fun(x: Any) -> Any:
        cut = detach({"x": x, "n": 3, "none": None, "text": "t"})
        assert (cut["n"], cut["none"], cut["text"]) == (3, None, "t")
        return x * cut["x"]

    value, gradient = funcgrad.value_and_grad(fun)(3.0)
    assert (float(value), float(gradient)) == (9, 3)
    theirs = jax.grad(lambda x: x * detach(x))(3.0)  # it cuts for JAX too
    assert float(theirs) == 3


def test_detach_inside_jit_and_at_second_order() -> None:
    fun = jax.jit(lambda x: detach(x**2) * x)
    assert float(funcgrad.grad(fun)(3.0)) == 9
    assert float(funcgrad.grad(funcgrad.grad(fun))(3.0)) == 0


# --- partition and merge --------------------------------------------------------------------------


@given(tree=TREES, data=st.data())
def test_merging_the_halves_gives_the_whole(tree: Any, data: st.DataObject) -> None:
    count = len(jax.tree.leaves(tree))
    flags = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    mask = jax.tree.unflatten(jax.tree.structure(tree), flags)
    first, second = partition(tree, mask)
    assert len(jax.tree.leaves(first)) == sum(flags)
    assert len(jax.tree.leaves(second)) == count - sum(flags)
    for whole in (merge(first, second), merge(second, first)):
        assert str(jax.tree.structure(whole)) == str(jax.tree.structure(tree))
        assert jax.tree.leaves(whole) == jax.tree.leaves(tree)


def test_a_mask_may_be_a_prefix() -> None:
    trained, frozen = partition(NESTED, {"first": True, "rest": False, "step": False})
    assert trained["rest"] == [Layer(None, None)]
    assert trained["first"].weight.shape == (2, 3)
    assert frozen["first"] == Layer(None, None)
    assert (frozen["rest"], frozen["step"]) == ([Layer(1.0, None)], 7)
    everything, nothing = partition(NESTED, True)
    assert len(jax.tree.leaves(everything)) == 4
    assert not jax.tree.leaves(nothing)


def test_a_function_of_path_and_leaf_chooses() -> None:
    seen: list[str] = []

    def trainable(path: str, leaf: Any) -> bool:
        seen.append(path)
        return path.endswith("weight") and jnp.ndim(leaf) == 2

    trained, frozen = partition(NESTED, trainable)
    assert seen == leaf_paths(NESTED)
    assert len(jax.tree.leaves(trained)) == 1
    assert len(jax.tree.leaves(frozen)) == 3


def test_gradients_by_one_half() -> None:
    params = {"w": jnp.asarray(2.0), "b": jnp.asarray(5.0)}
    trained, frozen = partition(params, {"w": True, "b": False})

    def loss(half: Any) -> Any:
        whole = merge(half, frozen)
        return whole["w"] * whole["b"]

    gradient = funcgrad.grad(loss)(trained)
    assert (float(gradient["w"]), gradient["b"]) == (5, None)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"w": True}, r"the mask \{'w': True\} is no prefix of the tree with structure PyTreeDef"),
        ({"w": {"deeper": True}, "b": True}, "is no prefix of the tree .* give one boolean for"),
        ({"w": 1, "b": True}, "a mask holds booleans, but this one holds 1"),
        ({"w": np.bool_(True), "b": True}, "a mask holds booleans, but this one holds np.True_"),
    ],
    ids=["missing", "deeper", "integer", "numpy"],
)
def test_a_mask_that_does_not_fit(mask: Any, message: str) -> None:
    with pytest.raises(TreeError, match=message):
        partition({"w": 1.0, "b": 2.0}, mask)


def test_halves_that_do_not_fit() -> None:
    with pytest.raises(TreeError, match="the second half of a merge must have the tree structure"):
        merge({"w": 1.0}, {"w": None, "b": None})
    with pytest.raises(TreeError, match="leaf 1 is present in both halves of a merge; exactly one"):
        merge({"b": None, "w": 1.0}, {"b": 2.0, "w": 2.0})
