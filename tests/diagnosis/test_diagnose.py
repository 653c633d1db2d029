"""What a diagnosis says beyond the library of cases: form, loops, cached programs, notes."""

from __future__ import annotations

import inspect
import json
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from funcgrad._diagnosis import Diagnosis, Finding, diagnose
from funcgrad._errors import GradientTypeError, GradientValueError
from tests.diagnosis.cases import CASES, culprit_line


def trap(x: Any) -> Any:
    return jnp.sum(jnp.where(x > 0, jnp.log(x), 0.0))


ZERO_ONE = jnp.array([0.0, 1.0])


# --- form -----------------------------------------------------------------------------------------


def test_the_report_shows_the_line_and_the_numbers() -> None:
    text = str(diagnose(trap, ZERO_ONE))
    for part in (
        "NaN appears in `log`, backward",
        "return jnp.sum(jnp.where(x > 0, jnp.log(x), 0.0))",
        "incoming cotangent: f32[2], 0 to 1, 1 of 2 zero",
        "local partial: f32[2], 1 to 1, 1 of 2 not finite",
        "reaches: x",
        "tried: every gradient is",
    ):
        assert part in text


@pytest.mark.parametrize("case", CASES[::4], ids=lambda case: case.name)
def test_the_report_is_plain_text_in_80_columns(case: Any) -> None:
    text = str(diagnose(case.function, *case.args))
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80


def test_json_holds_the_findings_and_survives_non_finite_norms() -> None:
    data = json.loads(diagnose(trap, ZERO_ONE).to_json())
    assert data["ok"] is False
    assert data["norms"] == {"x": "nan"}
    assert data["findings"][0]["primitive"] == "log"


def test_a_diagnosis_is_true_when_something_was_found_and_cannot_be_changed() -> None:
    found = diagnose(trap, ZERO_ONE)
    assert bool(found)
    assert not found.ok
    assert not diagnose(trap, ZERO_ONE + 1)
    with pytest.raises(AttributeError):
        found.function = "g"  # type: ignore[misc]  # which is what is tested
    assert isinstance(found, Diagnosis)
    assert isinstance(found.findings[0], Finding)
    assert "log" in repr(found)


def test_an_argument_that_is_no_array_is_named() -> None:
    with pytest.raises(GradientTypeError, match="diagnose: the input leaf"):
        diagnose(lambda x, _name: x, 1.0, "name")


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(GradientTypeError, match="diagnose takes a function first"):
        diagnose(3, 1.0)  # type: ignore[arg-type]  # which is what is tested


@pytest.mark.parametrize("around", [jax.jit, jax.vmap])
def test_it_is_refused_inside_a_transformation(around: Any) -> None:
    with pytest.raises(GradientValueError, match="diagnose of `sqrt` was asked for inside jit"):
        around(lambda x: diagnose(jnp.sqrt, x).ok)(ZERO_ONE)
    with pytest.raises(GradientValueError, match="was asked for inside jit"):
        around(lambda x: diagnose(lambda y: y * x, 1.0).ok)(ZERO_ONE)


def test_strong_zeros_confirms_the_remedy() -> None:
    assert not diagnose(trap, ZERO_ONE).ok
    assert diagnose(trap, ZERO_ONE, strong_zeros=True).ok


def test_operands_are_numbered_where_there_are_several() -> None:
    found = diagnose(lambda x, y: jnp.where(y > 0, x / y, 0.0), 1.0, 0.0)
    names = [name for name, _ in found.findings[0].numbers]
    assert len(set(names)) == len(names)
    assert {"local partial by operand 0", "cotangent of operand 1"} <= set(names)


def test_each_of_two_findings_names_the_inputs_that_it_reaches() -> None:
    log, sqrt = diagnose(lambda x, y: jnp.sqrt(x) + jnp.log(y), 0.0, 0.0).findings
    assert (log.primitive, log.leaves) == ("log", ("y",))
    assert (sqrt.primitive, sqrt.leaves) == ("sqrt", ("x",))


def test_a_value_that_spoils_the_gradient_of_another_factor_reaches_it() -> None:
    finding = diagnose(lambda x, y: x * jnp.log(y), 1.0, 0.0).findings[0]
    assert finding.leaves == ("x", "y")


# --- places ---------------------------------------------------------------------------------------


@jax.jit
def root(x: Any) -> Any:
    return jnp.sqrt(x)  # culprit


def test_a_body_shared_by_two_calls_is_blamed_at_its_own_line() -> None:
    finding = diagnose(lambda x: root(x + 1) + root(x), 0.0).findings[0]
    assert finding.source == f"test_diagnose.py:{culprit_line(inspect.unwrap(root))}"


def test_a_program_cached_while_a_rule_was_staged_is_blamed_at_the_present_call() -> None:
    jax.clear_caches()

    @jax.custom_vjp
    def sine(x: Any) -> Any:
        return jnp.sin(x)

    sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),))
    x = jnp.full(3, 300.0, jnp.float16)
    _, pullback = jax.vjp(sine, x)  # newer versions of JAX trace the multiplication here
    pullback(x)

    def overflowing(x: Any) -> Any:
        return jnp.sum(x * x)  # culprit

    finding = diagnose(overflowing, x).findings[0]
    assert finding.source == f"test_diagnose.py:{culprit_line(overflowing)}"


def test_a_cached_library_program_is_blamed_at_the_present_call() -> None:
    def second(x: Any) -> Any:
        early = jnp.linalg.norm(x + jnp.ones(2))
        return early + jnp.linalg.norm(x * jnp.ones(2))  # culprit

    finding = diagnose(second, 0.0).findings[0]
    assert (finding.primitive, finding.source) == (
        "sqrt",
        f"test_diagnose.py:{culprit_line(second)}",
    )


def test_the_function_inside_map_is_blamed_and_not_the_map() -> None:
    def mapped(x: Any) -> Any:
        def each(t: Any) -> Any:
            return jnp.log(t)  # culprit

        return jnp.sum(lax.map(each, x))

    finding = diagnose(mapped, ZERO_ONE).findings[0]
    assert finding.source == f"test_diagnose.py:{culprit_line(mapped)}"
    assert finding.inside == ("scan, iteration 1 of 2",)


@jax.custom_vjp
def doubled(x: Any) -> Any:
    return 2 * x


def doubled_backward(kept: Any, ct: Any) -> Any:
    return (ct / (kept - 1),)  # culprit


doubled.defvjp(lambda x: (2 * x, x), doubled_backward)


@jax.custom_jvp
def tripled(x: Any) -> Any:
    return 3 * x


@tripled.defjvp
def tripled_rule(primals: Any, tangents: Any) -> Any:
    return tripled(*primals), tangents[0] / (primals[0] - 1)  # culprit


@pytest.mark.parametrize("pair", [(doubled, doubled_backward), (tripled, tripled_rule)])
def test_the_line_inside_a_custom_rule_is_found(pair: Any) -> None:
    function, rule = pair
    finding = diagnose(lambda x: function(x) * 2, 1.0).findings[0]
    line = inspect.getsourcelines(rule)[1]
    assert finding.primitive == "div"
    assert int(finding.source.split(":")[1]) in {line + 1, line + 2}


# --- loops ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
def test_a_long_scan_is_narrowed_down_to_its_iteration(reverse: bool) -> None:
    def long(x: Any) -> Any:
        def body(c: Any, t: Any) -> Any:
            y = jnp.where(t != 1234.0, jnp.sqrt(c * (t - 1234) ** 2), 0.0)
            return c * 0.9999 + 0.01, y

        return jnp.sum(lax.scan(body, x, jnp.arange(3000.0), reverse=reverse)[1])

    finding = diagnose(long, 1.0).findings[0]
    assert finding.primitive == "sqrt"
    assert finding.inside == ("scan, iteration 1235 of 3000",)


def test_a_long_while_loop_is_narrowed_down_too() -> None:
    def long(x: Any) -> Any:
        return lax.while_loop(
            lambda s: s[0] < 3000, lambda s: (s[0] + 1, s[1] + jnp.sqrt(2000.0 - s[0])), (0, x)
        )[1]

    finding = diagnose(long, 1.0).findings[0]
    assert finding.primitive == "sqrt"
    assert finding.inside == ("while_loop, iteration 2002 of 3000",)


def test_a_loop_without_iterations_is_no_trouble() -> None:
    found = diagnose(lambda x: lax.fori_loop(0, 0, lambda _, y: y, x) + jnp.sqrt(x), 0.0)
    assert found.findings[0].primitive == "sqrt"


# --- other paths of the trace ---------------------------------------------------------------------


def test_a_mutable_reference_is_followed() -> None:
    def kept(x: Any) -> Any:
        cell = jax.new_ref(jnp.zeros(2))
        cell[...] = jnp.sqrt(x)  # culprit
        return jnp.sum(cell[...])

    finding = diagnose(kept, jnp.zeros(2)).findings[0]
    assert finding.primitive == "sqrt"
    assert finding.source == f"test_diagnose.py:{culprit_line(kept)}"


def test_a_shard_map_is_one_operation_of_the_flow() -> None:
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("i")
    mapped: Any = jax.shard_map(lambda x: x * 2, mesh=mesh, in_specs=spec, out_specs=spec)
    finding = diagnose(lambda x: jnp.sum(mapped(jnp.sqrt(x))), jnp.zeros(2)).findings[0]
    assert (finding.primitive, finding.phase) == ("sqrt", "backward")


# --- zero gradients -------------------------------------------------------------------------------


def test_a_loop_whose_length_alone_depends_on_the_input_is_told() -> None:
    def counted(x: Any) -> Any:
        return lax.while_loop(lambda s: s < x, lambda s: s + 1.0, 0.0)

    finding = diagnose(counted, 2.0).findings[0]
    assert (finding.kind, finding.primitive) == ("missing", "lt")


def test_an_unused_input_is_a_note_and_no_finding() -> None:
    found = diagnose(lambda p: p["w"] * 2, {"w": 1.0, "spare": 1.0})
    assert found.ok
    assert found.notes[0].leaves == ("p['spare']",)
    assert "note: p['spare']" in str(found)


def test_two_layers_that_both_start_at_zero_are_told() -> None:
    def loss(p: Any) -> Any:
        return jnp.sum((jnp.ones(3) @ p["a"] @ p["b"] - 1.0) ** 2)

    found = diagnose(loss, {"a": jnp.zeros((3, 2)), "b": jnp.zeros((2, 2))})
    assert "both factors" in found.findings[0].suggestion
    assert diagnose(loss, {"a": jnp.ones((3, 2)), "b": jnp.zeros((2, 2))}).ok


def test_an_underflow_is_told_as_vanishing() -> None:
    def deep(x: Any) -> Any:
        for _ in range(100):
            x = jax.nn.sigmoid(x)
        return x

    assert {finding.kind for finding in diagnose(deep, 1.0).findings} == {"vanishing"}


def test_an_auxiliary_output_is_not_looked_at() -> None:
    assert diagnose(lambda x: (x * 2, jnp.log(x * 0)), 1.0, has_aux=True).ok
    assert not diagnose(lambda x: (x * 2, jnp.log(x * 0)), 1.0).ok


def test_a_custom_rule_that_calls_its_own_function_on_tangents() -> None:
    @jax.custom_jvp
    def double(x: Any) -> Any:
        return 2 * x

    double.defjvp(lambda primals, tangents: (double(*primals), double(*tangents)))
    (finding,) = diagnose(lambda x: jnp.sqrt(double(x)), 0.0).findings
    assert (finding.kind, finding.primitive) == ("inf", "sqrt")
