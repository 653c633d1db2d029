"""The numbers of a finding, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .._registry import lookup
from .._reverse import pull
from ._events import Event
from ._flow import Back

Numbers = tuple[tuple[str, str], ...]


def describe(value: Any) -> str:
    """A value in a few words: its type, its range, how many entries are not finite."""
    aval = compat.typeof(value)
    try:
        entries = np.asarray(value)
    except TypeError:
        return str(aval)
    if entries.dtype == bool or not entries.size or not np.issubdtype(entries.dtype, np.number):
        entries = np.asarray(entries, object) if not entries.size else entries
        return f"{_type(aval)}" + (f" {entries}" if entries.ndim == 0 else "")
    entries = np.asarray(value, _wide(value))
    if entries.ndim == 0:
        return f"{entries[()]:.6g}"
    good = entries[np.isfinite(entries)]
    size = np.abs(good) if np.iscomplexobj(good) else good
    span = f"{size.min():.4g} to {size.max():.4g}" if size.size else "nothing finite"
    bad = entries.size - good.size
    zeros = int((entries == 0).sum())
    parts = [f"{_type(aval)}, {span}"]
    parts += [f"{bad} of {entries.size} not finite"] if bad else []
    parts += [f"{zeros} of {entries.size} zero"] if zeros else []
    return ", ".join(parts)


def _wide(value: Any) -> Any:
    """A dtype that numpy can compare and print; it has none for bfloat16."""
    dtype = compat.typeof(value).dtype
    return complex if jnp.issubdtype(dtype, jnp.complexfloating) else float


def _type(aval: Any) -> str:
    return str(aval.str_short(short_dtypes=True))


def forward_numbers(event: Event) -> Numbers:
    """The operands and the outputs of an operation."""
    operands = [(_name(event, i), describe(value)) for i, value in enumerate(event.operands)]
    outputs = [("output", describe(value)) for value in event.outputs]
    return (*operands[:4], *outputs[:2], *_at(event, event.outputs))


def backward_numbers(event: Event, back: Back) -> Numbers:
    """The operands, the incoming cotangent, the local partial and what is handed on."""
    operands = [(_name(event, i), describe(value)) for i, value in enumerate(event.operands)]
    arriving = [("incoming cotangent", describe(ct)) for ct in back.arriving if ct is not None]
    partials = _each(event, "local partial by {}", "local partial", _partials(event))
    handed = _each(event, "cotangent of {}", "cotangent of the operand", back.delivered)
    return (*operands[:3], *arriving[:2], *partials[:2], *handed[:2])


def _each(event: Event, several: str, single: str, values: Sequence[Any]) -> list[tuple[str, str]]:
    """A number for each operand, which is named where there are several."""
    names = [single if len(event.operands) == 1 else several.format(_name(event, i))
             for i in range(len(values))]  # fmt: skip
    pairs = zip(names, values, strict=True)
    return [(name, describe(value)) for name, value in pairs if value is not None]


def _name(event: Event, index: int) -> str:
    return "operand" if len(event.operands) == 1 else f"operand {index}"


def _partials(event: Event) -> Sequence[Any]:
    """The local partials of an elementwise operation: its pullback of ones."""
    rule = lookup(event.step.primitive) if event.step is not None else None
    if event.step is None or rule is None or rule.family != "elementwise":
        return []
    ones = jnp.ones_like(jnp.asarray(event.outputs[0]))
    return pull(event.step, [ones])


def _at(event: Event, values: Sequence[Any]) -> Numbers:
    """The first entry that is not finite, and the operands' entries there."""
    value = values[0]
    if not compat.is_inexact(compat.typeof(value)) or jnp.ndim(value) == 0:
        return ()
    wrong = np.argwhere(~np.isfinite(np.asarray(value, _wide(value))))
    if not len(wrong):
        return ()
    where = tuple(int(i) for i in wrong[0])
    shape = jnp.shape(value)
    same = [operand for operand in event.operands if jnp.shape(operand) == shape]
    shown = ", ".join(f"{jnp.asarray(operand)[where]}" for operand in same)
    text = f"index {list(where)}" + (f", where the operands are {shown}" if same else "")
    return (("first", text),)
