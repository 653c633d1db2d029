"""Rates and shares are those of the arithmetic, and a loop is told from a straight program."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from funcgrad.bench._report import Report, _use_rows
from funcgrad.bench._roofline import Roofline, roofline
from funcgrad.bench._usage import Work, use, work_of
from tests.bench.test_figures import figure

amounts = st.floats(1.0, 1e12)


@given(operations=amounts, traffic=amounts, peak=amounts, width=amounts, slack=st.floats(1.0, 5.0))
def test_a_program_at_the_roofline_has_the_share_one(
    operations: float, traffic: float, peak: float, width: float, slack: float
) -> None:
    peaks = Roofline(peak, width)
    least = max(operations / peak, traffic / width)
    found = use(slack * least, Work(operations, traffic), peaks)
    assert found.share == pytest.approx(1 / slack)
    assert found.bound == ("operations" if operations / peak >= traffic / width else "bytes")
    assert found.operations == pytest.approx(operations / (slack * least))
    assert use(11 * least, Work(operations, traffic), peaks).bound == "overhead"


def test_operations_that_are_not_known_leave_the_bytes() -> None:
    found = use(2.0, Work(math.nan, 30.0, loops=True), Roofline(1.0, 30.0))
    assert (found.share, found.bound, found.at_least) == (0.5, "bytes", True)
    assert math.isnan(found.operations)


def test_the_bytes_of_a_program_and_whether_it_loops() -> None:
    x = jnp.ones(2**16)

    def compiled(function: Any) -> Any:
        return jax.jit(function).lower(x).compile()

    straight = work_of(compiled(lambda x: x + 1), 1.0)
    assert straight == Work(1.0, 2 * 4 * 2**16, loops=False)
    assert work_of(compiled(lambda x: lax.fori_loop(0, 99, lambda _, y: y * x, x)), 1.0).loops


def test_the_rows_mark_lower_bounds() -> None:
    exact = figure("run", "a", 1.0, 2.0)._replace(work=Work(4e9, 2e9))
    bound = figure("step", "b", 1.0, 2.0)._replace(work=Work(4e9, 2e9, loops=True))
    rows = list(_use_rows(Report([exact, bound, figure("run", "c", 1, 1)], Roofline(4e9, 2e9), [])))
    assert rows == [
        ("a", "2.00 s", "2.00 G", "1.00 G", "50.0%", "operations"),
        ("b, step", "2.00 s", "2.00 G", ">1.00 G", ">50.0%", "operations"),
    ]


def test_the_peaks_of_the_device_are_measured() -> None:
    peaks = roofline()
    assert peaks.operations > 1e8
    assert peaks.traffic > 1e8
