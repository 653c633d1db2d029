"""`scan` with checkpoints: the numbers of `lax.scan`, in memory and time as they are announced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

import funcgrad
from funcgrad import scan, scan_cost
from funcgrad._errors import GradientTypeError, GradientValueError
from tests.comparing import assert_close, temporary_bytes

WEIGHT = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3)) / 2, jnp.float32)
WRONG: Any = scan  # for calls that a type checker refuses
WRONG_COST: Any = scan_cost
START = jnp.array([0.5, -1.0, 0.25])


def inputs(length: int) -> dict[str, Any]:
    generator = np.random.default_rng(length)
    return {
        "a": jnp.asarray(generator.normal(size=(length, 3)), jnp.float32),
        "n": jnp.arange(length),
    }


def recurrence(scanned: Callable[..., Any], w: Any, start: Any, xs: Any) -> Any:
    """A state beside a counter; results beside integers; a matrix that is closed over."""

    def step(carry: Any, x: Any) -> Any:
        h, count = carry
        h = jnp.tanh(w @ h + x["a"]) * (1 + 0.01 * x["n"])
        return (h, count + 1), {"y": jnp.sum(h) ** 2, "n": count}

    (h, _), ys = scanned(step, (start, 0), xs)
    return jnp.sum(h**2) + jnp.sum(ys["y"]) / 7


@settings(max_examples=12)
@given(
    length=st.integers(1, 24),
    checkpoints=st.one_of(st.integers(1, 30), st.sampled_from(["sqrt", "binomial"])),
    backwards=st.booleans(),
    compiled=st.booleans(),
)
def test_value_and_gradient_are_those_of_lax(
    length: int, checkpoints: Any, backwards: bool, compiled: bool
) -> None:
    def both(scanned: Callable[..., Any], transform: Any) -> Any:
        loss = partial(recurrence, partial(scanned, reverse=backwards))
        made = transform(lambda w, s, a: loss(w, s, {**xs, "a": a}), (0, 1, 2))
        return (jax.jit(made) if compiled else made)(WEIGHT, START, xs["a"])

    xs = inputs(length)
    ours = partial(scan, checkpoints=checkpoints)
    expected = both(lax.scan, jax.value_and_grad)
    assert_close(both(ours, funcgrad.value_and_grad), expected, factor=10)
    assert_close(both(ours, jax.value_and_grad), expected, factor=10)


def test_second_order_and_vmap() -> None:
    xs = inputs(9)

    def loss(scanned: Any, w: Any) -> Any:
        return recurrence(scanned, w, START, xs)

    ours = funcgrad.hvp(partial(loss, partial(scan, checkpoints=3)), (WEIGHT,), (WEIGHT,))
    theirs = jax.jvp(jax.grad(partial(loss, lax.scan)), (WEIGHT,), (WEIGHT,))[1]
    assert_close(ours, theirs, factor=30)
    stacked = jnp.stack([WEIGHT, 2 * WEIGHT])
    mapped = jax.vmap(funcgrad.grad(partial(loss, partial(scan, checkpoints=3))))(stacked)
    assert_close(mapped, jax.vmap(jax.grad(partial(loss, lax.scan)))(stacked), factor=30)


@pytest.mark.parametrize(
    ("length", "checkpoints"), [(30, 3), (17, "sqrt"), (40, "binomial"), (6, 6)]
)
def test_the_body_runs_as_often_as_announced(length: int, checkpoints: Any) -> None:
    counts: Counter[str] = Counter()

    def step(x: Any, _: None) -> Any:
        jax.debug.callback(lambda: counts.update(["run"]))
        return jnp.sin(x), None

    def final(x: Any) -> Any:
        return scan(step, x, length=length, checkpoints=checkpoints)[0]

    jax.jit(funcgrad.grad(final))(0.5)
    jax.effects_barrier()
    cost = scan_cost(length, checkpoints)
    assert counts["run"] == 2 * length + cost.advances
    assert cost.factor == pytest.approx(cost.advances / length)


@given(length=st.integers(1, 10**6), checkpoints=st.integers(1, 200))
def test_the_factor_is_within_the_binomial_bound(length: int, checkpoints: int) -> None:
    """At most r advances a step, for the least r with length <= C(checkpoints + r, r)."""
    r, reached = 0, 1
    while reached < length:
        r += 1
        reached = reached * (checkpoints + r) // r
    cost = scan_cost(length, checkpoints)
    assert cost.checkpoints == checkpoints
    assert 0 <= cost.factor <= r


def test_automatic_choices() -> None:
    assert [scan_cost(n, "sqrt").checkpoints for n in (1, 2, 4, 5, 100, 101)] == [
        1,
        2,
        2,
        3,
        10,
        11,
    ]
    assert [scan_cost(n, "binomial").checkpoints for n in (1, 2, 3, 6, 7, 20, 21)] == [
        1, 1, 2, 2, 3, 3, 4,
    ]  # fmt: skip


def memory(length: int, **options: Any) -> int:
    """Bytes that the compiled gradient of a recurrence takes beside its arguments and results."""
    scanned: Any = partial(scan, **options) if options else lax.scan

    def loss(w: Any, h: Any) -> Any:
        return jnp.sum(scanned(lambda h, _: (jnp.tanh(w @ h), None), h, length=length)[0])

    return temporary_bytes(funcgrad.grad(loss), WEIGHT, jnp.ones((3, 512)))


def test_memory_is_that_of_the_checkpoints() -> None:
    state = 4 * 3 * 512
    few, many = memory(400, checkpoints=8), memory(400, checkpoints=100)
    assert memory(4000, checkpoints=8) == few
    assert 90 * state < many - few < 200 * state
    assert few < memory(400) / 10


def test_a_step_of_no_entries_and_a_key_in_the_carry() -> None:
    def step(carry: Any, _: None) -> Any:
        x, key = carry
        key, used = jax.random.split(key)
        return (x * jax.random.uniform(used), key), x

    def loss(scanned: Any, x: Any) -> Any:
        (x, _), ys = scanned(step, (x, jax.random.key(0)), length=7)
        return x + jnp.sum(ys)

    ours = funcgrad.grad(partial(loss, partial(scan, checkpoints=2)))(2.0)
    assert_close(ours, jax.grad(partial(loss, lax.scan))(2.0))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: WRONG(1.0, 0.0, length=2), GradientTypeError, "scan takes a function first"),
        (lambda: scan(lambda c, x: (c, x), 0.0), GradientValueError, "lengths are not given"),
        (
            lambda: scan(lambda c, x: (c, x), 0.0, jnp.ones(3), length=2),
            GradientValueError,
            r"lengths are \[2, 3\]",
        ),
        (lambda: scan(lambda c, x: (c, x), 0.0, 1.0), GradientValueError, "xs holds a scalar"),
        (
            lambda: scan(lambda c, _: c, jnp.ones(2), length=2),
            GradientTypeError,
            r"must return a pair \(carry, y\)",
        ),
        (
            lambda: scan(lambda c, _: ((c, c), None), 0.0, length=2),
            GradientTypeError,
            "must keep its tree structure",
        ),
        (
            lambda: scan(lambda *_: (jnp.ones(3), None), 0.0, length=2),
            GradientTypeError,
            r"f takes float32\[\] and returns float32\[3\]",
        ),
        (lambda: scan_cost(5, 0), GradientValueError, "checkpoints must be .* but is 0"),
        (lambda: WRONG_COST(5, "all"), GradientValueError, "checkpoints must be .* but is 'all'"),
        (lambda: WRONG_COST(5, 1.5), GradientValueError, "checkpoints must be .* but is 1.5"),
    ],
)
def test_mistakes(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
