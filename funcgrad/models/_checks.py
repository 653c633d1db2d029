"""Checks of plain arguments that several modules of models share."""

from __future__ import annotations

import operator

from funcgrad._errors import GradientTypeError, GradientValueError


def integer(name: str, value: int) -> int:
    """Return `value` as a Python int; NumPy integers pass, floats and strings do not.

    >>> integer("width", 512)
    512
    """
    try:
        return operator.index(value)
    except TypeError:
        raise GradientTypeError(
            f"{name} must be an integer, got {value!r} of type {type(value).__name__}; "
            f"pass a whole number such as 32"
        ) from None


def integer_from(name: str, value: int, least: int) -> int:
    """Return `value` as a Python int that is `least` or more.

    >>> integer_from("width", 512, least=1)
    512
    """
    whole = integer(name, value)
    if whole < least:
        raise GradientValueError(f"{name} must be {least} or more, got {whole}; pass a larger one")
    return whole
