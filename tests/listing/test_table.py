"""The listing shows every rule, with the formula that stands in the source."""

import json

import pytest

from funcgrad import cli
from funcgrad._registry import rules
from funcgrad.listing.table import INTERNAL, entries, missing


def test_every_rule_is_listed_with_a_formula() -> None:
    listed = entries()
    assert len(listed) == len(rules())
    bare = {entry.name for entry in listed if not entry.formula and entry.family != "none"}
    assert not bare, bare


def test_a_formula_is_the_source_of_its_own_declaration() -> None:
    formulas = {entry.name: entry.formula for entry in entries()}
    assert formulas["sin"] == "lambda _y, x: lax.cos(x)"
    assert formulas["mul"] == "lambda _y, _a, b: b; lambda _y, a, _b: a"


def test_what_has_a_rule_is_not_missing() -> None:
    names = {str(primitive) for primitive in rules()}
    assert not names & set(missing())
    assert not set(INTERNAL) & set(missing())


def test_a_removed_rule_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from funcgrad import _registry
    from funcgrad._jaxcompat import primitives

    monkeypatch.delitem(_registry._RULES, primitives.sin_p)
    assert "sin" in missing()


def test_the_command_prints_a_table_a_selection_and_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["rules", "tanh"]) == 0
    printed = capsys.readouterr().out
    assert "tanh" in printed
    assert "cos" not in printed
    assert all(len(line) <= 80 for line in printed.splitlines())
    assert cli.main(["rules", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rules"]) == len(rules())
