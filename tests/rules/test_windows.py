"""Pooling: ties, masked entries, wide windows, gaps, negative padding; and what JAX makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

import funcgrad
from funcgrad.rules import windows
from tests.comparing import assert_same

EXTREMA: dict[str, tuple[Any, float]] = {"max": (lax.max, -np.inf), "min": (lax.min, np.inf)}


def pool(name: str, *window: Any) -> Callable[[Any], Any]:
    operation, start = EXTREMA[name]
    return lambda x: lax.reduce_window(x, np.asarray(start, x.dtype), operation, *window)


def pulled(vjp: Callable[..., Any], function: Callable[[Any], Any], x: Any) -> Any:
    """The cotangent of x for cotangents 1, 2, ..., in which one that is misplaced is seen."""

    def pull(x: Any) -> Any:
        y, back = vjp(function, x)
        return back(jnp.arange(1, y.size + 1, dtype=y.dtype).reshape(y.shape))[0]

    return jax.jit(pull)(x)


def whole(shape: tuple[int, ...], high: int, seed: int = 0) -> Any:
    return jnp.asarray(np.random.default_rng(seed).integers(0, high, shape), jnp.float32)


# --- ties -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXTREMA)
@given(st.integers(0, 99), st.sampled_from(["VALID", "SAME"]))
def test_of_equal_entries_the_first_takes_the_cotangent(name: str, seed: int, how: str) -> None:
    x = whole((2, 6, 5), 3, seed)
    function = pool(name, (1, 3, 2), (1, 2, 1), how)
    np.testing.assert_array_equal(pulled(funcgrad.vjp, function, x), pulled(jax.vjp, function, x))


@pytest.mark.parametrize("name", EXTREMA)
def test_masked_entries_are_treated_as_by_jax(name: str) -> None:
    """A window of nothing but masked entries and padding: its first entry is padding."""
    x = whole((6, 5), 3).at[:3, :3].set(EXTREMA[name][1])
    function = pool(name, (2, 2), (2, 1), ((1, 1), (1, 0)))
    ours, jaxs = pulled(funcgrad.vjp, function, x), pulled(jax.vjp, function, x)
    np.testing.assert_array_equal(ours, jaxs)
    assert np.any(np.asarray(ours) != 0)


# --- the two ways to the same gradient ------------------------------------------------------------


@pytest.mark.parametrize("name", EXTREMA)
def test_wide_windows_take_the_primitive_and_narrow_ones_do_not(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = whole((9, 7), 4)
    function = pool(name, (3, 4), (2, 1), "SAME")

    def emitted() -> str:
        return str(jax.make_jaxpr(lambda x: pulled(funcgrad.vjp, function, x))(x))

    assert "select_and_scatter_add" not in emitted()
    narrow = pulled(funcgrad.vjp, function, x)
    monkeypatch.setattr(windows, "_WIDEST", 3)
    assert "select_and_scatter_add" in emitted()
    np.testing.assert_array_equal(narrow, pulled(funcgrad.vjp, function, x))


# --- what JAX has no gradient for -----------------------------------------------------------------


def by_hand(x: Any, sizes: Any, strides: Any, padding: Any, bases: Any, gaps: Any) -> Any:
    """The gradient of the sum of all maxima, weighted with 1, 2, ..., entry by entry."""
    grads = np.zeros(x.shape)

    def positions(axis: int) -> list[list[int | None]]:
        """For each window along an axis, the entries at its places; None for what is none."""
        low, high = padding[axis]
        length = low + (x.shape[axis] - 1) * bases[axis] + 1 + high
        reach = (sizes[axis] - 1) * gaps[axis]
        found = []
        for start in range(0, length - reach, strides[axis]):
            places = [start + w * gaps[axis] - low for w in range(sizes[axis])]
            inside = [
                i % bases[axis] == 0 and 0 <= i // bases[axis] < x.shape[axis] for i in places
            ]
            found.append(
                [i // bases[axis] if ok else None for i, ok in zip(places, inside, strict=True)]
            )
        return found

    for weight, window in enumerate(itertools.product(*map(positions, range(x.ndim))), start=1):
        entries = [at for at in itertools.product(*window) if None not in at]
        if entries:
            grads[max(entries, key=lambda at: x[at])] += weight
    return grads


@pytest.mark.parametrize(
    "window",
    [
        ((2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), (2, 1)),
        ((2, 3), (2, 1), ((1, 2), (0, 1)), (1, 2), (3, 1)),
        ((2, 2), (1, 2), ((-1, 1), (1, -2)), (1, 1), (1, 1)),
        ((3, 17), (1, 1), ((0, 0), (-1, 0)), (2, 5), (2, 1)),
    ],
)
def test_gaps_and_negative_padding(window: tuple[Any, ...]) -> None:
    x = jnp.asarray(np.random.default_rng(0).permutation(35).reshape(5, 7), jnp.float32)
    ours = pulled(funcgrad.vjp, pool("max", *window), x)
    np.testing.assert_array_equal(ours, by_hand(np.asarray(x), *window))


# --- nesting --------------------------------------------------------------------------------------


def loss(x: Any) -> Any:
    largest = pool("max", (2, 2), (1, 2), "SAME")(x * x)
    return jnp.sum(jnp.sin(lax.reduce_window(largest, 0.0, lax.add, (2, 1), (1, 1), "VALID")))


@pytest.mark.parametrize("inner", [jax.grad, funcgrad.grad])
@pytest.mark.parametrize("outer", [jax.grad, funcgrad.grad])
def test_second_order_through_either_engine(outer: Any, inner: Any) -> None:
    x = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (4, 5)), jnp.float32)

    def second(outer: Any, inner: Any) -> Any:
        return jax.jit(outer(lambda x: jnp.sum(inner(loss)(x) ** 2)))(x)

    assert_same(second(outer, inner), second(jax.grad, jax.grad))


@pytest.mark.parametrize("name", ["avg_pool", "max_pool", "min_pool"])
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
def test_pooling_of_flax(name: str, padding: str) -> None:
    pooling = pytest.importorskip("flax.linen.pooling")
    x = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 6, 5, 3)), jnp.float32)

    def function(x: Any) -> Any:
        return getattr(pooling, name)(x, (3, 2), (2, 1), padding)

    with jax.numpy_dtype_promotion("standard"):
        assert_same(pulled(funcgrad.vjp, function, x), pulled(jax.vjp, function, x))
