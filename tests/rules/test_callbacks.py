"""Calls out of the program: looked at once and in order, or refused with the ways out."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify, io_callback

import funcgrad


def noisy(x: Any) -> Any:
    jax.debug.print("first {}", x)
    y = jnp.sin(x)
    jax.debug.callback(lambda v: print("second", v), y)
    return y * y


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_what_looks_at_values_sees_them_once_and_in_order(
    compiled: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    function = jax.jit(noisy) if compiled else noisy
    gradient = funcgrad.grad(function)(1.0)
    jax.effects_barrier()
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["first", "second"]
    np.testing.assert_allclose(gradient, np.sin(2.0), rtol=1e-6)


def test_debug_print_in_a_scan_prints_each_step_once(capfd: pytest.CaptureFixture[str]) -> None:
    def step(carry: Any, x: Any) -> Any:
        jax.debug.print("at {}", x, ordered=True)
        return carry * x, None

    def function(x: Any) -> Any:
        return jax.lax.scan(step, x, jnp.arange(1.0, 4.0))[0]

    assert funcgrad.grad(function)(2.0) == 6.0
    jax.effects_barrier()
    assert capfd.readouterr().out.splitlines() == ["at 1.0", "at 2.0", "at 3.0"]


def through_pure_callback(x: Any) -> Any:
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), jnp.float32), x)


def through_io_callback(x: Any) -> Any:
    return io_callback(np.sin, jax.ShapeDtypeStruct((), jnp.float32), x)


@pytest.mark.parametrize("function", [through_pure_callback, through_io_callback])
def test_a_callback_of_a_differentiated_value_is_refused(function: Any) -> None:
    with pytest.raises(
        funcgrad.MissingRuleError,
        match=r"_callback`.*float32\[\].*test_callbacks.py:\d+.*custom_vjp.*funcgrad.detach",
    ):
        funcgrad.grad(function)(jnp.float32(1.0))


@pytest.mark.parametrize("function", [through_pure_callback, through_io_callback])
def test_a_callback_of_a_detached_value_passes(function: Any) -> None:
    def product(x: Any) -> Any:
        return x * function(funcgrad.detach(x))

    np.testing.assert_allclose(funcgrad.grad(product)(jnp.float32(1.0)), np.sin(1.0), rtol=1e-6)


def test_a_callback_with_a_rule_of_its_author() -> None:
    sine = jax.custom_vjp(through_pure_callback)
    sine.defvjp(lambda x: (through_pure_callback(x), x), lambda x, ct: (ct * jnp.cos(x),))
    for function in (sine, jax.jit(sine)):
        gradient = funcgrad.grad(function)(jnp.float32(1.0))
        np.testing.assert_allclose(gradient, np.cos(1.0), rtol=1e-6)


def test_a_check_passes_through() -> None:
    def checked(x: Any) -> Any:
        checkify.check(x > 0, "not positive: {}", x)
        return jnp.log(x)

    error, gradient = checkify.checkify(funcgrad.grad(checked))(2.0)
    assert gradient == 0.5
    error.throw()
    error, _ = checkify.checkify(funcgrad.grad(checked))(-2.0)
    assert "not positive" in str(error.get())
