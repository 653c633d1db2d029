"""Whole runs by `minimize`: any optimiser, arrays or batches, resumed, in parts, with donation."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from funcgrad import gradient_descent, minimize
from funcgrad._errors import GradientTypeError, GradientValueError
from tests.comparing import Counted, assert_close

X = jnp.linspace(-1, 1, 8, dtype=jnp.float32)
Y = 2 * X + 1
START = {"w": jnp.asarray(0.5, jnp.float32), "b": jnp.asarray(-0.5, jnp.float32)}


def fit(params: Any, x: Any, y: Any) -> Any:
    return jnp.mean((params["w"] * x + params["b"] - y) ** 2)


def fresh() -> Any:
    return jax.tree.map(lambda leaf: leaf + 0, START)


def by_hand(optimizer: Any, batches: list[Any]) -> tuple[Any, list[float], Any]:
    """The same run by jax.grad and a Python loop."""
    params: Any = START
    state, losses = optimizer.init(params), []
    for batch in batches:
        loss, gradient = jax.value_and_grad(fit)(params, *batch)
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        losses.append(float(loss))
    return params, losses, state


MOMENTUM = optax.sgd(0.1, momentum=0.9)
OPTIMIZERS = {
    "momentum": MOMENTUM,
    "adam": optax.adam(0.05),
    "ours": gradient_descent(0.1),
    "a chain": optax.chain(optax.clip_by_global_norm(1.0), gradient_descent(0.1)),
    "a schedule": optax.sgd(optax.linear_schedule(0.2, 0.0, 5)),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_over_arrays(optimizer: Any) -> None:
    params, losses, state = by_hand(optimizer, [(X, Y)] * 5)
    run = minimize(fit, START, optimizer, X, Y, steps=5)
    assert_close(run.params, params, factor=8)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-4)
    assert str(jax.tree.structure(run.state)) == str(jax.tree.structure(state))
    assert run.path is None


BATCHES = [(X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 2, 0)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_over_batches(optimizer: Any) -> None:
    params, losses, _ = by_hand(optimizer, BATCHES)
    run = minimize(fit, START, optimizer, batches=BATCHES)
    assert_close(run.params, params, factor=8)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-4)


def test_an_iterator_is_read_no_further_than_steps() -> None:
    read: list[int] = []

    def endless() -> Iterator[Any]:
        while True:
            read.append(len(read))
            yield BATCHES[0]

    run = minimize(fit, START, MOMENTUM, batches=endless(), steps=3)
    assert run.losses.shape == (3,)
    assert read == [0, 1, 2]


def test_fewer_batches_than_steps() -> None:
    run = minimize(fit, START, MOMENTUM, batches=iter(BATCHES), steps=100)
    assert run.losses.shape == (4,)


def test_a_batch_may_be_a_single_thing() -> None:
    def of_pair(params: Any, batch: Any) -> Any:
        return fit(params, batch["x"], batch["y"])

    single = minimize(of_pair, START, MOMENTUM, batches=[{"x": x, "y": y} for x, y in BATCHES])
    assert_close(single.params, minimize(fit, START, MOMENTUM, batches=BATCHES).params)


@pytest.mark.parametrize("batched", [False, True])
def test_the_path(batched: bool) -> None:
    source: Any = {"batches": [(X, Y)] * 4} if batched else {"steps": 4}
    data = () if batched else (X, Y)
    run = minimize(fit, START, MOMENTUM, *data, keep_path=True, **source)
    ends = [START] + [by_hand(MOMENTUM, [(X, Y)] * n)[0] for n in (1, 2, 3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *ends)
    assert_close(run.path, stacked, factor=8)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("history", [None, 3, 10])
def test_a_thinned_history(batched: bool, history: Any) -> None:
    source: Any = {"batches": [(X, Y)] * 8} if batched else {"steps": 8}
    data = () if batched else (X, Y)
    whole = minimize(fit, START, MOMENTUM, *data, keep_path=True, **source)
    thin = minimize(fit, START, MOMENTUM, *data, keep_path=True, history=history, **source)
    kept = slice(None, None, history) if history else slice(0)
    np.testing.assert_allclose(thin.losses, whole.losses[kept], rtol=1e-5)
    assert whole.path is not None
    assert_close(
        thin.path, jax.tree.map(lambda leaf: leaf[kept], whole.path), zero=not history, factor=4
    )
    assert_close((thin.params, thin.state), (whole.params, whole.state), factor=4)


@pytest.mark.parametrize("batched", [False, True])
def test_a_run_is_resumed(batched: bool) -> None:
    def run(params: Any, state: Any, steps: int) -> Any:
        if batched:
            return minimize(fit, params, MOMENTUM, batches=[(X, Y)] * steps, state=state)
        return minimize(fit, params, MOMENTUM, X, Y, steps=steps, state=state)

    first = run(START, None, 2)
    second = run(first.params, first.state, 3)
    whole = run(START, None, 5)
    assert_close(second.params, whole.params)
    np.testing.assert_allclose([*first.losses, *second.losses], whole.losses, rtol=1e-5)
    forgetful = run(first.params, None, 3)
    assert abs(float(forgetful.params["w"] - whole.params["w"])) > 1e-3


@pytest.mark.parametrize("batched", [False, True])
def test_micro_batches(batched: bool) -> None:
    source: Any = {"batches": [(X, Y)] * 3} if batched else {"steps": 3}
    data = () if batched else (X, Y)
    whole = minimize(fit, START, MOMENTUM, *data, **source)
    parts = minimize(fit, START, MOMENTUM, *data, micro_batches=4, **source)
    assert_close(parts.params, whole.params, factor=4)
    np.testing.assert_allclose(parts.losses, whole.losses, rtol=1e-4)


# --- donation and compilation ---------------------------------------------------------------------


@pytest.mark.parametrize("batched", [False, True])
def test_donation_deletes_the_callers_arrays_and_nothing_else_does(batched: bool) -> None:
    source: Any = {"batches": [(X, Y)] * 3} if batched else {"steps": 3}
    data = () if batched else (X, Y)
    kept, state = fresh(), MOMENTUM.init(START)
    plain = minimize(fit, kept, MOMENTUM, *data, state=state, **source)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((kept, state)))
    given_up, state = fresh(), MOMENTUM.init(START)
    donated = minimize(fit, given_up, MOMENTUM, *data, state=state, donate=True, **source)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves((given_up, state)))
    assert_close(donated.params, plain.params)
    assert not X.is_deleted()
    kept_path = minimize(fit, fresh(), MOMENTUM, *data, donate=True, keep_path=True, **source)
    assert kept_path.path is not None
    assert_close(kept_path.path["w"][0], START["w"])


def test_a_step_over_batches_compiles_once() -> None:
    counted = Counted(fit)
    minimize(counted, START, MOMENTUM, batches=BATCHES)
    assert counted.calls == 1
    minimize(counted, START, MOMENTUM, batches=BATCHES, steps=2)
    assert counted.calls == 1
    minimize(counted, START, MOMENTUM, batches=[*BATCHES, (X[:2], Y[:2])])  # another shape
    assert counted.calls == 2


def test_a_run_over_arrays_compiles_once() -> None:
    counted = Counted(fit)
    minimize(counted, START, MOMENTUM, X, Y, steps=4)
    minimize(counted, START, MOMENTUM, X + 1, Y, steps=4)
    assert counted.calls == 1
    minimize(counted, START, MOMENTUM, X, Y, steps=5)
    assert counted.calls == 2
    minimize(counted, START, optax.adam(0.1), X, Y, steps=5)
    assert counted.calls == 3


def test_numbers_and_integers_among_the_parameters() -> None:
    def of_mixed(p: Any) -> Any:
        return (p["w"] - p["n"]) ** 2

    start = {"w": 0.0, "n": 3, "key": jax.random.key(0), "frozen": None}
    over_arrays = minimize(of_mixed, start, optax.sgd(0.25), steps=3)
    over_batches = minimize(of_mixed, start, optax.sgd(0.25), batches=[()] * 3)
    for run in (over_arrays, over_batches):
        assert int(run.params["n"]) == 3
        assert run.params["frozen"] is None
        assert float(run.params["w"]) == 2.625
        assert jnp.issubdtype(run.params["key"].dtype, jax.dtypes.prng_key)


# --- mistakes -------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = {
    "data and batches": (
        (X, Y), {"batches": BATCHES}, GradientValueError,
        r"takes data or batches, but was given 2 array\(s\) and batches; put what stays the same",
    ),
    "neither": (
        (X, Y), {}, GradientValueError,
        r"was given neither steps nor batches; say steps=\.\.\. for a run over arrays",
    ),
    "an iterator that is empty": (
        (), {"batches": iter([]), "steps": 7}, GradientValueError,
        r"was given no batch \(steps=7\); an iterator that was used up is empty",
    ),
    "negative steps": (
        (X, Y), {"steps": -2}, GradientValueError, "steps must be a whole number .* but is -2",
    ),
    "no micro-batch": (
        (X, Y), {"steps": 2, "micro_batches": 0}, GradientValueError,
        "micro_batches must be a whole number of at least 1, but is 0",
    ),
    "a negative prefetch": (
        (), {"batches": BATCHES, "prefetch": -1}, GradientValueError,
        "prefetch must be a whole number of at least 0, but is -1",
    ),
    "a history of words": (
        (X, Y), {"steps": 2, "history": "last"}, GradientValueError,
        """history must be "all", None, or a whole number k of .*, but is 'last'""",
    ),
    "a batch that cannot be split": (
        (X, Y), {"steps": 2, "micro_batches": 3}, GradientValueError,
        r"data of shape \(8,\) cannot be split into 3 equal micro-batches",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "options", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(data: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        minimize(fit, START, MOMENTUM, *data, **options)


def test_nothing_to_train() -> None:
    with pytest.raises(GradientTypeError, match="no leaf of the parameters is of floating dtype"):
        minimize(lambda p: p["n"], {"n": 3}, MOMENTUM, steps=2)
