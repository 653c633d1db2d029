"""When two parameters of operations are the same: more narrowly than by Python's equality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from . import _jaxcompat as compat


def by_value(value: Any) -> Any:
    """A parameter that is compared as its class says, beside that class."""
    return type(value), value


def exactly(value: Any, other: Callable[[Any], Any] = by_value) -> Any:
    """A parameter such that equal descriptions mean the same: 1, True and 1.0 differ, 0 and -0 too.

    Args:
        value: the parameter.
        other: describes what is neither a number of floating kind nor a collection.
    """
    kind = type(value)
    if kind is str or value is None:
        return value
    if isinstance(value, (float, complex, np.generic)):
        return kind, repr(value)
    if isinstance(value, (tuple, list)):
        return kind, tuple([exactly(entry, other) for entry in value])
    return other(value)


def distinction(primitive: Any, params: Mapping[str, Any]) -> Any:
    """What tells the parameters of an operation from others that Python calls equal.

    Nothing for a primitive of JAX's, none of which computes anything else for True than for 1, or
    for -0.0 than for 0.0: to describe all parameters of a tape takes longer than to look it up.
    """
    return () if _is_jax(primitive) else tuple([exactly(value) for value in params.values()])


@cache
def _is_jax(primitive: Any) -> bool:
    return any(primitive is known for known in vars(compat.primitives).values())
