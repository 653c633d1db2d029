"""Two audits compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from funcgrad.audit import Audit, Cell, compare
from funcgrad.audit._baseline import change_text
from tests.audit.samples import HEADER, audit_of, ours, row


def changed(before: Cell, after: Cell) -> str:
    found = compare(audit_of(row(reverse=before)), audit_of(row(reverse=after)))
    kinds = {"worse": found.worse, "better": found.better}
    named = [name for name, changes in kinds.items() if changes]
    return named[0] if named else ""


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (("ok", 7.0), ("ok", 6.1), ""),
        (("ok", 7.0), ("ok", 5.9), "worse"),
        (("ok", 5.9), ("ok", 7.0), "better"),
        (("ok", 7.0), ("poor", 6.9), "worse"),
        (("wrong", None), ("poor", 1.0), "better"),
        (("ok", 7.0), ("crashed", None), "worse"),
        (("ok", 7.0), ("unsupported", None), "worse"),
        (("unsupported", None), ("ok", 7.0), "better"),
        (("unsupported", None), ("wrong", None), "worse"),
        (("unsupported", None), ("unsupported", None), ""),
        (("ok", 7.0), ("unchecked", None), ""),
    ],
)
def test_a_status_or_more_than_a_digit(
    before: tuple[str, float | None], after: tuple[str, float | None], verdict: str
) -> None:
    assert changed(ours("reverse", *before), ours("reverse", *after)) == verdict


def test_rows_that_only_one_of_the_two_has() -> None:
    found = compare(audit_of(row("sin")), audit_of(row("cos")))
    assert {c.row.primitive for c in found.gone} == {"sin"}
    assert {c.row.primitive for c in found.new} == {"cos"}
    assert not compare(audit_of(row("sin")), audit_of(row("cos")), whole=False).gone


def test_the_circumstances_and_a_line() -> None:
    later = Audit(replace(HEADER, jax="0.13.0"), (row(value=ours("value", "wrong")),))
    found = compare(audit_of(row()), later)
    assert found.circumstances == ("jax: 0.12.0, now 0.13.0",)
    assert change_text(found.worse[0]) == "sin case 0 float32, funcgrad value: ok 7.0 -> wrong"
