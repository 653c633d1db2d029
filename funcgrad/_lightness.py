"""Whether a value can be kept without keeping a user's data alive, by all that it refers to."""

from __future__ import annotations

import enum
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from inspect import Signature
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)  # fmt: skip
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core as extend_core
from jax.sharding import Mesh

LOOKED_AT = 2000  # objects; what refers to more is not light

Reader = Callable[[Any], Iterable[Any] | None]


def is_light(value: Any) -> bool:
    """Whether all that a value refers to is known, and none of it an array or a user's object.

    An object of a user's class may be given data at any time. Modules are kept alive by Python, so
    what a function reads from its module counts for nothing, and neither does a class of a module.
    """
    seen: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        entry = waiting.pop()
        read = _KNOWN.get(type(entry)) or _reader(type(entry))
        if read is _nothing or id(entry) in seen:
            continue
        seen[id(entry)] = entry
        held = read(entry)
        if held is None or len(seen) > LOOKED_AT:
            return False
        waiting.extend(held)
    return True


def _reader(kind: type) -> Reader:
    """What tells the objects to which one of a class refers."""
    home = kind.__module__.partition(".")[0]
    default = _fields if home in {"jax", "jaxlib"} else _unknown
    read = next((read for base, read in _READERS if issubclass(kind, base)), default)
    if home in {"jax", "jaxlib", "numpy", "builtins"}:  # a class of a user's is not kept
        _KNOWN[kind] = read
    return read


def _nothing(_value: Any) -> Iterable[Any]:
    return ()


def _unknown(_value: Any) -> None:
    return None


def _fields(value: Any) -> Iterable[Any]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    found = [getattr(value, name, None) for name in slots if name != "__weakref__"]
    return *found, *getattr(value, "__dict__", {}).values()


def _of_function(function: Any) -> Iterable[Any]:
    closure, defaults = function.__closure__ or (), function.__defaults__ or ()
    named = function.__kwdefaults__ or {}
    return *closure, *defaults, *named.values(), *function.__dict__.values()


def _of_class(kind: type) -> Iterable[Any]:
    """Of one that a function defines, its attributes and methods, but not what Python notes."""
    if "<locals>" not in kind.__qualname__:
        return ()
    named = vars(kind).items()
    held = [v for name, v in named if isinstance(v, FunctionType) or not name.startswith("__")]
    return *held, *kind.__bases__


def _of_cell(cell: Any) -> Iterable[Any]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # of a variable without a value yet
        return ()


def _of_jaxpr(jaxpr: Any) -> Iterable[Any]:
    return *getattr(jaxpr, "consts", ()), *(equation.params for equation in jaxpr.eqns)


def _of_tree(tree: Any) -> Iterable[Any]:
    node = tree.node_data()
    return () if node is None else (node[1], *tree.children())


# What stands for a slot of an object, or a field of a tuple, in the namespace of a class.
_DESCRIPTORS = (MemberDescriptorType, type(vars(NamedTuple("_", [("field", int)]))["field"]))
_READERS: tuple[tuple[Any, Reader], ...] = (
    ((bool, int, float, complex, str, bytes, slice, range, type(None), type(...)), _nothing),
    (type, _of_class),
    ((property,), lambda value: (value.fget, value.fset, value.fdel)),
    ((staticmethod, classmethod), lambda value: (value.__func__,)),
    (_DESCRIPTORS, _nothing),
    # The array that a mesh has is one of devices.
    ((enum.Enum, np.dtype, np.generic, Mesh, Signature), _nothing),
    ((BuiltinFunctionType, np.ufunc, CodeType, ModuleType, weakref.ref), _nothing),
    (jax.core.Trace, _nothing),  # it forgets its values in the end, see `TapeTrace.invalidate`
    ((np.ndarray, jax.Array, jax.core.Tracer), _unknown),
    ((tuple, list, set, frozenset), iter),
    (dict, lambda entries: (*entries.keys(), *entries.values())),
    (partial, lambda value: (value.func, value.args, value.keywords)),
    (FunctionType, _of_function),
    (CellType, _of_cell),
    (MethodType, lambda method: (method.__self__, method.__func__)),
    (extend_core.Jaxpr, _of_jaxpr),
    (jax.tree_util.PyTreeDef, _of_tree),
)
_KNOWN: dict[type, Reader] = {object: _nothing}
