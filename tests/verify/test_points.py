"""Points mined from a program, and its constants."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._points import NEAR, Point, constants, mined_points
from tests.verify.planting import X


def mined(*leaves: Any, found: tuple[float, ...] = (), seed: int = 0) -> list[Point]:
    names = "abcdefgh"[: len(leaves)]
    return mined_points(list(leaves), list(names), found, seed)


def by_name(points: list[Point]) -> dict[str, Any]:
    return {point.name: point.leaves[0] for point in points}


def program(fun: Any) -> list[float]:
    return constants([jax.make_jaxpr(fun)(X)])


def test_the_usual_points() -> None:
    found = by_name(mined(X))
    np.testing.assert_array_equal(found["the given point with signs flipped"], -X)
    np.testing.assert_array_equal(found["all zeros"], np.zeros(3))
    np.testing.assert_array_equal(found["large values (the given point times 8)"], 8 * X)
    np.testing.assert_array_equal(found["equal neighbours"], [0.5, 0.5, 2.0])
    np.testing.assert_allclose(found[NEAR], X, rtol=0.21)
    assert next(iter(found)) == "the given point with signs flipped"


def test_both_sides_of_a_constant() -> None:
    found = by_name(mined(jnp.float32(0.5), found=(3.0,)))
    assert found["at 3, a constant of the program"] == 3
    assert 3 < found["just above 3, a constant of the program"] < 3.1
    assert 2.9 < found["just below 3, a constant of the program"] < 3
    assert found["well beyond 3, a constant of the program"] > 3.5


def test_a_constant_far_out_is_a_mask() -> None:
    assert not any("1e+09" in point.name for point in mined(X, found=(-1e9,)))


def test_leaves_one_by_one() -> None:
    points = mined(X, 2 * X)
    flipped = next(p for p in points if p.name == "signs flipped in b")
    np.testing.assert_array_equal(flipped.leaves[0], X)
    np.testing.assert_array_equal(flipped.leaves[1], -2 * X)
    assert not any(point.name.endswith(" in a") for point in mined(X))


def test_what_is_degenerate() -> None:
    found = {point.name: point.is_degenerate for point in mined(X, found=(3.0,))}
    assert found["all zeros"]
    assert found["at 3, a constant of the program"]
    assert found["equal neighbours"]
    assert not found["just above 3, a constant of the program"]
    assert not found[NEAR]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
def test_points_are_finite_and_of_the_given_dtype(dtype: str) -> None:
    given = (X * 100).astype(dtype)
    points = mined(given, found=(0.1,))
    assert len(points) > 8
    for point in points:
        assert point.leaves[0].dtype == given.dtype
        assert jnp.isfinite(jnp.asarray(point.leaves[0])).all()


def test_a_point_that_is_the_given_one_is_left_out() -> None:
    names = [point.name for point in mined(jnp.zeros(3))]
    assert "all zeros" not in names
    assert "the given point with signs flipped" not in names
    assert "standard normal values" in names


def test_the_seed_decides() -> None:
    first, second, third = (by_name(mined(X, seed=s))[NEAR] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


@pytest.mark.parametrize(
    ("fun", "expected"),
    [
        (lambda x: jnp.where(x > 1.5, x, 0), [1.5]),
        (lambda x: jnp.clip(x, -0.75, 2.5), [-0.75, 2.5]),
        (lambda x: jnp.maximum(x - 3.0, 0), [3.0]),
        (jax.jit(lambda v: jnp.minimum(v, 7.0)), [7.0]),
        (lambda x: 5.0 * x, []),
        (lambda x: jnp.where(x > 0, x, 0), []),
    ],
)
def test_constants_of_a_program(fun: Any, expected: list[float]) -> None:
    assert sorted(program(fun)) == expected


def test_what_is_compared_with_comes_first_and_they_are_few() -> None:
    def many(x: Any) -> Any:
        for k in range(2, 12):
            x = x + k / 8
        return jnp.where(x > 99.0, x, 0)

    found = program(many)
    assert found[0] == 99.0
    assert len(found) == 6
