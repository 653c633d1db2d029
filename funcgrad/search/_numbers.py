"""Arrays as short Python text."""

from __future__ import annotations

from typing import Any

import numpy as np


def number_text(value: Any) -> str:
    """The shortest decimal that is the number in its dtype."""
    wide = float(value)
    for digits in range(1, 18):
        text = f"{wide:.{digits}g}"
        if type(value)(float(text)) == value:
            break
    return text if any(c in text for c in ".en") else f"{text}.0"


def array_text(array: Any, dtype: str) -> str:
    """A call of `jnp.array` that makes the array."""
    return f"jnp.array({_nested(np.asarray(array))}, jnp.{dtype})"


def _nested(array: np.ndarray[Any, Any]) -> str:
    if array.ndim == 0:
        return number_text(array[()])
    return f"[{', '.join(_nested(part) for part in array)}]"
