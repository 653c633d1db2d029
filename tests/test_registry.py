"""Declaring rules: what a signature says, and each mistake that a declaration can hold."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcgrad
from funcgrad import _registry
from funcgrad._errors import RuleError, UnknownParameterError
from funcgrad._jaxcompat import Primitive
from funcgrad._registry import (
    check_params,
    elementwise,
    general,
    joint,
    linear,
    lookup,
    no_derivative,
    plan,
    pullback_params,
    rules,
    structured,
)

pytestmark = pytest.mark.usefixtures("strict_jax", "own_table")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
_ = funcgrad.grad  # the table is full once a transform is loaded


@pytest.fixture
def own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test declares is gone after it."""
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))


def new_primitive(name: str, function: Callable[..., Any], outputs: int | None = None) -> Primitive:
    primitive = Primitive(name)
    primitive.multiple_results = outputs is not None
    primitive.def_impl(function)
    primitive.def_abstract_eval(lambda x, *_, **__: x if outputs is None else [x] * outputs)
    return primitive


# --- reading a signature --------------------------------------------------------------------------


def test_an_underscore_says_that_a_value_is_not_read() -> None:
    primitive = new_primitive("reads", lambda a, b: a * b)
    general(primitive, lambda ct, _y, _a, b: ct * b, lambda ct, y, _a, _b: ct * y)
    both = plan(primitive, (True, True))
    assert (both.keep_output, both.keep_operands) == (True, (False, True))
    first = plan(primitive, (True, False))
    assert (first.keep_output, first.keep_operands) == (False, (False, True))
    second = plan(primitive, (False, True))
    assert (second.keep_output, second.keep_operands) == (True, (False, False))


def test_the_operands_beyond_those_that_are_named() -> None:
    kept, dropped = (new_primitive(name, lambda a, *_: a) for name in ("kept", "dropped"))
    general(kept, lambda ct, _y, _a, *rest: ct * rest[0])
    general(dropped, lambda ct, _y, _a, *_rest: ct)
    assert plan(kept, (True, False, False)).keep_operands == (False, True, True)
    assert plan(dropped, (True, False, False)).keep_operands == (False, False, False)


def test_an_operand_without_a_function_is_found() -> None:
    primitive = new_primitive("partly", lambda a, _: a)
    general(primitive, lambda ct, _y, _a, _b: ct, None)
    assert plan(primitive, (True, False)).missing is None
    assert plan(primitive, (True, True)).missing == 1
    short = new_primitive("short", lambda a, _: a)
    general(short, lambda ct, _y, _a, _b: ct)
    assert plan(short, (False, True)).missing == 1


def test_a_function_gets_the_parameters_that_it_names() -> None:
    primitive = new_primitive("scaled", lambda x, *, scale, **_: x * scale)
    general(primitive, lambda ct, _y, _x, *, scale: ct * scale, ignores=["mode"])
    rule = lookup(primitive)
    assert rule is not None
    assert rule.known == {"scale", "mode"}
    (pull,) = rule.pullbacks
    assert pull is not None
    assert pullback_params(pull, {"scale": 3, "mode": "m"}) == {"scale": 3}
    check_params(rule, {"scale": 3, "mode": "m"})
    message = (
        r"`scaled` came with the parameter axis=7, which its rule at \S*test_registry\.py:\d+ d"
    )
    with pytest.raises(UnknownParameterError, match=message) as caught:
        check_params(rule, {"scale": 3, "axis": 7})
    assert "teach the rule the parameter, or list it under `ignores`" in str(caught.value)


# --- the families ---------------------------------------------------------------------------------


def test_each_family_gives_its_gradient() -> None:
    cube = new_primitive("cube", lambda x: x**3)
    elementwise(cube, lambda _y, x: 3 * x * x)
    negated = new_primitive("negated", lambda x: -x)
    elementwise(negated, lambda _y, _x: -1)
    halved = new_primitive("halved", lambda x: x / 2)
    elementwise(halved, lambda _y, x: _registry.Over(jnp.full_like(x, 2)))
    tripled = new_primitive("tripled", lambda x: 3 * x)
    linear(tripled, lambda ct, _y, _x: 3 * ct)
    mixed = new_primitive("mixed", lambda x, y: x * y)
    joint(mixed, lambda ct, _out, x, y: [ct * y, ct * x])

    def fun(x: Any) -> Any:
        y = mixed.bind(cube.bind(x), tripled.bind(halved.bind(negated.bind(x))))
        return jnp.sum(y)  # -1.5 x^4

    np.testing.assert_allclose(funcgrad.grad(fun)(X), -6 * X**3, rtol=1e-5)


def test_a_primitive_with_several_results() -> None:
    both = new_primitive("both", lambda x: [2 * x, 3 * x], outputs=2)
    linear(both, lambda cts, _y, _x: 2 * cts[0] + 3 * cts[1])

    def fun(x: Any) -> Any:
        first, second = both.bind(x)
        return jnp.sum(first * 5) + jnp.sum(second * 7)

    np.testing.assert_allclose(funcgrad.grad(fun)(X), np.full(3, 31.0))
    only = funcgrad.grad(lambda x: jnp.sum(both.bind(x)[1]))(X)
    np.testing.assert_allclose(only, np.full(3, 3.0))


def test_a_structured_primitive_runs_its_own_forward() -> None:
    primitive = new_primitive("body", lambda x: [x * 2], outputs=1)
    seen: list[Any] = []

    def forward(options: Any, needed: Any, operands: Any, params: Any) -> Any:
        seen.append((options.custom_rules, needed, params))
        return [operands[0] * 2], {"kept": operands[0]}

    def backward(kept: Any, needed: Any, arriving: Any) -> Any:
        seen.append((needed, len(arriving)))
        return [arriving[0] * kept["kept"]]

    structured(primitive, forward, backward)
    gradient = funcgrad.grad(lambda x: jnp.sum(primitive.bind(x, size=4)[0]))(X)
    np.testing.assert_array_equal(gradient, X)
    assert seen == [("honour", (True,), {"size": 4}), ((True,), 1)]


def test_no_gradient_flows_through_a_listed_primitive() -> None:
    primitive = new_primitive("staircase", jnp.floor)
    no_derivative(primitive)
    gradient = funcgrad.grad(lambda x: jnp.sum(x * primitive.bind(x)))(X)
    np.testing.assert_array_equal(gradient, jnp.floor(X))


# --- mistakes -------------------------------------------------------------------------------------


def test_a_second_rule_names_both_places() -> None:
    primitive = new_primitive("twice", lambda x: x)
    line = inspect.currentframe().f_lineno  # type: ignore[union-attr]  # CPython has frames
    general(primitive, lambda ct, _y, _x: ct)
    message = (
        rf"`twice` has a rule at \S*test_registry\.py:{line + 1} and another at "
        rf"\S*test_registry\.py:{line + 7}; remove one of them"
    )
    with pytest.raises(RuleError, match=message) as caught:
        linear(primitive, lambda ct, _y, _x: ct)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "declare",
    [
        lambda p: elementwise(p, lambda _y, _x: 1),
        lambda p: joint(p, lambda ct, _y, _x: [ct]),
        lambda p: structured(p, None, lambda *_: []),
        no_derivative,
    ],
    ids=["elementwise", "joint", "structured", "none"],
)
def test_every_form_refuses_a_second_rule(declare: Callable[[Primitive], None]) -> None:
    primitive = new_primitive("again", lambda x: x)
    declare(primitive)
    with pytest.raises(RuleError, match=r"`again` has a rule at .*test_registry"):
        declare(primitive)


def test_parameters_must_be_named() -> None:
    primitive = new_primitive("blanket", lambda x: x)
    message = r"the rule for `blanket` takes \*\*_rest; name each parameter of the primitive"
    with pytest.raises(RuleError, match=message):
        general(primitive, lambda ct, _y, _x, **_rest: ct)
    assert lookup(primitive) is None


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda p: general(p, lambda ct: ct), "takes 1 positional arguments; at least 2"),
        (lambda p: elementwise(p, lambda: 1), "takes 0 positional arguments; at least 1"),
    ],
    ids=["general", "elementwise"],
)
def test_a_function_takes_the_leading_arguments(declare: Any, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        declare(new_primitive("few", lambda x: x))


@pytest.mark.parametrize(
    ("wrong", "received"),
    [
        (lambda ct, _y, _x: ct[:2], "float32[2]"),
        (lambda ct, _y, _x: ct.astype(jnp.float16), "float16[3]"),
        (lambda ct, _y, _x: ct[None], "float32[1,3]"),
    ],
    ids=["shape", "dtype", "rank"],
)
def test_a_cotangent_of_another_type_is_refused(wrong: Any, received: str) -> None:
    primitive = new_primitive("misshapen", lambda x: x)
    general(primitive, wrong)
    message = re.escape(
        f"the rule for `misshapen` gave operand 0 a cotangent of type {received}; a cotangent of "
        "float32[3] was expected"
    )
    with pytest.raises(RuleError, match=message):
        funcgrad.grad(lambda x: jnp.sum(primitive.bind(x)))(X)


def test_a_forgotten_transposition_is_refused() -> None:
    primitive = new_primitive("turned", lambda x: x.T)
    primitive.def_abstract_eval(lambda x: jax.core.ShapedArray(x.shape[::-1], x.dtype))
    general(primitive, lambda ct, _y, _x: ct)
    with pytest.raises(
        RuleError, match=r"`turned` gave operand 0 a cotangent of type float32\[3,2"
    ):
        funcgrad.grad(lambda x: jnp.sum(primitive.bind(x)))(jnp.ones((2, 3), jnp.float32))


# --- the table ------------------------------------------------------------------------------------


def test_the_listing_is_a_copy() -> None:
    listing = rules()
    count = len(listing)
    listing.clear()
    assert len(rules()) == count > 100


def test_every_rule_says_where_it_is() -> None:
    for rule in rules().values():
        assert re.search(r"funcgrad/rules/\w+\.py:\d+$", rule.where), rule.primitive
        assert lookup(rule.primitive) is rule


def test_a_primitive_that_only_one_line_of_jax_has_is_a_stand_in() -> None:
    assert all(rule.primitive.name for rule in rules().values())
    assert jax.lax.sin_p in rules()
