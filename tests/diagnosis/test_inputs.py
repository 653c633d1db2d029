"""Inputs that are not finite, or that carry no gradient, are named."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from funcgrad._diagnosis import diagnose

INF = jnp.inf
ONE_INFINITE = jnp.array([INF, 1.0])


@pytest.mark.parametrize(
    ("function", "args", "named"),
    [
        (
            lambda x: jnp.sum(x - jnp.mean(x)),
            (ONE_INFINITE,),
            "the input x holds an infinity (inf)",
        ),
        (lambda x: jnp.sum(jax.nn.softmax(x)), (ONE_INFINITE,), "the input x holds an infinity"),
        (lambda x, y: jnp.sum(x - y), (INF, INF), "the inputs x and y hold an infinity (inf)"),
        (lambda x, y: jnp.sum(x - y), (INF, jnp.nan), "the input y holds a NaN"),
        (lambda p: p["a"] / p["b"], ({"a": INF, "b": INF},), "p['a'] and p['b']"),
        (lambda x: x, (INF,), "the non-finite input x itself"),
    ],
)
def test_an_infinite_input_is_named(function: Any, args: Any, named: str) -> None:
    (finding,) = diagnose(function, *args).findings
    assert finding.kind == "input"
    assert named in finding.suggestion


def test_an_infinite_input_that_only_the_gradient_meets_is_named() -> None:
    found = diagnose(lambda x, y: jnp.where(x < 10, x * y, 0.0), INF, 1.0)
    assert found.findings[0].kind == "input"
    assert "jnp.isinf" in found.findings[0].suggestion
    assert found.findings[0].leaves == ("y",)


def test_an_infinity_that_is_computed_is_no_input() -> None:
    found = diagnose(lambda x, y: jnp.exp(x) * y, 1000.0, 1.0)
    assert (found.findings[0].kind, found.findings[0].primitive) == ("inf", "exp")


def masked(x: Any, mask: Any) -> Any:
    return jax.nn.softmax(x + mask) @ jnp.arange(3.0)


def test_a_mask_of_minus_infinity_is_legitimate() -> None:
    scores = jnp.array([1.0, 2.0, 3.0])
    assert diagnose(masked, scores, jnp.array([0.0, -INF, 0.0])).ok
    assert diagnose(masked, scores, jnp.array([0.0, -INF, -INF])).ok


def test_a_mask_that_leaves_nothing_is_named_with_the_remedy() -> None:
    (finding,) = diagnose(masked, jnp.ones(3), jnp.full(3, -INF)).findings
    assert finding.kind == "input"
    assert "the input mask holds an infinity (-inf)" in finding.suggestion
    assert "each row keeps an entry" in finding.suggestion


@pytest.mark.parametrize("value", [jnp.nan, INF])
def test_a_cast_that_nobody_wrote_is_not_blamed(value: float) -> None:
    (finding,) = diagnose(lambda x: x**2, value).findings
    assert (finding.kind, finding.primitive) == ("input", "integer_pow")


def test_a_cast_to_another_dtype_is_named() -> None:
    (finding,) = diagnose(lambda x: x.astype(jnp.float16) * 2, jnp.array(jnp.nan)).findings
    assert finding.primitive == "convert_element_type"


@pytest.mark.parametrize(("value", "kind"), [(3, "an integer (i32[])"), (True, "bool")])
def test_integers_alone_carry_no_gradient(value: Any, kind: str) -> None:
    found = diagnose(lambda x: x * 2.0, value)
    (finding,) = found.findings
    assert (finding.kind, finding.leaves) == ("missing", ("x",))
    assert kind in finding.suggestion
    assert "3.0 instead of 3" in finding.suggestion
    assert "sound" not in str(found)
    assert "none" not in str(found)


def test_an_index_beside_parameters_is_no_trouble() -> None:
    found = diagnose(lambda w, i: w[i], jnp.array([1.0, 2.0]), 1)
    assert found.ok
    assert not found.notes
