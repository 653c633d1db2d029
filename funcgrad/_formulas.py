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
    source = "".join(linecache.getlines(path))
    functions = [ast.get_source_segment(source, argument) or "" for argument in call.args[1:]]
    return " ".join("; ".join(functions).split())


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
