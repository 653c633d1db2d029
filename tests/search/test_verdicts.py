"""When two answers count as different."""

from __future__ import annotations

import numpy as np
import pytest

from funcgrad.search._verdicts import (
    DTYPE,
    SHAPE,
    described,
    distances,
    exceeds,
    is_nan,
    margin,
    misfits,
    raised,
)

SHARE = 2.0**-36


def differ(left: list[float], right: list[float], terms: float = 1.0) -> bool:
    """Whether two well conditioned gradients of one leaf are told apart."""
    one, other = [np.array(left)], [np.array(right)]
    return exceeds(distances(one, other), margin(other, other, SHARE, np.float32, terms).wide)


def test_distances_are_the_largest_of_each_leaf() -> None:
    left = [np.array([1.0, 2.0]), np.array(3.0), np.zeros(0)]
    right = [np.array([1.0, 2.5]), np.array(3 + 4j), np.zeros(0)]
    assert distances(left, right) == [0.5, 4.0, 0.0]


def test_what_is_not_finite_is_near_only_to_the_same() -> None:
    nan, inf = np.array(np.nan), np.array(np.inf)
    assert distances([nan, inf], [nan, inf]) == [0, 0]
    assert min(distances([nan, inf, inf], [inf, np.array(1.0), -inf])) > 1e300
    assert is_nan([np.zeros(2), inf])
    assert not is_nan([np.zeros(2)])


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
def test_a_difference_of_a_millionth_is_seen_and_rounding_is_not(size: float) -> None:
    assert differ([size, 0.5 * size], [size, 0.500001 * size], size)
    assert not differ([size, 0.5 * size], [size, (0.5 + 1e-10) * size], size)


def test_what_is_left_of_large_terms_is_no_difference() -> None:
    assert not differ([2.8e-16], [5.6e-16])
    assert not differ([3e-11], [0.0], terms=50.0)
    assert differ([2.8e-16], [5.6e-16], terms=1e-16)
    assert differ([1e-6], [0.0])


def test_an_ill_conditioned_derivative_has_a_wider_margin() -> None:
    gradient, moved = [np.array(1.0)], [np.array(1.0 + 1e8 * SHARE)]
    tight, loose = (margin(gradient, other, SHARE, np.float32) for other in (gradient, moved))
    assert loose.wide[0] > 1e3 * tight.wide[0]
    assert loose.native[0] > 1e3 * tight.native[0]
    assert not loose.is_hopeless
    assert margin(gradient, [np.array(np.nan)], SHARE, np.float32).is_hopeless


def test_a_misfit_is_named() -> None:
    x = np.zeros(3, np.float32)
    assert misfits([x], [x]) is None
    shape, dtype = misfits([x[:2]], [x]), misfits([x.astype(np.float16)], [x])
    assert shape is not None
    assert (shape.kind, shape.text) == (
        SHAPE, "leaf 0 of the gradient has shape (2,), its argument (3,)"
    )  # fmt: skip
    assert dtype is not None
    assert dtype.kind == DTYPE


def test_words() -> None:
    left, right = [np.zeros(2), np.array([[1.0, 2.0]])], [np.zeros(2), np.array([[1.0, 4.0]])]
    assert described(left, right) == "leaf 1[0, 1]: 2, expected 4"
    assert raised("ours", "gradient", ValueError("one\ntwo")).text == "ValueError: one"
