"""What ``funcgrad graph`` and ``funcgrad diagnose`` accept."""

from __future__ import annotations

import argparse

FORMATS = ("text", "svg", "html", "mermaid", "dot", "json")


def _add_call(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="MODULE:FUNCTION or FILE.py:FUNCTION; the file is run",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--args", metavar="TEXT", help='the arguments, e.g. "1.0, [2.0, 3.0]"; lists are arrays'
    )
    where.add_argument(
        "--args-from",
        metavar="FILE.py:NAME",
        help="where a tuple of arguments is, or a function that returns one",
    )


def add_graph_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``funcgrad graph``."""
    _add_call(parser)
    parser.add_argument("--demo", action="store_true", help="draw tanh(ln(1 + z 2x / sin y))")
    parser.add_argument("--format", choices=FORMATS, default=None, help="default: text")
    parser.add_argument("--depth", type=int, default=0, help="how many levels of bodies to open")
    parser.add_argument("--out", metavar="FILE", help="write to a file; its ending sets the format")
    parser.add_argument("--open", action="store_true", help="show the file in a browser")


def add_diagnose_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``funcgrad diagnose``."""
    _add_call(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
