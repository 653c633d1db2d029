"""Programs on rows."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._batch import ROWS, Draws, Row, Runner
from funcgrad.verify._problem import pose
from funcgrad.verify._programs import GRADIENT, SECOND, VALUE, reference, trace_value
from funcgrad.verify._rounding import MOVES
from tests.verify.planting import X


def tenth(x: Any) -> Any:
    return jnp.sin(x) * 0.1 + x * 0.5


def rows(count: int) -> list[Row]:
    one = np.ones(3, np.float32)
    return [
        Row([np.asarray(X) + np.float32(k)], [one], [one * 2], f"row {k}") for k in range(count)
    ]


def runner(size: int = 3) -> Runner:
    closed = trace_value(pose(tenth, (X,), {}, None))
    return Runner(reference(closed, 2), rows(1)[0], size)


@pytest.mark.parametrize("count", [1, ROWS, ROWS + 1])
def test_every_row_has_its_own_result(count: int) -> None:
    found = runner()(rows(count))
    x = np.asarray([row.xs[0] for row in rows(count)], np.float64)
    k = float(np.float32(0.1))
    np.testing.assert_allclose(found[VALUE][0], k * np.sin(x) + x / 2, rtol=1e-14)
    np.testing.assert_allclose(found[GRADIENT][0], k * np.cos(x) + 0.5, rtol=1e-14)
    np.testing.assert_allclose(found[SECOND][0], -2 * k * np.sin(x), rtol=1e-14)
    assert found[VALUE][0].dtype == np.float64


def test_large_arrays_go_one_by_one_with_the_same_result() -> None:
    batched, single = runner(), runner(2**20)
    assert batched.is_batched
    assert not single.is_batched
    for part, arrays in batched(rows(3)).items():
        np.testing.assert_allclose(single(rows(3))[part][0], arrays[0], rtol=1e-14)


@pytest.mark.parametrize("size", [3, 2**20])
def test_moved_literals_show_in_what_depends_on_them(size: int) -> None:
    run = runner(size)
    plain, moved = run(rows(2)), run(rows(2), Draws(np.ones((2, MOVES)), noisy=False))
    share = np.abs(moved[SECOND][0] / plain[SECOND][0] - 1)
    np.testing.assert_allclose(share, 2.0**-24, rtol=1e-6)
    np.testing.assert_array_equal(run(rows(2))[SECOND][0], plain[SECOND][0])


@pytest.mark.parametrize("count", [1, ROWS, 2 * ROWS + 3])
def test_each_row_is_moved_by_its_own_draw(count: int) -> None:
    numbers = np.zeros((count, MOVES))
    numbers[count // 2] = 1
    run = runner()
    plain, moved = run(rows(count)), run(rows(count), Draws(numbers, noisy=False))
    differs = np.flatnonzero((plain[SECOND][0] != moved[SECOND][0]).any(axis=-1))
    np.testing.assert_array_equal(differs, [count // 2])


def test_noise_shows_in_the_last_digits_only() -> None:
    run = runner()
    plain, noisy = run(rows(2)), run([*rows(2), *rows(2)], Draws.of(2, 2, noisy=True))
    first, second = np.split(noisy[GRADIENT][0], 2)
    apart = np.abs(first / plain[GRADIENT][0] - 1)
    assert 0 < np.max(apart) < 1e-14
    assert not np.array_equal(first, second)
