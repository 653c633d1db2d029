"""`check_vjp_rule`: the parts of a rule, and what is no rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from funcgrad._errors import ConfigurationError, GradientTypeError
from funcgrad.verify import check_vjp_rule

X, Y = jnp.array([1.0, 2.0]), jnp.array(3.0)


def product(x: Any, y: Any) -> Any:
    return x * y


def rule(fwd: Callable[..., Any], bwd: Callable[..., Any]) -> Any:
    made = jax.custom_vjp(product)
    made.defvjp(fwd, bwd)
    return made


def forward(x: Any, y: Any) -> Any:
    return x * y, (x, y)


def backward(res: Any, ct: Any) -> Any:
    x, y = res
    return ct * y, jnp.sum(ct * x)


@jax.custom_jvp
def tanh(x: Any) -> Any:
    return jnp.tanh(x)


@tanh.defjvp
def _(primals: Any, tangents: Any) -> Any:
    y = jnp.tanh(primals[0])
    return y, (1 - y * y) * tangents[0]


def test_right_rules_are_right() -> None:
    assert check_vjp_rule(rule(forward, backward), X, Y).verdict == "right"
    assert check_vjp_rule(tanh, X).verdict == "right"


def test_arguments_that_are_not_differentiated() -> None:
    @partial(jax.custom_vjp, nondiff_argnums=(1,))
    def power(x: Any, n: float) -> Any:
        return x**n

    power.defvjp(lambda x, n: (x**n, x), lambda n, x, ct: (n * x ** (n - 1) * ct,))
    report = check_vjp_rule(power, X, 3.0)
    assert report.verdict == "right", str(report)
    assert report.leaves == ("x float32[2]",)


def test_the_function_itself_may_be_an_argument() -> None:
    @partial(jax.custom_jvp, nondiff_argnums=(0,))
    def apply(f: Any, x: Any) -> Any:
        return f(x)

    @apply.defjvp
    def _(f: Any, primals: Any, tangents: Any) -> Any:
        return f(primals[0]), jnp.cos(primals[0]) * tangents[0]

    assert check_vjp_rule(apply, jnp.sin, X).verdict == "right"
    assert check_vjp_rule(apply, jnp.cos, X).verdict == "wrong"


def test_integers_and_none_as_cotangents() -> None:
    @jax.custom_vjp
    def pick(x: Any, n: Any) -> Any:
        return x[n]

    pick.defvjp(
        lambda x, n: (x[n], (x, n)), lambda r, ct: (jnp.zeros_like(r[0]).at[r[1]].set(ct), None)
    )
    report = check_vjp_rule(pick, X, jnp.array(1))
    assert report.verdict == "right", str(report)


def test_symbolic_zeros() -> None:
    made = jax.custom_vjp(product)
    made.defvjp(lambda x, y: (x.value * y.value, (x.value, y.value)), backward, symbolic_zeros=True)
    assert check_vjp_rule(made, X, Y).verdict == "right"


def test_optimize_remat() -> None:
    made = jax.custom_vjp(product)
    made.defvjp(forward, backward, optimize_remat=True)
    assert check_vjp_rule(made, X, Y).verdict == "right"


# --- planted faults -------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Any, Any, str]] = {
    "another value": (
        lambda x, y: (x * y + 1e-3, (x, y)),
        backward,
        "fwd's first result is not what the function returns",
    ),
    "no pair": (lambda x, y: x * y + y, backward, "the pair \\(result, residuals\\)"),
    "too few": (forward, lambda r, ct: (ct * r[1],), "a tuple of 1; a tuple of 2"),
    "a shape": (
        forward,
        lambda r, ct: (ct * r[1], ct * r[0]),
        "bwd's cotangent of y has the shape \\(2,\\), but y \\(\\)",
    ),
    "a dtype": (
        forward,
        lambda r, ct: ((ct * r[1]).astype("float16"), jnp.sum(ct * r[0])),
        "bwd's cotangent of x is of float16, but x of float32",
    ),
    "a structure": (
        forward,
        lambda r, ct: ({"x": ct * r[1]}, jnp.sum(ct * r[0])),
        "bwd's cotangent of x has the structure",
    ),
    "not linear": (
        forward,
        lambda r, ct: (jnp.abs(ct) * r[1], jnp.sum(ct * r[0])),
        "bwd is not linear in the cotangent",
    ),
    "an exception": (forward, lambda r, ct: r[5] * ct, "bwd fails: IndexError"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(name: str) -> None:
    fwd, bwd, words = FAULTS[name]
    report = check_vjp_rule(rule(fwd, bwd), X, Y)
    assert report.verdict == "wrong"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(report.findings[0].message)


def test_a_wrong_formula_is_left_to_check() -> None:
    report = check_vjp_rule(rule(forward, lambda r, ct: (2 * ct * r[1], jnp.sum(ct * r[0]))), X, Y)
    assert report.verdict == "wrong"
    assert report.findings[0].leaf == "x"


def test_faults_of_a_jvp_rule() -> None:
    @jax.custom_jvp
    def double(x: Any) -> Any:
        return 2 * x

    double.defjvp(lambda p, t: (2 * p[0] + 1, 2 * jnp.abs(t[0])))
    messages = [finding.message for finding in check_vjp_rule(double, X).findings]
    assert messages[0] == "the JVP rule's first result is not what the function returns"
    assert messages[1].startswith("the JVP rule is not linear in the tangent")


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (product, "product, a function, has no rule of its own; funcgrad.check checks any"),
        (jax.custom_vjp(product), r"product has no rule yet; call product.defvjp\(...\)"),
        (jax.custom_jvp(product), r"call product.defjvp\(...\)"),
        (jax.jit(rule(forward, backward)), "wraps one .in jax.jit"),
        (3, "received 3 of type int"),
    ],
)
def test_what_is_no_rule_is_refused(given: Any, words: str) -> None:
    with pytest.raises(GradientTypeError, match=words):
        check_vjp_rule(given, X, Y)


def test_other_mistakes() -> None:
    made = rule(forward, backward)
    with pytest.raises(ConfigurationError, match="was given 1 arguments: missing a required"):
        check_vjp_rule(made, X)
    with pytest.raises(ConfigurationError, match="for gradient= there is check"):
        check_vjp_rule(made, X, Y, gradient=product)
