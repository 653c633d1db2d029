"""Every partial derivative of the elementwise rules against mpmath, digit for digit.

The rules are run primitive by primitive, in float32 and float64, over the whole domain of each.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jax
import pytest
from jax import lax

import funcgrad
from funcgrad._registry import Rule, rules
from tests.rules.accuracy import ALLOWED, DTYPES, Worst, worst
from tests.rules.accuracy_exceptions import EXCEPTIONS, WITHOUT_PARTIAL, Exceeding
from tests.rules.accuracy_references import REFERENCES
from tests.rules.rule_points import RULES

ELEMENTWISE = {rule.primitive.name: rule for rule in RULES if rule.family == "elementwise"}


@pytest.fixture(scope="module", autouse=True)
def _in_64_bits() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@functools.cache
def measured(name: str, number: int, region: str, dtype: str) -> Worst:
    result: Worst = worst(ELEMENTWISE[name], REFERENCES[name][number], region, dtype)
    return result


APPLYING = [e for e in EXCEPTIONS if not e.older or jax.version.__version_info__ < (0, 12)]


def exception(name: str, operand: int, dtype: str, region: str) -> Exceeding | None:
    found = [e for e in APPLYING if e[:4] == (name, operand, dtype, region)]
    return found[0] if found else None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_a_partial_is_within_the_bound(name: str, dtype: str) -> None:
    for number, reference in enumerate(REFERENCES[name]):
        for region in reference.regions:
            known = exception(name, reference.operand, dtype, region)
            result = measured(name, number, region, dtype)
            allowed = ALLOWED if known is None else known.error
            assert result.error <= allowed, f"operand {reference.operand}, {region}: {result}"


@pytest.mark.parametrize("known", APPLYING, ids=lambda e: "-".join(map(str, e[:4])))
def test_an_exception_is_still_needed(known: Exceeding) -> None:
    if known.primitive not in ELEMENTWISE:
        pytest.skip("no primitive of this JAX")
    errors = [
        measured(known.primitive, number, known.region, known.dtype).error
        for number, reference in enumerate(REFERENCES[known.primitive])
        if reference.operand == known.operand and known.region in reference.regions
    ]
    assert max(errors) > ALLOWED, "mended: remove the exception"


def test_every_partial_has_a_reference() -> None:
    expected = {
        (rule.primitive.name, operand)
        for rule in rules().values()
        if rule.family == "elementwise" and "/rules/" in rule.where
        for operand, pull in enumerate(rule.pullbacks)
        if pull is not None
    }
    compared = {(name, r.operand) for name, group in REFERENCES.items() for r in group}
    assert compared == expected


def test_a_missing_partial_has_its_reason() -> None:
    missing = {
        (name, operand)
        for name, rule in ELEMENTWISE.items()
        for operand, pull in enumerate(rule.pullbacks)
        if pull is None
    }
    assert missing == set(WITHOUT_PARTIAL)


def test_no_exception_is_listed_twice() -> None:
    keys = [e[:4] for e in EXCEPTIONS]
    assert len(set(keys)) == len(keys)


# --- the measure itself ---------------------------------------------------------------------------


def scaled(rule: Rule, factor: float) -> Rule:
    """The rule with its only partial times a number."""
    (pull,) = rule.pullbacks
    assert pull is not None
    function = pull.function

    def partial(*arguments: Any) -> Any:
        return factor * function(*arguments)

    return rule._replace(pullbacks=(pull._replace(function=partial),))


@pytest.mark.parametrize(("dtype", "eps"), [("float32", 2.0**-23), ("float64", 2.0**-52)])
def test_an_error_in_the_last_digits_is_noticed(dtype: str, eps: float) -> None:
    (reference,) = REFERENCES["sin"]
    for factor, noticed in ((1 + 64 * eps, True), (1 + eps, False)):
        result = worst(scaled(ELEMENTWISE["sin"], factor), reference, "regular", dtype)
        assert (result.error > ALLOWED) == noticed, result


def test_digamma_left_of_zero_where_jax_forgets_the_reflection() -> None:
    slope = funcgrad.grad(lax.digamma)(-16.5)
    assert float(slope) == pytest.approx(9.810797812993576, rel=1e-14)
    assert float(jax.grad(lax.digamma)(-16.5)) < 0


@pytest.mark.parametrize("x", [1e-30, 1.0, 1e30])
def test_atan2_where_squares_leave_the_numbers_of_32_bits(x: float) -> None:
    with jax.enable_x64(False):
        by_a, by_b = funcgrad.grad(lax.atan2, argnums=(0, 1))(x, x)
    assert (float(by_a) * x, float(by_b) * x) == pytest.approx((0.5, -0.5), rel=1e-6)
