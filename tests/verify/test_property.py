"""Property checks: examples are checked once, failures shrink, reports add up, programs rerun."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcgrad
from funcgrad._errors import GradientTypeError
from funcgrad.verify import _property, strategies
from funcgrad.verify._check import check as real_check
from funcgrad.verify._findings import Finding, GradientError, Report
from funcgrad.verify._literals import literal
from funcgrad.verify._property import check_over, property_check
from funcgrad.verify._reproducer import reproducer

X = strategies.arrays(3)
# The functions under test stand at the top of the module, where a reproducer imports them from.


def norm(x: Any) -> Any:
    return jnp.sum(x * x)


def product(x: Any, y: Any) -> Any:
    return jnp.sum(x) * jnp.sum(y)


def anything(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls of a check that finds fault with a second entry below zero, and NaN with 7."""
    seen: list[Any] = []

    def check(fun: Any, *args: Any, seed: int, points: str, **kwargs: Any) -> Report:
        options = {name: kwargs.pop(name) for name in ("order", "kinks") if name in kwargs}
        seen.append(SimpleNamespace(args=args, kwargs=kwargs, options=options, points=points))
        leaves = [
            np.ravel(np.asarray(v)).astype(np.float64) for v in jax.tree.leaves((args, kwargs))
        ]
        verdict = _verdict(np.concatenate(leaves), options.get("kinks", "pass"))
        finding = Finding("gradient", verdict, f"a fault that is {verdict}")
        given = (finding,) if verdict != "right" else ()
        return Report(fun.__name__, verdict, given, (points,), ("numbers",), seed=seed)

    monkeypatch.setattr(_property, "check", check)
    return seen


def _verdict(x: Any, kinks: str) -> str:
    if (x == 7).any():
        raise ZeroDivisionError("seven")
    if (x > 1e5).any():
        return "inconclusive"
    if x.size > 1 and x[1] < -0.3:
        return "wrong"
    return {"pass": "kink", "fail": "wrong"}[kinks] if (x == 0.5).any() else "right"


def within(low: float, high: float) -> Any:
    return strategies.arrays(3, within=(low, high))


# --- check_over -----------------------------------------------------------------------------------


def test_a_fault_is_found_and_shrunk(calls: list[Any]) -> None:
    report = check_over(norm, X, max_examples=200)
    assert report.verdict == "wrong"
    assert report.findings[0].message == "a fault that is wrong"
    assert "x = jnp.array([0.0, -1.0, 0.0], 'float32')" in report.call
    assert any("the simplest found" in words for words in report.points)
    assert report.seconds > 0
    seen = [np.asarray(call.args[0]).tobytes() for call in calls]
    assert len(seen) == len(set(seen)), "an example was checked twice"


@pytest.mark.parametrize("shrinks", [0, 1, 5])
def test_shrinking_ends_when_it_is_told_to(calls: list[Any], shrinks: int) -> None:
    report = check_over(norm, X, max_examples=200, max_shrinks=shrinks)
    assert report.verdict == "wrong"
    first = next(
        i for i, c in enumerate(calls) if _verdict(np.asarray(c.args[0]), "pass") == "wrong"
    )
    assert len(calls) - first - 1 <= shrinks


def test_shrinking_keeps_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of another kind, or by another input, lies at simpler arguments."""

    def check(_fun: Any, x: Any, **_: Any) -> Report:
        size = float(np.max(np.abs(x)))
        if size == 0:
            return Report("norm", "right")
        kind, leaf = ("gradient", "x") if size >= 2 else ("nan", "x") if size >= 1 else ("nan", "y")
        return Report("norm", "wrong", (Finding(kind, "wrong", f"{kind} by {leaf}", leaf=leaf),))

    monkeypatch.setattr(_property, "check", check)
    found: dict[str, set[float]] = {}
    for seed in range(12):
        report = check_over(norm, X, max_examples=300, seed=seed)
        x = np.asarray(rebuilt(report.call)["x"])
        found.setdefault(report.findings[0].message, set()).add(float(np.max(np.abs(x))))
    assert min(found["gradient by x"]) == 2  # though smaller ones are wrong in another way
    assert min(found.get("nan by x", {1.0})) == 1
    assert max(found.get("nan by y", {0.0})) < 1


def test_several_strategies_stand_for_as_many_arguments(calls: list[Any]) -> None:
    check_over(product, X, jnp.ones(2), max_examples=3)
    assert {(len(c.args), c.args[0].shape, c.args[1].shape) for c in calls} == {(2, (3,), (2,))}


@pytest.mark.parametrize("spec", [(X, 50), ((X, X),)])
def test_strategies_that_do_not_fit_the_function_are_refused(spec: Any) -> None:
    message = "2 strategies stand for 2 arguments .*, but norm cannot be called with them: too many"
    with pytest.raises(GradientTypeError, match=message):
        check_over(norm, *spec)


def test_the_same_seed_draws_the_same(calls: list[Any]) -> None:
    drawn = []
    for seed in (1, 1, 2):
        calls.clear()
        check_over(norm, within(0, 4), max_examples=10, seed=seed)
        drawn.append([np.asarray(call.args[0]).tolist() for call in calls])
    assert drawn[0] == drawn[1] != drawn[2]


def test_right_examples_add_up_to_a_right_report(calls: list[Any]) -> None:
    report = check_over(norm, within(1, 4), max_examples=12, seed=5, order=1)
    assert report.verdict == "right"
    assert report.points == (f"{len(calls)} drawn examples",)
    assert report.witnesses == ("numbers",)
    assert (report.name, report.seed, report.findings) == ("norm", 5, ())
    assert 8 <= len(calls) <= 12  # those that are drawn twice count once
    assert all(call.options == {"order": 1} and call.points == "given" for call in calls)


def test_a_kink_is_said_and_passes() -> None:
    report = check_over(norm, within(0.5, 4), max_examples=40)
    assert (report.verdict, report.ok) == ("kink", True)
    assert report.findings[0].verdict == "kink"
    assert any("on a kink" in words for words in report.points)
    assert check_over(norm, within(0.5, 4), max_examples=40, kinks="fail").verdict == "wrong"


def test_what_cannot_be_judged_is_passed_over_and_counted() -> None:
    report = check_over(norm, within(8, np.inf), max_examples=60)  # beyond the 7 that raises
    assert report.verdict == "right"
    (finding,) = report.findings
    assert (finding.kind, finding.verdict) == ("note", "right")
    assert "drawn examples could not be judged; the first: a fault that is inc" in finding.message
    assert any("passed over as inconclusive" in words for words in report.points)


def test_when_nothing_can_be_judged_the_verdict_is_inconclusive() -> None:
    report = check_over(norm, within(1e6, np.inf), max_examples=5)
    assert (report.verdict, report.ok) == ("inconclusive", False)
    assert report.findings[0].kind == "primal"
    assert re.match(r"(\d) of \1 drawn examples could not be", report.findings[0].message)
    nothing = check_over(norm, st.nothing(), max_examples=5)
    assert nothing.verdict == "inconclusive"
    assert "no example could be drawn" in nothing.findings[0].message


def test_an_exception_comes_out_with_the_arguments_at_once(calls: list[Any]) -> None:
    drawn = strategies.arrays(3, near=[7.0], within=(6.5, 7.5))
    with pytest.raises(ZeroDivisionError, match="seven") as caught:
        check_over(norm, drawn, max_examples=200)
    assert "raised while drawn arguments were checked" in caught.value.__notes__[0]
    assert "funcgrad.check(norm, x" in caught.value.__notes__[0]
    assert (calls[-1].args[0] == 7).any()
    assert all((call.args[0] != 7).all() for call in calls[:-1])


def test_the_profile_says_how_many(calls: list[Any]) -> None:
    check_over(norm, within(1, 4), max_examples=None)
    assert 0.5 < len(calls) / hypothesis.settings().max_examples <= 1


ARGUMENTS: dict[str, tuple[Any, Callable[[Any], bool]]] = {
    "one strategy": (within(1, 4), lambda c: len(c.args) == 1 and c.args[0].shape == (3,)),
    "a strategy of tuples": (st.tuples(within(1, 4), within(1, 4)), lambda c: len(c.args) == 2),
    "a tuple": ((within(1, 4), jnp.ones((2, 2), "float16")), lambda c: c.args[1].shape == (2, 2)),
    "keywords": ({"x": within(1, 4), "y": jnp.ones(2)}, lambda c: set(c.kwargs) == {"x", "y"}),
    "a dict of arrays": ({"x": jnp.ones(2)}, lambda c: set(c.args[0]) == {"x"}),
    "a type": (jax.ShapeDtypeStruct((4,), "float16"), lambda c: c.args[0].dtype == "float16"),
    "a list": ([jnp.ones(2)], lambda c: isinstance(c.args[0], list)),
    "a number": (1.0, lambda c: type(c.args[0]) is float),
}


@pytest.mark.parametrize("form", ARGUMENTS)
def test_forms_of_arguments(calls: list[Any], form: str) -> None:
    spec, fits = ARGUMENTS[form]
    check_over(anything, spec, max_examples=3)
    assert calls
    assert all(map(fits, calls))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_over(norm, "x"), r"expected a strategy, or a pytree .* received 'x'"),
        (lambda: check_over(norm, ([X],)), r"a strategy must stand for a whole argument"),
        (lambda: check_over(norm, {"order": X}), r"'order' cannot be one"),
        (lambda: check_over(norm, X, max_examples=0), r"max_examples .* at least 1, but is 0"),
        (lambda: check_over(norm, X, max_shrinks=-1), r"max_shrinks .* but is -1"),
        (lambda: check_over(norm, X, seed="a"), r"seed must be an integer or None, but is 'a'"),  # type: ignore[arg-type]  # the mistake
        (lambda: check_over(norm, X, oder=1), r"no option 'oder'; the options of a check are"),
        (lambda: check_over(3, X), r"check_over takes a function first, but received 3"),  # type: ignore[arg-type]  # the mistake
        (lambda: property_check("x"), r"expected a strategy"),
        (lambda: property_check(X)(3), r"property_check takes a function first"),  # type: ignore[arg-type]  # the mistake
        (lambda: property_check(X)(Holder.method), r"method Holder\.method"),
    ],
)
def test_wrong_use_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(funcgrad.FuncgradError, match=message):
        call()


class Holder:
    def method(self, x: Any) -> Any:
        return norm(x)


# --- property_check -------------------------------------------------------------------------------


@property_check(within(1, 4), max_examples=5)
def test_a_decorated_function_is_a_test(x: Any) -> Any:
    return norm(x)


@property_check(within(1, 4), jnp.ones(2, "int32"), max_examples=5)
def test_with_several_arguments(x: Any, y: Any) -> Any:
    return product(x, y)


@property_check(X, max_examples=200)
def wrong(x: Any) -> Any:
    """A loss."""
    return norm(x)


def test_a_failing_test_shows_the_report_and_a_program() -> None:
    with pytest.raises(GradientError) as caught:
        wrong()
    message = str(caught.value)
    assert "WRONG" in message
    assert "jnp.array([0.0, -1.0, 0.0], 'float32')" in message
    assert "wrong.under_test, x" in message
    assert isinstance(caught.value, AssertionError)
    assert (wrong.__name__, wrong.__doc__) == ("wrong", "A loss.")


def test_a_test_that_judges_nothing_fails() -> None:
    test = property_check(within(1e6, np.inf), max_examples=3)(norm)
    with pytest.raises(GradientError, match="could not be judged"):
        test()


# --- with the real check --------------------------------------------------------------------------


@jax.custom_vjp
def bent(x: Any) -> Any:
    return jnp.sum(jnp.where(x < 0, x * x, x))


bent.defvjp(
    lambda x: (bent(x), x),
    lambda x, g: (g * jnp.where(x < -2, x, jnp.where(x < 0, 2 * x, 1.0)),),  # wrong below -2
)


def test_a_rule_that_is_wrong_in_a_region_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_property, "check", real_check)
    report = check_over(bent, jnp.ones(2), max_examples=20, max_shrinks=5, order=1)
    assert report.verdict == "wrong"
    assert rebuilt(report.call)["x"].min() < -2
    right = check_over(norm, jnp.ones(2), max_examples=3, order=1)
    assert right.verdict == "right"


# --- reproducers ----------------------------------------------------------------------------------


class Pair(NamedTuple):
    w: Any
    b: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Box:
    w: Any


def same(left: Any, right: Any) -> bool:
    """Equal to the last bit, and of the same type."""
    if hasattr(left, "dtype") and str(left.dtype).startswith("key"):
        left, right = jax.random.key_data(left), jax.random.key_data(right)
    if hasattr(left, "dtype"):
        alike = left.dtype == right.dtype and left.shape == right.shape
        return bool(alike and np.asarray(left).tobytes() == np.asarray(right).tobytes())
    return type(left) is type(right) and repr(left) == repr(right)


def rebuilt(text: str) -> dict[str, Any]:
    """The names that a program defines, with `check` doing nothing."""
    kept = [line for line in text.splitlines() if not line.startswith("print(")]
    names: dict[str, Any] = {}
    exec("\n".join(kept), names)
    return names


NOISE = np.random.default_rng(0).standard_normal(300)
VALUES: dict[str, Any] = {
    "scalar": jnp.float32(0.1),
    "number": -0.0,
    "infinite number": float("-inf"),
    "complex number": complex(-0.0, 2.5),
    "short": jnp.array([0.1, -0.0, jnp.inf, 1e-30], "float32"),
    "half": jnp.array([0.1, 1 / 3, -65504], "float16"),
    "brain": jnp.array([0.1, 1 / 3, -1e30], "bfloat16"),
    "complex": jnp.array([1 + 2j, complex(-0.0, 0.1)], "complex64"),
    "integers": jnp.array([[1, -2], [3, 4]], "int32"),
    "booleans": jnp.array([True, False]),
    "empty": jnp.zeros((0, 3)),
    "zeros": jnp.zeros((100, 100)),
    "negative zeros": -jnp.zeros((100, 100)),
    "one entry": jnp.full((100, 100), 2.5).at[3, 4].set(0.1),
    "runs": jnp.repeat(jnp.array([1.0, 2.0, 0.1]), jnp.array([100, 50, 50])).reshape(2, 100),
    "in turn": jnp.array(np.resize([1.0, 2.0, 0.1], (20, 10)), "float32"),
    "long": jnp.array(NOISE[:150], "float32"),
    "noise": jnp.array(NOISE.reshape(3, 100), "float32"),
    "noise of bfloat16": jnp.array(NOISE, "bfloat16"),
    "key": jax.random.key(3),
    "keys": jax.random.split(jax.random.key(3, impl="rbg"), 2),
    "tree": {"a": [jnp.ones(2), None], "b": (1, True, "x"), "c": {3: (2.0,)}},
    "named": Pair(jnp.ones(2), {"x": 1.0}),
    "dataclass": Box(jnp.ones(2)),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_program_rebuilds_the_arguments_to_the_last_bit(name: str) -> None:
    value = VALUES[name]
    text = reproducer(norm, (value,), {"scale": value})
    names = rebuilt(text)
    for argument in ("x", "scale"):
        leaves = zip(jax.tree.leaves(value), jax.tree.leaves(names[argument]), strict=True)
        assert all(same(a, b) for a, b in leaves), text
        assert repr(jax.tree.structure(names[argument])) == repr(jax.tree.structure(value))
    assert text.endswith("print(funcgrad.check(norm, x, scale=scale))")
    assert max(map(len, text.splitlines())) < 3000


@given(strategies.arrays(strategies.shapes([(), (3,), (9, 9), (30, 20)]), "float32"))
def test_a_program_rebuilds_whatever_is_drawn(x: jax.Array) -> None:
    assert same(rebuilt(reproducer(norm, (x,)))["x"], x)


def test_what_has_no_text_is_said() -> None:
    big = jnp.array(np.random.default_rng(0).standard_normal(100_000), "float32")
    assert literal(big) is None
    text = reproducer(norm, ({"w": big, "f": jnp.ones(2)},))
    assert "float32[100000]: more entries than can be printed" in text
    assert "jax.tree.unflatten" in text
    compile(text, "program", "exec")


def test_a_function_that_cannot_be_imported_is_defined() -> None:
    text = reproducer(lambda x: x, (1.0,), options={"order": 1, "gradient": norm})
    assert "# f is the function that was checked: " in text
    assert "test_property.py:" in text
    assert "\nf = lambda x: x\n" in text
    assert text.endswith("print(funcgrad.check(f, x, order=1, gradient=norm))")
    assert rebuilt(text)["f"](3) == 3


def test_two_functions_without_a_name_are_told_apart() -> None:
    text = reproducer(lambda x: x * x, (1.0,), options={"gradient": lambda x: 2 * x})
    assert text.endswith("print(funcgrad.check(f, x, gradient=gradient))")
    names = rebuilt(text)
    assert (names["f"](3), names["gradient"](3)) == (9, 6)


def test_what_a_function_captures_does_not_meet_the_arguments() -> None:
    def make(x: float) -> Any:
        return lambda y: x * y

    names = rebuilt(reproducer(make(2.0), (5.0,), {"x": 7.0}))
    assert (names["x"], names["f"](10.0)) == (7.0, 20.0)


@pytest.mark.parametrize("argument", [jnp.array([1.0, 2.0]), 3.0, [1.0, 2.0], Pair(1.0, 2.0)])
def test_what_is_no_tuple_is_the_one_argument(argument: Any) -> None:
    assert reproducer(norm, argument) == reproducer(norm, (argument,))
    assert reproducer(norm, argument).endswith("print(funcgrad.check(norm, x))")


def test_names_of_parameters_that_cannot_be_used_are_replaced() -> None:
    text = reproducer(lambda jnp, *rest: (jnp, rest), (1.0, 2.0, 3.0))
    assert "argument0 = 1.0\nargument1 = 2.0\nargument2 = 3.0" in text
