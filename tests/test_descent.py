"""Whole runs by `descend`: history, path, donation, compilation, and gradients through a run."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

import funcgrad
from funcgrad import descend
from funcgrad._errors import GradientTypeError, GradientValueError
from funcgrad._registry import lookup
from tests.comparing import Counted, assert_close, assert_same

X = jnp.linspace(-1, 1, 8, dtype=jnp.float32)
Y = 2 * X + 1
START = {"w": jnp.asarray(0.5, jnp.float32), "b": jnp.asarray(-0.5, jnp.float32)}


def bowl(w: Any) -> Any:
    return (w - 3.0) ** 2


def fit(params: Any, x: Any, y: Any) -> Any:
    return jnp.mean((params["w"] * x + params["b"] - y) ** 2)


def by_hand(rate: float, steps: int) -> tuple[list[Any], list[float]]:
    """The same run by jax.grad and a Python loop: every point, and the loss there."""
    params: Any = START
    path, losses = [params], []
    for _ in range(steps):
        losses.append(float(fit(params, X, Y)))
        gradient = jax.grad(fit)(params, X, Y)
        params = jax.tree.map(lambda p, g: p - rate * g, params, gradient)
        path.append(params)
    return path, losses


@given(
    rate=st.floats(0, 0.5, width=32, allow_subnormal=False),
    start=st.floats(-4, 4, width=32, allow_subnormal=False),
)
def test_a_bowl_has_a_closed_form(rate: float, start: float) -> None:
    run = descend(bowl, jnp.float32(start), rate, 5)  # compiled once for every rate
    errors = (start - 3) * (1 - 2 * rate) ** np.arange(6)
    np.testing.assert_allclose(run.params, 3 + errors[-1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(run.losses, errors[:-1] ** 2, rtol=1e-4, atol=1e-5)
    assert run.path is None


def test_a_run_over_trees_and_data() -> None:
    path, losses = by_hand(0.1, 6)
    run = descend(fit, START, 0.1, 6, X, Y, keep_path=True)
    assert_close(run.params, path[-1], factor=4)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-5)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *path[:-1])
    assert_close(run.path, stacked, factor=4)
    assert run.path is not None
    assert run.path["w"].shape == (6,)
    assert jax.tree.map(jax.typeof, run.params) == jax.tree.map(jax.typeof, START)


def test_no_step_at_all() -> None:
    run = descend(fit, START, 0.1, 0, X, Y, keep_path=True)
    assert run.losses.shape == (0,)
    assert_close(run.params, START)
    assert run.path is not None
    assert run.path["b"].shape == (0,)


@given(steps=st.integers(0, 9), every=st.integers(0, 11))
@settings(max_examples=40)  # each compiles a program of its own
def test_a_thinned_history_is_the_full_one_sliced(steps: int, every: int) -> None:
    whole = descend(fit, START, 0.1, steps, X, Y, keep_path=True)
    thin = descend(fit, START, 0.1, steps, X, Y, keep_path=True, history=every)
    kept = slice(None, None, every) if every else slice(0)
    np.testing.assert_allclose(thin.losses, whole.losses[kept], rtol=1e-5)
    assert thin.losses.dtype == whole.losses.dtype
    assert whole.path is not None
    sliced = jax.tree.map(lambda leaf: leaf[kept], whole.path)
    assert_close(thin.path, sliced, zero=not len(thin.losses), factor=4)
    assert_close(thin.params, whole.params, factor=4)


def test_what_is_not_recorded_takes_no_memory() -> None:
    def held(history: Any) -> tuple[int, int]:
        def run(w: Any) -> Any:
            return descend(bowl, w, 0.1, 100_000, keep_path=True, history=history)

        sizes: Any = jax.jit(run).lower(jnp.float32(0.0)).compile().memory_analysis()
        return sizes.output_size_in_bytes, sizes.temp_size_in_bytes

    (kept, spare), (all_kept, _) = held(1000), held("all")
    assert all_kept >= 2 * 4 * 100_000
    assert kept < 2 * 4 * 100 + 200
    assert spare < 4 * 4 * 100 + 2000
    assert sum(held(None)) < 2000


def test_a_thinned_run_is_traced_once() -> None:
    counted = Counted(fit)
    for history in (2, 3, None):  # blocks, a block and a rest, and nothing recorded
        before = counted.calls
        descend(counted, START, 0.1, 4, X, Y, history=history)
        assert counted.calls == before + 1


def test_a_gradient_through_a_thinned_run() -> None:
    def late(rate: Any) -> Any:
        return descend(fit, START, rate, 7, X, Y, history=3).losses[-1]  # before step 6

    def same(rate: Any) -> Any:
        return descend(fit, START, rate, 7, X, Y).losses[-1]

    rate = jnp.float32(0.1)
    assert float(jax.grad(same)(rate)) != 0
    for engine in (jax.grad, funcgrad.grad):
        assert float(engine(late)(rate)) == pytest.approx(float(jax.grad(same)(rate)), rel=1e-4)


def test_numbers_and_integers_among_the_parameters() -> None:
    def of_mixed(p: Any) -> Any:
        return (p["w"] - p["n"]) ** 2

    run = descend(of_mixed, {"w": 0.0, "n": 3, "half": np.float16(1)}, 0.25, 3, keep_path=True)
    assert float(run.params["w"]) == 2.625
    assert int(run.params["n"]) == 3
    assert run.params["half"].dtype == np.float16
    assert not run.params["w"].weak_type


def test_a_run_compiles_once() -> None:
    counted = Counted(fit)
    for rate in (0.1, 0.2, jnp.float32(0.3)):
        descend(counted, START, float(rate), 4, X, Y)
    assert counted.calls == 1
    descend(counted, START, 0.1, 4, X + 1, Y)
    assert counted.calls == 1
    descend(counted, START, 0.1, 5, X, Y)  # another number of steps
    assert counted.calls == 2
    descend(counted, START, 0.1, 4, X[:4], Y[:4])  # other shapes
    assert counted.calls == 3


def fresh() -> Any:
    return jax.tree.map(lambda leaf: leaf + 0, START)


def test_donation_deletes_the_callers_arrays_and_nothing_else_does() -> None:
    kept = fresh()
    plain = descend(fit, kept, 0.1, 3, X, Y)
    assert not any(leaf.is_deleted() for leaf in kept.values())
    given_up = fresh()
    donated = descend(fit, given_up, 0.1, 3, X, Y, donate=True)
    assert all(leaf.is_deleted() for leaf in given_up.values())
    assert not X.is_deleted()
    assert_close(donated.params, plain.params)


def test_under_jit_and_vmap() -> None:
    rates = jnp.asarray([0.05, 0.1, 0.2], jnp.float32)
    run = jax.jit(jax.vmap(lambda rate: descend(fit, START, rate, 4, X, Y).losses[-1]))(rates)
    alone = [descend(fit, START, float(rate), 4, X, Y).losses[-1] for rate in rates]
    np.testing.assert_allclose(run, alone, rtol=1e-5)


def final(rate: Any) -> Any:
    return fit(descend(fit, START, rate, 5, X, Y).params, X, Y)


def test_the_hypergradient_by_the_learning_rate() -> None:
    rate, step = 0.1, 1e-3
    quotient = (final(rate + step) - final(rate - step)) / (2 * step)
    hyper = jax.grad(final)(jnp.float32(rate))
    assert float(hyper) == pytest.approx(float(quotient), rel=1e-2)
    assert float(hyper) != 0


def test_the_picture_of_the_course() -> None:
    def hills(w: Any) -> Any:
        return jnp.sin(w[0] ** 2 + w[1] ** 2)

    start = jnp.asarray([1.2, 0.4], jnp.float32)
    run = descend(hills, start, 0.05, 60, keep_path=True)
    x, y = start
    slope = jnp.stack([2 * x * jnp.cos(x**2 + y**2), 2 * y * jnp.cos(x**2 + y**2)])
    assert run.path is not None
    np.testing.assert_allclose((run.path[0] - run.path[1]) / 0.05, slope, rtol=1e-4)
    assert np.all(np.diff(run.losses) <= 1e-6)
    assert float(hills(run.params)) == pytest.approx(-1, abs=1e-3)


@pytest.mark.xfail(
    lookup(lax.scan_p) is None, raises=funcgrad.MissingRuleError, reason="no rule for scan yet"
)
def test_the_hypergradient_by_our_engine() -> None:
    rate = jnp.float32(0.1)
    assert_same(funcgrad.grad(final)(rate), jax.grad(final)(rate), factor=4)


@pytest.mark.parametrize("history", ["some", -1, 2.5, True, [1], "10"])
def test_a_wrong_history_is_named(history: Any) -> None:
    message = r'history must be "all", None, or a whole number k of .*, but is '
    with pytest.raises(GradientValueError, match=message + re.escape(repr(history))):
        descend(bowl, 0.0, 0.1, 3, history=history)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((bowl, 0.0, 0.1, -1), GradientValueError, "steps must be a whole number .* but is -1"),
        ((bowl, 0.0, 0.1, 2.5), GradientValueError, r"steps must be a whole number .* but is 2\.5"),
        ((bowl, 0.0, -1.0, 3), GradientValueError, r"positive and finite, but is -1\.0"),
        ((bowl, 3, 0.1, 3), GradientTypeError, "no leaf of the parameters is of floating dtype"),
        ((lambda w: w * X, 1.0, 0.1, 3), GradientTypeError, r"returned an array of shape \(8,\)"),
    ],
)
def test_a_mistake_is_named(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        descend(*arguments)


def test_the_fields_of_a_run() -> None:
    assert funcgrad.Descent._fields == ("params", "losses", "path", "state")
