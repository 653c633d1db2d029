"""The arguments of ``funcgrad rules``; imports nothing of JAX."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("name", nargs="?", help="show only primitives whose name contains this")
    parser.add_argument(
        "--missing",
        action="store_true",
        help="show only primitives that JAX can differentiate and this package cannot",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
