"""Quantities in the arithmetic of gradients: written shortly, and added where entries are known."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ._drawing import Quantity
from ._labels import figure, kind, show

__all__ = ["Numbers", "add", "bare", "brief", "factor", "rest", "scalar", "write", "zeros"]

Numbers = tuple[float, ...]


def brief(quantity: Quantity) -> str:
    """A scalar as it is, a few entries one by one, a larger array by its shape and norm."""
    if not quantity.shape or (quantity.values is not None and len(quantity.values) <= 3):
        return show(quantity)
    norm = "" if quantity.norm is None else f" norm {figure(quantity.norm)}"
    odd = f", {quantity.nonfinite} not finite" if quantity.nonfinite else ""
    return f"{kind(quantity)}{norm}{odd}"


def write(entries: Numbers, like: Quantity) -> str:
    """Entries of a sum as `brief` has them."""
    norm = math.sqrt(sum(x * x for x in entries if math.isfinite(x)))
    odd = sum(not math.isfinite(x) for x in entries)
    return brief(like._replace(values=entries, norm=norm, nonfinite=odd))


def factor(text: str) -> str:
    """A number as it stands behind a sign of an operation.

    >>> factor("-2.5"), factor("2.5")
    ('(-2.5)', '2.5')
    """
    return f"({text})" if text.startswith("-") else text


def bare(text: str) -> str:
    """A number as it stands between commas: what `factor` has put around it is taken off."""
    return text[1:-1] if text.startswith("(-") and text.endswith(")") else text


def scalar(quantity: Quantity) -> float | int | bool | str | None:
    return quantity.values[0] if not quantity.shape and quantity.values else None


def numbers(quantity: Quantity | None) -> Numbers | None:
    values = None if quantity is None else quantity.values
    if values is None or any(isinstance(value, str) for value in values):
        return None
    return tuple(float(value) for value in values)


def zeros(gradient: Quantity | None) -> Numbers | None:
    entries = numbers(gradient)
    return None if entries is None else (0.0,) * len(entries)


def add(total: Numbers | None, amount: Quantity | None) -> Numbers | None:
    more = numbers(amount)
    if total is None or more is None or len(total) != len(more):
        return None
    return tuple(a + b for a, b in zip(total, more, strict=True))


def rest(whole: Quantity, parts: Iterable[Quantity]) -> Quantity | None:
    """What is left of the entries after all parts, where they are known."""
    left = numbers(whole)
    for part in parts:
        negated = numbers(part)
        if left is None or negated is None or len(left) != len(negated):
            return None
        left = tuple(a - b for a, b in zip(left, negated, strict=True))
    return None if left is None else whole._replace(values=left, norm=math.hypot(*left))
