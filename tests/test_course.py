"""The numbers of the course, by this package's engine."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcgrad
from funcgrad.models import (
    init_widenet,
    noisy_sine,
    simple_graph_gradients_by_hand,
    simple_graph_loss,
    widenet_loss,
)
from tests.comparing import assert_close, assert_same

# --- the function of the first graph --------------------------------------------------------------


def f(x: Any, y: Any, z: Any) -> Any:
    return jnp.tanh(jnp.log(1 + z * 2 * x / jnp.sin(y)))


VALUE, GRADIENT = 0.838744947187734, (0.20869959, -0.13400447, 0.20869959)


@pytest.mark.parametrize("around", [lambda g: g, jax.jit], ids=["plain", "jit"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_f_at_one(dtype: Any, tolerance: float, around: Any) -> None:
    with jax.enable_x64(dtype is np.float64):
        one = jnp.ones((), dtype)
        value, gradient = around(funcgrad.value_and_grad(f, argnums=(0, 1, 2)))(one, one, one)
        assert value.dtype == dtype
        assert float(value) == pytest.approx(VALUE, rel=tolerance)
        assert [float(g) for g in gradient] == pytest.approx(GRADIENT, rel=max(tolerance, 5e-8))
        assert_same(gradient, jax.grad(f, argnums=(0, 1, 2))(one, one, one))


def test_the_closed_form_of_its_gradient() -> None:
    with jax.enable_x64(True):
        x, y, z = 0.7, 1.1, 1.3
        c = 2 * x / np.sin(y)
        slope = (1 - np.tanh(np.log(1 + z * c)) ** 2) / (1 + z * c)
        expected = (slope * z * c / x, -slope * z * c / np.tan(y), slope * c)
        ours = funcgrad.grad(f, argnums=(0, 1, 2))(x, y, z)
        assert [float(g) for g in ours] == pytest.approx(expected, rel=1e-13)


# --- SimpleGraph ----------------------------------------------------------------------------------


def test_simple_graph_as_in_the_course() -> None:
    params = {"w": -0.5, "b": 0.5}
    loss, gradient = funcgrad.value_and_grad(simple_graph_loss)(params, 1.0, 7.0)
    assert float(loss) == 49
    assert {name: float(g) for name, g in gradient.items()} == {"w": -14, "b": -14}


NUMBERS = st.floats(-2, 2, width=32, allow_subnormal=False)


@given(w=NUMBERS, b=NUMBERS, x=NUMBERS, y=NUMBERS)
def test_simple_graph_by_four_ways(w: float, b: float, x: float, y: float) -> None:
    with jax.enable_x64(True):
        params = {"w": jnp.asarray(w), "b": jnp.asarray(b)}
        ours = funcgrad.grad(simple_graph_loss)(params, x, y)
        theirs = jax.grad(simple_graph_loss)(params, x, y)
        by_hand = simple_graph_gradients_by_hand(params, x, y)
        step = 1e-6
        for name, value in params.items():
            low, high = (params | {name: value + s} for s in (-step, step))
            rise = simple_graph_loss(high, x, y) - simple_graph_loss(low, x, y)
            numerical = float(rise) / (2 * step)
            for other in (theirs[name], by_hand[name]):
                np.testing.assert_allclose(ours[name], other, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(ours[name], numerical, rtol=1e-6, atol=1e-7)


# --- WideNet --------------------------------------------------------------------------------------

DATA = noisy_sine(seed=2021)
START = init_widenet(seed=2021)


@pytest.mark.parametrize("around", [lambda g: g, jax.jit], ids=["plain", "jit"])
def test_the_gradient_of_widenet_is_that_of_jax(around: Any) -> None:
    ours = around(funcgrad.grad(widenet_loss))(START, DATA.x, DATA.y)
    theirs = around(jax.grad(widenet_loss))(START, DATA.x, DATA.y)
    assert_close(ours, theirs)
    for name in START:
        largest = np.max(np.abs(theirs[name]))
        assert np.max(np.abs(ours[name] - theirs[name])) <= 4 * np.spacing(largest), name


# initial, 1st, 100th, 1000th and 1847th recorded loss
EXTRA_STEP = [0.8889423, 0.5627539, 0.2934741, 0.0699753, 0.0672953]
MOMENTUM = [0.8889423, 0.8889423, 0.2940495, 0.0699948, 0.0672954]
VANILLA = [0.8889423, 0.8889423, 0.3442242, 0.2886214, 0.2437320]
RECORDED = np.array([1, 100, 1000, 1847])


def test_the_runs_with_momentum() -> None:
    rule = optax.sgd(0.003, momentum=0.9)
    run = funcgrad.minimize(widenet_loss, START, rule, DATA.x, DATA.y, steps=1848)
    losses = np.asarray(run.losses)
    np.testing.assert_allclose(losses[[0, *RECORDED]], EXTRA_STEP, rtol=1e-5)
    np.testing.assert_allclose(losses[[0, *(RECORDED - 1)]], MOMENTUM, rtol=1e-5)


def test_the_run_of_vanilla_descent() -> None:
    run = funcgrad.descend(widenet_loss, START, 0.003, 1847, DATA.x, DATA.y)
    losses = np.asarray(run.losses)
    np.testing.assert_allclose(losses[[0, *(RECORDED - 1)]], VANILLA, rtol=1e-5)
    assert np.all(np.diff(losses) < 0)


def test_the_first_steps_over_batches_are_those_of_the_run() -> None:
    rule = optax.sgd(0.003, momentum=0.9)
    batches = [(DATA.x, DATA.y)] * 100
    run = funcgrad.minimize(widenet_loss, START, rule, batches=batches)
    np.testing.assert_allclose(
        np.asarray(run.losses)[[0, 99]], [MOMENTUM[0], MOMENTUM[2]], rtol=1e-5
    )
