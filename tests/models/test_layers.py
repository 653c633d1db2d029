from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import GradientTypeError, GradientValueError, TreeError
from funcgrad.models import init_linear, linear, relu, sequential, tanh

W = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
B = jnp.array([10.0, 20.0, 30.0])


@pytest.mark.parametrize("shape", [(2,), (4, 2), (3, 4, 2)])
def test_linear_is_the_affine_map(shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    expected = np.einsum("...i,io->...o", x, np.asarray(W)) + np.asarray(B)
    np.testing.assert_array_equal(linear({"w": W, "b": B}, jnp.asarray(x)), expected)


@pytest.mark.parametrize("params", [{"w": W}, {"b": B}, {}])
def test_linear_names_the_parameters_it_got(params: dict[str, jax.Array]) -> None:
    with pytest.raises(TreeError, match="needs the parameters 'w' and 'b', got"):
        linear(params, jnp.ones((4, 2)))


@pytest.mark.parametrize("w", [W, W[0]])
def test_linear_refuses_a_bias_that_would_broadcast(w: jax.Array) -> None:
    with pytest.raises(GradientValueError, match=r"b of shape \(outputs,\), got w .* and b \(1,\)"):
        linear({"w": w, "b": B[:1]}, jnp.ones((4, 2)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_linear_says_which_axis_does_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(GradientValueError, match=r"the last axis of x must have the size 2.*None"):
        linear({"w": W, "b": B}, jnp.ones(shape))


def test_initial_parameters_fill_their_interval_evenly() -> None:
    params = init_linear(jax.random.key(0), 16, 1000)
    assert jax.tree.map(jnp.shape, params) == {"w": (16, 1000), "b": (1000,)}
    for leaf in params.values():
        assert leaf.dtype == jnp.result_type(float)
        assert float(jnp.abs(leaf).max()) <= 0.25
        assert float(jnp.abs(leaf).max()) > 0.249
        assert float(leaf.mean()) == pytest.approx(0, abs=4 * 0.25 / (3 * leaf.size) ** 0.5)


def test_initial_parameters_depend_on_the_key_alone() -> None:
    once, again = init_linear(jax.random.key(1), 4, 3), init_linear(jax.random.key(1), 4, 3)
    other = init_linear(jax.random.key(2), 4, 3)
    assert all((once[name] == again[name]).all() for name in once)
    assert not any((once[name] == other[name]).any() for name in once)
    assert not (once["w"][0] == once["b"]).any()  # weight and bias have keys of their own


def test_init_linear_takes_whole_sizes() -> None:
    with pytest.raises(GradientValueError, match="inputs must be 1 or more, got 0"):
        init_linear(jax.random.key(0), 0, 3)
    with pytest.raises(GradientTypeError, match=r"outputs must be an integer, got 2\.5"):
        init_linear(jax.random.key(0), 1, 2.5)  # type: ignore[arg-type]  # the fault under test


def test_relu_keeps_the_positive_part() -> None:
    x = jnp.array([-jnp.inf, -1.0, -0.0, 0.0, 2.0, jnp.inf, jnp.nan])
    np.testing.assert_array_equal(relu(x), [0.0, 0.0, 0.0, 0.0, 2.0, jnp.inf, jnp.nan])
    assert relu(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_relu_has_the_derivative_zero_at_zero() -> None:
    slopes = jax.vmap(jax.grad(relu))(jnp.array([-1.0, -0.0, 0.0, 2.0]))
    np.testing.assert_array_equal(slopes, [0.0, 0.0, 0.0, 1.0])


def test_relu_brings_no_rule_of_its_own() -> None:
    assert "custom_jvp" in str(jax.make_jaxpr(jax.nn.relu)(1.0))
    assert "custom_jvp" not in str(jax.make_jaxpr(relu)(1.0))


def test_tanh_is_that_of_numpy() -> None:
    x = np.linspace(-3, 3, 13, dtype=np.float32)
    np.testing.assert_allclose(tanh(jnp.asarray(x)), np.tanh(x), rtol=1e-6)


def test_sequential_calls_its_layers_in_order() -> None:
    apply = sequential(linear, relu, linear)
    last = {"w": jnp.ones((3, 1)), "b": jnp.ones(1)}
    x = jnp.array([[1.0, -10.0], [0.0, 0.0]])
    expected = linear(last, relu(linear({"w": W, "b": B}, x)))
    result = jax.jit(apply)({"0": {"w": W, "b": B}, "2": last}, x)
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(result, [[1.0], [61.0]])


def test_sequential_nests_and_passes_an_input_through_when_empty() -> None:
    inner = sequential(linear, tanh)
    params = {"0": {"0": {"w": W, "b": B}}, "1": {}}
    result = sequential(inner, sequential())(params, jnp.zeros(2))
    np.testing.assert_array_equal(result, jnp.tanh(B))


def test_a_layer_without_a_signature_is_simply_called() -> None:
    assert float(sequential(max)({}, jnp.array([1.0, 3.0]))) == 3.0


@pytest.mark.parametrize("key", ["3", "-1", "00", "w", 0])
def test_sequential_names_a_key_that_names_no_layer(key: Any) -> None:
    message = rf"keys \[{key!r}\], which name no layer.*'0': linear, '1': tanh, '2': linear"
    with pytest.raises(TreeError, match=message):
        sequential(linear, tanh, linear)({key: {}}, jnp.ones((4, 2)))


def test_sequential_names_a_layer_without_its_entry() -> None:
    message = r"layer 2 \(linear\) takes parameters.*only the keys \['0'\]; add an entry '2'"
    with pytest.raises(TreeError, match=message):
        sequential(linear, tanh, linear)({"0": {"w": W, "b": B}}, jnp.ones((4, 2)))


def test_sequential_names_an_entry_of_a_layer_without_parameters() -> None:
    with pytest.raises(TreeError, match=r"layer 0 \(tanh\) takes no parameters.*an entry '0'"):
        sequential(tanh)({"0": {}}, jnp.ones(2))


def test_sequential_refuses_a_list_of_parameters() -> None:
    with pytest.raises(TreeError, match=r"needs a dict.*got list; its layers are \{'0': linear\}"):
        sequential(linear)([{"w": W, "b": B}], jnp.ones(2))  # type: ignore[arg-type]  # the fault


def test_sequential_refuses_what_cannot_be_called() -> None:
    with pytest.raises(GradientTypeError, match="layer 1 of sequential is 512, which cannot be"):
        sequential(linear, 512)  # type: ignore[arg-type]  # the fault under test


def test_sequential_takes_partial_functions() -> None:
    scale = partial(jnp.multiply, 3.0)
    np.testing.assert_array_equal(sequential(scale)({}, jnp.ones(2)), [3.0, 3.0])
