"""The exchange of ragged slices; over four devices it is tested in `test_collectives.py`."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from funcgrad.rules.ragged_exchange import _count

ROWS = 6


@given(st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS)), min_size=3, max_size=3))
def test_the_slices_over_each_row_are_counted(slices: list[tuple[int, int]]) -> None:
    within = [(start, min(size, ROWS - start)) for start, size in slices]
    expected = np.zeros(ROWS, int)
    for start, size in within:
        expected[start : start + size] += 1
    starts, sizes = (jnp.array(column, jnp.int32) for column in zip(*within, strict=True))
    np.testing.assert_array_equal(_count(starts, sizes, ROWS), expected)
