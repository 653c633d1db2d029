"""The derivative under vmap and inside scan."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._problem import pose
from funcgrad.verify._rows import build_rows
from funcgrad.verify._variants import variants
from tests.verify.planting import X, kinds, reverse_off, sine, vjp_rule


def found(fun: Any, gradient: Any = None) -> Any:
    problem = pose(fun, (X,), {}, gradient)
    rows = build_rows(problem.leaves, problem.values, [], 0, 2)
    near = rows[1]._replace(xs=[np.asarray(X) * np.float32(1.0625)], point="near")
    return variants(problem, [*rows, near])


def batched_otherwise(batched: Any) -> Any:
    """A sine whose rule computes something else under vmap."""
    cosine = jax.custom_batching.custom_vmap(jnp.cos)
    cosine.def_vmap(lambda _n, _b, x: (batched(x), True))
    return vjp_rule(sine, lambda args, ct: (ct * cosine(args[0]),))


def test_a_right_rule_is_the_same_everywhere() -> None:
    assert not found(sine)
    assert not found(reverse_off(2.0))  # wrong, but in all of them


@pytest.mark.parametrize("fault", [jnp.sin, lambda x: jnp.cos(x)[::-1]], ids=["other", "reversed"])
def test_a_fault_under_vmap_only(fault: Any) -> None:
    assert ("batch", "wrong") in kinds(found(batched_otherwise(fault)))


def test_its_twin() -> None:
    assert not found(batched_otherwise(jnp.cos))


def test_a_rule_that_fails_under_vmap() -> None:
    def backward(args: Any, ct: Any) -> Any:
        if ct.ndim and not isinstance(args[0], jax.core.Tracer):
            return (ct * jnp.cos(args[0]),)
        raise TypeError("a number was expected")

    findings = found(vjp_rule(sine, backward))
    assert ("error", "wrong") in kinds(findings)
    assert any("under vmap over the inputs" in finding.message for finding in findings)


def test_a_gradient_function_of_one_s_own() -> None:
    def total(x: Any) -> Any:
        return jnp.sum(jnp.sin(x))

    assert not found(total, jnp.cos)
    tracing = found(total, lambda x: jnp.cos(x) * (2 if isinstance(x, jax.core.Tracer) else 1))
    assert {("batch", "wrong"), ("scan", "wrong")} <= kinds(tracing)
