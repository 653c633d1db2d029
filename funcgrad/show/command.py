"""``funcgrad graph`` and ``funcgrad diagnose`` at work."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .._diagnosis import Diagnosis, diagnose
from .._errors import ConfigurationError
from .._graph import Graph, graph
from .._target import check_arguments, guarded, load_arguments, load_function, parse_arguments
from . import demo

FOUND = 1  # the exit code where a diagnosis has findings
_BY_ENDING = {".svg": "svg", ".html": "html", ".htm": "html", ".json": "json", ".dot": "dot",
              ".gv": "dot", ".mmd": "mermaid", ".txt": "text"}  # fmt: skip
_ENDINGS = {"html": ".html", "svg": ".svg"}


def run_graph(arguments: argparse.Namespace) -> int:
    """Draw the graph of a call; 0."""
    fun, args = _demo(arguments) if arguments.demo else _call(arguments)
    check_arguments(fun, args)
    target = _target_file(arguments)
    form = arguments.format or _form_of(target)
    drawn = guarded(lambda: graph(fun, *args, depth=arguments.depth))
    if form == "html":
        _write_page(drawn, target)
    else:
        _write(_render(drawn, form), target)
    if arguments.open and target is not None:
        opened = webbrowser.open(target.resolve().as_uri())
        sys.stderr.write(f"{'showing' if opened else 'no browser was found to show'} {target}\n")
    return 0


def _form_of(target: Path | None) -> str:
    if target is None:
        return "text"
    if target.suffix not in _BY_ENDING:
        known = " ".join(_BY_ENDING)
        raise ConfigurationError(f"--out {target}: an ending of {known} was expected, or --format")
    return _BY_ENDING[target.suffix]


def run_diagnose(arguments: argparse.Namespace) -> int:
    """Print a diagnosis; 1 if it found something."""
    fun, args = _call(arguments)
    check_arguments(fun, args)
    found: Diagnosis = guarded(lambda: diagnose(fun, *args))
    sys.stdout.write((found.to_json() if arguments.json else str(found)) + "\n")
    return FOUND if found.findings else 0


def _demo(arguments: argparse.Namespace) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    if arguments.target:
        raise ConfigurationError(f"--demo draws its own function; leave out {arguments.target}")
    return demo.course, demo.ARGUMENTS if arguments.args is None else _arguments(arguments)


def _call(arguments: argparse.Namespace) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    if not arguments.target:
        raise ConfigurationError("a function is missing: MODULE:FUNCTION or FILE.py:FUNCTION")
    return load_function(arguments.target), _arguments(arguments)


def _arguments(arguments: argparse.Namespace) -> tuple[Any, ...]:
    if arguments.args_from:
        return load_arguments(arguments.args_from)
    return parse_arguments(arguments.args or "")


def _target_file(arguments: argparse.Namespace) -> Path | None:
    if arguments.out:
        return Path(arguments.out)
    if not arguments.open:
        return None
    ending = _ENDINGS.setdefault(arguments.format or "html", ".txt")
    arguments.format = arguments.format or "html"
    return Path(tempfile.mkdtemp(prefix="funcgrad-")) / f"graph{ending}"


def _render(drawn: Graph, form: str) -> str:
    if form == "text":
        width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
        return drawn.text(width)
    text: str = getattr(drawn, form)()
    return text


def _write(text: str, target: Path | None) -> None:
    if target is None:
        sys.stdout.write(text.rstrip("\n") + "\n")
    else:
        target.write_text(text, encoding="utf-8")


def _write_page(drawn: Graph, target: Path | None) -> None:
    if target is None:
        raise ConfigurationError("a page is a file: add --out FILE.html, or --open")
    drawn.page(target)
