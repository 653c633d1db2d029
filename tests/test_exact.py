"""Parameters are one only where they mean the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._exact import exactly

PAIRS = [(1, True), (1, 1.0), (0.0, -0.0), ((1,), [1]), (np.float32(1), 1.0), ((0.0,), (-0.0,))]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner),
)


@pytest.mark.parametrize("pair", [*PAIRS, ("1", 1)])
def test_parameters_that_python_calls_equal_are_told_apart(pair: tuple[Any, Any]) -> None:
    one, other = pair
    assert exactly(one) != exactly(other)
    assert exactly(one) == exactly(pair[0])


@given(VALUES, VALUES)
def test_what_is_the_same_is_written_the_same(one: Any, other: Any) -> None:
    assert (exactly(one) == exactly(other)) == (repr(one) == repr(other))
    assert hash(exactly(one)) == hash(exactly(one))


def test_what_else_there_is_is_described_by_the_caller() -> None:
    assert exactly([2, ("a", 3)], lambda value: -value) == (list, (-2, (tuple, ("a", -3))))
