"""Why a gradient is zero: underflow, masks, saturation; and what merely cancels."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from funcgrad._diagnosis import diagnose

HALF = jnp.float16


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: x * 1e-30 * 1e-30, 1.0),
        (lambda x: jnp.sum((x * 1e-4) ** 2), jnp.array([1e-3, 1e-4], HALF)),
        (lambda x: x * HALF(1e-5) * HALF(1e-5), HALF(1.0)),
        (lambda x: (x.astype(jnp.float32) * 1e-10).sum(), jnp.ones(2, HALF)),
        (lambda x: x**3, 1e-25),  # the partial itself, 3e-50
    ],
)
def test_an_underflow_to_zero_is_a_finding(function: Any, x: Any) -> None:
    (finding,) = diagnose(function, x).findings
    assert finding.kind == "zero"
    assert "underflows" in finding.suggestion
    assert "wider dtype" in finding.suggestion


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 1e-15 - x * 1e-15,
        lambda x: jnp.sum(x * 1e-20 - jnp.mean(x * 1e-20)) + 0.0,
        lambda x: (x * 1e-12 - 1e-12) ** 2,
    ],
)
def test_small_contributions_that_cancel_are_no_finding(function: Any) -> None:
    assert not [f for f in diagnose(function, 1.0).findings if f.kind == "zero"]


def test_an_exp_far_below_zero_is_told_as_an_underflow() -> None:
    (finding,) = diagnose(lambda x: jnp.exp(-x), 200.0).findings
    assert (finding.kind, finding.primitive) == ("zero", "exp")
    assert "far below 0" in finding.suggestion
    assert "large" not in finding.suggestion


@pytest.mark.parametrize("hidden", [-jnp.inf, -3.4e38, -1e9])
def test_a_softmax_masked_but_for_one_entry_is_healthy(hidden: float) -> None:
    keep = jnp.array([True, False, False])
    found = diagnose(lambda x: jax.nn.softmax(jnp.where(keep, x, hidden)) @ x, jnp.arange(3.0))
    assert found.ok
    alone = diagnose(lambda x: jax.nn.softmax(jnp.where(keep, x, hidden))[0], jnp.arange(3.0))
    assert alone.ok, alone


def test_a_softmax_of_far_apart_logits_is_saturated() -> None:
    found = diagnose(lambda x: jax.nn.softmax(x * 1e3)[0], jnp.array([2.0, 1.0, 0.0]))
    assert found.findings[0].primitive == "exp"


def test_stop_gradient_on_the_only_argument_is_the_cause() -> None:
    for value in (1.2, jnp.array(1.2)):
        (finding,) = diagnose(lambda x: jax.lax.stop_gradient(x) ** 2, value).findings
        assert (finding.kind, finding.primitive) == ("missing", "stop_gradient")


def test_a_note_does_not_repeat_the_advice_of_a_finding() -> None:
    found = diagnose(lambda x, w: jnp.sum(jax.nn.relu(x * w)), jnp.array([-1.0, -2.0]), 3.0)
    assert "leaky_relu" in found.findings[0].suggestion
    assert found.notes[0].leaves == ("w",)
    assert found.notes[0].suggestion == "`max` makes it zero, for the reason given for x"
