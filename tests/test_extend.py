"""`register_vjp`: rules of users for primitives of their own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.interpreters import batching, mlir

import funcgrad
from funcgrad import _registry
from funcgrad._errors import RuleError, UnknownParameterError
from funcgrad._jaxcompat import Primitive
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> Primitive:
    """`scaled(x, y) = power x y`, a primitive that jit, vmap and our gradient know."""
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    primitive = Primitive("scaled")

    def run(x: Any, y: Any, *, power: int, label: str) -> Any:
        del label
        return x * y * power

    primitive.def_impl(run)
    primitive.def_abstract_eval(lambda x, _, **__: x)
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=False))
    batching.primitive_batchers[primitive] = lambda args, axes, **params: (
        primitive.bind(*args, **params),
        axes[0],
    )
    funcgrad.register_vjp(
        primitive,
        lambda ct, _out, _x, y, *, power: ct * y * power,
        lambda ct, _out, x, _y, *, power: ct * x * power,
        ignores=["label"],
    )
    return primitive


def use(primitive: Primitive, x: Any) -> Any:
    return jnp.sum(primitive.bind(jnp.sin(x), x, power=3, label="l"))


def reference(x: Any) -> Any:
    return jnp.sum(jnp.sin(x) * x * 3)


def test_it_is_used_eagerly_and_under_jit_and_vmap(scaled: Primitive) -> None:
    gradient = funcgrad.grad(lambda x: use(scaled, x))
    assert_same(gradient(X), jax.grad(reference)(X))
    assert_same(jax.jit(gradient)(X), jax.grad(reference)(X))
    many = jnp.stack([X, 2 * X])
    assert_same(jax.vmap(gradient)(many), jax.vmap(jax.grad(reference))(many))
    inside = funcgrad.grad(jax.jit(lambda x: use(scaled, x)))
    assert_same(inside(X), jax.grad(reference)(X))


def test_it_is_differentiated_again(scaled: Primitive) -> None:
    assert_same(funcgrad.hessian(lambda x: use(scaled, x))(X), jax.hessian(reference)(X))


def test_an_unknown_parameter_is_refused(scaled: Primitive) -> None:
    with pytest.raises(UnknownParameterError, match="the parameter extra=1, which its rule at"):
        funcgrad.grad(lambda x: jnp.sum(scaled.bind(x, x, power=3, label="l", extra=1)))(X)


def test_a_second_rule_is_refused(scaled: Primitive) -> None:
    with pytest.raises(RuleError, match="primitive `scaled` has a rule at"):
        funcgrad.register_vjp(scaled, lambda ct, _out, _x, _y: ct)


def test_a_rule_of_ours_is_not_replaced() -> None:
    with pytest.raises(RuleError, match=r"primitive `sin` has a rule at .*elementwise\.py"):
        funcgrad.register_vjp(jax.lax.sin_p, lambda ct, _y, x: ct * jnp.cos(x))
    np.testing.assert_allclose(funcgrad.grad(jnp.sin)(0.0), 1)


def test_an_operand_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    primitive = Primitive("chosen")
    primitive.def_impl(lambda x, which: x * which)
    primitive.def_abstract_eval(lambda x, _: x)
    funcgrad.register_vjp(primitive, lambda ct, _y, _x, which: ct * which, None)
    gradient = funcgrad.grad(lambda x: jnp.sum(primitive.bind(x, np.float32(4))))(X)
    np.testing.assert_array_equal(gradient, np.full(3, 4, np.float32))
    with pytest.raises(funcgrad.MissingRuleError, match="`chosen` has none for its operand 1"):
        funcgrad.grad(lambda w: jnp.sum(primitive.bind(X, w)))(np.float32(4))
