"""The formulas of rules as they stand in the source, for people to read."""

from __future__ import annotations

import ast
import linecache
from functools import cache

from ._registry import Rule


def formula(rule: Rule) -> str:
    """The functions of a rule's declaration, in one line; "" where it has none of its own."""
    path, _, line = rule.where.rpartition(":")
    call = _declarations(path).get(int(line)) if line.isdigit() else None
    if call is None:
        return ""
    functions = [_written_out(argument, path) for argument in call.args[1:]]
    return " ".join("; ".join(functions).split())


def _written_out(argument: ast.expr, path: str) -> str:
    """The source of a function; of a named one that is a single expression, that expression."""
    source = "".join(linecache.getlines(path))
    found = _functions(path).get(argument.id) if isinstance(argument, ast.Name) else None
    body = [s for s in found.body if not _is_text(s)] if found is not None else []
    if found is None or len(body) != 1 or not isinstance(body[0], ast.Return) or not body[0].value:
        return ast.get_source_segment(source, argument) or ""
    expression = ast.get_source_segment(source, body[0].value) or ""
    positional = ", ".join(argument.arg for argument in found.args.args)
    named = "".join(f", {argument.arg}" for argument in found.args.kwonlyargs)
    return f"lambda {positional}{', *' if named else ''}{named}: {expression}"


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@cache
def _functions(path: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse("".join(linecache.getlines(path)))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


@cache
def _declarations(path: str) -> dict[int, ast.Call]:
    """The calls of a file that declare one primitive, by each line that they span."""
    tree = ast.parse("".join(linecache.getlines(path)))
    calls = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.args]
    declaring = [call for call in named if call.func.id != "no_derivative"]  # type: ignore[attr-defined]  # a Name, as filtered above
    return {
        line: call
        for call in declaring
        for line in range(call.lineno, (call.end_lineno or call.lineno) + 1)
    }
