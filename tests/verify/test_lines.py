"""Numerical derivatives along directions of the inputs."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._batch import Row, Runner
from funcgrad.verify._lines import against, estimates, inner, scales, unit, wide_point
from funcgrad.verify._problem import pose
from funcgrad.verify._programs import VALUE, trace_value, value_only


def runner(fun: Any, *xs: Any) -> tuple[Runner, Row]:
    problem = pose(fun, xs, {}, None)
    row = Row(
        [np.asarray(x) for x in xs], [np.ones(v.shape) for v in problem.values], list(xs), "here"
    )
    return Runner(value_only(trace_value(problem)), row, 10), row


def along(fun: Any, x: Any, direction: Any) -> Any:
    run, row = runner(fun, x)
    return estimates(run, row, against(VALUE, row.cs), [[np.asarray(direction)]])[0]


def test_the_pairing_is_real() -> None:
    assert inner([np.array([1 + 2j, 3])], [np.array([1j, 2])]) == 4.0
    assert inner([np.array([1.0, 2.0]), 3.0], [np.array([1.0, 1.0]), 2.0]) == 9.0


def test_a_unit_direction() -> None:
    first, second = unit([np.ones((2, 2)), np.ones(2, np.complex64)], 1, (1,), 1j)
    assert not first.any()
    np.testing.assert_array_equal(second, [0, 1j])
    assert unit([np.ones(2, np.float16)], 0, (0,), 1j)[0].dtype == np.float64


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
def test_the_derivative_lies_within_its_bound_at_any_size(size: float) -> None:
    x = jnp.asarray(size * np.array([1.0, 2.0]), jnp.float32)
    found = along(lambda v: jnp.sum(jnp.sin(v / size)), x, [1.0, 0.0])
    wide = float(np.float64(np.float32(size)) / np.float64(np.float32(size)))
    expected = np.cos(wide) / float(np.float32(size))
    assert found.kind == "smooth"
    assert abs(found.value - expected) <= found.error + 1e-7 * abs(expected)
    assert found.error < 1e-5 * abs(expected)


def test_a_direction_is_not_a_unit() -> None:
    one = along(jnp.exp, jnp.array([0.5]), [1.0])
    ten = along(jnp.exp, jnp.array([0.5]), [10.0])
    assert ten.value == pytest.approx(10 * one.value, rel=1e-8)


def test_two_scales_serve_an_entry_unlike_its_neighbours() -> None:
    xs = wide_point([np.array([1e-6, 1.0])])
    assert len(scales(xs, unit(xs, 0, (0,)))) == 2
    assert len(scales(xs, unit(xs, 0, (1,)))) == 1
    found = along(lambda v: jnp.sum(jnp.sin(v * jnp.array([2.0**20, 1.0]))), xs[0], [1.0, 0.0])
    assert found.value == pytest.approx(2**20 * np.cos(2**20 * 1e-6), rel=1e-5)


def test_a_kink_has_two_sides() -> None:
    found = along(jnp.abs, jnp.array([0.0, 1.0]), [1.0, 0.0])
    assert found.kind == "kink"
    assert (found.left, found.right) == pytest.approx((-1, 1), rel=1e-6)


def test_the_edge_of_the_domain() -> None:
    found = along(lambda x: x**1.5, jnp.array([0.0, 1.0]), [1.0, 0.0])
    assert found.kind == "edge"


def test_complex_directions() -> None:
    run, row = runner(lambda z: jnp.real(z * z), jnp.array([1 + 2j]))
    directions = [unit(row.xs, 0, (0,), phase) for phase in (1, 1j)]
    by_real, by_imaginary = estimates(run, row, against(VALUE, row.cs), directions)
    assert by_real.value == pytest.approx(2, rel=1e-8)
    assert by_imaginary.value == pytest.approx(-4, rel=1e-8)
