"""When two calls of custom rules are the same, told by the rules of the user's that they lead to.

JAX wraps a rule anew wherever a body that calls it is traced: a function with transformations, in
closures of JAX's own. The wrappings of one rule are alike. They are compared by their code and by
what they close over, down to the user's functions, each of which equals itself alone.
"""

from __future__ import annotations

from types import CellType, FunctionType
from typing import Any

from jax import core

from ._exact import by_value, exactly

_DEPTH = 12  # of wrappings in wrappings; what lies deeper equals itself alone
# What a wrapping notes while it is used, and what says nothing of what it does: by their classes.
_NOTES = frozenset({"Store", "EqualStore", "DebugInfo"})
_MEMO = frozenset({"cells", "sentinel"})  # the variables by which it remembers what it returned


def described(value: Any) -> Any:
    """A parameter such that equal descriptions mean the same, wrapped rules among them."""
    return _described(value, _DEPTH)


def _described(value: Any, depth: int) -> Any:
    def inner(entry: Any) -> Any:
        return _described(entry, depth - 1) if depth else (id(entry), by_value(entry))

    if type(value).__name__ in _NOTES or isinstance(value, core.Trace):
        return type(value).__name__
    if isinstance(value, (tuple, list)):
        return type(value), tuple([inner(entry) for entry in value])
    if hasattr(value, "call_wrapped"):
        steps = [(step, inner(settings)) for step, settings in value.transforms]
        return type(value), inner(value.f), tuple(steps)
    if isinstance(value, FunctionType) and value.__closure__ and _is_of_jax(value):
        cells = zip(value.__code__.co_freevars, value.__closure__, strict=True)
        held = [(name, inner(_content(cell))) for name, cell in cells if name not in _MEMO]
        named = tuple((value.__kwdefaults__ or {}).items())
        return value.__code__, tuple(held), inner(value.__defaults__), inner(named)
    return exactly(value)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a variable without a value yet
        return None


def _is_of_jax(function: Any) -> bool:
    return str(function.__module__).partition(".")[0] == "jax"
