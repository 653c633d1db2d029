"""The check in a function's own precision, where there is no 64-bit form."""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.verify.planting import X, examined, kinds, reverse_off, sine, vjp_rule


def rule(factor: Any) -> Any:
    return reverse_off(factor)  # of a function that runs fast; any is examined in this way


def test_a_right_rule_is_right() -> None:
    findings, seen, _ = examined(rule(1.0))
    assert not findings
    assert set(seen) == {"right"}


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.01])
def test_a_wrong_one_is_wrong(factor: float) -> None:
    findings, _, _ = examined(rule(factor))
    assert kinds(findings) == {("gradient", "wrong")}
    assert findings[0].index is not None
    assert findings[0].estimate is not None


def test_a_wrong_projection_is_halved_until_the_element_is_found() -> None:
    off = np.ones(64, np.float32)
    off[37] = -1
    at = jnp.linspace(0.5, 1.25, 64, dtype=jnp.float32)
    findings, _, _ = examined(reverse_off(jnp.asarray(off)), at)
    assert findings[0].index == (37,)
    assert not examined(reverse_off(1.0), at).findings


def test_a_gradient_in_numpy() -> None:
    right, _, _ = examined(lambda x: jnp.sum(jnp.sin(x)), X, lambda x: np.cos(np.asarray(x)))
    wrong, _, _ = examined(lambda x: jnp.sum(jnp.sin(x)), X, lambda x: np.sin(np.asarray(x)))
    assert not right
    assert kinds(wrong) == {("gradient", "wrong")}


def test_nan_where_the_function_is_smooth() -> None:
    findings, _, _ = examined(rule(jnp.array([1.0, jnp.nan, 1.0])))
    assert kinds(findings) == {("gradient", "wrong")}


def test_a_corner() -> None:
    at = jnp.array([0.0, 1.0])
    findings, seen, _ = examined(lambda x: jnp.sum(jnp.abs(x)), at)
    assert not findings
    assert "kink" in seen
    outside, _, _ = examined(lambda x: jnp.sum(jnp.abs(x)), at, lambda _: jnp.array([3.0, 1.0]))
    assert kinds(outside) == {("gradient", "wrong")}


def test_noise_makes_it_inconclusive() -> None:
    """Of 1e6 + x/1e3 float32 keeps nothing of x."""
    findings, seen, _ = examined(lambda x: jnp.sum(x * 1e-3 + 1e6), X)
    assert kinds(findings) == {("noise", "inconclusive")}
    assert "too noisy in float32" in findings[0].message
    assert seen.count("useless") > len(seen) / 2


def test_a_counter_is_seen() -> None:
    calls = itertools.count()
    counting = vjp_rule(sine, lambda args, ct: (ct * jnp.cos(args[0]) * (1 + 1e-6 * next(calls)),))
    assert ("repeat", "wrong") in kinds(examined(counting).findings)


def test_an_error_is_a_finding() -> None:
    def broken(_args: Any, _ct: Any) -> Any:
        raise KeyError("gone")

    findings, _, _ = examined(vjp_rule(sine, broken))
    assert kinds(findings) == {("error", "wrong")}
    assert "KeyError" in findings[0].message


def test_what_jax_cannot_trace_is_not_decided() -> None:
    found = examined(lambda x: jnp.sum(x) * float(x[0]))
    assert kinds(found.findings) == {("error", "inconclusive")}
    assert "jax.grad fails too: ConcretizationTypeError" in found.findings[0].message
    assert (found.kinds, found.remarks) == ([], [])
