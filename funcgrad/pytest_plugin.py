"""The pytest plugin: the fixture `gradcheck` and its marker.

pytest loads this at its start, before any conftest.py of the user, who may have yet to set
`XLA_FLAGS` or `JAX_ENABLE_X64`. So nothing here imports JAX before the fixture is called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from . import verify
from ._errors import ConfigurationError

if TYPE_CHECKING:
    from .verify import Report

# Those of funcgrad.check, by name, since to look at it is to import JAX.
OPTIONS = ("gradient", "order", "kinks", "rtol", "seed", "budget", "points")
_SETTINGS: dict[str, tuple[Callable[[str], Any], str]] = {
    "order": (int, "the highest order of derivatives to examine: 1 or 2"),
    "kinks": (str, '"pass" or "fail": what becomes of kinks'),
    "seed": (int, "of the random directions and points"),
    "points": (str, '"mined" or "given": visit points mined from the program, too'),
}
_MARKER = (
    "gradcheck(order=2, kinks='pass', seed=0, ...): options of funcgrad.check for the gradcheck "
    "fixture of this test"
)


class GradCheck(NamedTuple):
    """What the fixture `gradcheck` is: `funcgrad.check`, which fails the test.

    Attributes:
        options: of `funcgrad.check`, from the marker, the command line and the ini file.
    """

    options: dict[str, Any]

    def __call__(self, fun: Callable[..., Any], *args: Any, **options: Any) -> Report:
        """Fail the test unless the derivatives of a function are right.

        Args:
            fun, *args: see `funcgrad.check`.
            **options: see there; they win over those of the marker.

        Returns:
            The report.
        """
        __tracebackhide__ = True
        merged = {**self.options, **options}
        report = _checked(lambda: verify.check(fun, *args, **merged))
        if not report.ok:
            call = verify.reproducer(fun, args, *_split(merged))
            pytest.fail(_message(replace(report, call=call), _caller()), pytrace=False)
        return report

    def over(self, fun: Callable[..., Any], *strategies: Any, **options: Any) -> Report:
        """Fail the test unless the derivatives are right at drawn arguments.

        Args:
            fun, *strategies: see `funcgrad.verify.check_over`.
            **options: see there.

        Returns:
            The report.
        """
        __tracebackhide__ = True
        merged = {**self.options, **options}
        report = _checked(lambda: verify.check_over(fun, *strategies, **merged))
        if not report.ok:
            pytest.fail(_message(report, _caller()), pytrace=False)
        return report


def _checked(run: Callable[[], Report]) -> Report:
    """What a check returns; an impossible option shows the line of the test, and none of ours."""
    __tracebackhide__ = True
    try:
        return run()
    except ConfigurationError as error:
        raise error.with_traceback(None) from None


def _split(merged: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The function's keyword arguments, and the options of the check."""
    keywords = {name: value for name, value in merged.items() if name not in OPTIONS}
    return keywords, {name: value for name, value in merged.items() if name in OPTIONS}


def _caller() -> str:
    """The line of the test that called the fixture."""
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _message(report: Report, place: str) -> str:
    """The report, and its program at the left edge, to be copied."""
    head, *rest = str(replace(report, call="")).split("\n\n")
    text = "\n\n".join([f"{head}\ncalled at {place}", *rest])
    return f"{text}\n\nThis repeats it:\n\n{report.call}" if report.call else text


# --- what pytest calls ----------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command line's and the ini file's options."""
    group = parser.getgroup("funcgrad", "gradient checks (funcgrad)")
    for name, (_, words) in _SETTINGS.items():
        group.addoption(f"--gradcheck-{name}", default=None, help=f"gradcheck: {words}")
        parser.addini(f"gradcheck_{name}", help=f"gradcheck: {words}", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and read the options, so that a mistake is told at once."""
    config.addinivalue_line("markers", _MARKER)
    _configured(config)


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> GradCheck:
    """Check that the derivatives of a function are right: gradcheck(f, *args, **options).

    The test fails with a report and a program that repeats it; otherwise the report is returned.
    `gradcheck.over(f, strategy)` draws the arguments. Options may stand in the marker
    `@pytest.mark.gradcheck(order=1)`, too, and some on the command line (`--gradcheck-order`) and
    in the ini file (`gradcheck_order`): the nearest to the call wins.
    """
    options = _configured(request.config)
    for marker in reversed(list(request.node.iter_markers("gradcheck"))):  # the class's first
        _require_options(marker, request.node.nodeid)
        options |= marker.kwargs
    return GradCheck(options)


def _require_options(marker: pytest.Mark, test: str) -> None:
    """Fail a test whose marker is mistaken; of this file no line is shown."""
    if marker.args:
        pytest.fail(
            f"@pytest.mark.gradcheck takes options by name, as in gradcheck(order=1), but {test} "
            f"gives it {', '.join(map(repr, marker.args))}",
            pytrace=False,
        )
    unknown = [name for name in marker.kwargs if name not in OPTIONS]
    if unknown:
        near = get_close_matches(unknown[0], OPTIONS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        pytest.fail(
            f"@pytest.mark.gradcheck of {test} has the option {unknown[0]!r}; there are "
            f"{', '.join(OPTIONS)}{hint}",
            pytrace=False,
        )


def _configured(config: pytest.Config) -> dict[str, Any]:
    """The options of the command line, and of the ini file where that has none."""
    options = {}
    for name, (kind, words) in _SETTINGS.items():
        given = config.getoption(f"gradcheck_{name}")
        place = f"--gradcheck-{name}"
        if given is None:
            given, place = config.getini(f"gradcheck_{name}") or None, f"gradcheck_{name}"
        if given is None:
            continue
        try:
            options[name] = kind(given)
        except ValueError as error:
            raise pytest.UsageError(f"{place}: {words}, but it is {given!r}") from error
    return options
