"""The sweep: what it adds up, what it skips, and the types that it insists on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

import funcgrad
from funcgrad import _reverse
from funcgrad._registry import Over
from funcgrad._reverse import deliver, sweep, times_partial
from funcgrad._trace import record
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
ONES = jnp.ones(3, jnp.float32)


def test_cotangents_add_up_where_they_meet() -> None:
    waiting: dict[int, Any] = {}
    deliver(waiting, (0, 1, None, 0), (X, None, X, ONES))
    assert set(waiting) == {0}
    np.testing.assert_array_equal(waiting[0], X + ONES)


def test_a_float0_is_not_added() -> None:
    waiting: dict[int, Any] = {}
    nothing = np.zeros((), jax.dtypes.float0)
    deliver(waiting, (0, 0), (nothing, nothing))
    assert waiting[0].dtype == jax.dtypes.float0


def test_nothing_arrives_where_nothing_was_sent() -> None:
    _, tape = record(lambda x, y: [jnp.sin(x), jnp.cos(y)], [X, X])
    first, second = sweep(tape, [ONES, None])
    np.testing.assert_allclose(first, jnp.cos(X), rtol=1e-6)
    assert second is None
    assert sweep(tape, [None, None]) == [None, None]


def test_a_step_that_no_cotangent_reaches_is_not_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[str] = []
    pull = _reverse.pull

    def noting(step: Any, arriving: Any) -> Any:
        pulled.append(step.primitive.name)
        return pull(step, arriving)

    monkeypatch.setattr(_reverse, "pull", noting)
    _, tape = record(lambda x: [lax.sin(x), lax.exp(lax.cos(x))], [X])
    assert len(tape) == 3
    sweep(tape, [ONES, None])
    assert pulled == ["sin"]
    sweep(tape, [None, ONES])
    assert pulled == ["sin", "exp", "cos"]


def test_a_zero_far_from_the_output_does_not_become_nan() -> None:
    # The cotangent of sqrt at 0 is infinite; no cotangent reaches it, so nothing is multiplied.
    def fun(x: Any) -> Any:
        _ = jnp.sqrt(x)
        return jnp.sin(x)

    assert float(funcgrad.grad(fun)(0.0)) == 1


def test_times_partial() -> None:
    np.testing.assert_array_equal(times_partial(X, 1), X)
    np.testing.assert_array_equal(times_partial(X, -1), -X)
    np.testing.assert_array_equal(times_partial(X, 2 * ONES), 2 * X)
    np.testing.assert_array_equal(times_partial(X, Over(3 * ONES)), np.asarray(X) / np.float32(3))


def test_a_quotient_rounds_once() -> None:
    x = np.float32(3)
    assert float(funcgrad.grad(jnp.log)(x)) == np.float32(1) / x
    many = np.linspace(0.1, 9, 400, dtype=np.float32)
    ours = jax.vmap(lambda v: funcgrad.vjp(lambda t: t / v, v)[1](np.float32(5))[0])(many)
    np.testing.assert_array_equal(ours, np.float32(5) / many)


@pytest.mark.parametrize("shapes", [((), (3,)), ((3,), ()), ((), (2, 3)), ((), (0,)), ((), ())])
def test_a_scalar_beside_an_array_gets_the_sum(shapes: Any) -> None:
    left, right = (jnp.full(shape, 1.5, jnp.float32) for shape in shapes)
    output, ours = funcgrad.vjp(lax.mul, left, right)
    _, theirs = jax.vjp(lax.mul, left, right)
    cotangent = jnp.ones_like(output)
    assert_same(ours(cotangent), theirs(cotangent), zero=output.size == 0)


@given(st.lists(st.sampled_from(["sin", "mul", "add", "neg"]), min_size=1, max_size=8))
def test_any_program(names: list[str]) -> None:
    steps: dict[str, Any] = {
        "sin": lambda a, _: jnp.sin(a),
        "mul": lambda a, b: a * b,
        "add": lambda a, b: a + b,
        "neg": lambda a, _: -a,
    }

    def fun(x: Any) -> Any:
        values = [x]
        for i, name in enumerate(names):
            values.append(steps[name](values[-1], values[i // 2]))
        return jnp.sum(values[-1])

    expected = jax.grad(fun)(X)
    assert_same(funcgrad.grad(fun)(X), expected, zero=not np.any(expected))


@pytest.mark.parametrize("shape", [(), (1, 3), (2, 1), (1, 1), (2, 3)], ids=str)
def test_a_stretched_divisor_is_divided_by_once_for_all_that_were_summed(shape: Any) -> None:
    a, b = jnp.arange(1.0, 7.0).reshape(2, 3), 2 + jnp.zeros(shape)

    def loss(a: Any, b: Any) -> Any:
        return jnp.sum(jnp.sin(lax.div_p.bind(a, b)))

    def explicit(a: Any, b: Any) -> Any:
        return jnp.sum(jnp.sin(a / jnp.broadcast_to(b, a.shape)))

    expected = jax.grad(explicit, (0, 1))(a, b)
    assert_same(funcgrad.grad(loss, (0, 1))(a, b), expected)
    assert_same(funcgrad.grad(loss, (0, 1), strong_zeros=True)(a, b), expected)
    program = jax.make_jaxpr(funcgrad.grad(loss, 1))(a, b)
    made: list[Any] = [e.outvars[0].aval for e in program.jaxpr.eqns if e.primitive is lax.div_p]
    assert [aval.shape for aval in made[1:]] == [shape]


@pytest.mark.parametrize("shape", [(), (1,)], ids=str)
def test_a_stretched_divisor_of_float16_does_not_overflow_before_it_divides(shape: Any) -> None:
    """60000 times the cotangent is more than float16 holds, and the quotient is not."""

    def function(y: Any) -> Any:
        quotient = jnp.full((1,), 60000, jnp.float16) / y
        return jnp.sum((quotient - jnp.float16(1999)) * jnp.float16(60))

    gradient = funcgrad.grad(function)(jnp.full(shape, 30, jnp.float16))
    np.testing.assert_allclose(np.float64(gradient), -4000, rtol=2e-3)
