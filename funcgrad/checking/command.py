"""``funcgrad check`` at work."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import verify
from .._errors import ConfigurationError
from .._target import (
    check_arguments,
    guarded,
    load_arguments,
    load_function,
    load_object,
    parse_arguments,
)

FOUND, UNDECIDED = 1, 3  # exit codes
_CODES = {"right": 0, "kink": 0, "wrong": FOUND, "inconclusive": UNDECIDED}
_OPTIONS = ("points", "order", "kinks", "rtol", "seed")
_DEFAULTS = {"order": 2, "kinks": "pass", "seed": 0}
_PLACE = re.compile(r"[\w./\\~ -]+:[A-Za-z_][\w.]*")  # what no list of arguments looks like


def run(arguments: argparse.Namespace) -> int:
    """Print a report; 0 if the derivatives are right, 1 if wrong, 3 if that is not decided."""
    page = _page_file(arguments.html)
    report = _report(arguments)
    _print(report, arguments.json)
    if page is not None:
        page.write_text(report.to_html(), encoding="utf-8")
    return _CODES[report.verdict]


def _page_file(name: str | None) -> Path | None:
    """The file of the page; what is wrong with it is said before a long check."""
    if name is None:
        return None
    path = Path(name)
    if not path.parent.is_dir():
        raise ConfigurationError(f"--html {name}: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigurationError(f"--html {name}: that is a folder; name a file in it")
    return path


def _report(arguments: argparse.Namespace) -> verify.Report:
    fun = load_function(arguments.target)
    options = _options(arguments)
    if arguments.strategy:
        return _searched(fun, arguments, options)
    if arguments.examples is not None:
        raise ConfigurationError("--examples says how many --strategy draws; add --strategy")
    args = _arguments(arguments)
    check_arguments(fun, args)
    report: verify.Report = guarded(lambda: verify.check(fun, *args, **options))
    return replace(report, call=_again(arguments))


def _searched(
    fun: Callable[..., Any], arguments: argparse.Namespace, options: dict[str, Any]
) -> verify.Report:
    strategy = _strategy(arguments.strategy)
    if arguments.examples is not None:
        options = {**options, "max_examples": arguments.examples}
    report: verify.Report = guarded(lambda: verify.check_over(fun, strategy, **options))
    return report if report.call else replace(report, call=_again(arguments))


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(arguments, name) for name in _OPTIONS}
    # What is the default is left out, so that a reproducer shows what was asked for.
    options = {k: v for k, v in given.items() if v is not None and v != _DEFAULTS.get(k)}
    if arguments.gradient is not None:
        options["gradient"] = load_function(arguments.gradient)
    return options


def _arguments(arguments: argparse.Namespace) -> tuple[Any, ...]:
    if arguments.args_from:
        return load_arguments(arguments.args_from)
    text = arguments.args or ""
    return load_arguments(text) if _PLACE.fullmatch(text) else parse_arguments(text)


def _strategy(target: str) -> Any:
    found = load_object(target, "STRATEGY")
    if not callable(found):
        return found
    return guarded(found)


def _again(arguments: argparse.Namespace) -> str:
    """The command that repeats this one: what was given, in one order."""
    words = ["funcgrad", "check", arguments.target]
    for name in ("args", "args_from", "strategy", "examples", "gradient", *_OPTIONS):
        value = getattr(arguments, name)
        if value is not None and value != _DEFAULTS.get(name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _print(report: verify.Report, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
    elif sys.stdout.isatty():
        Console(file=sys.stdout).print(report, soft_wrap=True)
    else:
        sys.stdout.write(f"{report}\n")
