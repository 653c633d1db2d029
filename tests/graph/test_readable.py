"""Rules in the names of the graph."""

from __future__ import annotations

import ast

import pytest

from funcgrad import rules
from funcgrad._formulas import formula as source_of
from funcgrad._graph._drawing import DrawnNode
from funcgrad._graph._readable import SHORT, WORDS, formula, in_words
from funcgrad._registry import rules as table
from tests.graph.drawings import number


def step(rule: str, params: dict[str, str] | None = None) -> DrawnNode:
    value = number(1.0)
    return DrawnNode("c", "step", "f", params or {}, rule, None, None, True, False, value, value)


@pytest.mark.parametrize(
    ("rule", "operand", "expected"),
    [
        ("lambda _y, _a, b: b; lambda _y, a, _b: a", 0, "params['w']"),
        ("lambda _y, _a, b: Over(b)", 0, "1 / params['w']"),
        ("lambda _y, _a, b: Over(b); lambda y, _a, b: -y / b", 1, "-c / params['w']"),
        ("lambda _y, _a, b: Over(b); lambda y, _a, b: Quotient(-y, b)", 1, "-c / params['w']"),
        ("lambda _y, x: lax.cos(x)", 0, "cos(a)"),
        ("lambda y, _x: _one_minus_square(y)", 0, "1 - c^2"),
        ("lambda _y, x: Over(x + 1)", 0, "1 / (a + 1)"),
        ("lambda _y, x: lax.mul(_exact(2, x), x)", 0, "lax.mul(_exact(2, a), a)"),
        ("lambda ct, _y, _a, _b: -lax.imag(ct)", 1, "-imag(g)"),
        ("_pull_left; _pull_right", 1, "_pull_right"),
        ("lambda _y, _a, _b: 1; lambda _y, _a, _b: -1", 1, "-1"),
        ("one piece for all", 1, "one piece for all"),
    ],
)
def test_a_rule_speaks_of_the_graphs_nodes(rule: str, operand: int, expected: str) -> None:
    expected = expected.replace("lax.mul(_exact(2, a), a)", "2 · a")
    assert formula(step(rule), operand, {0: "a", 1: "params['w']"}, "g") == expected


def test_parameters_of_the_step_are_written_out() -> None:
    power = step("lambda _out, x, *, y: _integer_power_slope(x, y)", {"y": "-3"})
    assert formula(power, 0, {0: "a"}, "g") == "(-3) · a^((-3) - 1)"


def test_a_rule_of_an_unknown_operand_stays_as_it_is() -> None:
    rule = "lambda _y, _a, b: b"
    assert formula(step(rule), 0, {0: "a"}, "g") == rule


def test_a_name_is_only_written_and_never_run() -> None:
    evil = "__import__('os').abort()"
    assert formula(step("lambda _y, x: lax.cos(x)"), 0, {0: evil}, "g") == f"cos({evil})"


def test_every_shortened_helper_is_one_of_the_rules() -> None:
    assert rules.__file__ is not None  # the table is filled by this import
    called = set()
    for rule in table().values():
        for node in ast.walk(ast.parse(source_of(rule))):
            if isinstance(node, ast.Call):
                called.add(ast.unparse(node.func).removeprefix("lax."))
    assert SHORT.keys() <= called


def test_every_function_in_words_has_a_rule() -> None:
    known = {primitive.name for primitive in table()}
    assert WORDS.keys() <= known
    assert in_words("dot_general")
    assert in_words("sin") == in_words(None) == ""
