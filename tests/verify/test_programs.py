"""The programs under comparison, and that the reference owes nothing to JAX's differentiation."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from funcgrad.verify import _programs
from funcgrad.verify._problem import pose
from funcgrad.verify._programs import (
    FORWARD,
    GRADIENT,
    SECOND,
    VALUE,
    equations,
    not_offered,
    reference,
    trace_derivatives,
    trace_value,
    value_only,
)
from funcgrad.verify._programs import tested as under_test  # pytest collects tested
from funcgrad.verify._rounding import MOVES
from tests import test_independence as independence
from tests.verify.planting import X, callback_sine, jvp_rule, reverse_off, sine, vjp_rule

W = np.array([1.0, -0.5, 0.25])
C = np.array([2.0, 1.0, -1.0])


def ran(program: Any) -> dict[str, Any]:
    with jax.enable_x64(True):
        wide = [jnp.asarray(a, jnp.float64) for a in (X, C, W)]
        return program(jnp.zeros(MOVES), *([a] for a in wide))  # type: ignore[no-any-return]


def derivatives(fun: Any, order: int = 2) -> Any:
    return trace_derivatives(pose(fun, (X,), {}, None), [jnp.asarray(C, jnp.float32)], order)


def test_the_reference_has_the_known_derivatives_and_ignores_rules() -> None:
    wrong = reverse_off(3.0)
    found = ran(reference(trace_value(pose(wrong, (X,), {}, None)), 2))
    x = np.asarray(X, np.float64)
    expected = {
        VALUE: np.sin(x), GRADIENT: C * np.cos(x), FORWARD: W * np.cos(x),
        SECOND: -W * C * np.sin(x),
    }  # fmt: skip
    assert set(found) == set(expected)
    for part, wanted in expected.items():
        np.testing.assert_allclose(found[part][0], wanted, rtol=1e-14)


def test_order_one_leaves_the_second_derivative_out() -> None:
    closed = trace_value(pose(sine, (X,), {}, None))
    assert set(ran(reference(closed, 1))) == {VALUE, GRADIENT, FORWARD}
    assert set(ran(value_only(closed))) == {VALUE}
    assert set(derivatives(sine, 1).parts) == {GRADIENT, FORWARD}


def test_what_is_tested_is_the_rule() -> None:
    factor = 1 + 2.0**-10
    found = ran(under_test(derivatives(reverse_off(factor))))
    x = np.asarray(X, np.float64)
    np.testing.assert_allclose(found[GRADIENT][0], factor * C * np.cos(x), rtol=1e-14)
    np.testing.assert_allclose(found[SECOND][0], -factor * W * C * np.sin(x), rtol=1e-14)
    assert FORWARD not in found
    np.testing.assert_allclose(found[VALUE][0], np.sin(x), rtol=1e-14)


def test_a_forward_rule_is_tested_in_all_parts() -> None:
    found = ran(under_test(derivatives(jvp_rule(sine, lambda x, t: 2 * t * jnp.cos(x)))))
    x = np.asarray(X, np.float64)
    np.testing.assert_allclose(found[FORWARD][0], 2 * W * np.cos(x), rtol=1e-14)
    np.testing.assert_allclose(found[GRADIENT][0], 2 * C * np.cos(x), rtol=1e-14)
    np.testing.assert_allclose(found["value, forward"][0], np.sin(x), rtol=1e-14)


def test_a_foreign_gradient_is_scaled_by_the_cotangent() -> None:
    problem = pose(lambda x: jnp.sum(x * x), (X,), {}, lambda x: 2 * x)
    traced = trace_derivatives(problem, [jnp.float32(1)], 2)
    with jax.enable_x64(True):
        found = under_test(traced)(
            jnp.zeros(MOVES), *([a] for a in (jnp.asarray(X, jnp.float64), jnp.asarray(3.0), X))
        )
    assert set(traced.parts) == {GRADIENT}
    np.testing.assert_allclose(found[GRADIENT][0], 6 * np.asarray(X))


# --- what cannot be traced ------------------------------------------------------------------------


def test_a_while_loop_has_a_forward_derivative_only() -> None:
    def halve(x: Any) -> Any:
        return lax.while_loop(lambda c: jnp.max(c) > 0.25, lambda c: 0.5 * c, x)

    traced = derivatives(halve)
    assert set(traced.parts) == {FORWARD}
    assert traced.unavailable == {GRADIENT: "JAX cannot reverse a while_loop"}
    assert not traced.failures


def test_a_reverse_rule_has_no_forward_derivative() -> None:
    traced = derivatives(reverse_off(1.0))
    assert traced.unavailable == {FORWARD: "a custom_vjp has no forward mode"}
    assert set(traced.parts) == {GRADIENT, SECOND}


def test_a_callback_has_none() -> None:
    traced = derivatives(callback_sine)
    assert not traced.parts
    assert set(traced.unavailable.values()) == {"a callback has no derivative of its own"}


def test_a_rule_that_raises_is_a_failure() -> None:
    def broken(_args: Any, _ct: Any) -> Any:
        raise KeyError("gone")

    traced = derivatives(vjp_rule(sine, broken))
    assert isinstance(traced.failures[GRADIENT], KeyError)
    assert not traced.parts


def test_a_leaked_tracer_is_a_failure() -> None:
    kept: list[Any] = []

    def backward(args: Any, ct: Any) -> Any:
        kept.extend(args)
        return (ct * jnp.cos(kept[0]),)

    failures = derivatives(vjp_rule(sine, backward)).failures
    assert failures
    with pytest.raises(Exception, match=r"traced value of an earlier call|tracer"):
        raise next(iter(failures.values()))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("Reverse-mode differentiation does not work for ..."), "while_loop"),
        (TypeError("can't apply forward-mode differentiation (jvp)"), "no forward mode"),
        (ValueError("Pure callbacks do not support JVP."), "callback"),
        (NotImplementedError("Differentiation rule for 'x' not implemented\nmore"), "rule for 'x'"),
    ],
)
def test_why_jax_offers_none(error: Exception, reason: str) -> None:
    assert reason in not_offered(error)
    assert "\n" not in not_offered(error)


def test_another_error_is_the_rule_s_own() -> None:
    assert not not_offered(ValueError("operands could not be broadcast"))


def test_equations_of_programs_inside_are_found() -> None:
    def nested(x: Any) -> Any:
        return lax.cond(x[0] > 0, jax.jit(jnp.tanh), lambda v: lax.map(jnp.cos, v), x)

    names = {e.primitive.name for e in equations(jax.make_jaxpr(nested)(X))}
    assert {"cond", "tanh", "scan", "cos"} <= names


# --- independence ---------------------------------------------------------------------------------

# Where the checker calls JAX's differentiation, and why: it is what is under test there.
UNDER_TEST = {
    "_native.py": "the user's eager run",
    "_optimizer_course.py": "the gradients that an optimiser is fed",
    "_optimizer_notes.py": "likewise",
    "_programs.py": "the derivative under test; the reference beside it is funcgrad's",
    "_variants.py": "the derivative under vmap and scan",
}


def test_only_these_modules_call_jax_s_differentiation() -> None:
    sources = Path(str(_programs.__file__)).parent.glob("*.py")
    found = {path.name for path in sources if independence.offences(path.read_text())}
    assert found == set(UNDER_TEST)


def test_in_the_programs_only_the_tested_side_does() -> None:
    tree = ast.parse(Path(str(_programs.__file__)).read_text())
    calling = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and re.search(r"\bjax\.(vjp|jvp|grad|linearize)\b", ast.unparse(node))
    }
    assert calling == {"trace_derivatives", "pulled", "_second"}


def test_the_reference_runs_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fun(x: Any) -> Any:
        return jnp.sum(jax.nn.softplus(x) * reverse_off(1.0)(x))

    closed = trace_value(pose(fun, (X,), {}, None))
    with jax.enable_x64(True):
        x = jnp.asarray(X, jnp.float64)
        expected = jax.grad(lambda x: jnp.sum(jax.nn.softplus(x) * jnp.sin(x)))(x)
    for name in independence.DIFFERENTIATION:
        if hasattr(jax, name):
            monkeypatch.setattr(jax, name, independence.refuse)
    for table in independence.tables():
        for primitive in list(table):
            monkeypatch.delitem(table, primitive)
    with jax.enable_x64(True):
        one = jnp.asarray(1.0, jnp.float64)
        found = reference(closed, 2)(jnp.zeros(MOVES), [x], [one], [x])
    np.testing.assert_allclose(found[GRADIENT][0], expected, rtol=1e-13)
    with pytest.raises(independence.CalledError):
        raise derivatives(sine, 1).failures[GRADIENT]
