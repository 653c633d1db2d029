"""The literal numbers in this file were printed by PyTorch 2.13 on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import GradientTypeError, GradientValueError, TreeError
from funcgrad.models import init_widenet, noisy_sine, widenet, widenet_loss
from funcgrad.models._torch_stream import uniforms

# seed: initial loss; first and last entry of W1, b1, W2; b2
PYTORCH = {
    0: (
        0.7652534246444702,
        [-0.00748682, 0.61826134],
        [-0.2774546, 0.44199824],
        [-0.0030965079, -0.025778534],
        [-0.014694846],
    ),
    1: (
        0.5702093839645386,
        [0.5152632, 0.260355],
        [-0.74770796, -0.6334603],
        [0.0073262546, 0.013427343],
        [-0.007772906],
    ),
    2021: (
        0.888942301273346,
        [-0.7391219, 0.17897773],
        [-0.45187914, 0.9575312],
        [0.038421102, 0.033658132],
        [-0.011797414],
    ),
    2**32 - 1: (
        0.4110001027584076,
        [0.9875988, -0.5531372],
        [-0.29827225, -0.5644767],
        [0.026852695, -0.039712276],
        [0.025138324],
    ),
}


@pytest.mark.parametrize("seed", PYTORCH)
def test_initial_parameters_are_those_of_pytorch_to_the_bit(seed: int) -> None:
    _, w1, b1, w2, b2 = PYTORCH[seed]
    params = init_widenet(seed=seed)
    np.testing.assert_array_equal(params["w1"][0, [0, -1]], np.array(w1, np.float32))
    np.testing.assert_array_equal(params["b1"][jnp.array([0, -1])], np.array(b1, np.float32))
    np.testing.assert_array_equal(params["w2"][[0, -1], 0], np.array(w2, np.float32))
    np.testing.assert_array_equal(params["b2"], np.array(b2, np.float32))


@pytest.mark.parametrize("seed", PYTORCH)
def test_the_initial_loss_is_that_of_pytorch(seed: int) -> None:
    data = noisy_sine(seed=seed)
    loss = widenet_loss(init_widenet(seed=seed), data.x, data.y)
    assert float(loss) == pytest.approx(PYTORCH[seed][0], rel=1e-6)


def test_the_initial_loss_of_the_course() -> None:
    data = noisy_sine(seed=2021)
    loss = widenet_loss(init_widenet(seed=2021), data.x, data.y)
    assert float(loss) == pytest.approx(0.8889423, rel=1e-6)


def test_weights_are_the_transposes_of_those_of_pytorch() -> None:
    params = init_widenet(seed=7, width=4, inputs=3, outputs=2)
    w1 = [
        [0.040325075, -0.34779212, 0.18384182],
        [0.18116128, -0.30858037, -0.08653163],
        [-0.33822793, 0.14980665, -0.15551952],
        [0.40560976, 0.40985304, 0.058814913],
    ]
    w2 = [
        [0.22038043, -0.42694807, 0.46991962, -0.39221346],
        [0.3828776, -0.08682728, 0.25719446, 0.19484752],
    ]
    b1 = [-0.24613711, -0.33911315, -0.0634044, -0.16248259]
    b2 = [0.020930052, 0.0932312]
    for name, expected in {"w1": w1, "b1": b1, "w2": w2, "b2": b2}.items():
        np.testing.assert_array_equal(params[name], np.array(expected, np.float32).T)


@given(
    seed=st.integers(-(2**63), 2**64 - 1),
    width=st.integers(1, 9),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
)
def test_initial_parameters_use_the_stream_once(
    seed: int, width: int, inputs: int, outputs: int
) -> None:
    params = init_widenet(seed, width, inputs, outputs)
    shapes = {"w1": (inputs, width), "b1": (width,), "w2": (width, outputs), "b2": (outputs,)}
    assert {name: leaf.shape for name, leaf in params.items()} == shapes
    assert {leaf.dtype for leaf in params.values()} == {np.dtype(np.float32)}
    bounds = {"w1": inputs**-0.5, "b1": inputs**-0.5, "w2": width**-0.5, "b2": width**-0.5}
    read = [np.asarray(params[name]).T.ravel() / bounds[name] / 2 + 0.5 for name in shapes]
    np.testing.assert_allclose(np.concatenate(read), uniforms(seed, sum(map(len, read))), atol=3e-7)


def test_the_prediction_is_the_formula() -> None:
    params = {name: np.asarray(p) for name, p in init_widenet(3, 5, 2, 3).items()}
    x = np.array([[0.5, -1.0], [2.0, 0.25]], np.float32)
    expected = np.tanh(x @ params["w1"] + params["b1"]) @ params["w2"] + params["b2"]
    result = widenet(jax.tree.map(jnp.asarray, params), jnp.asarray(x))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_the_course_network_has_1537_parameters() -> None:
    assert sum(leaf.size for leaf in init_widenet().values()) == 1537


def test_the_default_seed_is_that_of_the_course() -> None:
    default, course = init_widenet(), init_widenet(seed=2021)
    assert all((default[name] == course[name]).all() for name in course)


@pytest.mark.parametrize("name", ["width", "inputs", "outputs"])
def test_sizes_are_positive_integers(name: str) -> None:
    with pytest.raises(GradientValueError, match=f"{name} must be 1 or more, got 0"):
        init_widenet(**{name: 0})
    with pytest.raises(GradientTypeError, match=rf"{name} must be an integer, got 2\.0"):
        init_widenet(**{name: 2.0})  # type: ignore[arg-type]  # the fault under test


def test_other_parameters_are_named() -> None:
    params = {name: leaf for name, leaf in init_widenet(width=2).items() if name != "b2"}
    with pytest.raises(TreeError, match=r"'b2', got \['b1', 'w1', 'w2'\]; make them with init"):
        widenet(params, jnp.ones((1, 1)))


def test_a_target_that_would_broadcast_is_refused() -> None:
    data = noisy_sine()
    with pytest.raises(GradientValueError, match=r"\(32, 1\) and a target of shape \(32,\)"):
        widenet_loss(init_widenet(), data.x, data.y[:, 0])
