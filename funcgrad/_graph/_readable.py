"""A rule as a formula in the names of the graph: `lambda y, _a, b: -y / b` becomes ``-c / b``."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ._drawing import DrawnNode

__all__ = ["formula", "in_words"]

# What helpers of the rules compute, apart from their care for rounding and for limits.
SHORT = {
    "Over": "lambda a: 1 / a",
    "Quotient": "lambda a, b: a / b",
    "_one_minus_square": "lambda a: 1 - a ** 2",
    "_exact": "lambda number, like: number",
    "mul": "lambda a, b: a * b",
    "_integer_power_slope": "lambda x, n: n * x ** (n - 1)",
    "_power_by_base": "lambda a, b: b * a ** (b - 1)",
    "_power_by_exponent": "lambda y, a: y * log(a)",
}
WORDS = {
    "dot_general": "the gradient is multiplied by the other factor, transposed",
    "broadcast_in_dim": "the gradient is summed over the axes along which the operand was repeated",
    "reduce_sum": "every entry of the sum gets the gradient of the sum",
    "reduce_max": "only the largest entries get the gradient",
    "reduce_min": "only the smallest entries get the gradient",
    "max": "the larger operand gets the gradient; equal ones share it",
    "min": "the smaller operand gets the gradient; equal ones share it",
    "abs": "the gradient is multiplied by the sign of the operand",
    "reshape": "the gradient gets the operand's shape",
    "squeeze": "the gradient gets the operand's shape",
    "transpose": "the axes of the gradient are put back in order",
    "convert_element_type": "the gradient is converted back to the operand's dtype",
    "concatenate": "each operand gets its slice of the gradient",
    "select_n": "the gradient goes to the operand that was selected, entry by entry",
    "gather": "each gradient is added where its value was taken",
    "scan": "the gradient goes through the iterations in reverse order",
    "while": "the gradient goes through the iterations in reverse order",
    "cond": "the gradient goes through the branch that was taken",
}


def in_words(op: str | None) -> str:
    """How a gradient passes through a function that has no formula; "" where no words are known."""
    return WORDS.get(op or "", "")


def formula(node: DrawnNode, operand: int, names: Mapping[int, str], flowing: str) -> str:
    """The rule of one operand, with its variables replaced by names of the graph.

    Args:
        node: the result of the step.
        operand: which operand.
        names: what stands for each operand.
        flowing: what stands for the result's gradient.

    Returns:
        the formula; or the piece of the rule as it is, where it is not a formula of known names.

    >>> from funcgrad._graph._drawing import Quantity
    >>> one = Quantity((), "float32", (1.0,), 1.0, 1.0, 1.0, 1.0, 0.0, 0)
    >>> rule = "lambda _y, _a, b: Over(b); lambda y, _a, b: Quotient(-y, b)"
    >>> c = DrawnNode("c", "step", "div", {}, rule, None, None, True, False, one, one)
    >>> formula(c, 0, {0: "a", 1: "b"}, "g"), formula(c, 1, {0: "a", 1: "b"}, "g")
    ('1 / b', '-c / b')
    """
    pieces = _pieces(node.rule)
    if not pieces:
        return node.rule
    piece = pieces[min(operand, len(pieces) - 1)]
    if not isinstance(piece, ast.Lambda):
        return ast.unparse(piece)
    known = _bind(piece, node, names, flowing)
    free = {name.id for name in ast.walk(piece.body) if isinstance(name, ast.Name)}
    if free & ({a.arg for a in _parameters(piece)} - known.keys()):
        return ast.unparse(piece)
    text = ast.unparse(_Rename(known).visit(piece.body))
    return text.replace(" * ", " · ").replace(" ** ", "^")


def _pieces(rule: str) -> list[ast.expr]:
    try:
        statements = ast.parse(rule).body
    except (SyntaxError, ValueError):
        return []
    return [statement.value for statement in statements if isinstance(statement, ast.Expr)]


def _parameters(piece: ast.Lambda) -> list[ast.arg]:
    starred = [piece.args.vararg] if piece.args.vararg else []
    return [*piece.args.args, *starred, *piece.args.kwonlyargs]


def _bind(
    piece: ast.Lambda, node: DrawnNode, names: Mapping[int, str], flowing: str
) -> dict[str, ast.expr]:
    """What each parameter of the rule stands for, as far as that is known."""
    ordered = [argument.arg for argument in piece.args.args]
    leading: Sequence[str] = [flowing, node.name] if ordered[:1] == ["ct"] else [node.name]
    bound = dict(zip(ordered, leading, strict=False))
    operands = ordered[len(leading) :]
    bound |= {name: names[i] for i, name in enumerate(operands) if i in names}
    options = [argument.arg for argument in piece.args.kwonlyargs]
    bound |= {name: node.params[name] for name in options if name in node.params}
    return {name: _quote(text) for name, text in bound.items()}


def _quote(text: str) -> ast.expr:
    # A name may hold any text: it is only written, never run.
    return ast.Name(f"({text})" if text.startswith("-") else text)


class _Rename(ast.NodeTransformer):
    """Puts expressions for names, and the formulas of known helpers for their calls."""

    def __init__(self, known: Mapping[str, ast.expr]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.known.get(node.id, node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        modules = isinstance(node.value, ast.Name) and node.value.id in ("lax", "jnp")
        if modules:
            return ast.Name(node.attr)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        short = SHORT.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if short is None:
            return node
        (helper,) = _pieces(short)
        assert isinstance(helper, ast.Lambda)
        parameters = [argument.arg for argument in helper.args.args]
        result: ast.expr = _Rename(dict(zip(parameters, node.args, strict=True))).visit(helper.body)
        return result
