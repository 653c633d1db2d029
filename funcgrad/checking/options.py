"""What ``funcgrad check`` accepts."""

from __future__ import annotations

import argparse

_EPILOG = """exit code:
  0  the derivatives are right, kinks aside
  1  a derivative is wrong
  2  wrong usage, or the function fails
  3  not decided, with the reason

examples:
  funcgrad check model.py:loss --args "[1.0, 2.0]"
  funcgrad check model.py:loss --strategy model.py:shapes --html report.html
  funcgrad check model.py:loss --args model.py:point --gradient model.py:loss_gradient
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``funcgrad check``."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="MODULE:FUNCTION or FILE.py:FUNCTION; the file is run",
    )
    _add_point(parser)
    _add_strictness(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, e.g. to redirect it"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with plots, too")


def _add_point(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--args",
        metavar="TEXT|FILE.py:NAME",
        help='the arguments, e.g. "1.0, [2.0, 3.0]"; lists are arrays; or where a tuple of '
        "arguments is, or a function that returns one",
    )
    where.add_argument("--args-from", metavar="FILE.py:NAME", help="the second form alone")
    where.add_argument(
        "--strategy",
        metavar="FILE.py:NAME",
        help="what to draw arguments from: a Hypothesis strategy, a tuple of them, or arrays or "
        "jax.ShapeDtypeStruct to draw others like them",
    )
    parser.add_argument(
        "--examples", type=int, metavar="N", help="how many to draw with --strategy (30)"
    )
    parser.add_argument(
        "--points",
        choices=("mined", "given"),
        help='visit points mined from the program, too, or only those given (with --args "mined", '
        'with --strategy "given")',
    )
    parser.add_argument("--seed", type=int, default=0, help="of directions and points (0)")


def _add_strictness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gradient",
        metavar="FILE.py:FUNCTION",
        help="the gradient function to check instead of JAX's own derivative",
    )
    parser.add_argument(
        "--order", type=int, choices=(1, 2), default=2, help="the highest order to examine (2)"
    )
    parser.add_argument(
        "--kinks", choices=("pass", "fail"), default="pass", help="what becomes of kinks (pass)"
    )
    parser.add_argument(
        "--rtol", type=float, help="the relative error that is right (what rounding explains)"
    )
