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

from ._arguments import misfit
from ._errors import ConfigurationError, FuncgradError


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
            functions = ", ".join(n for n, v in vars(module).items() if n[0] != "_" and callable(v))
            raise ConfigurationError(
                f"{place} has no {name!r}; it has {functions or 'no function'}"
            )
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
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(
            f"{name!r} is neither a module nor a file that ends in .py; MODULE:FUNCTION or "
            "FILE.py:FUNCTION was expected"
        )
    sys.path.insert(0, "")  # as `python -m` does
    try:
        return import_module(name)
    except Exception as error:
        raise ConfigurationError(f"module {name} cannot be imported: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """An exception in one line, with the line of the user's file that it comes from."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [place for place in places if _is_own(place[0])]
    where = f" at {own[-1][0]}:{own[-1][1]}" if own else ""
    return f"{type(error).__name__}: {error}{where}"


_PACKAGE = str(Path(__file__).parent)


def _is_own(path: str) -> bool:
    """Whether a file is the user's, and neither ours nor a library's."""
    return not (
        path.startswith((_PACKAGE, "<")) or "site-packages" in path or "/lib/python" in path
    )


# --- arguments as text ----------------------------------------------------------------------------


def parse_arguments(text: str) -> tuple[Any, ...]:
    """The arguments in a text like `1.0, [2, 3.5], {"w": [[1.0]]}`; lists of numbers are arrays.

    Raises:
        ConfigurationError: the text is not made of numbers, lists, tuples, dictionaries, None.
    """
    try:
        tree = ast.parse(f"({text},)" if text.strip() else "()", mode="eval")
        values = ast.literal_eval(_Floats().visit(tree))
    except (ValueError, SyntaxError, TypeError) as error:
        raise ConfigurationError(
            f"--args {text!r} cannot be read: numbers, lists, tuples and dictionaries with commas "
            'between them were expected, e.g. --args "1.0, [2.0, 3.0]"'
        ) from error
    return tuple(_with_arrays(value) for value in values)


class _Floats(ast.NodeTransformer):
    """`nan` and `inf` as the numbers that they are."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in {"nan", "inf"}:
            return ast.copy_location(ast.Constant(float(node.id)), node)
        return node


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


# --- the user's function --------------------------------------------------------------------------


def check_arguments(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Say at once that arguments are missing or too many."""
    error = misfit(fun, args)
    if error is not None:
        raise ConfigurationError(
            f"the function was given {len(args)} arguments: {error}; add --args, or --args-from"
        ) from error


def guarded(make: Callable[[], Any]) -> Any:
    """What `make` returns; an exception of the user's function is the user's mistake."""
    try:
        return make()
    except FuncgradError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"the function raised {describe(error)}") from error
