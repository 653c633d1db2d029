"""A program as data and as source."""

from __future__ import annotations

import traceback

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.search._numbers import array_text
from funcgrad.search._operations import BY_NAME
from funcgrad.search._program import Body, Program, Step, live


def wave() -> Program:
    step = Step(BY_NAME["sin"], ("x",), ("v1",))
    return Program((np.array([0.5, -1.0], np.float32),), (step,), ("v1",), weighed=False)


def test_the_source_of_a_small_program() -> None:
    assert wave().source() == (
        "import jax\nimport jax.numpy as jnp\nfrom jax import lax\n\n\n"
        "def f(x):\n    v1 = jnp.sin(x)\n    return jnp.sum(v1)\n\n\n"
        "arguments = (\n    jnp.array([0.5, -1.0], jnp.float32),\n)\n"
    )
    assert float(wave().function()(*wave().arguments())) == pytest.approx(np.sin([0.5, -1]).sum())


def test_bodies_are_counted_and_read_from_around_them() -> None:
    inner = Step(BY_NAME["mul"], ("a", "y"), ("b",))
    outer = Step(BY_NAME["jit"], ("x",), ("v1",), {}, (Body("body1", ("a",), (inner,), ("b",)),))
    one = np.float32(2.0)
    program = Program((np.asarray(one), {"k": np.asarray(one)}), (outer,), ("v1",))
    assert len(program) == 2
    assert dict(program.operations) == {"jit": 1, "mul": 1}
    assert program.families == {"calls", "elementwise"}
    assert outer.reads() == {"x", "y"}


def test_dead_steps_are_found() -> None:
    steps = (Step(BY_NAME["sin"], ("x",), ("v1",)), Step(BY_NAME["cos"], ("x",), ("v2",)))
    assert live(steps, ["v2"]) == steps[1:]


def test_a_traceback_shows_the_line() -> None:
    program = wave()
    with pytest.raises(TypeError) as caught:
        program.function()("a string")
    assert "v1 = jnp.sin(x)" in "".join(traceback.format_exception(caught.value))


def test_what_a_program_says_of_its_operations() -> None:
    program = wave()
    assert program.order == 2
    assert program.reverse
    assert program.differences
    assert not program.rounds
    gamma = Program(
        program.inputs, (Step(BY_NAME["gamma"], ("x",), ("v1",), {"seed": "0"}),), ("v1",)
    )
    assert gamma.order == 1
    assert not gamma.differences


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_numbers_are_short_and_exact(dtype: str) -> None:
    array = np.array([0.37, -2.0, 1e-7, 12345.0]).astype(jnp.dtype(dtype))
    text = array_text(array, dtype)
    assert text.startswith("jnp.array([0.37")
    read = np.array(eval(text, {"jnp": Reader()})).astype(array.dtype)
    np.testing.assert_array_equal(read, array)


class Reader:
    """What stands for `jnp` where only the numbers matter."""

    float16 = float32 = float64 = bfloat16 = None

    @staticmethod
    def array(numbers: list[float], _: None) -> list[float]:
        return numbers
