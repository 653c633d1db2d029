"""The derivative as the user runs it."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._native import (
    Native,
    engine_native,
    equal,
    error_finding,
    failed,
    native,
    run,
    unrepeatable,
)
from tests.verify.planting import X, kinds, parts, reverse_off, sine, stale_sine, vjp_rule


def findings(fun: Any, x: Any = X, *, own: bool = True) -> Any:
    taken = parts(fun, x, order=1)
    return native(taken.problem, taken.found, own)


def test_a_run_is_jax_s_and_the_engine_s_is_the_body_s() -> None:
    taken = parts(reverse_off(2.0), X, order=1)
    row = taken.rows[0]
    got, own = run(taken.problem, row), engine_native(taken.problem, row)
    np.testing.assert_allclose(got.gradient[0], 2 * row.cs[0] * np.cos(X), rtol=1e-6)
    np.testing.assert_allclose(own[0], row.cs[0] * np.cos(X), rtol=1e-6)
    assert got.gradient[0].dtype == np.float64


def test_right_rules_are_silent() -> None:
    assert not findings(sine, own=False)
    assert not findings(reverse_off(1.0))


def test_digits_that_a_rule_loses() -> None:
    def narrow(args: Any, ct: Any) -> Any:
        return (ct * jnp.cos(args[0].astype(jnp.float16)).astype(ct.dtype),)

    (finding,) = findings(vjp_rule(sine, narrow))
    assert (finding.kind, finding.verdict) == ("precision", "wrong")
    assert finding.meaning == "about 4 digits are right"


def test_digits_that_the_body_loses_are_remarked_upon() -> None:
    def body(x: Any) -> Any:
        return jnp.sum(((x + 1024.0) - 1024.0) ** 2)

    found = findings(body, jnp.asarray([0.001, 0.002], jnp.float32), own=False)
    assert kinds(found) == {("precision", "right")}


def test_overflow_inside_a_rule() -> None:
    """exp(100) is finite in 64 bits only."""

    def backward(args: Any, ct: Any) -> Any:
        return (ct * jnp.exp(args[0]) / (1 + jnp.exp(args[0])),)

    (finding, *_) = findings(vjp_rule(lambda x: jnp.logaddexp(x, 0), backward), 100 + X)
    assert (finding.kind, finding.verdict) == ("nan", "wrong")
    assert finding.meaning == "overflow or 0 * inf inside the rule"
    assert not findings(
        vjp_rule(lambda x: jnp.logaddexp(x, 0), lambda a, ct: (ct * jax.nn.sigmoid(a[0]),)), 100 + X
    )


def test_a_counter_is_seen() -> None:
    calls = itertools.count()
    rule = vjp_rule(sine, lambda args, ct: (ct * jnp.cos(args[0]) * (1 + next(calls)),))
    (finding,) = findings(rule)
    assert (finding.kind, finding.verdict) == ("repeat", "wrong")
    assert "remembered between calls" in finding.meaning


def test_a_stale_cache_is_seen() -> None:
    taken = parts(stale_sine(), X, order=1)
    elsewhere = [row._replace(xs=[np.asarray(X) + 1]) for row in taken.rows[:2]]
    fresh = parts(sine, X + 1, order=1).found
    rows = [taken.rows[0], *elsewhere]
    expected = {
        part: [
            np.concatenate([a[:1], b[:2]])
            for a, b in zip(arrays, fresh.expected[part], strict=True)
        ]
        for part, arrays in taken.found.expected.items()
    }
    found = taken.found._replace(
        rows=rows, expected=expected, received=expected, known=np.ones(3, bool)
    )
    assert ("precision", "wrong") in kinds(native(taken.problem, found, True))


def test_a_value_that_is_another_one() -> None:
    rule = jax.custom_vjp(sine)
    # Only when run eagerly, so that the comparison in 64 bits does not see it.
    rule.defvjp(
        lambda x: (jnp.sin(x) + (0.0 if isinstance(x, jax.core.Tracer) else 0.5), x),
        lambda x, ct: (ct * jnp.cos(x),),
    )
    assert ("value", "wrong") in kinds(findings(rule))


def test_an_error_is_a_finding_unless_jax_offers_nothing() -> None:
    (finding,) = failed(ValueError("first line\nsecond"))
    assert finding.message == "the derivative fails: ValueError: first line"
    assert finding.verdict == "wrong"
    (unjudged,) = failed(ValueError("Please enter your `jit` into a mesh context via ..."))
    assert unjudged.verdict == "inconclusive"
    assert "with jax.set_mesh(mesh)" in unjudged.meaning
    assert not failed(NotImplementedError("no rule"))
    with pytest.raises(jax.errors.UnexpectedTracerError) as leak:
        raise jax.errors.UnexpectedTracerError("leaked")
    assert "keeps a traced value" in error_finding("it fails", leak.value).meaning


def test_runs_are_compared_to_the_last_bit() -> None:
    one = Native([np.array([1.0])], [np.array([1.0, np.nan])])
    other = Native([np.array([1.0])], [np.array([1.0 + 2**-50, np.nan])])
    value = Native([np.array([2.0])], one.gradient)
    assert equal(one, one)
    assert not equal(one, other)
    problem = parts(sine, X, order=1).problem
    assert unrepeatable(problem, one, other).index == (0,)
    assert unrepeatable(problem, one, value).message.startswith("the value under differentiation")
