import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import TreeError
from funcgrad.models import simple_graph, simple_graph_gradients_by_hand, simple_graph_loss

COURSE = {"w": -0.5, "b": 0.5}
NUMBERS = st.floats(-2, 2, width=32, allow_subnormal=False)


def test_the_numbers_of_the_course() -> None:
    assert float(simple_graph(COURSE, 1.0)) == 0
    assert float(simple_graph_loss(COURSE, 1.0, 7.0)) == 49
    gradients = simple_graph_gradients_by_hand(COURSE, 1.0, 7.0)
    assert {name: float(value) for name, value in gradients.items()} == {"w": -14, "b": -14}


@given(w=NUMBERS, b=NUMBERS, x=NUMBERS, y=NUMBERS)
def test_the_prediction_is_the_formula(w: float, b: float, x: float, y: float) -> None:
    yhat = np.tanh(x * w + b)
    np.testing.assert_allclose(simple_graph({"w": w, "b": b}, x), yhat, rtol=1e-5, atol=1e-6)
    loss = simple_graph_loss({"w": w, "b": b}, x, y)
    np.testing.assert_allclose(loss, (y - yhat) ** 2, rtol=1e-4, atol=1e-5)


@given(w=NUMBERS, b=NUMBERS, x=NUMBERS, y=NUMBERS)
def test_the_hand_agrees_with_the_derivative(w: float, b: float, x: float, y: float) -> None:
    params = {"w": jnp.float32(w), "b": jnp.float32(b)}
    by_hand = simple_graph_gradients_by_hand(params, x, y)
    by_jax = jax.grad(simple_graph_loss)(params, x, y)
    for name in ("w", "b"):
        np.testing.assert_allclose(by_hand[name], by_jax[name], rtol=1e-4, atol=1e-5)


def test_the_hand_agrees_with_a_difference_quotient() -> None:
    w, b, x, y = 0.3, -0.7, 1.3, 0.4  # in float64 by NumPy: an oracle without JAX
    step = 1e-6

    def loss(w: float, b: float) -> float:
        return float((y - np.tanh(x * w + b)) ** 2)

    gradients = simple_graph_gradients_by_hand({"w": w, "b": b}, x, y)
    by_w = (loss(w + step, b) - loss(w - step, b)) / (2 * step)
    by_b = (loss(w, b + step) - loss(w, b - step)) / (2 * step)
    assert float(gradients["w"]) == pytest.approx(by_w, rel=1e-5)
    assert float(gradients["b"]) == pytest.approx(by_b, rel=1e-5)


def test_an_array_gives_one_gradient_an_example() -> None:
    x, y = jnp.array([1.0, -1.0, 0.5]), jnp.array([7.0, 0.0, 1.0])
    together = simple_graph_gradients_by_hand(COURSE, x, y)
    for i in range(3):
        alone = simple_graph_gradients_by_hand(COURSE, x[i], y[i])
        np.testing.assert_allclose(together["w"][i], alone["w"], rtol=1e-6)
        np.testing.assert_allclose(together["b"][i], alone["b"], rtol=1e-6)


@pytest.mark.parametrize("params", [{"w": 1.0}, {"w": 1.0, "b": 1.0, "c": 1.0}])
def test_other_parameters_are_named(params: dict[str, float]) -> None:
    with pytest.raises(TreeError, match=r"exactly the parameters 'w' and 'b', got \['"):
        simple_graph(params, 1.0)
