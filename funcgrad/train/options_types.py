"""How numbers are read from the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds.

    >>> whole_number(1)("3")
    3
    """
    domain = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"must be a whole number {domain}, but is {text!r}")
        return value

    return parse


def folder(text: str) -> Path:
    """Read the path of a folder; an empty one, as of a variable that is not set, is a mistake.

    >>> folder("here").name
    'here'
    """
    if not text:
        raise argparse.ArgumentTypeError("must be the path of a folder, but is empty")
    return Path(text)


def positive_number(text: str) -> float:
    """Read a positive number.

    >>> positive_number("0.5")
    0.5
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, but is {text!r}")
    return value
