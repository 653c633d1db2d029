import importlib
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import ConfigurationError, TreeError
from funcgrad.models import init_widenet, mean_squared_error, noisy_sine, widenet, widenet_loss
from funcgrad.models.flax_linen import WideNet, from_linen, to_linen


@pytest.mark.parametrize("sizes", [(512, 1, 1), (5, 3, 2)])
def test_the_round_trip_is_exact(sizes: tuple[int, int, int]) -> None:
    params = init_widenet(3, *sizes)
    back = from_linen(to_linen(params))
    assert set(back) == set(params)
    for name, leaf in params.items():
        assert back[name].dtype == leaf.dtype
        np.testing.assert_array_equal(back[name], leaf)


def test_variables_of_flax_go_there_and_back() -> None:
    variables = WideNet(5, 2).init(jax.random.key(0), jnp.ones((1, 3)))
    back = to_linen(from_linen(variables))
    assert back["params"]["hidden"]["kernel"].shape == (3, 5)
    assert all(jax.tree.leaves(jax.tree.map(jnp.array_equal, back, variables)))


def test_the_outputs_are_equal() -> None:
    params, data = init_widenet(seed=2021), noisy_sine(seed=2021)
    result = WideNet().apply(to_linen(params), data.x)
    np.testing.assert_array_equal(result, widenet(params, data.x))


def test_the_gradients_are_equal() -> None:
    params, data = init_widenet(seed=2021), noisy_sine(seed=2021)

    def loss(variables: Any) -> jax.Array:
        return mean_squared_error(WideNet().apply(variables, data.x), data.y)

    by_flax = from_linen(jax.grad(loss)(to_linen(params)))
    expected = jax.grad(widenet_loss)(params, data.x, data.y)
    assert float(jnp.abs(expected["w1"]).max()) > 0
    for name, leaf in expected.items():
        np.testing.assert_allclose(by_flax[name], leaf, rtol=1e-5, atol=1e-7)


def test_other_parameters_are_named() -> None:
    with pytest.raises(TreeError, match=r"'b2', got \['w'\]"):
        to_linen({"w": jnp.ones((1, 2))})


@pytest.mark.parametrize("variables", [{}, {"params": {"hidden": {}}}, {"params": 3}])
def test_other_variables_are_shown(variables: Any) -> None:
    with pytest.raises(TreeError, match=r"params/hidden and params/output.*got PyTreeDef\("):
        from_linen(variables)


def test_without_flax_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flax", None)
    monkeypatch.delitem(sys.modules, "funcgrad.models.flax_linen")
    with pytest.raises(ConfigurationError, match=r'linen needs.*pip install "funcgrad\[flax\]"'):
        importlib.import_module("funcgrad.models.flax_linen")
