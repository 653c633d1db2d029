"""One step of descent: our rule, Optax's, gradients summed over micro-batches, frozen leaves."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcgrad
from funcgrad import accumulate_gradients, gd_step, gradient_descent
from funcgrad._errors import GradientTypeError, GradientValueError
from funcgrad._steps import as_arrays, check_count, optimizer_step, split_moving
from tests.comparing import Counted, assert_close, assert_same

X = jnp.linspace(-1, 1, 12, dtype=jnp.float32).reshape(12, 1)
Y = jnp.sin(3 * X)
PARAMS = {
    "w": jnp.asarray([[0.5, -0.2, 0.3]], jnp.float32),
    "b": jnp.asarray([0.1, 0.2, -0.1], jnp.float32),
    "v": jnp.asarray([[0.3], [0.7], [-0.4]], jnp.float32),
}


def loss(params: Any, x: Any, y: Any) -> Any:
    return jnp.mean((jnp.tanh(x @ params["w"] + params["b"]) @ params["v"] - y) ** 2)


# --- our rule -------------------------------------------------------------------------------------


@given(
    rate=st.floats(0, 2, width=32, allow_subnormal=False),
    w=st.floats(-3, 3, width=32, allow_subnormal=False),
)
def test_a_step_is_the_formula(rate: float, w: float) -> None:
    stepped = gd_step(lambda p: (p - 3.0) ** 2, jnp.float32(w), rate)
    expected = np.float32(w) - np.float32(rate) * np.float32(2 * (np.float32(w) - 3))
    np.testing.assert_allclose(stepped, expected, rtol=1e-5, atol=1e-5)


def test_a_step_keeps_structure_shapes_and_dtypes_and_compiles_once() -> None:
    counted = Counted(loss)
    step = jax.jit(lambda p: gd_step(counted, p, 0.1, X, Y))
    first = step(PARAMS)
    second = step(first)
    assert counted.calls == 1
    assert jax.tree.map(jax.typeof, second) == jax.tree.map(jax.typeof, PARAMS)
    step(jax.tree.map(lambda leaf: leaf.astype(jnp.float16), PARAMS))
    assert counted.calls == 2


def test_a_step_over_data_is_that_of_jax() -> None:
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, PARAMS, jax.grad(loss)(PARAMS, X, Y))
    assert_same(gd_step(loss, PARAMS, 0.1, X, Y), expected)


def test_a_step_is_mapped_and_differentiated() -> None:
    def after(rate: Any) -> Any:
        return loss(gd_step(loss, PARAMS, rate, X, Y), X, Y)

    rates = jnp.asarray([0.05, 0.1, 0.2], jnp.float32)
    mapped = jax.vmap(after)(rates)
    assert_close(mapped, jnp.stack([after(rate) for rate in rates]))
    step = 1e-3
    quotient = float(after(0.1 + step) - after(0.1 - step)) / (2 * step)
    for module in (funcgrad, jax):
        assert float(module.grad(after)(jnp.float32(0.1))) == pytest.approx(quotient, rel=1e-2)


def test_half_precision_stays_half() -> None:
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), PARAMS)
    data = (X.astype(jnp.bfloat16), Y.astype(jnp.bfloat16))
    stepped = gd_step(loss, half, jnp.float32(0.1), *data)
    assert {leaf.dtype for leaf in jax.tree.leaves(stepped)} == {np.dtype(jnp.bfloat16)}


def test_it_chains_with_optax() -> None:
    chained = optax.chain(optax.clip(0.01), gradient_descent(0.5))
    ours = optimizer_step(loss, chained, PARAMS, chained.init(PARAMS), (X, Y))
    sgd = optax.chain(optax.clip(0.01), optax.sgd(0.5))
    updates, _ = sgd.update(jax.grad(loss)(PARAMS, X, Y), sgd.init(PARAMS), PARAMS)
    assert_close(ours.params, optax.apply_updates(PARAMS, updates))
    assert float(ours.loss) == pytest.approx(float(loss(PARAMS, X, Y)))


@pytest.mark.parametrize(
    "optimizer",
    [optax.adam(1e-2), optax.sgd(0.1, momentum=0.9), optax.adamw(1e-2), optax.lion(1e-3)],
    ids=["adam", "momentum", "adamw", "lion"],
)
def test_every_optimiser_of_optax(optimizer: Any) -> None:
    state = optimizer.init(PARAMS)
    ours = optimizer_step(loss, optimizer, PARAMS, state, (X, Y))
    updates, expected = optimizer.update(jax.grad(loss)(PARAMS, X, Y), state, PARAMS)
    assert_close(ours.params, optax.apply_updates(PARAMS, updates))
    assert_close(ours.state, expected)


# --- leaves that stay -----------------------------------------------------------------------------


def test_integers_and_keys_stay() -> None:
    params = {"w": jnp.asarray(2.0), "n": jnp.asarray(3), "key": jax.random.key(0), "flag": True}

    def of_mixed(p: Any) -> Any:
        return (p["w"] * p["n"]) ** 2

    stepped = gd_step(of_mixed, params, 0.01)
    assert float(stepped["w"]) == pytest.approx(2 - 0.01 * 36)
    assert (int(stepped["n"]), stepped["flag"]) == (3, True)
    assert stepped["key"] is params["key"]
    moving, fixed = split_moving(params)
    assert [len(jax.tree.leaves(half)) for half in (moving, fixed)] == [1, 3]


def test_frozen_leaves_stay() -> None:
    trained, frozen = funcgrad.partition(PARAMS, lambda path, _: path != "['w']")
    stepped = gd_step(lambda p, x, y: loss(funcgrad.merge(p, frozen), x, y), trained, 0.1, X, Y)
    whole = funcgrad.merge(stepped, frozen)
    assert whole["w"] is PARAMS["w"]
    expected = gd_step(loss, PARAMS, 0.1, X, Y)
    assert_close({"b": whole["b"], "v": whole["v"]}, {"b": expected["b"], "v": expected["v"]})


def test_a_detached_leaf_does_not_move() -> None:
    def of_detached(p: Any, x: Any, y: Any) -> Any:
        return loss(p | {"w": funcgrad.detach(p["w"])}, x, y)

    stepped = gd_step(of_detached, PARAMS, 0.1, X, Y)
    np.testing.assert_array_equal(stepped["w"], PARAMS["w"])
    assert np.any(stepped["v"] != PARAMS["v"])


# --- micro-batches --------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 6, 12])
def test_micro_batches_sum_up_to_the_whole(parts: int) -> None:
    expected = jax.value_and_grad(loss)(PARAMS, X, Y)
    ours = accumulate_gradients(loss, PARAMS, X, Y, micro_batches=parts)
    assert_same(ours, expected, factor=2)


def test_data_may_be_trees() -> None:
    def of_tree(params: Any, batch: Any) -> Any:
        return loss(params, batch["x"], batch["y"][0])

    batch = {"x": X, "y": [Y]}
    ours = accumulate_gradients(of_tree, PARAMS, batch, micro_batches=4)
    assert_same(ours, jax.value_and_grad(loss)(PARAMS, X, Y), factor=2)


def temporary_bytes(parts: int) -> int:
    """The memory that the compiled gradient of a large batch takes for its intermediate values."""
    wide = {"w": jnp.ones((1, 64)), "b": jnp.ones(64), "v": jnp.ones((64, 1))}
    data = (jnp.ones((4096, 1)), jnp.ones((4096, 1)))
    program = jax.jit(
        lambda p, x, y: accumulate_gradients(loss, p, x, y, micro_batches=parts)
    ).lower(wide, *data)
    analysis = program.compile().memory_analysis()
    assert analysis is not None
    return int(analysis.temp_size_in_bytes)


def test_memory_is_that_of_one_micro_batch() -> None:
    whole, eighth = temporary_bytes(1), temporary_bytes(8)
    activations = 4096 * 64 * jnp.ones(()).dtype.itemsize
    assert whole > activations  # so the comparison means something
    assert eighth < whole / 4


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_an_impossible_learning_rate(rate: float) -> None:
    with pytest.raises(
        GradientValueError, match=r"learning rate must be .*, but is (-0\.1|nan|inf)"
    ):
        gd_step(lambda w: w * w, 1.0, rate)
    with pytest.raises(ValueError, match="learning rate"):
        gradient_descent(rate)


def test_a_learning_rate_is_a_scalar() -> None:
    with pytest.raises(GradientValueError, match=r"must be a scalar, but has shape \(2,\)"):
        gradient_descent(jnp.ones(2))


def test_a_learning_rate_that_is_traced_is_taken() -> None:
    stepped = jax.jit(lambda rate: gd_step(lambda w: w * w, 1.0, rate))(0.25)
    assert float(stepped) == 0.5


def test_nothing_to_train() -> None:
    message = (
        r"no leaf of the parameters is of floating dtype, so nothing can be trained: \{'n': 3\}"
    )
    with pytest.raises(GradientTypeError, match=message):
        gd_step(lambda p: p["n"], {"n": 3}, 0.1)


def test_a_loss_that_is_no_scalar() -> None:
    with pytest.raises(GradientTypeError, match=r"returned an array of shape \(3,\)"):
        gd_step(lambda p: p["b"], PARAMS, 0.1)


@pytest.mark.parametrize(
    ("data", "parts", "message"),
    [
        (
            X,
            5,
            r"data of shape \(12, 1\) cannot be split into 5 equal micro-batches; micro_batches",
        ),
        (X[:0], 2, r"data of shape \(0, 1\) cannot be split into 2"),
        (jnp.float32(1), 2, r"data of shape \(\) cannot be split into 2"),
        (X, 0, "micro_batches must be a whole number of at least 1, but is 0"),
        (X, 1.5, r"micro_batches must be a whole number of at least 1, but is 1\.5"),
        (X, True, "micro_batches must be a whole number of at least 1, but is True"),
    ],
)
def test_a_batch_that_cannot_be_split(data: Any, parts: Any, message: str) -> None:
    with pytest.raises(GradientValueError, match=message):
        accumulate_gradients(lambda p, x: jnp.mean(p * x), 1.0, data, micro_batches=parts)


def test_counts() -> None:
    check_count("steps", 0)
    check_count("steps", np.int32(3))
    with pytest.raises(
        GradientValueError, match="steps must be a whole number of at least 0, but is -1"
    ):
        check_count("steps", -1)


def test_numbers_become_arrays_of_a_definite_dtype() -> None:
    arrays = as_arrays({"x": 1.0, "n": 2, "half": np.float16(3), "key": jax.random.key(0)})
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(arrays))
    assert not any(getattr(leaf, "weak_type", False) for leaf in jax.tree.leaves(arrays))
    assert arrays["half"].dtype == np.float16
