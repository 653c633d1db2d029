"""Every rule of the table against numerical derivatives in 64 bits: the oracle that is not JAX.

A mistake that we share with JAX's rules would show here, and so do the cases for which JAX has no
rule. Only the conventions at kinks cannot be seen by numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.rule_numbers import extrapolated, numerical_agreement
from tests.rules.rule_points import EXAMPLES, Example


@pytest.fixture(scope="module", autouse=True)
def _in_64_bits() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


WITH_NUMBERS = [example for example in EXAMPLES if not example.declares("no numbers")]


@pytest.mark.parametrize("example", WITH_NUMBERS, ids=str)
def test_gradients_are_the_numerical_ones(example: Example) -> None:
    assert settings.default is not None
    sizes: list[float | None] = []

    @settings(max_examples=max(2, settings.default.max_examples // 4))
    @given(st.integers(0, 2**32 - 1))
    def compare(seed: int) -> None:
        sizes.append(numerical_agreement(example, seed))

    compare()
    conclusive = [size for size in sizes if size is not None]
    assert conclusive, "no point allowed a conclusion"
    assert (max(conclusive) > 0) != example.declares("constant")


def test_few_cases_are_beyond_numbers() -> None:
    assert 0 < len(EXAMPLES) - len(WITH_NUMBERS) < len(EXAMPLES) / 20


# --- the oracle itself ----------------------------------------------------------------------------


@given(st.floats(-2, 2, allow_subnormal=False))
def test_the_extrapolation_finds_a_derivative_to_ten_digits(x: float) -> None:
    estimate = extrapolated(
        lambda h: (math.exp(x + h) - math.exp(x - h)) / (2 * h), 2**-6, 2**-52 * math.exp(x)
    )
    assert abs(estimate.value - math.exp(x)) <= 4 * estimate.error < 1e-10 * math.exp(x)


@given(st.floats(0.05, 0.95))
def test_the_extrapolation_notices_a_kink_within_its_steps(part: float) -> None:
    kink = part * 2**-6
    estimate = extrapolated(lambda h: (abs(h - kink) - abs(h + kink)) / (2 * h), 2**-6, 0.0)
    assert estimate.error > 1e-3 or abs(estimate.value + 1) <= 4 * estimate.error
