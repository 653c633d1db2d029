"""Differences beyond rounding."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._compare import Comparison, _excess, rerounded
from funcgrad.verify._points import Point
from funcgrad.verify._programs import GRADIENT, SECOND
from tests.verify.planting import X, forward_off, parts, reverse_off, sine, vjp_rule


def excess(found: Comparison, part: str = GRADIENT) -> float:
    return float(np.max(found.excess(part)[0]))


@pytest.mark.parametrize(
    ("expected", "received", "over"),
    [
        (2.0, 2.0, 0.0), (2.0, 2.1, 0.0), (2.0, 3.0, 0.45), (np.nan, np.nan, 0.0),
        (2.0, np.nan, np.inf), (np.nan, 2.0, 0.0), (np.inf, np.inf, 0.0), (0.0, np.nan, np.inf),
    ],
)  # fmt: skip
def test_by_how_much_an_entry_is_off(expected: float, received: float, over: float) -> None:
    arrays = (np.asarray([a]) for a in (expected, received, 0.1))
    assert _excess(*arrays)[0] == pytest.approx(over)


def test_equal_formulas_differ_by_nothing() -> None:
    found = parts(sine, X).found
    assert all(
        np.max(over, initial=0) == 0 for part in found.expected for over in found.excess(part)
    )
    assert set(found.expected) == {"value", "value, forward", "gradient", "forward", "second"}


@pytest.mark.parametrize("make", [reverse_off, forward_off])
@pytest.mark.parametrize("error", [1e-2, 1e-6])
def test_a_planted_factor_is_off_by_itself(make: Any, error: float) -> None:
    found = parts(make(1 + error), X).found
    rounded = float(np.float32(1 + error)) - 1
    assert excess(found) == pytest.approx(rounded, rel=0.7)
    assert excess(found) > 0.3 * error
    assert excess(found, SECOND) > 0.3 * error


def test_literals_that_round_otherwise_are_allowed_for() -> None:
    """0.1 * 3 against 0.3, which float32 rounds to another number."""

    def body(x: Any) -> Any:
        return 0.3 * x * x

    def rule(factor: float) -> Any:
        return vjp_rule(body, lambda args, ct: (0.1 * ct * args[0] * 6 * factor,))

    assert excess(parts(rule(1.0), X).found) == 0
    assert excess(parts(rule(1.0625), X).found) > 0.06


def test_the_smallest_error_is_an_option() -> None:
    assert excess(parts(reverse_off(1.0625), X, smallest=0.1).found) == 0
    assert excess(parts(reverse_off(1.0625), X, smallest=0.01).found) > 0


def test_a_row_where_the_function_is_not_finite_is_unknown() -> None:
    far = Point([np.full(3, -1.0, np.float32)], "below", False)
    found = parts(lambda x: jnp.sum(jnp.log(x)), jnp.abs(X), points=(far,)).found
    assert found.known[0]
    assert not found.known[[row.point == "below" for row in found.rows]].any()


def test_a_row_out_of_all_proportion_is_unknown() -> None:
    far = Point([np.full(3, 40.0, np.float32)], "far", False)
    found = parts(lambda x: jnp.sum(jnp.exp(x)), X, points=(far,)).found
    assert not found.known[[row.point == "far" for row in found.rows]].any()


def test_cancellation_in_64_bits_is_explained_by_noise() -> None:
    """(x + 1e12) - 1e12 has no more than four digits, in any way of writing it."""

    def body(x: Any) -> Any:
        return jnp.sum(((x * x + 2.0**40) - 2.0**40) ** 2)

    def rule(args: Any, ct: Any) -> Any:
        return (4 * ct * args[0] ** 3,)

    taken = parts(vjp_rule(body, rule), jnp.asarray([0.7, 1.3], jnp.float32), order=1)
    assert excess(taken.found) > 0
    again = rerounded(taken.found, taken.programs.reference, taken.programs.tested)
    assert excess(again) == 0


def test_noise_does_not_allow_more_for_literals() -> None:
    taken = parts(reverse_off(1 + 1e-6), X)
    assert excess(taken.found) > 0
    assert excess(rerounded(taken.found, taken.programs.reference, taken.programs.tested)) > 0
