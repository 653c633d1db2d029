"""Programs compared by what they say: the first one of a structure stands for all that equal it.

JAX traces the body of a loop anew whenever the function that it was written as is a new object, as
a function defined inside another one is at each call. What was prepared for a body (its forward and
backward programs, and what XLA made of them) would be lost each time if bodies were told apart by
identity.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

import numpy as np

from . import _jaxprs as jaxprs
from ._exact import exactly
from ._lightness import is_light
from ._thunks import described

REMEMBERED = 512  # programs; the one used longest ago is forgotten first

_KEPT: OrderedDict[Any, Any] = OrderedDict()
_LIGHT: WeakSet[Any] = WeakSet()  # bodies whose parameters keep no data of a user alive
_FIRST: WeakKeyDictionary[Any, ReferenceType[Any]] = WeakKeyDictionary()
_LOCK = Lock()  # threads may differentiate at the same time


def shared(closed: Any) -> Any:
    """The first jaxpr that was met with the structure of this one, or it itself.

    Equal are primitives, parameters, wiring, types, literals, contexts and the names of scopes, but
    not source lines. A jaxpr that holds arrays is equal to none, and is not kept alive.
    """
    known = _FIRST.get(closed)
    first = None if known is None else known()
    if first is None:
        key = structure(closed)
        if key is None:
            _FIRST[closed] = ref(closed)  # it is not asked again
            return closed
        with _LOCK:
            first = _KEPT.setdefault(key, closed)
            _KEPT.move_to_end(key)
            if len(_KEPT) > REMEMBERED:
                _KEPT.popitem(last=False)
        _FIRST[closed] = ref(first)
    return first


class _Unequal(Exception):  # noqa: N818 -- no error: it ends a comparison
    """A program that can equal no other."""


def structure(closed: Any) -> Any:
    """A hashable description of a jaxpr without its source lines; None where there is none."""
    try:
        key = Key(_described(closed))
    except (_Unequal, TypeError):  # arrays; parameters that cannot be hashed
        return None
    return key


class Key:
    """A long tuple that is hashed once."""

    __slots__ = ("hash", "parts")

    def __init__(self, parts: Any) -> None:
        self.parts = parts
        self.hash = hash(parts)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.hash == other.hash and self.parts == other.parts


def _described(closed: Any) -> tuple[Any, ...]:
    jaxpr, consts = jaxprs.open_jaxpr(closed)
    if consts or jaxpr.constvars:
        raise _Unequal
    other = _known if closed in _LIGHT else _checked
    numbers: dict[Any, int] = {}
    parts: list[Any] = [_defined(numbers, jaxpr.invars)]
    for equation in jaxpr.eqns:
        reads = tuple([_atom(numbers, atom) for atom in equation.invars])
        parts += [
            equation.primitive,
            reads,
            tuple([(name, exactly(value, other)) for name, value in equation.params.items()]),
            _defined(numbers, equation.outvars),
            frozenset(equation.effects),
            equation.ctx,
            equation.source_info.name_stack,
        ]
    parts.append(tuple([_atom(numbers, atom) for atom in jaxpr.outvars]))
    _LIGHT.add(closed)
    return tuple(parts)


def _defined(numbers: dict[Any, int], variables: Sequence[Any]) -> tuple[Any, ...]:
    for variable in variables:
        numbers[variable] = len(numbers)
    return tuple([variable.aval for variable in variables])


def _atom(numbers: dict[Any, int], atom: Any) -> Any:
    if not jaxprs.is_literal(atom):
        return numbers[atom]
    value = np.asarray(atom.val)  # its bytes tell -0.0 from 0.0, and a NaN equals itself
    if value.dtype == object:
        raise _Unequal
    return atom.aval, type(atom.val), value.tobytes()


def _known(value: Any) -> Any:
    """A parameter of a body that was looked at before."""
    return _described(value) if _is_program(value) else described(value)


def _checked(value: Any) -> Any:
    """A parameter; one that keeps data of a user alive equals none."""
    if not (_is_program(value) or is_light(value)):
        raise _Unequal
    return _known(value)


def _is_program(value: Any) -> bool:
    return hasattr(getattr(value, "jaxpr", value), "eqns")
