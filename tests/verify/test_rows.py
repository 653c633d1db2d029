"""Rows: the given point under telling cotangents, and other points."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._batch import ROWS
from funcgrad.verify._judge import GIVEN
from funcgrad.verify._points import Point
from funcgrad.verify._rows import build_rows, row_count
from tests.verify.planting import X

ELSEWHERE = Point([np.zeros(3, np.float32)], "all zeros", True)


def rows(count: int = 40, outputs: Any = None, seed: int = 0, given: Any = X) -> Any:
    return build_rows([given], [given] if outputs is None else outputs, [ELSEWHERE], seed, count)


def test_the_given_point_comes_first_under_two_cotangents() -> None:
    first, second, *_ = rows()
    assert first.point == second.point == GIVEN
    assert not np.array_equal(first.cs[0], second.cs[0])
    np.testing.assert_array_equal(first.xs[0], X)


def test_the_telling_cotangents() -> None:
    found = {row.what: row for row in rows() if row.what}
    base = rows()[0]
    assert len(found) == 5
    assert np.all(found["for a cotangent of zero"].cs[0] == 0)
    np.testing.assert_array_equal(found["for a negative cotangent"].cs[0], -base.cs[0])
    large = np.abs(found["for a large cotangent"].cs[0])
    assert np.all(large >= 2.0**20)
    assert np.all(np.abs(found["for a tiny cotangent"].cs[0]) <= 2.0**-18)


def test_constants_of_the_program_are_passed_by_large_cotangents() -> None:
    found = build_rows([X], [X], [], 0, 40, [1e6])
    large = next(row for row in found if row.what == "for a large cotangent")
    assert np.all(np.abs(large.cs[0]) > 1e6)


def test_other_points_are_marked() -> None:
    last = rows()[-1]
    assert (last.point, last.is_mined, last.is_degenerate) == ("all zeros", True, True)
    assert not any(row.is_mined for row in rows()[:-1])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_as_are_wanted(count: int) -> None:
    assert len(rows(count)) == count


def test_what_is_affordable() -> None:
    assert row_count(10) == ROWS
    assert row_count(10**6) == 33
    assert row_count(10**9) == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
def test_dtypes_are_kept_and_nothing_overflows(dtype: str) -> None:
    given = X.astype(dtype)
    for row in rows(given=given)[:-1]:
        for array in (*row.cs, *row.ws):
            assert array.dtype == given.dtype
            assert jnp.isfinite(jnp.asarray(array)).all()


def test_a_lone_output_has_a_plain_cotangent() -> None:
    found = rows(outputs=[jnp.float32(2.0)])
    assert float(found[0].cs[0]) in {1.0, 1.5}


def test_the_seed_decides() -> None:
    assert np.array_equal(rows(seed=3)[0].cs[0], rows(seed=3)[0].cs[0])
    assert any(
        not np.array_equal(a.cs[0], b.cs[0])
        for a, b in zip(rows(seed=3), rows(seed=4), strict=True)
    )


def test_no_direction_is_close_to_zero() -> None:
    (direction,) = rows(given=jnp.ones(1000, jnp.float32))[0].ws
    assert np.min(np.abs(direction)) >= 1
    assert np.any(direction < 0)
    assert np.any(direction > 0)
