"""Which gradients are acceptable at a kink."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._kinkpoints import accepts, neighbours
from funcgrad.verify._lines import against, estimates, unit
from funcgrad.verify._programs import VALUE
from tests.verify.planting import X, parts


def accepted(fun: Any, x: Any, gradient: Any) -> bool:
    """Whether the first entry of a gradient of a scalar function is accepted."""
    taken = parts(fun, x, order=1)
    row = taken.rows[0]
    line = estimates(taken.programs.values, row, against(VALUE, row.cs), [unit(row.xs, 0, (0,))])[0]
    assert line.kind != "smooth"
    given = [float(row.cs[0]) * np.asarray(gradient, np.float64)]
    programs = taken.programs
    return accepts(programs.reference, programs.values, row, given, 0, (0,), line)


@pytest.mark.parametrize(
    ("slope", "expected"), [(-1, 1), (0, 1), (0.5, 1), (1, 1), (1.1, 0), (-2, 0)]
)
def test_at_a_corner_what_lies_between_is_accepted(slope: float, expected: bool) -> None:
    at = jnp.array([0.0, 1.0])
    assert accepted(lambda x: jnp.sum(jnp.abs(x)), at, [slope, 1.0]) is bool(expected)


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [([1, 0], True), ([0, 1], True), ([0.5, 0.5], True), ([1, 1], False), ([0, 0], False)],
)
def test_at_a_tie_the_sum_is_known(gradient: list[float], expected: bool) -> None:
    """Moving both entries together is smooth, and tells two whole shares from two halves."""
    assert accepted(jnp.max, jnp.array([2.0, 2.0]), gradient) is expected


def test_at_a_jump_nothing_is_known() -> None:
    assert accepted(lambda x: jnp.sum(jnp.floor(x)), jnp.array([1.0, 0.5]), [5.0, 0.0])


def test_neighbours_are_close_and_differ() -> None:
    row = parts(jnp.sum, jnp.array([0.0, 2.0])).rows[0]
    found = neighbours(row, 5)
    offsets = np.asarray([n.xs[0] - np.asarray(row.xs[0]) for n in found])
    assert np.all(offsets != 0)
    assert np.max(np.abs(offsets)) < 1e-4
    zeros = neighbours(parts(lambda x: jnp.sum(x * X), jnp.zeros(3)).rows[0], 2)
    assert np.all(zeros[0].xs[0] != 0)
