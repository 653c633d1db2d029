"""Eager sweeps in segments: what they compute is what the plain sweeps compute."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from funcgrad._eager import is_concrete, push_eagerly, sweep_concrete
from funcgrad._forward import entering, push
from funcgrad._reverse import sweep
from funcgrad._segments import LONGEST
from funcgrad._tape import Tape
from funcgrad._trace import record
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
ONES = jnp.ones(3, jnp.float32)


OPERATIONS: list[Callable[[Any, Any], Any]] = [
    lambda a, _: lax.sin(a),
    lambda a, b: a * b,
    lambda a, b: a + b,
    lambda a, _: lax.neg(a),
    lambda a, _: a * jnp.float32(0.5),
    jax.jit(lambda a, b: a * jnp.tanh(b)),
    lambda a, _: jax.nn.silu(a),
    lax.max,
]


PROGRAMS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9)), min_size=1, max_size=10)


def written(program: list[tuple[int, int]]) -> Callable[..., list[Any]]:
    """A function of some operations, each of the last value and an earlier one."""

    def fun(*inputs: Any) -> list[Any]:
        values = list(inputs)
        for operation, other in program:
            values.append(OPERATIONS[operation](values[-1], values[other % len(values)]))
        return [values[-1], values[len(values) // 2]]

    return fun


@given(PROGRAMS)
def test_a_concrete_sweep_is_the_plain_sweep(program: list[tuple[int, int]]) -> None:
    _, tape = record(written(program), [X])
    for cotangents in ([ONES, X], [None, ONES], [ONES, X], [None, ONES]):
        assert is_concrete(tape.steps, cotangents)
        ours, plain = sweep_concrete(tape, cotangents), sweep(tape, cotangents)
        assert_same(ours, plain, zero=not np.any(plain[0]))


def test_nothing_arrives_where_nothing_was_sent() -> None:
    _, tape = record(lambda x, y: [lax.sin(x), lax.cos(y)], [X, X])
    for _ in range(3):
        first, second = sweep_concrete(tape, [ONES, None])
        np.testing.assert_allclose(first, jnp.cos(X), rtol=1e-6)
        assert second is None
    assert sweep_concrete(tape, [None, None]) == [None, None]


def push_concrete(tape: Tape, tangents: list[Any], asked: bool = True) -> list[Any]:
    """What is asked for are the outputs, or whatever is written."""
    known = entering(tape, tangents)
    push_eagerly(tape.steps, known, tape.outputs if asked else None)
    return [None if slot is None else known.get(slot) for slot in tape.outputs]


@given(PROGRAMS)
def test_a_concrete_push_is_the_plain_push(program: list[tuple[int, int]]) -> None:
    _, tape = record(written(program), [X, 2 * X])
    for tangents in ([ONES, X], [None, ONES], [ONES, X], [None, ONES]):
        plain = push(tape, tangents)
        for asked in (True, False):
            for mine, other in zip(push_concrete(tape, tangents, asked), plain, strict=True):
                assert (mine is None) == (other is None)
                if other is not None:
                    assert_same(mine, other, zero=not np.any(other))


@pytest.mark.parametrize("depth", [LONGEST - 1, LONGEST, LONGEST + 1, 5 * LONGEST])
def test_a_tangent_is_kept_for_as_long_as_a_later_segment_reads_it(depth: int) -> None:
    def fun(x: Any) -> list[Any]:
        early = value = lax.sin(x)
        for _ in range(depth):
            value = lax.sin(value)
        return [value * early, early]

    _, tape = record(fun, [X])
    for _ in range(3):
        assert_same(push_concrete(tape, [ONES]), push(tape, [ONES]))


def test_either_direction_of_a_segment_has_a_program_of_its_own() -> None:
    factors = jnp.arange(6, dtype=jnp.float32).reshape(2, 3)
    _, tape = record(lambda x: [factors @ x], [X])
    for _ in range(3):
        np.testing.assert_allclose(push_concrete(tape, [X])[0], factors @ X, rtol=1e-6)
        np.testing.assert_allclose(
            sweep_concrete(tape, [ONES[:2]])[0], factors.T @ ONES[:2], rtol=1e-6
        )


def test_traced_tangents_of_a_concrete_tape() -> None:
    _, tape = record(lambda x: [lax.sin(x)], [X])
    assert_same(jax.jit(lambda t: push_concrete(tape, [t]))(ONES), [jnp.cos(X)])
    assert_same(jax.vmap(lambda t: push_concrete(tape, [t]))(jnp.eye(3)), [jnp.diag(jnp.cos(X))])


def test_what_is_concrete() -> None:
    _, tape = record(lambda x: [lax.sin(x)], [X])
    assert is_concrete(tape.steps, [ONES])
    assert is_concrete(tape.steps, [None])

    @jax.jit
    def staged(ct: Any) -> Any:
        assert not is_concrete(tape.steps, [ct])
        _, inner = record(lambda x: [lax.sin(x)], [ct])
        assert not is_concrete(inner.steps, [ONES])
        return sweep(tape, [ct])[0]

    np.testing.assert_allclose(staged(ONES), jnp.cos(X), rtol=1e-6)
