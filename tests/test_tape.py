"""The tape: what it prints, which malformations its check finds, and that it is a pytree."""

import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

import funcgrad
from funcgrad import _jaxcompat as compat
from funcgrad._errors import TapeError
from funcgrad._jaxcompat import Primitive
from funcgrad._reverse import sweep
from funcgrad._tape import Step, Tape, check_tape

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)


def mixed(x: Any, n: Any) -> Any:
    y = jnp.sin(x) * (2.0 if n else 3.0)
    return y + x, jnp.sum(y, axis=0), 3.0


def test_it_prints_the_program() -> None:
    line = inspect.getsourcelines(mixed)[1] + 1
    expected = f"""\
tape(%0:f32[3], i8[]):
  %1:f32[3] = sin %0    # test_tape.py:{line}
  %2:f32[3] = mul %1 2.0    # test_tape.py:{line}
  %3:f32[3] = add %2 %0    # test_tape.py:{line + 1}
  %4:f32[] = reduce_sum[axes=(0,)] %2    # test_tape.py:{line + 1}
  return %3, %4, constant"""
    tape = funcgrad.tape(mixed, X, np.int8(2))
    assert repr(tape) == expected


def test_it_prints_types_for_values_that_it_does_not_keep() -> None:
    _, pullback = funcgrad.vjp(lambda x: x + X, X)
    assert "%1:f32[3] = add %0 f32[3]" in repr(pullback.tape)


def test_it_prints_a_call_by_its_name() -> None:
    @jax.jit
    def inner(x: Any) -> Any:
        return x * 2, jnp.argmax(x)

    text = repr(funcgrad.tape(inner, X))
    assert re.search(r"%1:f32\[3\], _:i(32|64)\[\] = jit\[name=inner\] %0    # ", text)


def test_it_is_iterated_and_measured() -> None:
    tape = funcgrad.tape(lambda x: jnp.sum(x * x), X)
    assert len(tape) == 2
    assert [step.primitive.name for step in tape] == ["mul", "reduce_sum"]
    assert tape.steps[0].needed == (True, True)


def test_it_cannot_be_changed() -> None:
    tape = funcgrad.tape(jnp.sin, X)
    with pytest.raises(AttributeError):
        tape.steps = ()  # type: ignore[misc]  # the fault under test
    with pytest.raises(AttributeError):
        tape.steps[0].reads = ()  # type: ignore[misc]  # the fault under test


# --- malformations --------------------------------------------------------------------------------


def good() -> Tape:
    return funcgrad.tape(lambda x: jnp.sum(jnp.sin(x) * x), X)


def changed(number: int, **fields: Any) -> Tape:
    """A good tape with one step changed."""
    tape = good()
    steps = list(tape.steps)
    steps[number] = steps[number]._replace(**fields)
    return Tape(tuple(steps), tape.inputs, tape.outputs, tape.input_types, tape.output_types)


def swapped() -> Tape:
    tape = good()
    first, second, third = tape.steps
    steps = (second, first, third)
    return Tape(steps, tape.inputs, tape.outputs, tape.input_types, tape.output_types)


def reaching(output: int) -> Tape:
    tape = good()
    return Tape(tape.steps, tape.inputs, (output,), tape.input_types, tape.output_types)


def test_a_good_tape_passes() -> None:
    check_tape(good())


@pytest.mark.parametrize(
    ("tape", "message"),
    [
        (
            lambda: changed(0, reads=(7,)),
            r"step 0 \(sin\) reads slot %7, which no input and no ear",
        ),
        (lambda: changed(1, reads=(0, 2)), r"step 1 \(mul\) reads slot %2, which no input"),
        (lambda: changed(0, writes=(0,)), r"step 0 \(sin\) writes slot %0, which was written befo"),
        (lambda: changed(1, writes=(1,)), r"step 1 \(mul\) writes slot %1, which was .*once"),
        (swapped, r"step 0 \(mul\) reads slot %1, which no input and no earlier step wrote"),
        (lambda: reaching(9), "the output reads slot %9, which nothing wrote"),
    ],
    ids=["unknown", "itself", "input again", "slot again", "order", "output"],
)
def test_a_planted_malformation_is_found(tape: Any, message: str) -> None:
    with pytest.raises(TapeError, match=message) as caught:
        check_tape(tape())
    assert isinstance(caught.value, ValueError)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_every_recorded_program_is_well_formed(choices: list[int]) -> None:
    operations = [jnp.sin, lambda x: x * x, lambda x: x + 1.0, lambda x: -x, jnp.tanh]

    def fun(x: Any) -> Any:
        kept = [x]
        for choice in choices:
            kept.append(operations[choice](kept[-1]) + kept[len(kept) // 2])
        return kept[-1]

    tape = funcgrad.tape(fun, np.float32(0.5))
    check_tape(tape)
    assert len(tape) >= len(choices)


# --- a pytree -------------------------------------------------------------------------------------


def test_its_leaves_are_the_arrays_that_it_keeps() -> None:
    _, pullback = funcgrad.vjp(lambda x: jnp.tanh(x) * jnp.sin(x), X)
    leaves, treedef = jax.tree.flatten(pullback.tape)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    assert len(leaves) == 4  # tanh keeps its output, sin its input, mul both operands
    again = jax.tree.unflatten(treedef, leaves)
    assert isinstance(again, Tape)
    assert repr(again).replace(" ", "") == re.sub(r"    #.*", "", repr(pullback.tape)).replace(
        " ", ""
    )
    check_tape(again)


def test_equal_programs_have_equal_structures() -> None:
    def structure(fun: Any, x: Any) -> Any:
        return jax.tree.structure(funcgrad.vjp(fun, x)[1].tape)

    first = structure(lambda x: jnp.sin(x) * 2.0, X)
    assert first == structure(lambda x: jnp.sin(x) * 2.0, 3 * X)
    assert hash(first) == hash(structure(lambda x: jnp.sin(x) * 2.0, 3 * X))
    assert first != structure(lambda x: jnp.sin(x) * x, X)
    assert first != structure(lambda x: jnp.sin(x) * 2.0, X[:2])


def test_structures_differ_where_parameters_are_equal_for_python_alone(
    scaled: Primitive,
) -> None:
    def pullback(kind: Any) -> Any:
        return funcgrad.vjp(lambda x: scaled.bind(x, kind=kind), X)[1]

    pull = jax.jit(lambda pullback: pullback(jnp.ones_like(X)))
    scales = [float(pull(pullback(kind))[0][0]) for kind in (1, True, 1, (0.0,), (-0.0,))]
    assert scales == [2, 3, 2, 11, 13]


def test_its_structure_is_printed() -> None:
    pullback = funcgrad.vjp(lambda x: jnp.sin(x) * x, X)[1]
    assert "<layout of 2 steps>" in repr(jax.tree.structure(pullback))


def test_values_pass_through_a_map_over_the_leaves() -> None:
    _, pullback = funcgrad.vjp(jnp.sin, X)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, pullback.tape)
    np.testing.assert_allclose(sweep(doubled, [X])[0], jnp.cos(2 * X) * X, rtol=1e-6)


def test_a_step_knows_what_it_needs() -> None:
    step = Step(None, {}, (0, None), (1,), (), ())
    assert step.needed == (True, False)


# --- source lines under a trace -------------------------------------------------------------------


def lines_under_jit(fun: Any) -> list[str]:
    """The source line of each step, where the values of the tape are those of a `jit`."""
    found: list[str] = []

    @jax.jit
    def staged(x: Any) -> Any:
        found.extend(str(compat.source_line(step.source)) for step in funcgrad.tape(fun, x))
        return x

    staged(jnp.float32(0.5))
    return [line.rsplit("/", 1)[-1] for line in found]


def test_a_step_under_jit_has_the_line_of_its_operation() -> None:
    def fun(x: Any) -> Any:
        y = jnp.sin(x)
        return y * x

    start = fun.__code__.co_firstlineno
    assert lines_under_jit(fun) == [f"test_tape.py:{start + 1}", f"test_tape.py:{start + 2}"]


def test_a_value_that_is_handed_through_has_the_line_that_did_so() -> None:
    def fun(x: Any) -> Any:
        y = lax.mul(x, x)
        here = compat.source_line(compat.source_of([y], [y]))
        assert here is not None
        assert here.endswith(f"test_tape.py:{start + 2}")
        assert str(compat.source_line(compat.source_of([y], [x]))).endswith(f":{start + 1}")
        return y

    start = fun.__code__.co_firstlineno
    jax.jit(fun)(jnp.float32(0.5))


@pytest.mark.parametrize("wrap", [lambda fun: fun, jax.jit], ids=["eager", "jit"])
def test_a_conversion_that_changes_nothing_is_no_step(wrap: Any) -> None:
    convert = compat.primitives.convert_element_type_p
    found: list[list[str]] = []

    def taped(x: Any) -> Any:
        def fun(x: Any) -> Any:
            same = convert.bind(x, new_dtype=x.dtype, weak_type=False, sharding=None)
            assert same is x
            return convert.bind(same, new_dtype=x.dtype, weak_type=True, sharding=None) ** 2

        found.append([step.primitive.name for step in funcgrad.tape(fun, x)])
        return x

    wrap(taped)(jnp.float32(0.5))
    assert found == [["convert_element_type", "integer_pow"]]  # the one makes it weak


def test_a_call_of_a_custom_rule_has_the_line_of_the_call() -> None:
    @jax.custom_jvp
    def ruled(x: Any) -> Any:
        return x * 2

    ruled.defjvp(lambda p, t: (p[0] * 2, t[0] * 2))

    def fun(x: Any) -> Any:
        return ruled(x)

    assert lines_under_jit(fun) == [f"test_tape.py:{fun.__code__.co_firstlineno + 1}"]
