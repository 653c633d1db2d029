"""``funcgrad check`` at work."""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import verify
from .._arguments import misfit
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
    try:
        if not path.parent.is_dir():
            raise ConfigurationError(f"--html {name}: there is no folder {path.parent}")
        if path.is_dir():
            raise ConfigurationError(f"--html {name}: that is a folder; name a file in it")
        _try_to_write(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"--html {name} cannot be written: {reason}; name a file that can be"
        ) from error
    return path


def _try_to_write(path: Path) -> None:
    """Open a file for writing, and leave things as they were; permissions alone do not tell."""
    is_new = not path.exists()
    if not is_new and not path.is_file():
        return  # a pipe or a device, which somebody may be reading
    with path.open("ab"):
        pass
    if is_new:
        path.unlink()


def _report(arguments: argparse.Namespace) -> verify.Report:
    fun = load_function(arguments.target)
    options = _options(arguments)
    if arguments.strategy:
        return _searched(fun, arguments, options)
    if arguments.examples is not None:
        raise ConfigurationError("--examples says how many --strategy draws; add --strategy")
    args = _arguments(arguments)
    _check_count(fun, args, arguments)
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


def _check_count(fun: Any, args: tuple[Any, ...], arguments: argparse.Namespace) -> None:
    """Say what the text of --args came to, where the function takes another number of arguments."""
    text = arguments.args or ""
    error = misfit(fun, args)
    if error is None or not text or _PLACE.fullmatch(text):
        return
    listed = f'; for one array of these numbers write --args "[{text}]"' if _is_row(args) else ""
    count = "1 argument" if len(args) == 1 else f"{len(args)} arguments"
    raise ConfigurationError(
        f"--args {text!r} is {count}, but {arguments.target} takes {_parameters(fun)}: {error}; "
        f"a comma outside of brackets begins the next argument{listed}"
    ) from error


def _is_row(args: tuple[Any, ...]) -> bool:
    return len(args) > 1 and all(isinstance(value, (int, float)) for value in args)


def _parameters(fun: Any) -> str:
    """What a function is called with: ``2 (x, y)``."""
    found = list(inspect.signature(fun).parameters)
    return f"{len(found)} ({', '.join(found)})" if found else "none"


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
