"""``funcgrad fuzz``: exit codes, output, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from funcgrad import cli
from funcgrad.search import command
from funcgrad.search._coverage import Coverage
from funcgrad.search._findings import Finding
from funcgrad.search.fuzz import Search

WRONG = Finding(
    "ours", "wrong", "gradient", "1, expected 2", ("sin",), "def f(x): ...", "test", 9, 4
)


def searched(*findings: Finding, interrupted: bool = False) -> Search:
    return Search(5, 40, 2.0, findings, Coverage(), "jax 0", interrupted)


def ended(monkeypatch: pytest.MonkeyPatch, result: Search, *options: str) -> Any:
    """The exit code where a search gives a result."""
    monkeypatch.setattr(command, "fuzz", lambda **_: result)
    try:
        return cli.main(["fuzz", *options])
    except SystemExit as end:
        return end.code


def test_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, searched()) == 0
    assert ended(monkeypatch, searched(WRONG)) == 1
    assert ended(monkeypatch, searched(interrupted=True)) == 130
    assert ended(monkeypatch, searched(), "--dtype", "int8") == 2
    assert ended(monkeypatch, searched(), "--only", "waves") == 2


def test_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(monkeypatch, searched(WRONG), "--out", "found")
    text = capsys.readouterr().out
    assert "1. funcgrad's gradient is wrong (1 time)\n   1, expected 2\n" in text
    assert "program 4: 1 operation, shrunk from 9" in text
    assert "found/test_ours_wrong_gradient_sin_4.py" in text
    assert "5 programs (2.5/s)" in text


def test_json_is_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(monkeypatch, searched(WRONG), "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["findings"][0]["operations"] == ["sin"]


def test_an_unknown_family_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(monkeypatch, searched(), "--only", "waves")
    assert "--only waves: there is no such family" in capsys.readouterr().err


def test_in_a_pipe(tmp_path: Path) -> None:
    arguments = ["fuzz", "--seconds", "1e-6", "--only", "cumulative", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "funcgrad", *arguments, "--out", str(tmp_path / "new")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["findings"] == []
