"""Functions and arguments named on the command line: `module:function`, `file.py:function`."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import jax.numpy as jnp

from ._errors import ConfigurationError


def load_function(target: str) -> Callable[..., Any]:
    """The function that a target names.

    Raises:
        ConfigurationError: there is no such file, module or function, or loading it fails.
    """
    found: Callable[..., Any] = load_object(target, "FUNCTION")
    if not callable(found):
        raise ConfigurationError(
            f"{target} names {type(found).__name__} {found!r:.60}; a function was expected"
        )
    return found


def load_arguments(target: str) -> tuple[Any, ...]:
    """The arguments that a target names: a tuple, one argument, or a function that returns them."""
    found = load_object(target, "NAME")
    value = found() if callable(found) else found
    return value if isinstance(value, tuple) else (value,)


def load_object(target: str, what: str) -> Any:
    place, separator, name = target.rpartition(":")
    if not separator or not place or not name:
        raise ConfigurationError(
            f"{target!r} does not name a function; MODULE:{what} or FILE.py:{what} was expected"
        )
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = ", ".join(n for n in vars(module) if not n.startswith("_"))
            raise ConfigurationError(f"{place} has no {name!r}; it has: {public or 'no names'}")
        found = getattr(found, part)
    return found


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))  # a script finds its neighbours
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigurationError(f"{path} cannot be loaded: {describe(error)}") from error
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, "")  # as `python -m` does
    try:
        return import_module(name)
    except Exception as error:
        raise ConfigurationError(f"module {name} cannot be imported: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """An exception in one line, with the line of the user's file that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}: {error}{where}"


# --- arguments as text ----------------------------------------------------------------------------


def parse_arguments(text: str) -> tuple[Any, ...]:
    """The arguments in a text like `1.0, [2, 3.5], {"w": [[1.0]]}`; lists of numbers are arrays.

    Raises:
        ConfigurationError: the text is not made of numbers, lists, tuples, dictionaries, None.
    """
    try:
        values = ast.literal_eval(f"({text},)") if text.strip() else ()
    except (ValueError, SyntaxError, TypeError) as error:
        raise ConfigurationError(
            f"--args {text!r} cannot be read: numbers, lists, tuples and dictionaries with commas "
            'between them were expected, e.g. --args "1.0, [2.0, 3.0]"'
        ) from error
    return tuple(_with_arrays(value) for value in values)


def _with_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_arrays(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(_with_arrays(entry) for entry in value)
    if isinstance(value, list):
        try:
            return jnp.asarray(value)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"--args: {value!r:.60} is not an array: {error}") from error
    return value
