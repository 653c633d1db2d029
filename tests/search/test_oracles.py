"""The oracles blame whom they should, and are silent about what is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from funcgrad import _jaxcompat as compat
from funcgrad import _registry
from funcgrad import rules as _rules  # noqa: F401 -- fills the registry
from funcgrad.search import _device, _twin
from funcgrad.search import _oracles as oracles
from funcgrad.search._choices import RandomChoices
from funcgrad.search._oracles import Effort, examine
from funcgrad.search._program import Program
from funcgrad.search._verdicts import Margin
from tests.rules.rule_faults import changed, planted, with_functions
from tests.search.small import custom, draw_one, program

p = compat.primitives
WIDE = Effort(second=False, compiled=False, mapped=False, zeros=False, native=False, eager=False)


def labels(one: Program, effort: Effort) -> list[tuple[str, str, str]]:
    return [d.label for d in examine(one, effort).disagreements]


def with_fault(primitive: Any, change: Callable[[Any], Any], effort: Effort) -> Any:
    with planted(changed(_registry.rules()[primitive], 0, change)):
        return labels(program("exp", "sin"), effort)


def test_every_oracle_is_silent_about_a_right_program() -> None:
    found = examine(program("exp", "sin", custom("jnp.cos(x)")), Effort())
    assert found.disagreements == []
    assert found.remarks == []
    assert found.closed is not None


def test_a_wrong_rule_of_ours_is_ours() -> None:
    assert with_fault(p.sin_p, lambda ct: 1.0001 * ct, WIDE) == [("ours", "wrong", "gradient")]


def test_a_nan_of_ours_is_ours() -> None:
    assert with_fault(p.sin_p, lambda ct: ct * jnp.nan, WIDE) == [("ours", "nan", "gradient")]


def test_an_error_of_ours_is_ours() -> None:
    def fails(_: Any) -> Any:
        raise ValueError("no")

    assert with_fault(p.sin_p, fails, WIDE) == [("ours", "crash", "gradient")]


def test_a_wrong_dtype_is_seen_in_the_programs_own_precision() -> None:
    def narrow(ct: Any) -> Any:
        return lax.reduce_precision(ct, 5, 4) if ct.dtype == np.float32 else ct

    effort = WIDE._replace(native=True)
    expected = [("ours", "wrong", "gradient in its own precision")]
    assert with_fault(p.exp_p, narrow, effort) == expected


def test_a_fault_of_second_order_only() -> None:
    rule = _registry.rules()[p.sin_p]
    wrong = with_functions(rule, {0: lambda ct, _y, x: ct * lax.stop_gradient(lax.cos(x))})
    # What is stopped is stopped only outside of the lift, which goes on through it.
    with planted(wrong):
        assert labels(program("exp", "sin"), WIDE) == []
        found = labels(program("exp", "sin"), WIDE._replace(second=True))
    assert found == [("ours", "wrong", "second derivative")]


@pytest.mark.parametrize("slope", ["1.01 * jnp.cos(x)", "-jnp.cos(x)", "0 * x"])
def test_a_wrong_rule_of_the_program_is_of_both(slope: str) -> None:
    one = program(custom(slope))
    assert labels(one, WIDE) == [("both", "wrong", "gradient")]


def test_a_program_that_raises_is_no_end() -> None:
    broken = custom("x", template="undefined({0})")
    assert labels(program(broken), WIDE) == [("value", "crash", "value")]


def test_a_derivative_that_is_zero_or_of_rounding_alone_is_no_finding() -> None:
    flat = custom("0 * x", template="({0} - {0}) * 1e3")
    assert labels(program(flat), Effort()) == []
    pythagoras = custom("0 * x", template="100 * (jnp.sin({0}) ** 2 + jnp.cos({0}) ** 2)")
    assert labels(program(pythagoras), Effort()) == []


def test_a_program_of_64_bits() -> None:
    with jax.enable_x64(True):
        one = program("exp", "sin", dtype="float64")
        assert labels(one, Effort(compiled=False)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_loop_without_a_reverse_mode_in_jax_is_allowed_its_own_rounding(seed: int) -> None:
    one = draw_one(RandomChoices(np.random.default_rng(seed)), "while_of_two", before=2)
    assert one is not None
    assert labels(one, Effort()) == []


def test_digits_that_xla_keeps_are_no_finding() -> None:
    one = draw_one(RandomChoices(np.random.default_rng(0)), "through_bfloat16")
    assert one is not None
    assert labels(one, Effort()) == []


def test_an_error_of_an_oracle_is_a_finding_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise KeyError("unforeseen")

    monkeypatch.setattr(oracles, "_NATIVE", (("native", fails),))
    found = examine(program("sin"), WIDE._replace(native=True)).disagreements
    assert [one.label for one in found] == [("search", "crash", "native oracle")]
    assert "unforeseen" in found[0].text
    monkeypatch.setattr(oracles, "_wide", fails)
    assert labels(program("sin"), WIDE) == [("search", "crash", "comparison in 64 bits")]


@pytest.mark.parametrize(
    ("failing", "label"),
    [
        ((True, True, True), ("value", "crash", "value under jit")),
        ((False, True, True), ("jax", "crash", "gradient under jit")),
        ((False, True, False), ("ours", "crash", "gradient under jit")),
    ],
)
def test_an_error_of_the_device_is_a_finding(
    failing: tuple[bool, ...], label: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter(failing)

    def jit(function: Callable[..., Any]) -> Callable[..., Any]:
        broken = next(fails)

        def run(*args: Any) -> Any:
            if broken:
                raise RuntimeError("INTERNAL: RET_CHECK failure")
            return function(*args)

        return run

    one = program("sin")
    monkeypatch.setattr(_device, "_wrapped", lambda function, _how: jit(function))
    flat = _twin.flatten(one)
    found = _device.compiled(flat, [1.0], Margin([1.0], [1.0]), one)
    assert [d.label for d in found] == [label]


def test_a_stop_by_which_jax_says_a_derivative_is_heard() -> None:
    """At an integer, `sinc` is y - stop_gradient(y), whose derivative is that of y."""
    template = "({0} - {0}) + jax.lax.stop_gradient(jnp.sin({0})) * {0}"
    one = program(custom("0 * x", template=template))
    with jax.enable_x64(True):
        wide = _twin.widened(_twin.flatten(one))
        assert "stop_gradient" in str(wide.closed)


@pytest.mark.parametrize(("slope", "found"), [("jnp.cos(x)", []), ("1.1 * jnp.cos(x)", ["both"])])
def test_a_rule_may_stand_for_a_formula_with_a_kink(slope: str, found: list[str]) -> None:
    hidden = custom(slope)
    body = hidden.definitions.replace(
        "    return jnp.sin(x)", "    return jnp.where(x == 0, 0.0, jnp.sin(x))"
    )
    one = program(hidden._replace(definitions=body), point=(0.0, 0.7))
    assert [label[0] for label in labels(one, WIDE)] == found


def test_a_rule_that_raises_is_of_the_program() -> None:
    one = program(custom("jnp.ones(5)"))
    assert labels(one, WIDE) == [("both", "crash", "gradient")]


def test_roundings_of_xlas_own_that_cancellation_enlarges_are_no_finding() -> None:
    steep = custom("x", template="1000 * jax.grad(lambda x: jnp.sum(jnp.tanh(x)))({0})")
    with jax.enable_x64(True):
        one = program(steep._replace(definitions=""), point=(7.0, 6.5), dtype="float64")
        assert labels(one, Effort(second=False)) == []


def test_a_rule_may_stand_for_a_formula_with_equal_singular_values() -> None:
    """What singular values of a rotation are: the derivative by them does not exist."""
    turned = custom("x", template="jnp.linalg.pinv(jnp.linalg.svd({0}, full_matrices=False)[2])")
    one = program(turned._replace(definitions=""), point=[[-5.0, -1.0], [-1.0, -9.0]])
    assert labels(one, WIDE) == []
