"""Numerical derivatives: the true error lies inside the stated one; kinks show on their sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad.verify._differences import Estimate, Floats, differentiate

Pair = tuple[Callable[[Any], Any], Callable[[Any], Any]]

# Functions with their derivatives: steep, flat, oscillating, with a large offset, nearly kinked.
SMOOTH: dict[str, Pair] = {
    "sine": (np.sin, np.cos),
    "exponential": (np.exp, np.exp),
    "logarithm": (lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
    "steep": (lambda x: np.tanh(50 * x), lambda x: 50 * (1 - np.tanh(50 * x) ** 2)),
    "rational": (lambda x: (1 + x * x) ** -3.0, lambda x: -6 * x * (1 + x * x) ** -4.0),
    "oscillating": (
        lambda x: np.sin(30 * x) * np.exp(x),
        lambda x: (30 * np.cos(30 * x) + np.sin(30 * x)) * np.exp(x),
    ),
    "offset": (lambda x: x**3 + 1e6, lambda x: 3 * x**2),
    "nearly a kink": (lambda x: np.sqrt(1e-6 + x * x), lambda x: x / np.sqrt(1e-6 + x * x)),
}


def along(function: Callable[[Any], Any], x: float) -> tuple[Estimate, float]:
    """The estimate along the line through x, and the scale of its steps."""
    scale = max(abs(x), 1e-3)

    def line(points: Floats) -> Floats:
        values: Floats = np.asarray(function(x + scale * points), np.float64)
        return values

    return differentiate(line), scale


@pytest.mark.parametrize("name", SMOOTH)
@given(x=st.floats(-8, 8, allow_subnormal=False))
def test_the_true_error_lies_inside_the_stated_one(name: str, x: float) -> None:
    function, derivative = SMOOTH[name]
    found, scale = along(function, x)
    assert abs(found.value - derivative(x) * scale) <= found.error


@pytest.mark.parametrize("name", ["sine", "exponential", "logarithm", "rational"])
@given(x=st.floats(0.1, 4))
def test_the_stated_error_is_small_where_the_function_is_tame(name: str, x: float) -> None:
    found, scale = along(SMOOTH[name][0], x)
    assert found.error <= 1e-8 * scale * (abs(SMOOTH[name][1](x)) + abs(SMOOTH[name][0](x)))
    assert found.is_smooth


@pytest.mark.parametrize(
    ("function", "left", "right"),
    [
        (np.abs, -1.0, 1.0),
        (lambda x: np.maximum(x, 0.25 * x), 0.25, 1.0),
        (lambda x: np.minimum(np.sin(x), x * x), 1.0, 0.0),
    ],
)
def test_a_kink_has_two_sides(function: Any, left: float, right: float) -> None:
    found, scale = along(function, 0.0)
    assert not found.is_smooth
    assert found.left / scale == pytest.approx(left, abs=1e-6)
    assert found.right / scale == pytest.approx(right, abs=1e-6)


def test_a_kink_beside_the_point_is_passed_under() -> None:
    """The steps shrink until they lie on one side of it."""
    for x in (1e-3, 1e-6, 1e-9):
        found, scale = along(np.abs, x)
        assert abs(found.value / scale - 1) <= found.error / scale < 1e-2
        assert found.is_smooth


def test_what_is_not_finite_is_not_known() -> None:
    found, _ = along(lambda x: np.where(x > -1, np.nan, x), 0.5)
    assert found.error == np.inf
