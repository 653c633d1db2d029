"""Numerical derivatives: the true error lies inside the stated one; kinks show on their sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad.verify._differences import Estimate, differentiate, differentiate_many, line_points
from funcgrad.verify._extrapolation import Floats

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


def estimate(function: Callable[[Any], Any], epsilon: float = 2.0**-52) -> Estimate:
    with np.errstate(all="ignore"):
        return differentiate(lambda t: np.asarray(function(t), np.float64), epsilon)


KINDS: dict[str, tuple[Callable[[Any], Any], str, float, float]] = {
    "parabola": (lambda t: t * t, "smooth", 0, 0),
    "constant": (lambda t: 5 + 0 * t, "smooth", 0, 0),
    "zero": (lambda t: 0 * t, "smooth", 0, 0),
    "ramp beside the point": (lambda t: np.maximum(t + 1e-8, 0), "smooth", 1, 1),
    "ramp beyond the point": (lambda t: np.maximum(t - 1e-8, 0), "smooth", 0, 0),
    "large offset": (lambda t: (t + 1e8) - 1e8, "smooth", 1, 1),
    "ripple": (lambda t: t + 1e-6 * np.sin(1e6 * t), "smooth", 2, 2),
    "abs": (np.abs, "kink", -1, 1),
    "exponential of abs": (lambda t: np.exp(np.abs(t)), "kink", -1, 1),
    "root": (np.sqrt, "edge", np.nan, np.inf),
    "power": (lambda t: np.where(t >= 0, t**1.5, np.nan), "edge", np.nan, 0),
    "entropy": (lambda t: np.where(t == 0, 0, t * np.log(t)), "edge", np.nan, -np.inf),
    "logarithm to the left": (lambda t: np.where(t > 0, np.nan, np.exp(t)), "edge", 1, np.nan),
    "cube root": (np.cbrt, "kink", np.inf, np.inf),
    "cusp": (lambda t: np.sqrt(np.abs(t)), "kink", -np.inf, np.inf),
    "step": (lambda t: t + (t > 0), "jump", 1, np.inf),
    "step at the left": (lambda t: t + 3.0 * (t >= 0), "jump", np.inf, 1),
    "step of a constant": (lambda t: 1.0 - 2.0 * (t > 0), "jump", 0, -np.inf),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_of_a_point_and_its_two_sides(name: str) -> None:
    function, kind, left, right = KINDS[name]
    found = estimate(function)
    assert found.kind == kind
    assert found.left == pytest.approx(left, abs=1e-3, nan_ok=True)
    assert found.right == pytest.approx(right, abs=1e-3, nan_ok=True)
    assert found.is_smooth == (kind == "smooth")


def test_at_an_edge_the_derivative_is_that_of_the_only_side() -> None:
    found = estimate(lambda t: np.where(t < 0, np.nan, np.exp(t)))
    assert found.kind == "edge"
    assert abs(found.value - 1) <= found.error == found.side_error < 1e-6
    assert found.value == found.right


@pytest.mark.parametrize("name", ["root", "cusp", "cube root", "step"])
def test_without_a_finite_derivative_the_error_is_infinite(name: str) -> None:
    assert estimate(KINDS[name][0]).error == np.inf


@pytest.mark.parametrize(
    "function",
    [
        lambda t: np.random.default_rng(0).normal(size=t.shape),
        lambda t: 1 / t,
        np.log,
        lambda t: np.full_like(t, np.nan),
    ],
)
def test_noise_and_poles_are_unknown(function: Any) -> None:
    assert estimate(function).kind == "unknown"


def test_rounding_inside_is_seen_in_the_scatter() -> None:
    """Values that were float32 once lie on treads, which the shortest steps see as flat."""
    found = estimate(lambda t: np.float32(np.sin(t + 1)))
    assert found.kind == "smooth"
    assert abs(found.value - np.cos(1)) <= found.error < 1e-3


def test_a_flat_place_as_narrow_as_a_tread_is_covered_by_the_error() -> None:
    found = estimate(lambda t: np.maximum(t - 1e-6, 0) - np.maximum(-t - 1e-6, 0))
    assert abs(found.value - 0) <= found.error


@given(noise=st.floats(1e-12, 1e-2), seed=st.integers(0, 1000))
def test_noise_of_any_size_lies_inside_the_error(noise: float, seed: int) -> None:
    def function(t: Floats) -> Floats:
        return np.exp(t) + noise * np.random.default_rng(seed).uniform(-1, 1, t.shape)

    found = estimate(function)
    assert abs(found.value - 1) <= found.error < 1e4 * noise


def test_several_lines_at_once_are_as_each_alone() -> None:
    functions: list[Callable[[Any], Any]] = [KINDS[name][0] for name in KINDS]
    with np.errstate(all="ignore"):
        together = differentiate_many(
            lambda t: np.stack([np.asarray(f(t), np.float64) for f in functions], axis=1)
        )
    for function, found in zip(functions, together, strict=True):
        alone = estimate(function)
        np.testing.assert_equal(found._asdict(), alone._asdict())


def test_a_line_is_evaluated_once_and_at_points_that_are_sums_of_powers_of_two() -> None:
    asked: list[Floats] = []

    def function(t: Floats) -> Floats:
        asked.append(t)
        return np.sin(t)

    found = differentiate(function)
    (points,) = asked
    np.testing.assert_array_equal(points, line_points())
    assert np.all(np.frexp(found.steps)[0] == 0.5)
    assert found.central.shape == found.steps.shape
