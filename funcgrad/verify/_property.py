"""Search for arguments at which a derivative is wrong: Hypothesis draws, `check` judges."""

from __future__ import annotations

import functools
import inspect
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._arguments import check_callable
from .._errors import ConfigurationError
from ._calls import OPTIONS, Call, calls, fingerprint, require_fitting
from ._check import check
from ._findings import WRONG, GradientError, Report
from ._hypothesis import hypothesis
from ._judged import Judged, failure, message, shown, summary
from ._reproducer import reproducer

EXAMPLES, SHRINKS = 30, 100


class _Interrupted(BaseException):
    """An exception of the check, taken past Hypothesis, which would shrink it for a long time."""

    def __init__(self, error: Exception, call: Call) -> None:
        super().__init__(error)
        self.error, self.call = error, call


def check_over(
    fun: Callable[..., Any],
    strategy: Any,
    *more: Any,
    max_examples: int | None = EXAMPLES,
    max_shrinks: int = SHRINKS,
    seed: int | None = 0,
    **check_options: Any,
) -> Report:
    """Check the derivatives of a function at drawn arguments, and shrink those that fail.

    Examples that cannot be judged, as the function is not finite there, are passed over and
    counted. What is made simpler keeps the kind of its first finding, and the input where it is.

    Args:
        fun: the function.
        strategy: what to draw: a Hypothesis strategy for the one argument or for a tuple of them; a
            tuple with an item for each argument; a dict of strategies, for keyword arguments. An
            item may also be a pytree of arrays or `jax.ShapeDtypeStruct`: then arguments like it
            are drawn, as by `funcgrad.verify.strategies.like`.
        *more: the strategies of further arguments; (s, t) is the same as ((s, t)).
        max_examples, max_shrinks: how many at most, those of Hypothesis' profile if None; and how
            many more are checked to make a failing one simpler.
        seed: of the same examples and directions of checks; new ones in every run if None.
        **check_options: options of `funcgrad.check`. Unless `points` is given, each check is at the
            drawn arguments alone.

    Returns:
        The report on the simplest arguments found at which a derivative is wrong; its `call` is a
        program that repeats the check. Otherwise one for all examples: "kink" if one of them lies
        on a kink, "right", or "inconclusive" if none could be judged.

    Raises:
        GradientTypeError: `strategy` stands for no arguments of `fun`, or that is not callable.
        ConfigurationError: an option is impossible.

    >>> import jax.numpy as jnp
    >>> from funcgrad import verify
    >>> str(verify.check_over(jnp.sin, jnp.ones(3), max_examples=5).points)
    "('5 drawn examples',)"
    """
    _require_counts(max_examples, max_shrinks, seed, check_options)
    check_callable(fun, "check_over")
    require_fitting(fun, spec := (strategy, *more) if more else strategy)
    started, drawn = time.perf_counter(), calls(spec)
    chosen = random.SystemRandom().randrange(2**31) if seed is None else seed
    options = {"points": "given", "seed": chosen, **check_options}
    judged: list[Judged] = []
    judge = _judge(fun, options, judged, max_shrinks)
    try:
        worst = hypothesis.find(
            drawn, judge, settings=_limits(max_examples), random=random.Random(chosen)
        )
    except (hypothesis.errors.NoSuchExample, hypothesis.errors.Unsatisfiable):
        report = summary(fun, judged, chosen)
    except _Interrupted as interrupted:
        raise _noted(interrupted, fun, options) from None
    else:
        report = failure(fun, worst, judged, options)
    return replace(report, seconds=time.perf_counter() - started)


def _limits(max_examples: int | None) -> Any:
    """The settings of a search; every other one is the same in every profile."""
    most = hypothesis.settings().max_examples if max_examples is None else max_examples
    return hypothesis.settings(max_examples=most, database=None, deadline=None, derandomize=False)


def property_check(
    *strategies: Any,
    max_examples: int | None = EXAMPLES,
    max_shrinks: int = SHRINKS,
    seed: int | None = 0,
    **check_options: Any,
) -> Callable[[Callable[..., Any]], Callable[[], None]]:
    """Make a function under test a test of its derivatives at drawn arguments.

    The test takes no arguments. It fails with the report on the simplest arguments found at which
    a derivative is wrong, and a program that repeats it; also if no example could be judged.

    Args:
        *strategies: what to draw, as for `check_over`; several stand for as many arguments.
        max_examples, max_shrinks, seed: as for `check_over`.
        **check_options: options of `funcgrad.check`.

    Returns:
        A decorator. The function itself stays at the test's `under_test`.

    Raises:
        GradientTypeError: `strategies` stand for no arguments, or what is decorated is no function.
        ConfigurationError: an option is impossible, or a method is decorated.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from funcgrad import verify
    >>> @verify.property_check(jax.ShapeDtypeStruct((3,), "float32"), max_examples=5)
    ... def test_length(x):
    ...     return jnp.sum(x * x)
    >>> test_length()
    """
    spec = strategies[0] if len(strategies) == 1 else strategies
    _require_counts(max_examples, max_shrinks, seed, check_options)
    calls(spec)  # what is wrong with it is said where it stands

    def decorate(fun: Callable[..., Any]) -> Callable[[], None]:
        check_callable(fun, "property_check")
        _require_function(fun)

        def test() -> None:
            __tracebackhide__ = True  # pytest shows the report, not this frame
            report = check_over(
                fun, spec, max_examples=max_examples, max_shrinks=max_shrinks, seed=seed,
                **check_options,
            )  # fmt: skip
            if not report.ok:
                raise GradientError(message(report))

        functools.update_wrapper(test, fun)
        # pytest would take the parameters of a wrapped function for fixtures
        del test.__wrapped__  # type: ignore[attr-defined]  # which update_wrapper has set
        test.__annotations__ = {"return": None}
        test.under_test = fun  # type: ignore[attr-defined]  # functions may have attributes
        return test

    return decorate


# --- the search -----------------------------------------------------------------------------------


def _judge(
    fun: Any, options: dict[str, Any], judged: list[Judged], shrinks: int
) -> Callable[[Call], bool]:
    """Whether the derivative at a call is wrong, and, once one was, in the same way.

    Each call is checked once.
    """
    wrong: dict[bytes, bool] = {}
    spent = [0]
    faults: list[tuple[str, str]] = []  # the first one's

    def judge(call: Call) -> bool:
        mark = fingerprint(call)
        if mark in wrong:
            return wrong[mark]
        if spent[0] >= shrinks and any(wrong.values()):
            return False  # enough of shrinking: what is not known to fail counts as right
        spent[0] += any(wrong.values())
        try:
            report = check(fun, *call.args, **options, **call.kwargs)
        except Exception as error:
            raise _Interrupted(error, call) from None
        judged.append(Judged(call, report))
        fault = _fault(report) if report.verdict == WRONG else None
        faults.extend([fault] if fault and not faults else [])
        wrong[mark] = fault is not None and fault == faults[0]
        return wrong[mark]

    return judge


def _fault(report: Report) -> tuple[str, str]:
    """The kind of the weightiest finding, and the input where it is."""
    first = next(iter(report.findings), None)
    return (first.kind, first.leaf) if first else ("", "")


def _noted(interrupted: _Interrupted, fun: Any, options: dict[str, Any]) -> Exception:
    """The exception of a check, with the arguments at which it was raised."""
    call, error = interrupted.call, interrupted.error
    text = reproducer(fun, call.args, call.kwargs, shown(options))
    error.add_note(f"raised while drawn arguments were checked; this repeats it:\n\n{text}")
    return error


# --- what was asked for ---------------------------------------------------------------------------


def _require_counts(
    examples: int | None, shrinks: int, seed: int | None, options: dict[str, Any]
) -> None:
    for name, value, least in (("max_examples", examples, 1), ("max_shrinks", shrinks, 0)):
        if value is None and name == "max_examples":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigurationError(
                f"{name} must be an integer of at least {least}, but is {value!r}"
            )
    if seed is not None and not isinstance(seed, int):
        raise ConfigurationError(f"seed must be an integer or None, but is {seed!r}")
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise ConfigurationError(
            f"there is no option {unknown[0]!r}; the options of a check are {', '.join(OPTIONS)}, "
            "and arguments of the function belong into the strategy"
        )


def _require_function(fun: Any) -> None:
    try:
        parameters = list(inspect.signature(fun).parameters)
    except (TypeError, ValueError):  # a builtin
        return
    if parameters[:1] == ["self"]:
        raise ConfigurationError(
            f"property_check cannot make a test of the method {fun.__qualname__}; "
            "decorate a function of the module, or a static method below @staticmethod"
        )
