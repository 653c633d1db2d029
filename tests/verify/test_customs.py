"""Whose the custom rules of a program are."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad.verify._customs import Customs, customs
from funcgrad.verify._problem import pose
from funcgrad.verify._programs import trace_value
from tests.verify.planting import X, jvp_rule, reverse_off, sine, vjp_rule


def found_customs(fun: Any) -> Any:
    return customs([trace_value(pose(fun, (X,), {}, None))])


def test_whose_the_rules_are() -> None:
    assert found_customs(sine) == Customs()
    assert not found_customs(jax.nn.relu).own
    assert found_customs(jax.jit(reverse_off(1.0))).own
    assert found_customs(jvp_rule(sine, lambda _, t: t)).own
    assert not found_customs(jvp_rule(sine, lambda _, t: t)).loops


def test_a_rule_for_a_loop() -> None:
    def loop(x: Any) -> Any:
        return lax.fori_loop(0, 3, lambda _, c: jnp.sin(c), x)

    assert found_customs(jvp_rule(loop, lambda _, t: t)) == Customs(own=True, loops=True)


def test_jax_s_rule_for_an_approximation() -> None:
    assert found_customs(jax.scipy.special.digamma) == Customs()
    assert found_customs(jax.scipy.special.expi).approximate


def test_a_user_s_rule_for_a_function_of_jax_s_is_his_own() -> None:
    assert found_customs(vjp_rule(jnp.sin, lambda _, ct: (ct,))).own


def test_samples_of_the_gamma_distribution() -> None:
    key = jax.random.key(0)
    assert found_customs(lambda a: jax.random.gamma(key, a)) == Customs(
        approximate=True, samples=True
    )
