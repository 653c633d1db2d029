"""Functions as text: imported where they can be, or else defined with what they capture."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ._literals import literal


class Written(NamedTuple):
    """A function as text.

    Attributes:
        imports: lines for the head of a program.
        lines: what defines it.
        name: how it is called then.
    """

    imports: list[str]
    lines: list[str]
    name: str


def written(fun: Any, name: str = "") -> Written:
    """How a program comes by a function.

    What can neither be imported nor defined is `...`, with a comment that says what belongs there.

    Args:
        fun: the function.
        name: how it is to be called if it cannot be imported; by default as it is.
    """
    found = importable(fun)
    if found is not None:
        return Written([found[0]], [], found[1])
    short = name or str(getattr(fun, "__qualname__", "")).split(".")[-1]
    short = short if short.isidentifier() else "f"
    about = f"# {short} is the function that was {'given' if name else 'checked'}{_place(fun)}"
    body = _definition(fun, short, ())
    if body is not None:
        return Written([about, *body.imports], body.lines, short)
    words = _captured_words(fun)
    notes = [f"# it captures {words}"] if words else []
    return Written([about, *notes], [f"{short} = ...  # put it here"], short)


def importable(value: Any) -> tuple[str, str] | None:
    """The import of a function or class, and how it is named then; None if it has no such name."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not module or module == "__main__" or not isinstance(name, str):
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    top = name.split(".")[0]
    line = f"from {module} import {top}"
    if found is value and top.isidentifier():
        return line, name
    if found is not None and getattr(found, "under_test", None) is value:
        return line, f"{name}.under_test"  # what `property_check` made a test of
    return None


# --- functions without a name ---------------------------------------------------------------------


class _Body(NamedTuple):
    imports: list[str]
    lines: list[str]


def _definition(fun: Any, name: str, within: tuple[Any, ...]) -> _Body | None:
    """A plain function's definition, with what it takes from around it in a function of its own."""
    node = None if any(fun is f for f in within) else _node(fun)
    if node is None or not _with_given_defaults(node, fun):
        return None
    lines, imports = [], []
    for free, value in _needed(node, fun):
        part = _assigned(free, value, (*within, fun))
        imports += part.imports
        lines += part.lines
    own, known = _unparsed(node, name)
    if not lines:
        return _Body(imports, [*own, *([f"{name} = {known}"] if known != name else [])])
    inner = [f"    {line}" if line else "" for line in [*lines, *own, f"return {known}"]]
    return _Body(imports, [f"def make_{name}():", *inner, "", f"{name} = make_{name}()", ""])


def _node(fun: Any) -> Any:
    """The syntax tree of a function or lambda; None where its source is not known."""
    if not isinstance(fun, FunctionType):
        return None
    code = fun.__code__
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename, fun.__globals__)))
    except SyntaxError:
        return None
    kinds = (ast.Lambda,) if code.co_name == "<lambda>" else (ast.FunctionDef,)
    found: list[Any] = [
        node
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        and _first_line(node) == code.co_firstlineno
        and getattr(node, "name", "<lambda>") == code.co_name
    ]
    if len(found) > 1 and kinds == (ast.Lambda,):  # several in one line
        begin = min((p[0], p[2]) for p in code.co_positions() if None not in p and p[2] != p[3])
        found = [n for n in found if (n.body.lineno, n.body.col_offset) == begin]
    return found[0] if len(found) == 1 else None


def _first_line(node: Any) -> int:
    decorators = getattr(node, "decorator_list", [])
    return int(decorators[0].lineno if decorators else node.lineno)


def _with_given_defaults(node: Any, fun: FunctionType) -> bool:
    """Put the defaults' values in the place of the expressions that they were; False if one has no
    text. Decorators go: the function is what stands below them."""
    node.decorator_list = []
    texts = [literal(value) for value in fun.__defaults__ or ()]
    keywords = {name: literal(value) for name, value in (fun.__kwdefaults__ or {}).items()}
    if None in texts or None in keywords.values():
        return False
    node.args.defaults = [_expression(text) for text in texts]
    node.args.kw_defaults = [
        _expression(keywords[a.arg]) if a.arg in keywords else None for a in node.args.kwonlyargs
    ]
    for inner in ast.walk(node):
        if isinstance(inner, ast.arg):
            inner.annotation = None
        if isinstance(inner, ast.FunctionDef):
            inner.returns = None
    return True


def _expression(text: str | None) -> ast.expr:
    return ast.parse(text or "...", mode="eval").body


def _needed(node: Any, fun: FunctionType) -> Iterator[tuple[str, Any]]:
    """The names from outside that a function uses, each with its value."""
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    captured = _captured(fun)
    for name in dict.fromkeys(names):
        if name in captured:
            yield name, captured[name]
        elif name in fun.__globals__ and name not in _own(fun):
            yield name, fun.__globals__[name]


def _own(fun: FunctionType) -> tuple[str, ...]:
    """The names that are not global ones."""
    code = fun.__code__
    return (*code.co_varnames, *code.co_cellvars, *code.co_freevars)


def _captured(fun: Any) -> dict[str, Any]:
    """What a function has from the functions around it, but for names that are not bound yet."""
    found = {}
    for name, cell in zip(fun.__code__.co_freevars, fun.__closure__ or (), strict=True):
        with suppress(ValueError):  # an empty cell
            found[name] = cell.cell_contents
    return found


def _assigned(name: str, value: Any, within: tuple[Any, ...]) -> _Body:
    """A captured value under its name."""
    if any(value is f and f.__name__ == name for f in within):
        return _Body([], [])  # it calls itself
    if isinstance(value, ModuleType):
        return _Body([_module_import(name, value)], [])
    text = literal(value)
    if text is not None:
        return _Body([], [f"{name} = {text}"])
    found = importable(value) if callable(value) else None
    if found is not None:
        return _Body([], [found[0], *([f"{name} = {found[1]}"] if found[1] != name else [])])
    body = _definition(value, name, within)
    if body is not None:
        return body
    return _Body([], [f"{name} = ...  # captured: {_described(value)}; put it here"])


def _module_import(name: str, module: ModuleType) -> str:
    full = module.__name__
    return f"import {full}" if full == name else f"import {full} as {name}"


def _unparsed(node: Any, name: str) -> tuple[list[str], str]:
    """The definition, and the name that it gives: a function may call itself by its own."""
    if isinstance(node, ast.Lambda):
        return [f"{name} = {ast.unparse(node)}"], name
    return [*ast.unparse(ast.fix_missing_locations(node)).splitlines(), ""], node.name


# --- words ----------------------------------------------------------------------------------------


def _place(fun: Any) -> str:
    code = getattr(inspect.unwrap(fun), "__code__", None)
    return f": {code.co_filename}:{code.co_firstlineno}" if code else f": {type(fun).__name__}"


def _captured_words(fun: Any) -> str:
    """What a function captures, in words: ``k = 3.0, model (a Model)``."""
    inner = inspect.unwrap(fun)
    if not hasattr(inner, "__code__"):
        return ""
    words = []
    for name, value in _captured(inner).items():
        text = literal(value)
        short = text is not None and len(text) <= 60
        words.append(f"{name} = {text}" if short else f"{name} ({_described(value)})")
    return ", ".join(words)


def _described(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    return f"a value of type {type(value).__name__}"
