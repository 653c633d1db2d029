"""Verdicts on differences."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._baseline import baseline, kink_findings
from funcgrad.verify._judge import number
from funcgrad.verify._points import Point
from tests.verify.planting import (
    X,
    forward_off,
    jvp_rule,
    kinds,
    parts,
    reverse_off,
    sine,
    vjp_rule,
)

BELOW = Point([-np.abs(np.asarray(X))], "below zero", False)


def test_a_right_rule_has_no_findings() -> None:
    assert not parts(reverse_off(1.0), X).findings()
    assert not parts(forward_off(1.0), X).findings()


def test_a_fault_names_its_element() -> None:
    off = jnp.array([1.0, 2.0, 1.0])
    found = parts(reverse_off(off), X, order=1).findings()
    (finding,) = found
    assert (finding.kind, finding.verdict, finding.point) == (
        "gradient",
        "wrong",
        "the given point",
    )
    assert (finding.leaf, finding.index) == ("x", (1,))
    assert finding.received == pytest.approx(2 * finding.expected, rel=1e-6)  # type: ignore[operator]  # no None
    assert finding.estimate is not None
    assert finding.estimate.value == pytest.approx(finding.expected, rel=1e-6)
    assert finding.bound is not None
    assert finding.bound < 1e-3


def test_the_forward_part_of_a_wrong_gradient_is_not_said_twice() -> None:
    assert ("forward", "wrong") not in kinds(parts(forward_off(2.0), X).findings())


def test_one_finding_for_each_input() -> None:
    rule = vjp_rule(lambda x, y: x * y, lambda args, ct: (ct * args[1] * 2, ct * args[0] * 3))
    found = parts(rule, X, X + 1, order=1).findings()
    assert [finding.leaf for finding in found] == ["x", "y"]


def test_a_fault_of_the_value() -> None:
    rule = jvp_rule(sine, lambda x, t: t * jnp.cos(x))
    rule.defjvp(lambda p, t: (jnp.sin(p[0]) + 0.125, t[0] * jnp.cos(p[0])))
    found = parts(rule, X).findings()
    assert kinds(found) == {("value", "wrong")}
    assert found[0].received == pytest.approx(found[0].expected + 0.125)  # type: ignore[operator]  # no None


def test_elsewhere_a_user_s_rule_is_wrong_and_jax_s_is_remarked_upon() -> None:
    rule = vjp_rule(sine, lambda args, ct: (ct * jnp.cos(args[0]) * jnp.where(args[0] < 0, 2, 1),))
    taken = parts(rule, jnp.abs(X), order=1, points=(BELOW,))
    (own,) = taken.findings()
    assert (own.verdict, own.point) == ("wrong", "below zero")
    (theirs,) = taken.findings(own=False)
    assert theirs.verdict == "right"
    assert theirs.message.startswith("elsewhere, the gradient is wrong")


def test_nan_is_a_kind_of_its_own() -> None:
    off = jnp.array([1.0, jnp.nan, 1.0])
    (finding,) = parts(reverse_off(off), X, order=1).findings()
    assert (finding.kind, finding.verdict, finding.index) == ("nan", "wrong", (1,))


def test_nan_in_both_is_seen_by_the_numerical_derivative() -> None:
    at = jnp.array([1.0, -1.0])
    (finding,) = parts(
        lambda x: jnp.sum(jnp.where(x > 0, jnp.sqrt(x), 0.0)), at, order=1
    ).findings()
    assert (finding.kind, finding.index, finding.expected) == ("nan", (1,), 0.0)


CORNER = jnp.array([0.0, 1.0])


def slope(at_zero: float) -> Any:
    return vjp_rule(
        jnp.abs, lambda args, ct: (ct * jnp.where(args[0] == 0, at_zero, jnp.sign(args[0])),)
    )


@pytest.mark.parametrize(("at_zero", "wrong"), [(0.5, False), (1.0, False), (3.0, True)])
def test_at_a_corner(at_zero: float, wrong: bool) -> None:
    found = parts(slope(at_zero), CORNER, order=1).findings()
    assert [finding.verdict for finding in found] == ["wrong"] * wrong


def test_the_numerical_derivative_has_the_last_word_on_a_staircase() -> None:
    """Rounding to a grid: the body's slope is zero, the meant one is what differences see."""

    def stairs(x: Any) -> Any:
        return jnp.sum(jnp.round(x * 2.0**40) * 2.0**-40 * x)

    rule = vjp_rule(stairs, lambda args, ct: (2 * ct * args[0],))
    assert not parts(rule, X, order=1).findings()


# --- the baseline ---------------------------------------------------------------------------------


def test_the_baseline_is_silent_on_a_right_gradient_and_not_on_a_wrong_one() -> None:
    right, wrong = parts(reverse_off(1.0), X), parts(reverse_off(1.25), X)
    findings, lines = baseline(right.programs, right.found, 0)
    assert not findings
    assert {line.kind for line in lines} == {"smooth"}
    (finding,), _ = baseline(wrong.programs, wrong.found, 0)
    assert (finding.kind, finding.verdict, finding.index) == ("gradient", "wrong", None)


@pytest.mark.parametrize(
    ("factor", "by_solver", "expected"),
    [(1 + 1e-5, False, "inconclusive"), (1 + 1e-5, True, "wrong"), (1.25, False, "wrong")],
)
def test_where_the_reference_is_off_itself(factor: float, by_solver: bool, expected: str) -> None:
    """A little is doubt, unless the reference stands on a solver; much is a fault."""
    taken = parts(sine, X)
    off = {part: [factor * a for a in arrays] for part, arrays in taken.found.expected.items()}
    found = taken.found._replace(expected=off, received=off)
    (finding,), _ = baseline(taken.programs, found, 0, solver="general" if by_solver else "")
    assert finding.verdict == expected


@pytest.mark.parametrize(
    ("fun", "words"),
    [(jnp.abs, "kink"), (lambda x: jnp.floor(x) + x, "jumps"), (lambda x: x**1.5, "edge of")],
)
def test_kinks_of_the_given_point(fun: Any, words: str) -> None:
    taken = parts(fun, CORNER, order=1)
    _, lines = baseline(taken.programs, taken.found, 0)
    (finding,) = kink_findings(lines)
    assert finding.verdict == "kink"
    assert words in finding.message
    assert finding.estimate is not None


def test_a_smooth_point_is_no_kink() -> None:
    taken = parts(sine, X, order=1)
    assert not kink_findings(baseline(taken.programs, taken.found, 0)[1])


def test_numbers_are_python_s() -> None:
    assert type(number(np.float32(0.5))) is float
    assert type(number(np.complex64(1j))) is complex
