"""The ledger has one entry for each defect, and one for each program that was lost."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from funcgrad import _workers as workers
from funcgrad._workers import Outcome
from funcgrad.search._findings import Ledger
from funcgrad.search._worker import Sighting, Task

LABEL = ("ours", "wrong", "gradient")


def sighting(*operations: str, number: int = 0) -> Sighting:
    return Sighting(LABEL, "1, expected 2", operations, "def f(x): ...", "test", 9, number)


def lost(kind: str, number: int = 3) -> Outcome:
    task = Task(1, number, (1, 2), None, ("float32",))
    trace = "Traceback\nValueError: no\n" if kind == workers.FAILED else ""
    return Outcome(
        task, kind, ("f = abs\narguments = (1.0,)\n", "float32"), "ValueError: no", trace
    )


def test_a_defect_that_is_met_again_is_counted() -> None:
    ledger = Ledger()
    assert ledger.enter(sighting("sin", number=1))
    assert ledger.enter(sighting("cos", number=2))
    assert not ledger.enter(sighting("sin", number=5))
    ledger.count((LABEL, ("sin",)))
    first, second = ledger.findings()
    assert (first.operations, first.count, first.number) == (("sin",), 3, 1)
    assert (second.operations, second.count) == (("cos",), 1)
    assert set(ledger.known()) == {(LABEL, ("sin",)), (LABEL, ("cos",))}


def test_a_ledger_comes_back_from_json() -> None:
    ledger = Ledger()
    ledger.enter(sighting("sin"))
    assert Ledger(ledger.to_json()).findings() == ledger.findings()


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (workers.DIED, "The value ends the process"),
        (workers.HUNG, "The value does not end"),
        (workers.FAILED, "The search's work raises an error"),
    ],
)
def test_a_program_that_was_lost_has_a_file(kind: str, title: str, tmp_path: Path) -> None:
    ledger = Ledger()
    assert ledger.enter_lost(lost(kind))
    assert not ledger.enter_lost(lost(kind))
    (found,) = ledger.findings()
    assert (found.title, found.number) == (title, 3)
    ledger.write(tmp_path)
    text = (tmp_path / found.file_name).read_text()
    ast.parse(text)
    assert "Seed 1, program 3" in text
    assert ("# ValueError: no" in text) == (kind == workers.FAILED)
