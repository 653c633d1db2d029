"""The segments of an eager sweep: when they are compiled, shared, forgotten and avoided."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad import _registry, _segments
from funcgrad._eager import sweep_concrete
from funcgrad._jaxcompat import Primitive
from funcgrad._reverse import sweep
from funcgrad._segments import LONGEST
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
ONES = jnp.ones(3, jnp.float32)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An empty table of programs; the number of steps of each segment that is compiled."""
    monkeypatch.setattr(_segments, "_PROGRAMS", type(_segments._PROGRAMS)())
    seen: list[int] = []
    compile_segment = _segments._compile

    def noting(segment: Any, *ends: Any) -> Any:
        seen.append(len(segment.steps))
        return compile_segment(segment, *ends)

    monkeypatch.setattr(_segments, "_compile", noting)
    return seen


def slope(x: Any) -> Any:
    return lax.sin(lax.tanh(x)) * x


# --- when -----------------------------------------------------------------------------------------


def test_a_segment_is_compiled_when_it_is_met_again(compiled: list[int]) -> None:
    for met in range(1, 5):
        _, pullback = funcgrad.vjp(slope, met * X)
        assert_same(pullback(ONES), jax.vjp(slope, met * X)[1](ONES))
        assert compiled == ([] if met == 1 else [3])
    assert len(_segments._PROGRAMS) == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda: funcgrad.vjp(lambda x: lax.sin(lax.tanh(x)) * x, X[:2])[1](ONES[:2]),
        lambda: funcgrad.vjp(lambda x: lax.tanh(lax.sin(x)) * x, X)[1](ONES),
        lambda: funcgrad.vjp(lambda x: lax.sin(lax.tanh(x)) * lax.tanh(x), X)[1](ONES),
        lambda: funcgrad.vjp(slope, X.astype(jnp.float16))[1](ONES.astype(jnp.float16)),
    ],
    ids=["shape", "primitive", "wiring", "dtype"],
)
def test_another_segment_is_not_taken_for_it(compiled: list[int], other: Callable[[], Any]) -> None:
    funcgrad.vjp(slope, X)[1](ONES)
    other()
    assert compiled == []
    other()
    assert len(compiled) == 1


def test_parameters_are_part_of_a_segment(compiled: list[int]) -> None:
    for axis in (0, 1, 0, 1):
        fun = lambda m, axis=axis: jnp.sum(lax.rev(m, (axis,)) * m)  # noqa: E731 -- one line
        square = jnp.outer(X, X)
        assert_same(funcgrad.grad(fun)(square), jax.grad(fun)(square))
    assert len(compiled) == 2


def test_parameters_that_are_equal_for_python_alone_are_told_apart(scaled: Primitive) -> None:
    def product(kind: Any) -> tuple[float, float]:
        fun = lambda x: jnp.sum(scaled.bind(x * x, kind=kind))  # noqa: E731 -- one line
        return float(funcgrad.grad(fun)(X)[0] / X[0]), float(funcgrad.hvp(fun, (X,), (ONES,))[0])

    kinds = (1, True, 0.0, -0.0)
    for _ in range(3):
        found = [product(kind) for kind in kinds]
        np.testing.assert_allclose(found, [[2 * scale] * 2 for scale in (2, 3, 5, 7)], rtol=1e-6)


def test_the_iterations_of_a_loop_share_a_segment(compiled: list[int]) -> None:
    def fun(x: Any) -> Any:
        for _ in range(10 * LONGEST):
            x = lax.sin(x)
        return x

    output, pullback = funcgrad.vjp(fun, X)
    ours = pullback(ONES)
    assert compiled == [LONGEST]
    assert len(_segments._PROGRAMS) == 1
    np.testing.assert_allclose(ours[0], sweep(pullback.tape, [ONES])[0], rtol=1e-5)
    assert output.shape == (3,)


def test_a_program_holds_no_value(compiled: list[int]) -> None:
    factor = jnp.asarray([2.0, 3.0, 4.0], jnp.float32)
    for scale in (1, 2, 3):
        gradient = funcgrad.grad(lambda x, s=scale: jnp.sum(lax.mul(x, s * factor)))(X)
        np.testing.assert_array_equal(gradient, scale * factor)
    assert len(compiled) == 1


def test_integers_beside_floats_are_values_too(compiled: list[int]) -> None:
    for start in (0, 1, 2):
        fun = lambda x, s=start: lax.dynamic_slice(x, (jnp.int32(s),), (1,))[0]  # noqa: E731
        assert_same(funcgrad.grad(fun)(X), jax.grad(fun)(X))
    assert compiled


# --- avoided --------------------------------------------------------------------------------------


def test_a_call_stands_alone_between_segments(compiled: list[int]) -> None:
    def fun(x: Any) -> Any:
        return jnp.sum(lax.sin(jax.jit(jnp.tanh)(lax.cos(lax.exp(x)))))

    for _ in range(3):
        assert_same(funcgrad.grad(fun)(X), jax.grad(fun)(X))
    assert sorted(compiled) == [2, 2]  # sum and sin after the call, cos and exp before it


def test_a_backward_rule_of_a_user_stays_concrete(compiled: list[int]) -> None:
    seen: list[Any] = []

    @jax.custom_vjp
    def fun(x: Any) -> Any:
        return x * 2

    def backward(kept: Any, ct: Any) -> Any:
        seen.append((type(kept), float(ct[0])))
        return (ct,)

    fun.defvjp(lambda x: (x * 2, x), backward)
    for _ in range(3):
        funcgrad.grad(lambda x: jnp.sum(lax.sin(fun(lax.cos(x)))))(X)
    assert len(seen) == 3
    assert all(issubclass(kind, jax.Array) and not issubclass(kind, jax.core.Tracer)
               for kind, _ in seen)  # fmt: skip
    assert len(compiled) == 2


def test_a_parameter_that_cannot_be_hashed_falls_back(
    compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    primitive = Primitive("unhashable")
    primitive.def_impl(lambda x, *, factors: x * factors[0])
    primitive.def_abstract_eval(lambda x, **_: x)
    funcgrad.register_vjp(primitive, lambda ct, _y, _x, *, factors: ct * factors[0])
    for _ in range(3):
        gradient = funcgrad.grad(lambda x: jnp.sum(primitive.bind(x, factors=[3.0])))(X)
        np.testing.assert_array_equal(gradient, 3 * ONES)
    assert compiled == []
    assert not _segments._PROGRAMS


def test_the_segment_used_longest_ago_is_forgotten(
    compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_segments, "REMEMBERED", 2)

    def gradient(size: int) -> None:
        funcgrad.grad(lambda x: jnp.sum(lax.sin(x)))(jnp.ones(size))

    for size in (1, 2, 1, 3):  # 1 is used again, so 2 is forgotten for 3
        gradient(size)
    assert len(_segments._PROGRAMS) == 2
    assert len(compiled) == 1
    gradient(1)
    assert len(compiled) == 1  # still there
    gradient(2)
    assert len(compiled) == 1  # forgotten: met as if for the first time
    gradient(2)
    assert len(compiled) == 2


def test_a_tape_as_long_as_the_bound_and_one_longer(compiled: list[int]) -> None:
    for length in (LONGEST, LONGEST + 1):

        def fun(x: Any, n: int = length) -> Any:
            for _ in range(n):
                x = x * np.float32(0.99)
            return x

        for _ in range(2):
            (gradient,) = funcgrad.vjp(fun, np.float32(2))[1](np.float32(1))
            assert float(gradient) == pytest.approx(0.99**length, rel=1e-5)
    assert compiled == [LONGEST, 1]


def test_a_zero_cotangent_meets_no_infinite_slope(compiled: list[int]) -> None:
    for _ in range(3):
        _, pullback = funcgrad.vjp(lambda x: (lax.sin(x), lax.sqrt(x)), np.float32(0))
        partly = sweep_concrete(pullback.tape, [np.float32(1), None])
        assert float(partly[0]) == 1
    assert compiled
