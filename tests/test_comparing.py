"""The comparison that the other tests rest on finds each planted fault."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.comparing import Counted, assert_close, assert_same

TREE = {"a": jnp.arange(3, dtype=jnp.float32), "b": jnp.ones((2, 1), jnp.float32)}


def test_a_tree_is_the_same_as_itself() -> None:
    assert_same(TREE, TREE)
    key = jax.random.key(0)
    assert_same((key, TREE), (key, TREE))
    assert_same(
        {"n": np.zeros(2, jax.dtypes.float0)}, {"n": np.zeros(2, jax.dtypes.float0)}, zero=True
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"a": -TREE["a"], "b": TREE["b"]},
        {"a": TREE["a"] * (1 + 1e-5), "b": TREE["b"]},
        {"a": TREE["a"], "b": TREE["b"].T},
        {"a": TREE["a"], "b": TREE["b"].astype(jnp.float16)},
        {"a": TREE["a"]},
        (TREE["a"], TREE["b"]),
        {"a": TREE["a"].at[0].set(jnp.nan), "b": TREE["b"]},
    ],
    ids=["sign", "scale", "shape", "dtype", "missing", "container", "nan"],
)
def test_a_planted_fault_is_found(fault: Any) -> None:
    with pytest.raises(AssertionError):
        assert_same(fault, TREE)


def test_weak_types_differ() -> None:
    strong, weak = jnp.asarray(2, float), jnp.asarray(2.0)
    with pytest.raises(AssertionError, match="weak"):
        assert_same(weak, strong)
    assert_close(weak, strong)


def test_two_nans_do_not_agree() -> None:
    both = jnp.array([1.0, jnp.nan])
    with pytest.raises(AssertionError, match="not finite"):
        assert_same(both, both)


def test_a_comparison_of_zeros_says_so() -> None:
    nothing = jnp.zeros(3)
    with pytest.raises(AssertionError, match="shows nothing"):
        assert_same(nothing, nothing)
    with pytest.raises(AssertionError, match="differs from zero"):
        assert_same(TREE, TREE, zero=True)
    assert_same(nothing, nothing, zero=True)


def test_keys_are_compared_by_their_bits() -> None:
    first, second = jax.random.split(jax.random.key(0))
    with pytest.raises(AssertionError):
        assert_same((first, jnp.ones(1)), (second, jnp.ones(1)))


def test_a_trace_is_counted() -> None:
    counted = Counted(lambda x: x + 1)
    compiled = jax.jit(counted)
    compiled(jnp.ones(2))
    compiled(jnp.ones(2))
    assert counted.calls == 1
    compiled(jnp.ones(3))
    assert counted.calls == 2
