"""What rounding does to a program, made visible."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from funcgrad.verify._lift import lift
from funcgrad.verify._rounding import (
    MOVES,
    drawing,
    draws,
    moved,
    moved_literals,
    noisy_operations,
    rerounded,
    wide,
    widen,
)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float16", "float64"), ("bfloat16", "float64"), ("float32", "float64"),
        ("float64", "float64"), ("complex64", "complex128"), ("int32", None), ("bool", None),
    ],
)  # fmt: skip
def test_the_wide_form_of_a_dtype(dtype: str, expected: str | None) -> None:
    found = wide(jnp.dtype(dtype))
    assert found == (None if expected is None else np.dtype(expected))
    with jax.enable_x64(True):
        assert widen(jnp.ones(2, dtype)).dtype == (expected or dtype)


def test_keys_stay() -> None:
    key = jax.random.key(0)
    assert wide(key.dtype) is None
    assert widen(key) is key
    assert rerounded([key]) == [key]


def run(fun: Any, x: Any, move: float) -> float:
    program = jax.make_jaxpr(fun)(x)
    with jax.enable_x64(True), moved_literals(np.full(MOVES, move)):
        return float(lift(program)(widen(x))[0])


ONE = np.float32(1.0)


@pytest.mark.parametrize(("dtype", "places"), [("float32", 24), ("bfloat16", 8), ("float16", 11)])
def test_a_rounded_literal_moves_by_half_its_last_place(dtype: str, places: int) -> None:
    x = jnp.ones((), dtype)
    tenth = run(lambda x: x * 0.1, x, 0.0)
    share = run(lambda x: x * 0.1, x, 1.0) / tenth - 1
    assert share == pytest.approx(2.0**-places, rel=1e-6)


@pytest.mark.parametrize("literal", [0.5, 3.0, -0.75, 1024.0])
def test_an_exact_literal_does_not(literal: float) -> None:
    assert run(lambda x: x * literal, ONE, 1.0) == literal


@pytest.mark.parametrize("typed", [True, False])
def test_a_literal_in_a_map_moves_like_others(typed: bool) -> None:
    mesh = jax.make_mesh((1,), ("i",), axis_types=(AxisType.Auto,))
    mapped = jax.shard_map(
        lambda x: 0.1 * x, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=typed
    )
    for move in (0.0, 1.0, -0.5):
        assert run(mapped, ONE, move) == run(lambda x: 0.1 * x, ONE, move)
    assert run(mapped, ONE, 1.0) != run(mapped, ONE, 0.0)
    program = jax.make_jaxpr(mapped)(ONE)
    with jax.enable_x64(True):
        still = lift(program)(widen(ONE))[0]
        with noisy_operations(3.0):
            noisy = jax.jit(lift(program))(widen(ONE))[0]
    assert float(noisy) == pytest.approx(float(still), rel=2.0**-51)


def test_other_numbers_stand_for_those_of_a_program() -> None:
    assert draws() == []
    with drawing([]):  # nothing is under way
        assert draws() == []
    with moved_literals("moves"), noisy_operations("seed"):
        assert draws() == ["moves", "seed"]
        with drawing(["other", "numbers"]):
            assert draws() == ["other", "numbers"]
        assert draws() == ["moves", "seed"]


def test_data_do_not_move() -> None:
    data = np.full(5000, 0.1, np.float32)
    assert run(lambda x: x * jnp.asarray(data)[0], ONE, 1.0) == float(data[0])


def test_outside_nothing_moves() -> None:
    with jax.enable_x64(True):
        assert float(moved(np.float32(0.1), np.dtype("float32"))) == float(np.float32(0.1))
        assert rerounded([0.1]) == [0.1]


def test_noise_is_one_unit_in_the_last_place_and_decided_by_the_seed() -> None:
    def noisy(seed: float) -> float:
        with jax.enable_x64(True), noisy_operations(seed):
            return float(rerounded([jnp.asarray(0.7, jnp.float64)])[0])

    assert noisy(1.0) == noisy(1.0)
    found = {noisy(float(seed)) for seed in range(8)}
    assert len(found) > 1
    assert all(abs(value / 0.7 - 1) <= 2.0**-51 for value in found)


def test_noise_leaves_integers_alone() -> None:
    with jax.enable_x64(True), noisy_operations(1.0):
        (kept,) = rerounded([jnp.arange(3)])
    np.testing.assert_array_equal(kept, np.arange(3))
