"""`check` of gradients over eight devices; run by `test_devices.py` in a process that has them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad.parallel import check_collectives
from funcgrad.verify import Report
from tests.parallel import on_eight_devices_gradients as programs
from tests.parallel.on_eight_devices_gradients import (
    MESHES,
    Body,
    P,
    Setting,
    loss,
    made_setting,
    mean,
    mean_loss,
    own,
    times,
    total,
)
from tests.rules import mapped_programs

__all__ = ["made_setting"]  # a fixture

WIDE = "the primal body in 64 bits"
NARROW = "in the function's own precision only"
each_typing = pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
each_kind = pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
automatic = pytest.mark.parametrize("explicit", [False])
two_axes = pytest.mark.parametrize("setting", MESHES[1:], ids=str, indirect=True)


def examined(setting: Setting, body: Body, **options: Any) -> Report:
    gradient = jax.jit(setting.mapped(body))
    return funcgrad.check(loss, *setting.placed(), gradient=gradient, **options)


def messages(report: Report) -> str:
    return "\n".join(finding.message for finding in report.findings)


def assert_right(report: Report, witness: str = WIDE) -> None:
    assert report.verdict == "right", str(report)
    assert all(finding.verdict == "right" for finding in report.findings), str(report)
    assert any(words.startswith(witness) for words in report.witnesses), str(report)


# --- what is right, and the classic mistakes ------------------------------------------------------


def assert_right_programs_pass(setting: Setting, module: Any, *names: str) -> None:
    typed = programs.right_if_typed if setting.typed else programs.right_if_untyped
    special = typed(module, setting.places)
    table = programs.right(module, setting.places) | special
    for name in (*names, next(iter(special))):
        assert_right(examined(setting, table[name]))


def assert_sums_taken_twice_are_told(setting: Setting, module: Any) -> None:
    typed = programs.too_large_if_typed if setting.typed else programs.too_large_if_untyped
    name, body = next(iter(typed(module, setting.places).items()))
    report = examined(setting, body)
    assert report.verdict == "wrong", name
    for finding in report.findings[:2]:  # of both parameters
        words = f"factor {setting.places} in every entry: the size of the mesh axis 'data': was the"
        assert finding.meaning.startswith(words)
        assert "taken twice" in finding.meaning
        assert "check_vma=True" in finding.meaning
        assert finding.source.startswith("on_eight_devices_gradients.py:")
        assert finding.source.endswith("over 'data'")
    assert "usually       factor" in str(report)


@each_typing
@automatic
@pytest.mark.parametrize("module", [funcgrad, jax])
def test_right_gradients_pass(setting: Setting, module: Any) -> None:
    assert_right_programs_pass(setting, module, "of the mean, and its mean", "accumulated")


@each_typing
@automatic
@pytest.mark.parametrize("module", [funcgrad, jax])
def test_a_sum_taken_twice_is_told(setting: Setting, module: Any) -> None:
    assert_sums_taken_twice_are_told(setting, module)


@two_axes
@each_typing
@pytest.mark.parametrize("explicit", [True])
def test_on_an_explicit_mesh(setting: Setting) -> None:
    assert_right_programs_pass(setting, funcgrad, "copies, then the mean")
    assert_sums_taken_twice_are_told(setting, funcgrad)


@each_typing
@automatic
def test_a_mean_taken_twice_is_told(setting: Setting) -> None:
    def body(p: Any, x: Any, y: Any) -> Any:
        return times(1 / setting.places, mean(jax.grad(loss)(own(p), x, y)))

    report = examined(setting, body)
    words = f"factor {1 / setting.places} in every entry: 1 divided by the size of the mesh axis"
    assert report.verdict == "wrong"
    assert report.findings[0].meaning.startswith(words)
    assert not report.findings[0].source


@two_axes
@pytest.mark.parametrize("typed", [False])
@automatic
def test_the_product_of_two_axes_is_told(setting: Setting) -> None:
    def body(p: Any, x: Any, y: Any) -> Any:
        return lax.psum(jax.grad(mean_loss)(p, x, y), ("data", "model"))

    report = examined(setting, body)
    assert "factor 8 in every entry: the product of the sizes of the mesh axes 'data', 'model'" in (
        report.findings[0].meaning
    )
    assert "psum over" in report.findings[0].source


@two_axes
@each_typing
@automatic
def test_another_factor_is_no_matter_of_devices(setting: Setting) -> None:
    report = examined(setting, lambda p, x, y: times(3.0, mean(jax.grad(loss)(own(p), x, y))))
    assert report.verdict == "wrong"
    assert "mesh" not in report.findings[0].meaning
    assert not report.findings[0].source


@two_axes
@each_typing
@automatic
def test_a_factor_over_spread_arguments_alone(setting: Setting) -> None:
    """Without a map in the program, the devices are those on which the arguments lie."""
    gradient = jax.jit(lambda p, x, y: times(4.0, jax.grad(loss)(p, x, y)))
    report = funcgrad.check(loss, *setting.placed(), gradient=gradient)
    assert report.findings[0].meaning.startswith(
        "factor 4 in every entry: the size of the mesh axis 'data'"
    )
    alone = funcgrad.check(loss, programs.PARAMS, programs.X, programs.Y, gradient=gradient)
    assert "mesh" not in alone.findings[0].meaning


@two_axes
@each_typing
@pytest.mark.parametrize("explicit", [True])
def test_explicit_arguments_without_a_map(setting: Setting) -> None:
    """The older line of JAX runs no gradient there but inside of `jax.set_mesh`."""
    report = funcgrad.check(loss, *setting.placed())
    hints = [finding.meaning for finding in report.findings if finding.verdict == "inconclusive"]
    assert report.verdict == ("inconclusive" if hints else "right")
    assert all("with jax.set_mesh(mesh)" in hint for hint in hints)
    with jax.set_mesh(setting.mesh):
        assert_right(funcgrad.check(loss, *setting.placed()))


# --- sums that are told from the program alone ----------------------------------------------------

COLLECTIVES = mapped_programs.BODIES | mapped_programs.SHARDED


@pytest.mark.parametrize("body", COLLECTIVES.values(), ids=COLLECTIVES)
@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
def test_no_collective_is_mistaken_for_a_repeated_sum(body: Any, typed: bool) -> None:
    point = mapped_programs.X, mapped_programs.W
    run = mapped_programs.mapped(body, typed)
    assert check_collectives(run, *point) == ()
    for module in (funcgrad, jax):
        assert check_collectives(mapped_programs.gradients(module, run, 1), *point) == ()


# --- other programs -------------------------------------------------------------------------------


@two_axes
@each_typing
@each_kind
def test_gradients_through_a_map_pass(setting: Setting) -> None:
    gradient = jax.jit(funcgrad.grad(setting.mapped(mean_loss), (0, 1, 2)))
    assert_right(funcgrad.check(loss, *setting.placed(), gradient=gradient))
    whole = jax.jit(setting.mapped(mean_loss))
    assert_right(funcgrad.check(whole, *setting.placed()))
    if setting.typed:
        doubled = jax.jit(setting.mapped(programs.total_loss))
        wrong = funcgrad.check(doubled, *setting.placed(), gradient=gradient)
        assert wrong.findings[0].meaning.startswith("factor 0.25 in every entry: 1 divided by the")


@two_axes
@each_typing
@automatic
def test_a_gradient_that_is_not_jitted_passes(setting: Setting) -> None:
    gradient = setting.mapped(lambda p, x, y: mean(jax.grad(loss)(own(p), x, y)))
    assert_right(funcgrad.check(loss, *setting.placed(), gradient=gradient, points="given"))


def slope_of_square(x: Any, ct: Any) -> tuple[Any]:
    return (x * ct,)


def square(x: Any) -> Any:
    return x * x


half_square: Any = jax.custom_vjp(square)  # whose rule lacks a factor 2
half_square.defvjp(lambda x: (x * x, x), slope_of_square)


@two_axes
@each_typing
@automatic
def test_a_wrong_rule_inside_a_map_is_found(setting: Setting) -> None:
    def squares(rule: Any) -> Any:
        def body(p: Any, x: Any, y: Any) -> Any:
            return mean(jnp.mean(rule(x @ p["w"] + p["b"] - y)))

        return jax.jit(setting.mapped(body))

    report = funcgrad.check(squares(half_square), *setting.placed())
    assert report.verdict == "wrong"
    assert "slope_of_square" in report.findings[0].source
    assert_right(funcgrad.check(squares(square), *setting.placed()))


def map_in_a_map(setting: Setting) -> Any:
    """The mean loss, over `model` in a map of its own."""

    def inner(p: Any, x: Any, y: Any) -> Any:
        over_model: Any = jax.shard_map(
            lambda p, x, y: lax.pmean(loss(p, x, y), "model"),
            in_specs=(P(), P("model"), P("model")), out_specs=P(), axis_names={"model"},
            check_vma=setting.typed,
        )  # fmt: skip
        return mean(over_model(p, x, y))

    return jax.shard_map(
        inner, mesh=setting.mesh, in_specs=(P(), P("data"), P("data")), out_specs=P(),
        axis_names={"data"}, check_vma=setting.typed,
    )  # fmt: skip


@two_axes
@each_typing
@automatic
def test_a_map_in_a_map_passes(setting: Setting) -> None:
    """JAX's own gradient of it cannot be compiled where axes are typed."""
    p, x, y = programs.PARAMS, programs.X, programs.Y
    gradient = jax.jit(funcgrad.grad(map_in_a_map(setting)))
    assert_right(funcgrad.check(loss, p, x, y, gradient=gradient))


@two_axes
@each_typing
@each_kind
def test_within_a_mesh_that_is_set(setting: Setting) -> None:
    """An Explicit mesh around leaves no 64-bit form; the numerical derivative judges."""
    witness = "numerical derivatives" if setting.mesh.axis_types[0].name == "Explicit" else WIDE
    with jax.set_mesh(setting.mesh):
        right = examined(setting, lambda p, x, y: mean(jax.grad(loss)(own(p), x, y)))
        wrong = examined(setting, lambda p, x, y: total(jax.grad(mean_loss)(p, x, y)))
    assert_right(right, witness)
    assert (NARROW in messages(right)) == (witness != WIDE)
    assert wrong.verdict == "wrong"
    assert "the size of the mesh axis 'data'" in wrong.findings[0].meaning
    assert wrong.findings[0].source


@two_axes
@each_typing
@automatic
def test_what_leaves_the_program_is_judged_by_numbers(setting: Setting) -> None:
    def body(p: Any, x: Any, y: Any) -> Any:
        scale = jax.pure_callback(np.ones_like, jax.ShapeDtypeStruct((), x.dtype), np.float32(1))
        return mean(jax.tree.map(lambda g: g * scale, jax.grad(loss)(own(p), x, y)))

    report = examined(setting, body)
    assert report.verdict == "right", str(report)
    assert NARROW in messages(report)
