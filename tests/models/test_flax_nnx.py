import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from funcgrad._errors import ConfigurationError, GradientTypeError, TreeError
from funcgrad.models import init_widenet, mean_squared_error, noisy_sine, widenet, widenet_loss
from funcgrad.models.flax_nnx import WideNet, from_nnx, to_nnx


@pytest.mark.parametrize("sizes", [(512, 1, 1), (5, 3, 2)])
def test_the_round_trip_is_exact(sizes: tuple[int, int, int]) -> None:
    params = init_widenet(3, *sizes)
    back = from_nnx(to_nnx(params))
    assert set(back) == set(params)
    for name, leaf in params.items():
        assert back[name].dtype == leaf.dtype
        np.testing.assert_array_equal(back[name], leaf)


def test_a_model_of_flax_goes_there_and_back() -> None:
    model = WideNet(5, 3, 2, rngs=nnx.Rngs(1))
    x = jnp.linspace(-1, 1, 12).reshape(4, 3)
    assert float(jnp.abs(model(x)).max()) > 0
    np.testing.assert_array_equal(to_nnx(from_nnx(model))(x), model(x))


def test_the_outputs_are_equal() -> None:
    params, data = init_widenet(seed=2021), noisy_sine(seed=2021)
    np.testing.assert_array_equal(to_nnx(params)(data.x), widenet(params, data.x))


def test_the_gradients_are_equal() -> None:
    params, data = init_widenet(seed=2021), noisy_sine(seed=2021)

    def loss(model: WideNet) -> jax.Array:
        return mean_squared_error(model(data.x), data.y)

    by_flax = nnx.grad(loss)(to_nnx(params))
    expected = jax.grad(widenet_loss)(params, data.x, data.y)
    assert float(jnp.abs(expected["w1"]).max()) > 0
    np.testing.assert_allclose(by_flax.hidden.kernel[...], expected["w1"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(by_flax.output.bias[...], expected["b2"], rtol=1e-5)


def test_other_parameters_are_named() -> None:
    with pytest.raises(TreeError, match=r"'b2', got \['w'\]"):
        to_nnx({"w": jnp.ones((1, 2))})


def test_another_model_is_named() -> None:
    with pytest.raises(GradientTypeError, match=r"needs a funcgrad.*WideNet, got Linear"):
        from_nnx(nnx.Linear(1, 2, rngs=nnx.Rngs(0)))


def test_without_flax_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flax", None)
    monkeypatch.delitem(sys.modules, "funcgrad.models.flax_nnx")
    with pytest.raises(ConfigurationError, match=r'flax_nnx needs.*pip install "funcgrad\[flax\]"'):
        importlib.import_module("funcgrad.models.flax_nnx")
