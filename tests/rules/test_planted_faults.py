"""The tests of the tests: both oracles notice a wrong rule, and are silent about a right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from funcgrad import _jaxcompat as compat
from funcgrad._registry import Rule
from tests.rules.rule_agreement import eager_agreement, of_jax, of_ours, widened
from tests.rules.rule_faults import changed, operands_reached, planted, with_functions
from tests.rules.rule_numbers import generic_point, numerical_agreement
from tests.rules.rule_points import (
    EXAMPLES,
    RULES,
    Example,
    dtypes_of,
    kinds,
    main_dtype,
    main_shapes,
    point_at_kink,
    sampled,
)

p = compat.primitives


def examples_of(rule: Rule) -> list[Example]:
    """Those of its cases that hold for this JAX."""
    reached = [Example(rule, number) for number in range(len(rule.cases))]
    return [example for example in reached if str(example) in _KNOWN]


_KNOWN = {str(example) for example in EXAMPLES}


# --- the comparisons ------------------------------------------------------------------------------


def agrees_with_jax(example: Example, order: int = 1) -> bool:
    """Whether the comparison of `test_against_jax` passes, at a generic point."""
    dtype = dtypes_of(example.case)[-1]
    shapes = main_shapes(example.case)
    point = generic_point(example, kinds(example.case, shapes, dtype), seed=1)
    try:
        eager_agreement(example, point, dtype, order)
    except AssertionError:
        return False
    return True


def agrees_with_numbers(example: Example) -> bool:
    """Whether the comparison of `test_against_numbers` passes; that it concludes is required."""
    with jax.enable_x64(True):
        try:
            return numerical_agreement(example, seed=1, eager=True) is not None
        except AssertionError:
            return False


def agrees_at_kinks(example: Example) -> bool:
    """Whether the comparison of `test_against_jax` at kinks passes."""
    assert example.case.kinks
    dtype = main_dtype(example.case)
    points = [point_at_kink(example, kink, dtype) for kink in example.case.kinks]
    pairs = [(of_ours(example, 1, point), of_jax(example, 1, point)) for point in points]
    return all(
        np.array_equal(widened(a), widened(b))
        for ours, jaxs in pairs
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(jaxs), strict=True)
    )


# --- every operand of every rule ------------------------------------------------------------------


# Where JAX has no derivative to compare with, the numerical oracle decides instead.
WITH_CASES = [
    rule
    for rule in RULES
    if any(e.case.order > 0 and "constant" not in e.case.note for e in examples_of(rule))
    and sampled(rule.primitive.name, 4)
]


def _name(value: Any) -> str:
    return str(getattr(value, "primitive", value))


@pytest.mark.parametrize("rule", WITH_CASES, ids=_name)
def test_the_cases_notice_a_wrong_sign_at_every_operand(rule: Rule) -> None:
    """A rule whose own cases would not notice is a rule that nothing checks."""
    comparable = [example for example in examples_of(rule) if example.case.order > 0]
    operands = operands_reached(rule, lambda: [agrees_with_jax(e) for e in comparable])
    assert operands
    for operand in operands:
        with planted(changed(rule, operand, lambda ct: -ct)):
            assert not all(agrees_with_jax(example) for example in comparable), operand


# --- faults of every kind -------------------------------------------------------------------------


class Fault(NamedTuple):
    """A wrong rule, and which comparisons notice it."""

    kind: str
    rule: Rule
    numbers: bool = True
    order: int = 1

    def __str__(self) -> str:
        return f"{self.kind}-{self.rule.primitive}"


def _rule(primitive: Any) -> Rule:
    return next(rule for rule in RULES if rule.primitive is primitive)


def _replaced(primitive: Any, *functions: Callable[..., Any] | None) -> Rule:
    wrong = {i: function for i, function in enumerate(functions) if function is not None}
    return with_functions(_rule(primitive), wrong)


def _first_slice(ct: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """In the place of a sum over the axes that a broadcast added or stretched."""
    if ct.size == 0:
        return jnp.zeros(shape, ct.dtype)
    added = [i for i in range(ct.ndim) if i not in axes]
    for axis in reversed(added):
        ct = lax.index_in_dim(ct, 0, axis, keepdims=False)
    return lax.slice(ct, (0,) * len(shape), shape)


FAULTS = [
    Fault("wrong sign", _replaced(p.cos_p, lambda ct, _y, x: ct * lax.sin(x))),
    Fault("wrong scale", _replaced(p.square_p, lambda ct, _y, x: ct * x)),
    Fault("slightly wrong scale", changed(_rule(p.tanh_p), 0, lambda ct: ct * 1.001)),
    Fault("wrong operand", _replaced(p.mul_p, lambda ct, _y, a, _b: ct * a)),
    Fault("wrong operand", _replaced(p.div_p, None, lambda ct, y, a, b: -ct * y / a + 0 * b)),
    Fault("dropped argument", changed(_rule(p.dot_general_p), 1, jnp.zeros_like)),
    Fault("dropped argument", changed(_rule(p.concatenate_p), 1, jnp.zeros_like)),
    Fault(
        "transposed axes",
        _replaced(p.transpose_p, lambda ct, _y, x, *, permutation: lax.reshape(
            lax.transpose(ct, permutation), x.shape)),
    ),
    Fault(
        "missing reduction",
        _replaced(p.broadcast_in_dim_p, lambda ct, _y, x, *, broadcast_dimensions: _first_slice(
            ct, broadcast_dimensions, x.shape)),
    ),
    Fault("missing conjugate", changed(_rule(p.conj_p), 0, jnp.conj)),
    Fault(
        "missing conjugate",
        _replaced(p.abs_p, lambda ct, _y, x: lax.convert_element_type(ct, x.dtype) * lax.sign(x)),
    ),
    Fault("not a number", changed(_rule(p.exp_p), 0, lambda ct: ct * jnp.nan)),
    Fault("infinite", changed(_rule(p.log_p), 0, lambda ct: ct / 0)),
    Fault(
        "not differentiable again",
        _replaced(p.sin_p, lambda ct, _y, x: ct * lax.stop_gradient(lax.cos(x))),
        numbers=False,
        order=2,
    ),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_noticed_in_comparison_with_jax(fault: Fault) -> None:
    examples = examples_of(fault.rule)
    assert all(agrees_with_jax(example, fault.order) for example in examples)
    with planted(fault.rule):
        assert not all(agrees_with_jax(example, fault.order) for example in examples)
    assert all(agrees_with_jax(example, fault.order) for example in examples)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.numbers], ids=str)
def test_a_fault_is_noticed_in_comparison_with_numbers(fault: Fault) -> None:
    examples = examples_of(fault.rule)
    assert all(agrees_with_numbers(example) for example in examples)
    with planted(fault.rule):
        assert not all(agrees_with_numbers(example) for example in examples)
    assert all(agrees_with_numbers(example) for example in examples)


TIES = [
    _replaced(p.max_p, lambda ct, _y, a, b: jnp.where(a >= b, ct, jnp.zeros_like(ct))),
    _replaced(p.min_p, lambda ct, _y, a, b: jnp.where(a < b, ct, jnp.zeros_like(ct))),
    _replaced(p.abs_p, lambda ct, _y, x: ct * lax.sign(x)),
    _replaced(p.reduce_max_p, lambda ct, y, x, *, axes: jnp.where(
        x == lax.expand_dims(y, axes), lax.expand_dims(ct, axes), jnp.zeros_like(x))),
]  # fmt: skip


@pytest.mark.parametrize("wrong", TIES, ids=_name)
def test_a_wrong_tie_is_noticed_at_the_kinks_and_only_there(wrong: Rule) -> None:
    examples = [example for example in examples_of(wrong) if example.case.kinks]
    assert all(agrees_at_kinks(example) for example in examples)
    with planted(wrong):
        assert not all(agrees_at_kinks(example) for example in examples)
        assert all(
            agrees_with_numbers(example) for example in examples if example.case.dtypes == "f"
        )
    assert all(agrees_at_kinks(example) for example in examples)
