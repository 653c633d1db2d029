"""Recording: Python control flow, what a tape keeps, and primitives without a rule."""

import inspect
import os
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad import _jaxcompat as compat
from funcgrad._errors import MissingRuleError, UnknownParameterError
from funcgrad._tape import Options, check_tape
from funcgrad._trace import record
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)


# --- control flow ---------------------------------------------------------------------------------


def branching(x: Any) -> Any:
    if x > 1:
        return x * x
    return jnp.sin(x) if x > 0 else -x


def looping(x: Any) -> Any:
    while x < 50:
        x = x * x + 1.5
    return x


def counting(x: Any) -> Any:
    total = x
    for _ in range(int(x)):
        total = total * x
    return total


def recursive(x: Any) -> Any:
    return x if x > 10 else recursive(x * 1.7)


@pytest.mark.parametrize("fun", [branching, looping, counting, recursive])
@pytest.mark.parametrize("point", [0.5, 1.5, 2.5, np.float32(3.5)])
def test_python_control_flow_on_values(fun: Callable[[Any], Any], point: Any) -> None:
    assert_same(funcgrad.value_and_grad(fun)(point), jax.value_and_grad(fun)(point))


def test_what_can_be_read_of_a_traced_value_is_what_jax_lets_read() -> None:
    def reading(module: Any) -> list[Any]:
        seen: list[Any] = []

        def fun(x: Any) -> Any:
            seen.extend([bool(x[0] > 0), x[2].item(), int(x[2]), x.shape, len(x), 0.5 in x])
            for forbidden in (float, np.asarray, hash):
                with pytest.raises(TypeError):
                    forbidden(x[0])
            return x[0]

        module.grad(fun)(X)
        return seen

    assert reading(funcgrad) == reading(jax) == [True, float(X[2]), 1, (3,), 3, False]


def test_a_tracer_says_what_it_is() -> None:
    seen: list[str] = []

    def fun(x: Any) -> Any:
        seen.append(repr(x))
        return x

    funcgrad.grad(fun)(np.float32(2))
    assert seen == ["TapeTracer<float32[], slot %0, value 2.0>"]


def test_a_condition_on_a_value_inside_jit_is_the_error_of_jax() -> None:
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(funcgrad.grad(branching))(1.5)
    assert_same(funcgrad.grad(branching)(1.5), jax.grad(branching)(1.5))


def test_only_what_depends_on_an_input_is_recorded() -> None:
    tape = funcgrad.tape(lambda x: jnp.sum(jnp.sin(X)) * x + lax.exp(np.float32(1)), np.float32(2))
    assert [step.primitive.name for step in tape] == ["mul", "add"]


# --- recording directly ---------------------------------------------------------------------------


def test_some_inputs_are_chosen() -> None:
    results, tape = record(lambda x, y: [x * y, y], [X, X], differentiate=[True, False])
    assert tape.inputs == (0, None)
    assert tape.outputs == (1, None)
    np.testing.assert_array_equal(results[0], X * X)
    check_tape(tape)


def test_without_keep_values_only_what_a_pullback_reads_is_kept() -> None:
    _, tape = record(lambda x: [jnp.sin(x) + jnp.tanh(x)], [X])
    assert [step.primitive.name for step in tape] == ["sin", "tanh", "add"]
    kept = [
        tuple(not isinstance(value, compat.Aval) for value in (*step.operands, *step.outputs))
        for step in tape
    ]
    assert kept == [(True, False), (False, True), (False, False, False)]
    _, whole = record(lambda x: [jnp.sin(x)], [X], options=Options(keep_values=True))
    np.testing.assert_array_equal(whole.steps[0].outputs[0], jnp.sin(X))


# --- primitives without a rule --------------------------------------------------------------------


def nameless() -> Any:
    """A new primitive that has no rule."""
    primitive = compat.Primitive("nameless")
    primitive.def_impl(lambda x, **_: x * 2)
    primitive.def_abstract_eval(lambda x, **_: x)
    return primitive


def test_a_missing_rule_names_the_primitive_the_line_and_the_ways_out() -> None:
    primitive = nameless()

    def fun(x: Any) -> Any:
        return primitive.bind(jnp.sin(x))

    line = inspect.getsourcelines(fun)[1] + 1
    message = (
        rf"primitive `nameless` has none, applied to \(float32\[3\]\) at \S*test_trace\.py:{line}; "
        r"register one with funcgrad\.register_vjp, or cut the value before it with "
        r"funcgrad\.detach if no gradient shall flow"
    )
    with pytest.raises(MissingRuleError, match=message) as caught:
        funcgrad.vjp(fun, X)
    assert isinstance(caught.value, NotImplementedError)  # as in JAX
    with pytest.raises(NotImplementedError, match="nameless"):
        jax.vjp(fun, X)


def test_a_program_of_jax_s_own_is_named_by_the_line_that_called_it() -> None:
    pretended = os.path.join(os.path.dirname(jax.__file__), "pretended.py")
    names: dict[str, Any] = {"jax": jax, "primitive": nameless()}
    exec(compile("inner = jax.jit(lambda x: primitive.bind(x))", pretended, "exec"), names)

    def fun(x: Any) -> Any:
        return names["inner"](x)

    line = inspect.getsourcelines(fun)[1] + 1
    with pytest.raises(MissingRuleError, match=rf"`nameless` .* at \S*test_trace\.py:{line};"):
        funcgrad.vjp(fun, X)


def test_both_ways_out_work() -> None:
    primitive = nameless()
    cut = funcgrad.grad(lambda x: jnp.sum(primitive.bind(funcgrad.detach(x)) * x))(X)
    np.testing.assert_array_equal(cut, 2 * X)
    assert float(funcgrad.grad(lambda x: (primitive.bind(X), x)[1])(2.0)) == 1


def test_a_missing_operand_is_named() -> None:
    def fun(m: Any) -> Any:
        return lax.polygamma(m, np.float32(2))

    with pytest.raises(MissingRuleError, match="`polygamma` has none for its operand 0"):
        funcgrad.grad(fun)(np.float32(1))
    with pytest.raises(ValueError, match="polygamma gradient with respect to m"):
        jax.grad(fun)(np.float32(1))


def test_an_unknown_parameter_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funcgrad._registry._RULES", dict(funcgrad._registry._RULES))
    primitive = nameless()
    funcgrad.register_vjp(primitive, lambda ct, _y, _x: 2 * ct)
    assert_same(funcgrad.grad(lambda x: jnp.sum(primitive.bind(x)))(X), jnp.full_like(X, 2))
    message = re.escape(
        "primitive `nameless` came with the parameter mode='new', which its rule at"
    )
    with pytest.raises(UnknownParameterError, match=message):
        funcgrad.grad(lambda x: jnp.sum(primitive.bind(x, mode="new")))(X)
