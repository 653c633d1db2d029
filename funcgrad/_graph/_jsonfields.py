"""Readers of the fields of a JSON text: each gives a value of its type, or says what is damaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .._errors import DataError

Reader = Callable[[object, str], Any]  # of a content and the place it stands at

_NONFINITE = {"nan", "inf", "-inf"}


def damaged(where: str, content: object, expected: str) -> NoReturn:
    """Say that a field is not what it must be."""
    shown = repr(content)
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    raise DataError(
        f"the drawing is damaged at {where}: it has {shown} instead of {expected}; "
        "give what `to_json` wrote"
    )


def read_text(content: object, where: str) -> str:
    """A text."""
    return content if isinstance(content, str) else damaged(where, content, "a text")


def read_flag(content: object, where: str) -> bool:
    """A truth value."""
    return content if isinstance(content, bool) else damaged(where, content, "true or false")


def read_whole(content: object, where: str) -> int:
    """A whole number that is not negative."""
    if isinstance(content, bool) or not isinstance(content, int) or content < 0:
        damaged(where, content, "a whole number, at least 0")
    return content


def read_number(content: object, where: str) -> float:
    """A number; what is not finite stands in an object."""
    value = read_value(content, where)
    if isinstance(value, bool | str):
        damaged(where, content, "a number")
    return value


def read_value(content: object, where: str) -> float | int | bool | str:
    """An entry of an array."""
    if isinstance(content, dict) and len(content) == 1 and content.get("float") in _NONFINITE:
        return float(content["float"])
    if isinstance(content, bool | int | float | str):
        return content
    return damaged(where, content, 'a number, a truth value, a text or {"float": "nan"}')


def read_list(content: object, where: str) -> list[object]:
    """A list of anything."""
    return content if isinstance(content, list) else damaged(where, content, "a list")


def read_texts(content: object, where: str) -> dict[str, str]:
    """An object whose values are texts."""
    if not isinstance(content, dict):
        damaged(where, content, "an object")
    return {name: read_text(value, f"{where}.{name}") for name, value in content.items()}


def read_object(content: object, where: str, names: Sequence[str]) -> dict[str, object]:
    """An object with these fields and no others."""
    if not isinstance(content, dict):
        damaged(where, content, "an object")
    if set(content) != set(names):
        odd = sorted(set(content) ^ set(names))
        damaged(where, odd, f"exactly the fields {', '.join(names)}: these are missing or too many")
    return content


def read_optional(reader: Reader) -> Reader:
    """The same, or None."""
    return lambda content, where: None if content is None else reader(content, where)
