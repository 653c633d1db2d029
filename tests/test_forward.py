"""Forward mode from the rules of reverse mode: the same linear map, read in the other direction."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad._forward import push
from funcgrad._forward_trace import pushed
from funcgrad._jaxcompat import primitives as p
from funcgrad._pullback import Recorded, backward
from funcgrad._tape import Options, Tape
from tests.comparing import assert_same
from tests.rules.rule_points import EXAMPLES, Example, kinds, main_dtype, main_shapes, sampled

pytestmark = pytest.mark.usefixtures("strict_jax")


def numbers(kind: Any, low: float, high: float, seed: int) -> Any:
    """Random entries of a type, imaginary parts among them."""
    draw = np.random.default_rng(seed)
    values = draw.uniform(low, high, kind.shape)
    if jnp.issubdtype(kind.dtype, jnp.complexfloating):
        values = values + 0.25j * draw.uniform(low, high, kind.shape)
    return jnp.asarray(values.astype(kind.dtype))


def paired(left: Any, right: Any) -> float:
    """The pairing in which a pullback is the transpose of a derivative: Re sum(left * right)."""
    pairs = zip(left, right, strict=True)
    wide = [(np.asarray(a, np.complex128), np.asarray(b, np.complex128)) for a, b in pairs]
    return float(sum(np.sum(a * b).real for a, b in wide))


def recorded(function: Any, *arguments: Any) -> Tape:
    return Recorded(function, arguments, False, Options()).tape


def along(function: Any, arguments: Any, tangents: Any) -> Any:
    """The tangents of a function's outputs; None if it cannot be read forward."""
    return pushed(lambda *xs: jax.tree.leaves(function(*xs)), arguments, tangents, Options())[1]


# A promise that is broken has no derivative to agree about.
WALKED = [e for e in EXAMPLES if not e.declares("no numbers") and sampled(f"forward {e}", 6)]
ROUNDING = {"reduce_precision", "convert_element_type"}  # to 8 bits, each direction elsewhere


@pytest.mark.parametrize("example", WALKED, ids=str)
def test_a_rule_read_forward_is_the_transpose_of_itself(example: Example) -> None:
    case = example.case
    types = kinds(case, main_shapes(case), main_dtype(case))
    drawn = list(enumerate(zip(types.arguments, case.domains, strict=True)))
    arguments = [numbers(kind, *domain, seed) for seed, (kind, domain) in drawn]
    tangents = [numbers(kind, -2, 2, seed) for seed, (kind, _) in drawn]
    tape = recorded(case.function, *arguments)
    pushed = along(case.function, arguments, tangents)
    if example.rule.primitive is p.custom_vjp_call_p:
        assert pushed is None
        return
    cotangents = [
        numbers(aval, -2, 2, 9) if slot is not None else None
        for aval, slot in zip(tape.output_types, tape.outputs, strict=True)
    ]
    both = [(t, c) for t, c in zip(pushed, cotangents, strict=True) if t is not None]
    assert all(t is None for t, c in zip(pushed, cotangents, strict=True) if c is None)
    forth = paired([t for t, _ in both], [c for _, c in both])
    back = paired(backward(tape, cotangents), tangents)
    assert (np.isfinite(forth) and forth != 0) or example.declares("constant")
    close = 2e-2 if example.rule.primitive.name in ROUNDING else 1e-4
    np.testing.assert_allclose(forth, back, rtol=close, atol=1e-5)
    for aval, tangent in zip(tape.output_types, pushed, strict=True):
        assert tangent is None or (tangent.shape, tangent.dtype) == (aval.shape, aval.dtype)


X = jnp.asarray([0.5, 1.5, -0.75])


def test_tangents_of_inputs_may_be_missing() -> None:
    def f(x: Any, y: Any) -> tuple[Any, Any]:
        return jnp.sin(x) * y, jnp.cos(y)

    tape = recorded(f, X, X + 1)
    first, second = push(tape, [X, None])
    assert_same(first, jax.jvp(lambda x: f(x, X + 1)[0], (X,), (X,))[1])
    assert second is None
    assert push(tape, [None, None]) == [None, None]


@jax.custom_jvp
def cubed(x: Any) -> Any:
    return x**3


cubed.defjvp(lambda at, by: (cubed(at[0]), by[0] * 5 * at[0] ** 2))  # 5, to tell it from the body


def test_custom_jvp_rules_are_read_forward() -> None:
    (tangent,) = along(jax.jit(lambda x: cubed(x) + x), [X], [X])
    assert_same(tangent, 5 * X**3 + X)


def test_strong_zeros_hold_in_both_directions() -> None:
    def f(x: Any) -> Any:
        return jnp.sum(jnp.where(x > 0, jnp.sqrt(x), 0.0) ** 2)

    x = jnp.asarray([0.0, 4.0])

    def product(strong: bool) -> Any:
        return jax.jit(lambda x, v: funcgrad.hvp(f, (x,), (v,), strong_zeros=strong))(x, x + 1)

    assert np.isnan(np.asarray(product(False))).any()
    np.testing.assert_allclose(np.asarray(product(True))[0], 0.0)


LINEAR_IN_ALL: dict[str, Callable[[Any, Any], Any]] = {
    "concatenate": lambda x, y: jnp.concatenate([x, y]),
    "pad": lambda x, y: lax.pad(x, y[0], [(1, 1, 0)]),
    "split": lambda x, _: jnp.split(x, [1])[0],
    "select_n": lambda x, y: lax.select(jnp.array([True, False, True]), x, y),
    "dynamic_slice": lambda x, _: lax.dynamic_slice(x, (jnp.int32(1),), (2,)),
    "dynamic_update_slice": lambda x, y: lax.dynamic_update_slice(x, y[:1], (jnp.int32(1),)),
}


@pytest.mark.parametrize("name", LINEAR_IN_ALL)
def test_what_is_linear_is_applied_to_tangents_once(name: str) -> None:
    function = LINEAR_IN_ALL[name]
    program = jax.make_jaxpr(lambda x, y, v, w: along(function, [x, y], [v, w]))(X, X, X, X)
    names = [equation.primitive.name for equation in program.eqns]
    # Once for the values and once for the tangents.
    assert names.count(name) == 2
    plain = [equation.primitive.name for equation in jax.make_jaxpr(function)(X, X).eqns]
    assert len(names) <= 2 * len(plain)
    (tangent,) = along(function, [X, X + 1], [X, None])
    assert_same(tangent, jax.jvp(lambda x: function(x, X + 1), (X,), (X,))[1])
