"""Runs over an iterable: what is drawn and when, what is recorded, and who sees which memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcgrad
from funcgrad import _batches, minimize
from funcgrad._batches import _Rows
from tests.comparing import assert_close

RULE = optax.sgd(0.1, momentum=0.9)
START = {"w": jnp.asarray(0.5, jnp.float32), "b": jnp.asarray(-0.5, jnp.float32)}
lengths = st.integers(1, 70)


def fit(params: Any, x: Any) -> Any:
    return jnp.mean((params["w"] * x + params["b"] - 2 * x - 1) ** 2)


def batch(number: int) -> Any:
    return np.linspace(-1, 1 + number % 3, 4, dtype=np.float32)


def counted(read: list[int]) -> Iterator[Any]:
    """Batches without end; `read` says how many were drawn."""
    while True:
        read.append(len(read))
        yield batch(len(read))


# --- what is drawn --------------------------------------------------------------------------------


@given(length=lengths, ahead=st.sampled_from([0, 1, 4, 100]))
def test_ahead_of_the_device_the_numbers_are_the_same(length: int, ahead: int) -> None:
    batches = [batch(n) for n in range(length)]
    waiting = minimize(fit, START, RULE, batches=batches, prefetch=0)
    run = minimize(fit, START, RULE, batches=batches, prefetch=ahead)
    assert run.losses.shape == (length,)
    np.testing.assert_array_equal(run.losses, waiting.losses)
    np.testing.assert_array_equal(run.params["w"], waiting.params["w"])


@given(steps=st.integers(1, 12), ahead=st.sampled_from([0, 3, 50]))
def test_one_batch_is_drawn_for_each_step_and_none_beyond(steps: int, ahead: int) -> None:
    read: list[int] = []
    batches = counted(read)
    first = minimize(fit, START, RULE, batches=batches, steps=steps, prefetch=ahead)
    assert len(read) == steps
    second = minimize(
        fit, first.params, RULE, batches=batches, steps=2, state=first.state, prefetch=ahead
    )  # the iterator is still open, and stands where the run ended
    whole = minimize(fit, START, RULE, batches=counted([]), steps=steps + 2)
    assert len(read) == steps + 2
    np.testing.assert_array_equal([*first.losses, *second.losses], whole.losses)


@given(length=lengths, more=st.integers(0, 5))
def test_there_may_be_fewer_batches_than_steps(length: int, more: int) -> None:
    batches = (batch(n) for n in range(length))
    assert len(minimize(fit, START, RULE, batches=batches, steps=length + more).losses) == length


@pytest.mark.parametrize("error", [KeyError("a row"), KeyboardInterrupt()])
def test_what_the_iterator_raises_comes_out_as_it_is(error: BaseException) -> None:
    closed: list[bool] = []

    def broken() -> Iterator[Any]:
        try:
            yield from (batch(n) for n in range(5))
            raise error
        finally:
            closed.append(True)

    with pytest.raises(type(error)) as raised:
        minimize(fit, START, RULE, batches=broken())
    assert raised.value is error
    assert closed == [True]
    assert raised.traceback[-1].name == "broken"


def test_an_error_of_the_loss_leaves_the_iterator_open() -> None:
    read: list[int] = []
    batches = counted(read)

    def failing(*_: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        minimize(failing, START, RULE, batches=batches)
    assert len(read) == 1
    next(batches)


def test_the_iterator_runs_in_the_calling_thread_and_its_context() -> None:
    seen: list[Any] = []

    def here() -> Iterator[Any]:
        for number in range(3):
            seen.append((threading.current_thread(), jax.config.jax_default_matmul_precision))
            yield batch(number)

    threads = threading.active_count()
    with jax.default_matmul_precision("float32"):
        minimize(fit, START, RULE, batches=here())
    assert seen == [(threading.current_thread(), "float32")] * 3
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("ahead", "order"), [(0, "0w1w2w3w"), (1, "01w2w3w"), (2, "012w3w"), (9, "0123")]
)
def test_so_many_batches_are_drawn_before_a_step_is_waited_for(
    ahead: int, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def batches() -> Iterator[Any]:
        for number in range(4):
            seen.append(str(number))
            yield batch(number)

    monkeypatch.setattr(_batches, "_wait", lambda _: seen.append("w"))
    minimize(fit, START, RULE, batches=batches(), prefetch=ahead)
    assert "".join(seen) == order


def slow(params: Any, x: Any) -> Any:
    """A loss that looks at its batch late, when the next one would be drawn long since."""
    burnt = jax.lax.fori_loop(0, 10, lambda _, m: jnp.tanh(m @ m), jnp.eye(300))
    return fit(params, x + 0 * burnt[0, 0])


def test_a_loader_may_use_its_memory_again() -> None:
    def reusing() -> Iterator[Any]:
        memory = np.empty(4096 + 16, np.float32)
        start = -memory.ctypes.data % 64 // 4  # JAX reads in place what is aligned like this
        for number in range(4):
            memory[:] = number
            yield memory[start : start + 4096]

    fresh = [np.full(4096, number, np.float32) for number in range(4)]
    run = minimize(slow, START, RULE, batches=reusing())
    expected = minimize(slow, START, RULE, batches=fresh, prefetch=0)
    np.testing.assert_array_equal(run.losses, expected.losses)


# --- what is recorded -----------------------------------------------------------------------------


@given(length=lengths, every=st.integers(1, 80))
def test_a_thinned_history_is_the_full_one_sliced(length: int, every: int) -> None:
    batches = [batch(n) for n in range(length)]
    whole = minimize(fit, START, RULE, batches=batches, keep_path=True)
    thin = minimize(fit, START, RULE, batches=batches, keep_path=True, history=every)
    np.testing.assert_array_equal(thin.losses, whole.losses[::every])
    assert thin.path is not None
    assert whole.path is not None
    np.testing.assert_array_equal(thin.path["b"], whole.path["b"][::every])
    np.testing.assert_array_equal(thin.params["w"], whole.params["w"])


@pytest.mark.parametrize("history", [None, 0])
def test_no_history(history: Any) -> None:
    batches = [batch(n) for n in range(5)]
    run = minimize(fit, START, RULE, batches=batches, keep_path=True, history=history)
    assert run.losses.shape == (0,)
    assert run.losses.dtype == jnp.float32
    assert run.path is not None
    assert run.path["w"].shape == (0,)
    assert float(run.params["w"]) == float(minimize(fit, START, RULE, batches=batches).params["w"])


@given(st.sampled_from([1, 2, 31, 32, 33, 64, 1023, 1024, 1025, 1100]))
def test_rows_are_joined_in_their_order(length: int) -> None:
    rows = _Rows()
    for number in range(length):
        rows.add(np.int32(number))
    assert sum(map(len, rows.sizes)) <= 3 * 32  # and not as many as there are rows
    np.testing.assert_array_equal(rows.joined(), np.arange(length))


# --- inside other transformations -----------------------------------------------------------------


def last(rate: Any) -> Any:
    batches = [jnp.asarray(batch(n)) for n in range(4)]
    rule = funcgrad.gradient_descent(rate)
    return minimize(fit, START, rule, batches=batches, history=2).losses[-1]


def test_under_jit_and_its_gradient_by_the_learning_rate() -> None:
    rate = 0.1
    assert_close(jax.jit(last)(rate), last(rate), factor=4)
    quotient = (last(rate + 1e-3) - last(rate - 1e-3)) / 2e-3
    for slope in (jax.grad(last)(rate), funcgrad.grad(last)(rate)):
        assert float(slope) == pytest.approx(float(quotient), rel=1e-2)
