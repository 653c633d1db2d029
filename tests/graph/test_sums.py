"""Quantities in arithmetic."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._graph._drawing import Quantity
from funcgrad._graph._sums import add, bare, brief, factor, rest, scalar, write, zeros
from tests.graph.drawings import number

LARGE = Quantity((32, 512), "float32", None, -0.5, 0.1, 0.7, 3.0, 0.25, 7)
COMPLEX = Quantity((), "complex64", ("(1+2j)",), 1.0, 1.0, 1.0, 1.0, 0.0, 0)


def row(*values: float) -> Quantity:
    return Quantity((len(values),), "float32", values, 0.0, 0.0, 0.0, math.hypot(*values), 0.0, 0)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (number(-2.5), "-2.5"),
        (row(1.0, 2.0), "float32[2] 1, 2"),
        (row(3.0, 0.0, 4.0, 0.0), "float32[4] norm 5"),
        (LARGE, "float32[32,512] norm 3, 7 not finite"),
    ],
)
def test_a_quantity_is_written_shortly(quantity: Quantity, text: str) -> None:
    assert brief(quantity) == text


def test_a_sum_is_written_as_what_it_is_the_gradient_of() -> None:
    assert write((3.0, 0.0, 4.0, 0.0), row(1.0, 1.0, 1.0, 1.0)) == "float32[4] norm 5"
    assert write((math.inf,), number(1.0)) == "inf"


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=4), st.floats(-10, 10))
def test_what_is_taken_away_can_be_added_again(values: list[float], more: float) -> None:
    part = row(*(more for _ in values))
    left = rest(row(*values), [part])
    assert left is not None
    assert left.values is not None
    assert add(tuple(float(x) for x in left.values), part) == pytest.approx(tuple(values))


def test_entries_that_are_not_known_have_no_sum() -> None:
    assert add(None, number(1.0)) is None
    assert add((1.0,), None) is None
    assert add((1.0,), COMPLEX) is None
    assert add((1.0, 2.0), number(1.0)) is None
    assert rest(LARGE, [LARGE]) is None
    assert rest(number(1.0), [row(1.0, 2.0)]) is None
    assert zeros(LARGE) is zeros(None) is None
    assert zeros(row(1.0, 2.0)) == (0.0, 0.0)


def test_a_scalar_is_its_entry() -> None:
    assert scalar(number(2.0)) == 2.0
    assert scalar(row(2.0)) is None


@given(st.floats(allow_nan=False))
def test_brackets_are_put_on_and_taken_off(value: float) -> None:
    text = str(value)
    assert bare(factor(text)) == text
    assert factor(text).startswith("(") == text.startswith("-")
