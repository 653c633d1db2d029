"""`check`: verdicts, options, and what it takes as arguments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import jax.scipy.special
import numpy as np
import pytest
from jax import lax

from funcgrad._errors import ConfigurationError, GradientTypeError
from funcgrad.verify import GradientError, assert_gradients, check
from tests.verify.planting import (
    X,
    callback_sine,
    forward_off,
    jvp_rule,
    kinds,
    reverse_off,
    sine,
    stale_sine,
    vjp_rule,
)

W = jnp.array([[1.0, 2.0, 0.5], [-0.5, 0.25, 1.5]])


def verdict(fun: Any, *args: Any, **options: Any) -> str:
    return check(fun, *args, **options).verdict


# --- faults and their twins -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [reverse_off, forward_off])
def test_a_wrong_factor_is_found_and_its_twin_passes(make: Any) -> None:
    report = check(make(2.0), X)
    assert report.verdict == "wrong"
    assert not report.ok
    first = report.findings[0]
    assert (first.kind, first.leaf) == ("gradient", "x")
    assert first.meaning.startswith("factor 2 in every entry")
    twin = check(make(1.0), X)
    assert twin.verdict == "right", str(twin)
    assert twin.ok
    assert not twin.findings


def entry(at: Any) -> Any:
    """A sine whose rule has another sign where a condition holds."""
    return vjp_rule(sine, lambda a, ct: (ct * jnp.cos(a[0]) * jnp.where(at(a[0]), -1.0, 1.0),))


FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "a sign in one entry": (lambda: reverse_off(jnp.array([1.0, -1.0, 1.0])), "gradient"),
    "NaN": (lambda: reverse_off(jnp.array([1.0, jnp.nan, 1.0])), "nan"),
    "a large cotangent": (
        lambda: vjp_rule(sine, lambda a, ct: (jnp.clip(ct, -100, 100) * jnp.cos(a[0]),)),
        "gradient",
    ),
    "an exception": (lambda: vjp_rule(sine, lambda a, ct: a[5] * ct), "error"),
    "a shape": (lambda: vjp_rule(sine, lambda _, ct: (ct[:1],)), "error"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_of_its_kind(name: str) -> None:
    make, kind = FAULTS[name]
    report = check(make(), X, order=1)
    assert report.verdict == "wrong"
    assert (kind, "wrong") in kinds(report.findings), str(report)


def test_the_second_derivative_alone_may_be_wrong() -> None:
    cut = jvp_rule(sine, lambda x, t: t * lax.stop_gradient(jnp.cos(x)))
    assert kinds(check(cut, X).findings) == {("second", "wrong")}
    first = check(cut, X, order=1)
    assert (first.verdict, first.order) == ("right", 1)


def test_a_fault_only_at_a_mined_point() -> None:
    hidden = entry(lambda x: x > 37.0)
    report = check(hidden, X, order=1)
    assert report.verdict == "wrong"
    assert "37, a constant of the program" in report.findings[0].point
    given = check(hidden, X, order=1, points="given")
    assert given.verdict == "right"
    assert given.points == ("the given point",)


def test_a_counter_is_seen() -> None:
    calls = itertools.count()
    rule = vjp_rule(sine, lambda a, ct: (ct * jnp.cos(a[0]) * (1.0 if next(calls) < 4 else 1.5),))
    assert ("repeat", "wrong") in kinds(check(rule, X).findings)


def test_a_stale_cache_is_seen() -> None:
    report = check(stale_sine(), X)
    assert report.verdict == "wrong"
    assert "keeps from an earlier call" in report.findings[0].meaning


def test_a_leaked_tracer_is_named() -> None:
    kept: list[Any] = []

    def backward(args: Any, ct: Any) -> Any:
        kept.extend(args)
        return (ct * jnp.cos(kept[0]),)

    report = check(vjp_rule(sine, backward), X)
    assert report.verdict == "wrong"
    assert {finding.kind for finding in report.findings} == {"error"}
    assert any("traced value" in f.message + f.meaning for f in report.findings)


def test_a_fault_under_vmap_only() -> None:
    cosine = jax.custom_batching.custom_vmap(jnp.cos)
    cosine.def_vmap(lambda _n, _b, x: (jnp.cos(x)[::-1], True))
    report = check(vjp_rule(sine, lambda a, ct: (ct * cosine(a[0]),)), X)
    assert ("batch", "wrong") in kinds(report.findings)


# --- the promise: 1e-6 in every entry -------------------------------------------------------------

OVER = 1.0 + 1e-6
SMALL = jnp.array([1.0, 2.0**-60, -1.0, 2.0**-60])  # about 1e-18
AT = jnp.array([0.5, 1.0, 2.0, 0.25])


def weighted(x: Any) -> Any:
    return jnp.sum(jnp.sin(x) * SMALL)


def slope(x: Any, factor: float) -> Any:
    return (SMALL * jnp.cos(x)).at[1].multiply(factor)


def weighted_rule(mode: str, factor: float) -> Any:
    if mode == "reverse":
        return vjp_rule(weighted, lambda a, ct: (ct * slope(a[0], factor),))
    return jvp_rule(weighted, lambda x, t: jnp.sum(t * slope(x, factor)))


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_entries_of_1e_18_beside_entries_of_1(mode: str) -> None:
    assert verdict(weighted_rule(mode, 1.0), AT, order=1) == "right"
    report = check(weighted_rule(mode, 1.001), AT, order=1)
    assert report.verdict == "wrong"
    assert report.findings[0].index == (1,)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_an_error_of_1e_6_in_an_entry_of_1e_18(mode: str) -> None:
    assert verdict(weighted_rule(mode, OVER), AT, order=1) == "wrong"


@pytest.mark.parametrize("make", [reverse_off, forward_off])
def test_an_error_of_1e_6_in_every_entry(make: Any) -> None:
    for place in range(3):
        factor = np.ones(3, np.float32)
        factor[place] = OVER
        report = check(make(jnp.asarray(factor)), X, order=1)
        assert report.verdict == "wrong"
        assert report.findings[0].index == (place,)


@pytest.mark.parametrize("make", [reverse_off, forward_off])
def test_an_error_of_1e_5_in_every_entry(make: Any) -> None:
    for place in range(3):
        factor = np.ones(3, np.float32)
        factor[place] = 1.0 + 1e-5
        report = check(make(jnp.asarray(factor)), X, order=1)
        assert report.verdict == "wrong"
        assert report.findings[0].index == (place,)


def one_of_many(mode: str, factor: float) -> Any:
    def cosine(x: Any) -> Any:
        return jnp.cos(x).at[12345].multiply(factor)

    if mode == "reverse":
        return vjp_rule(sine, lambda a, ct: (ct * cosine(a[0]),))
    return jvp_rule(sine, lambda x, t: t * cosine(x))


@pytest.mark.parametrize(("mode", "size"), [("reverse", 1_000_000), ("forward", 100_000)])
def test_an_error_of_1e_6_in_one_entry_of_a_million(mode: str, size: int) -> None:
    x = jnp.linspace(0.5, 2.0, size, dtype=jnp.float32)
    report = check(one_of_many(mode, OVER), x, order=1, points="given", budget=0.05)
    assert report.verdict == "wrong"
    assert report.findings[0].index == (12345,)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_one_entry_of_many_is_found(mode: str) -> None:
    x = jnp.linspace(0.5, 2.0, 100_000, dtype=jnp.float32)
    options: dict[str, Any] = {"order": 1, "points": "given", "budget": 0.05}
    report = check(one_of_many(mode, 1.0 + 1e-4), x, **options)
    assert report.verdict == "wrong"
    assert report.findings[0].index == (12345,)
    assert verdict(one_of_many(mode, 1.0), x, **options) == "right"


# --- kinks ----------------------------------------------------------------------------------------

CORNER = jnp.array([0.0, 1.0, -1.0])


def test_a_kink_passes_with_its_two_slopes() -> None:
    report = check(lambda x: jnp.sum(jnp.abs(x)), CORNER)
    assert report.verdict == "kink"
    assert report.ok
    (finding,) = report.findings
    assert finding.estimate is not None
    assert finding.estimate.kind == "kink"
    assert abs(finding.estimate.left - finding.estimate.right) > 0.5


def test_a_kink_fails_where_that_is_asked_for() -> None:
    assert verdict(lambda x: jnp.sum(jnp.abs(x)), CORNER, kinks="fail") == "wrong"
    assert verdict(sine, CORNER, kinks="fail") == "right"


@pytest.mark.parametrize("fun", [jax.nn.relu, jnp.abs, lambda x: jnp.maximum(x, 0.0)])
def test_a_kink_that_fails_is_the_only_finding(fun: Any) -> None:
    """The gradient there is one of those that are allowed, and so is not called wrong."""
    report = check(fun, CORNER, kinks="fail")
    assert kinds(report.findings) == {("kink", "wrong")}
    (finding,) = report.findings
    assert finding.meaning.startswith('nothing but a kink, which kinks="fail" asks to have')
    assert "from the left" in str(report)


def test_a_kink_elsewhere_does_not_fail() -> None:
    at_zero = vjp_rule(jnp.abs, lambda a, ct: (jnp.where(a[0] >= 0, ct, -ct),))
    assert verdict(at_zero, X, kinks="fail") == "right"
    assert verdict(at_zero, CORNER, kinks="fail") == "wrong"


def test_a_kink_in_the_function_s_own_precision_fails_too() -> None:
    def corner(x: Any) -> Any:
        return jnp.sum(jnp.abs(x)) if x[1] > 0 else jnp.sum(x)

    assert verdict(corner, CORNER) == "kink"
    assert verdict(corner, CORNER, kinks="fail") == "wrong"


def test_an_impossible_slope_at_a_kink_is_wrong() -> None:
    def rule(at_zero: float) -> Any:
        return vjp_rule(
            jnp.abs,
            lambda a, ct: (ct * jnp.where(a[0] == 0, at_zero, jnp.sign(a[0])),),
        )

    assert verdict(rule(0.5), CORNER) == "kink"
    assert verdict(rule(0.5), CORNER, kinks="fail") == "wrong"
    assert verdict(rule(3.0), CORNER) == "wrong"
    strict = check(rule(3.0), CORNER, kinks="fail").findings
    assert {("kink", "wrong"), ("gradient", "wrong")} <= kinds(strict)


@pytest.mark.parametrize(
    ("fun", "words"),
    [
        (lambda x: jnp.sum(jnp.floor(x) + x), "jumps"),
        (lambda x: jnp.sum(jnp.abs(x) ** 1.5 * jnp.sqrt(x + 1)), "edge of the function's domain"),
    ],
)
def test_other_points_without_a_derivative(fun: Any, words: str) -> None:
    report = check(fun, CORNER, order=1)
    assert report.verdict == "kink"
    assert any(words in finding.message for finding in report.findings)
    assert verdict(fun, CORNER, order=1, kinks="fail") == "wrong"


# --- inconclusive ---------------------------------------------------------------------------------


def inconclusive(fun: Any, words: str) -> None:
    report = check(fun, X)
    assert report.verdict == "inconclusive"
    assert not report.ok
    assert words in report.findings[0].message
    with pytest.raises(GradientError, match=r"\w"):
        assert_gradients(fun, X)
    assert report.raise_if_failed() is report


def test_what_nobody_can_judge() -> None:
    calls = itertools.count()
    inconclusive(lambda x: jnp.sum(x) + next(calls), "another value when it was called again")
    inconclusive(lambda x: jnp.sum(jnp.log(x)), "not finite at the given point")
    inconclusive(jnp.argmax, "returns no floating array")
    inconclusive(lambda _: None, "returns no floating array")
    inconclusive(callback_sine, "JAX offers no derivative of this function: a callback")


# --- programs of other kinds ----------------------------------------------------------------------


def test_a_callback_with_a_rule_is_examined_in_its_own_precision() -> None:
    def rule(factor: float) -> Any:
        return vjp_rule(callback_sine, lambda a, ct: (ct * jnp.cos(a[0]) * factor,))

    at = X[:1]
    right, wrong = check(rule(1.0), at), check(rule(1.02), at)
    assert right.verdict == "right"
    assert "`pure_callback` leaves the program" in right.findings[0].message
    assert wrong.verdict == "wrong"


def halving(x: Any) -> Any:
    return jnp.sum(lax.while_loop(lambda c: jnp.max(c) > 0.25, lambda c: 0.5 * c, x))


def test_a_while_loop_has_its_forward_derivative_examined() -> None:
    at = jnp.array([0.7, -0.4])
    options: dict[str, Any] = {"points": "given", "budget": 0.05, "order": 1}
    report = check(halving, at, **options)
    assert report.verdict == "right"
    assert "JAX cannot reverse a while_loop" in report.findings[0].message


def branching(x: Any) -> Any:
    return jnp.sum(x**2) if x[0] > 0 else jnp.sum(x**3)


def test_python_branches_are_examined_with_a_gradient_of_one_s_own() -> None:
    assert verdict(branching, X) == "right"
    report = check(branching, X, gradient=lambda x: 2 * x)
    assert report.verdict == "right"
    assert any("it cannot be traced" in finding.message for finding in report.findings)
    assert report.order == 1
    assert verdict(branching, X, gradient=lambda x: 3 * x) == "wrong"


@pytest.mark.parametrize(
    ("fun", "error"),
    [
        (lambda x: jnp.sum(x) * float(x[0]), "ConcretizationTypeError"),
        (lambda x: jnp.sum(x) * math.sin(x[0]), "ConcretizationTypeError"),
        (lambda x: jnp.asarray(np.sin(x)), "TracerArrayConversionError"),
    ],
)
def test_what_jax_cannot_differentiate_is_no_fault(fun: Any, error: str) -> None:
    """Under `jax.grad` a number may be compared, but not made Python's own."""
    with pytest.raises(jax.errors.JAXTypeError):
        jax.grad(lambda x: jnp.sum(fun(x)))(X)
    report = check(fun, X)
    assert report.verdict == "inconclusive"
    first = report.findings[0]
    assert (first.kind, first.verdict) == ("error", "inconclusive")
    assert f"jax.grad fails too: {error}: " in first.message
    assert "write it with jax.numpy, jnp.where or lax.cond" in first.meaning
    assert report.order == 1


def test_a_rule_that_makes_a_tracer_a_number_is_wrong() -> None:
    report = check(jvp_rule(sine, lambda x, t: jnp.cos(x) * float(t[0])), X)
    assert report.verdict == "wrong"
    assert kinds(report.findings) == {("error", "wrong")}


def test_bits_are_read_from_the_numbers_as_they_were() -> None:
    def mixed(x: Any) -> Any:
        return jnp.sum(x * (lax.bitcast_convert_type(x, jnp.int32) >> 23).astype(x.dtype))

    assert verdict(mixed, X) == "right"


# --- gradient= ------------------------------------------------------------------------------------


def loss(w: Any, x: Any) -> Any:
    return jnp.sum(jnp.tanh(w @ x))


def by_both(w: Any, x: Any) -> tuple[Any, Any]:
    inner = 1 - jnp.tanh(w @ x) ** 2
    return jnp.outer(inner, x), inner @ w


FORMS: dict[str, tuple[Any, Any, int]] = {
    "a tuple": (by_both, lambda w, x: (by_both(w, x)[0], 2 * by_both(w, x)[1]), 2),
    "a list": (lambda w, x: list(by_both(w, x)), lambda w, x: [3 * g for g in by_both(w, x)], 2),
    "bare": (lambda w, x: by_both(w, x)[0], lambda w, x: -by_both(w, x)[0], 1),
    "NumPy": (
        lambda w, x: np.asarray(by_both(w, x)[0]), lambda w, x: -np.asarray(by_both(w, x)[0]), 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_of_a_gradient(form: str) -> None:
    right, wrong, leaves = FORMS[form]
    report = check(loss, W, X, gradient=right)
    assert report.verdict == "right", str(report)
    assert len(report.leaves) == leaves
    assert verdict(loss, W, X, gradient=wrong) == "wrong"


def test_a_gradient_by_the_floating_arguments() -> None:
    def power(x: Any, n: int, y: Any) -> Any:
        return jnp.sum(x**n) * jnp.sum(y)

    def gradient(x: Any, n: int, y: Any) -> Any:
        return n * x ** (n - 1) * jnp.sum(y), jnp.full(3, jnp.sum(x**n))

    assert verdict(power, X, 2, X + 1, gradient=gradient) == "right"

    def negated(x: Any, n: int, y: Any) -> Any:
        by_x, by_y = gradient(x, n, y)
        return -by_x, by_y

    report = check(power, X, 2, X + 1, gradient=negated)
    assert [finding.leaf for finding in report.findings] == ["x"]


@pytest.mark.parametrize(
    ("fun", "kinds"),
    [
        (jnp.cos, r"cos returns float32\[3\]"),
        (lambda x: jnp.sum(x)[None], r"returns float32\[1\]"),
        (lambda x: (jnp.sum(x), jnp.max(x)), r"returns float32\[\], float32\[\]"),
    ],
)
def test_a_gradient_is_that_of_a_scalar(fun: Any, kinds: str) -> None:
    """Of cos(x) the entrywise -sin(x) is no gradient, though it looks like one."""
    with pytest.raises(GradientTypeError, match=f"one floating scalar output, but .*{kinds}; give"):
        check(fun, X, gradient=lambda x: -jnp.sin(x))
    assert verdict(lambda x: (jnp.sum(x**2), 3), X, gradient=lambda x: 2 * x) == "right"


def test_a_gradient_is_examined_to_the_first_order() -> None:
    report = check(loss, W, X, gradient=by_both)
    assert report.order == 1
    assert "first order, seed 0" in str(report)
    assert check(loss, W, X).order == 2


def test_a_gradient_is_a_function() -> None:
    message = (
        r"gradient must be a function of the arguments of loss .* but is float32\[2, 3\] of type "
    )
    with pytest.raises(GradientTypeError, match=message):
        check(loss, W, X, gradient=W)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(GradientTypeError, match=r"of loss .* but is \[1\.0\] of type list; of a"):
        check(loss, W, X, gradient=[1.0])  # type: ignore[arg-type]  # on purpose
    assert verdict(loss, W, X, gradient=lambda *_: by_both(W, X), points="given") == "right"


def test_a_gradient_of_a_number() -> None:
    assert verdict(lambda x: x**3, 2.0, gradient=lambda x: 3 * x**2) == "right"
    report = check(lambda x: x**3, 2.0, gradient=lambda x: 3 * x)
    assert report.findings[0].index == ()
    assert report.findings[0].meaning.startswith("factor 0.5")


def test_the_numbers_are_those_of_the_gradient() -> None:
    (finding,) = check(lambda x: x**3, 2.0, gradient=lambda x: 3 * x).findings
    assert (finding.expected, finding.received) == (12.0, 6.0)


def test_a_gradient_that_does_not_fit_is_wrong() -> None:
    report = check(loss, W, X, gradient=lambda w, x: by_both(w, x)[0].T)
    assert report.verdict == "wrong"
    (finding,) = report.findings
    assert finding.kind == "structure"
    assert "float32[3, 2]; expected: float32[2, 3]" in finding.message


# --- arguments ------------------------------------------------------------------------------------


class Layer(NamedTuple):
    w: Any
    b: Any


def test_trees_and_keywords() -> None:
    def layer(p: Any, q: Any, *, scale: Any) -> Any:
        return jnp.sum(scale * jnp.tanh(p.w @ q["x"] + p.b))

    report = check(layer, Layer(W, jnp.ones(2)), {"x": X, "n": 3}, scale=2.0)
    assert report.verdict == "right"
    assert [leaf.split()[0] for leaf in report.leaves] == ["p.w", "p.b", "q['x']", "scale"]
    assert report.leaves[0] == "p.w float32[2,3]"

    def planted(p: Any) -> Any:
        return jnp.sum(forward_off(2.0)(p["a"]["b"]) + p["c"])

    wrong = check(planted, {"a": {"b": X}, "c": X})
    assert wrong.findings[0].leaf == "p['a']['b']"


def test_keys_integers_and_strings_are_passed_on() -> None:
    def draw(x: Any, key: Any, n: Any, word: str) -> Any:
        drawn = jax.random.normal(key, x.shape)
        return jnp.sum(x**2 * drawn * n) if word == "sum" else x

    report = check(draw, X, jax.random.key(0), jnp.array(2), "sum", points="given")
    assert report.verdict == "right"
    assert report.leaves == ("x float32[3]",)


def test_an_unused_input_has_a_gradient_of_zero() -> None:
    assert verdict(lambda x, _: jnp.sum(x**2), X, W) == "right"
    rule = vjp_rule(lambda x, _: x**2, lambda a, ct: (2 * a[0] * ct, jnp.ones_like(a[1])))
    report = check(rule, X, X)
    assert report.findings[0].leaf == "_"
    assert report.findings[0].expected == 0


@pytest.mark.parametrize("rest", [(), (X,)])
def test_an_empty_array(rest: tuple[Any, ...]) -> None:
    def total(*leaves: Any) -> Any:
        return sum(jnp.sum(leaf**2) for leaf in leaves)

    assert verdict(total, jnp.zeros((0, 3)), *rest) == "right"


@pytest.mark.parametrize(("conjugate", "expected"), [(True, "wrong"), (False, "right")])
def test_complex_numbers(conjugate: bool, expected: str) -> None:
    def backward(args: Any, ct: Any) -> Any:
        slope = 2 * args[0]
        return (ct * (jnp.conj(slope) if conjugate else slope),)

    report = check(vjp_rule(lambda z: z * z, backward), jnp.array([1 + 2j, -0.5 + 0.25j]))
    assert report.verdict == expected, str(report)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype: str) -> None:
    x = X.astype(dtype)
    assert verdict(reverse_off(1.0), x) == "right"
    assert verdict(reverse_off(1.125), x) == "wrong"
    assert verdict(lambda x: jnp.sum(jnp.tanh(x) ** 2), x) == "right"


def test_64_bits() -> None:
    with jax.enable_x64(True):
        x = jnp.asarray(X, jnp.float64)
        assert verdict(reverse_off(1 + 1e-9), x) == "wrong"
        assert verdict(reverse_off(1.0), x) == "right"
        assert check(lambda x: x**3, 2.0).leaves == ("x float64[]",)


# --- options --------------------------------------------------------------------------------------


def test_rtol_says_what_is_right() -> None:
    off = reverse_off(1.0 + 2.0**-10)
    assert verdict(off, X) == "wrong"
    assert verdict(off, X, rtol=1e-4) == "wrong"


def test_what_rtol_allows_is_right() -> None:
    assert verdict(reverse_off(1.0 + 2.0**-10), X, rtol=1e-2) == "right"


def test_the_same_seed_gives_the_same_report() -> None:
    first, second = (check(reverse_off(2.0), X, seed=3) for _ in range(2))
    # Estimates hold arrays, which have no plain equality.
    plain = [[f._replace(estimate=None) for f in r.findings] for r in (first, second)]
    assert plain[0] == plain[1]
    assert first.points == second.points
    assert first.seed == 3
    other = check(reverse_off(2.0), X, seed=4)
    assert other.verdict == "wrong"
    assert [f._replace(estimate=None) for f in other.findings] != plain[0]


def test_the_budget_scales_the_points() -> None:
    few, many = (len(check(sine, X, budget=b, order=1).points) for b in (0.05, 1.0))
    assert few == 1
    assert many > 5


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"kinks": "ignore"}, "kinks must be one of 'pass', 'fail', but is 'ignore'"),
        ({"points": "all"}, "points must be one of 'mined', 'given', but is 'all'"),
        ({"order": 3}, "order must be 1 or 2, but is 3"),
        ({"rtol": 0}, "rtol must lie between 0 and 1, but is 0"),
        ({"rtol": -1e-3}, "rtol must lie between 0 and 1"),
        ({"budget": 0}, "budget must be positive, but is 0"),
    ],
)
def test_an_option_without_such_a_value(option: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check(sine, X, **option)


@pytest.mark.parametrize("option", [{"seed": -1}, {"seed": "a"}, {"rtol": "a"}, {"budget": "a"}])
def test_an_option_of_another_kind(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must"):
        check(sine, X, **option)


def test_mistakes() -> None:
    with pytest.raises(GradientTypeError, match="check takes a function first, but received 3"):
        check(3, X)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(GradientTypeError, match=r"none of the arguments \(int32\) is a floating"):
        check(jnp.sum, jnp.arange(3))
    with pytest.raises(GradientTypeError, match=r"none of the arguments \(there are none\)"):
        check(lambda: 1.0)


def test_an_error_of_the_function_s_own_is_passed_on() -> None:
    def broken(_: Any) -> Any:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        check(broken, X)


def test_assert_gradients() -> None:
    assert_gradients(sine, X, order=1)
    with pytest.raises(GradientError, match="factor 2 in every entry"):
        assert_gradients(reverse_off(2.0), X, order=1)
    with pytest.raises(GradientError, match="WRONG"):
        check(reverse_off(2.0), X).raise_if_failed()


def test_the_worst_comes_first() -> None:
    report = check(forward_off(2.0), X)
    verdicts = [finding.verdict for finding in report.findings]
    assert verdicts == sorted(verdicts, key=["wrong", "inconclusive", "kink", "right"].index)
    assert report.seconds > 0
    assert len(report.witnesses) == 3


def test_gamma_samples_are_differentiated_by_their_quantile() -> None:
    key, shape = jax.random.key(0), jnp.array([0.7, 3.0])
    report = check(lambda a: jax.random.gamma(key, a), shape, order=1)
    assert report.verdict == "right"
    assert any("Figurnov" in finding.message for finding in report.findings)
    assert not any(finding.kind == "precision" for finding in report.findings)


def test_a_solver_for_symmetric_matrices_is_right_for_symmetric_changes() -> None:
    matrix = jnp.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.3], [0.5, 0.3, 1.5]])
    right = jnp.array([1.0, 2.0, 3.0])
    solve = partial(jax.scipy.linalg.solve, assume_a="pos")
    report = check(solve, matrix, right)
    assert report.verdict == "right"
    assert any("keep a matrix symmetric" in finding.message for finding in report.findings)


def test_shapes_that_depend_on_values_are_no_fault() -> None:
    report = check(jnp.trim_zeros, jnp.array([0.0, 1.0, 2.0]))
    assert report.verdict == "inconclusive"
    assert "shape" in report.findings[0].message


def test_nothing_of_an_infinite_derivative_is_no_fault() -> None:
    report = check(jax.scipy.special.entr, jnp.array([0.0, 0.5]))
    assert report.ok
