"""The arithmetic of a cell, on numbers made up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from funcgrad.audit._judge import EPSILON, Reference, digits_of, judge, most_digits

F32 = EPSILON["float32"]


@pytest.mark.parametrize(
    ("error", "status", "digits"),
    [(0.0, "ok", 7.22), (1e-5, "ok", 5.0), (1e-3, "poor", 3.0), (1e-2, "wrong", 2.0)],
)
def test_an_error_in_float32_and_its_status(error: float, status: str, digits: float) -> None:
    right = Reference([np.asarray([1.0, 0.5])], (0.0,), "made up")
    found = judge([np.asarray([1.0 + error, 0.5])], right, F32)
    assert found.status == status
    assert found.digits == pytest.approx(digits, abs=0.01)


@pytest.mark.parametrize("dtype", EPSILON)
@pytest.mark.parametrize("factor", [-1.0, 2.0, 0.0])
def test_a_gross_fault_is_wrong_in_every_dtype(dtype: str, factor: float) -> None:
    found = judge([factor * np.ones(3)], Reference([np.ones(3)], (0.0,), ""), EPSILON[dtype])
    assert found.status == "wrong"
    assert found.digits == 0.0


def test_a_right_result_has_all_digits_of_its_dtype_and_no_more() -> None:
    assert most_digits(2.0**-52) == pytest.approx(15.95, abs=0.01)
    exact = judge([np.ones(2)], Reference([np.ones(2)], (0.0,), ""), F32)
    assert exact == ("ok", most_digits(F32), "")
    assert digits_of(0.0) == math.inf


def test_digits_are_no_more_than_the_reference_can_tell() -> None:
    reference = Reference([np.ones(2)], (1e-5,), "differences")
    found = judge([np.ones(2)], reference, EPSILON["float64"])
    assert found.status == "ok"
    assert found.digits == pytest.approx(5.0)


def test_what_the_conditioning_explains_is_not_held_against_a_result() -> None:
    reference = Reference([np.ones(1)], (0.0,), "")
    plain = judge([np.asarray([1.02])], reference, F32)
    excused = judge([np.asarray([1.02])], reference, F32, (100 * F32,))
    assert (plain.status, excused.status) == ("wrong", "ok")
    assert plain.digits == excused.digits


def test_a_tiny_result_of_large_numbers_is_poor_and_not_wrong() -> None:
    reference = Reference([np.asarray([1e-14])], (0.0,), "")
    assert judge([np.zeros(1)], reference, F32).status == "wrong"
    found = judge([np.zeros(1)], reference, F32, beside=1.0)
    assert found.status == "poor"
    assert "within some roundings" in found.message


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_where_the_reference_is_finite_is_wrong(bad: float) -> None:
    found = judge([np.asarray([1.0, bad])], Reference([np.ones(2)], (0.0,), ""), F32)
    assert (found.status, found.digits) == ("wrong", None)
    assert "1 of 2 entries not finite" in found.message
    assert "[1]" in found.message


def test_a_reference_that_is_not_finite_decides_nothing() -> None:
    found = judge([np.ones(1)], Reference([np.asarray([math.nan])], (0.0,), ""), F32)
    assert found.status == "unchecked"


def test_the_worst_leaf_counts_and_a_zero_leaf_is_measured_by_the_others() -> None:
    reference = Reference([np.ones(2), np.zeros(2)], (0.0, 0.0), "")
    found = judge([np.ones(2), np.asarray([0.0, 0.5])], reference, F32)
    assert found.status == "wrong"
    assert found.digits == pytest.approx(0.301, abs=1e-3)
    assert found.message.startswith("result 1: off by 0.5 relatively: 0.5 instead of 0 at [1]")


def test_another_shape_is_wrong() -> None:
    found = judge([np.ones(2)], Reference([np.ones(3)], (0.0,), ""), F32)
    assert (found.status, found.message) == ("wrong", "its shape is (2,), expected is (3,)")
