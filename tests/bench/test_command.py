"""The command measures what it is asked for, prints it in three forms, and says what it skips."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from funcgrad.bench import command
from funcgrad.bench.options import EXTRAS, WORKLOADS
from funcgrad.cli import main

QUICK = ["bench", "--quick", "--only", "simple"]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_QUICK", 0.01)


def test_json_has_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    figures = {figure["name"]: figure for figure in printed["figures"]}
    assert set(figures) == {
        "trace", "lower", "compile", "run", "eager", "memory", "program", "traffic", "jaxpr",
        "operations", "error",
    }  # fmt: skip
    assert all(figures[name]["control"]["median"] > 0 for name in ("trace", "run", "eager"))
    assert figures["error"]["ours"] < 1e-6
    assert {row["figure"] for row in printed["summary"]} >= {"run", "trace", "eager", "operations"}
    assert printed["machine"]["peak operations per second"] > 1e8


def test_the_table_and_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(QUICK) == 0
    assert "SimpleGraph" in capsys.readouterr().out
    assert main([*QUICK, "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "| workload | figure | ours |" in printed
    assert "| run | " in printed


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "bench.svg"
    assert main([*QUICK, "--picture", str(path)]) == 0
    assert "</svg>" in path.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--picture", "a.bmp"], "must end in .png or .svg"),
        (["--picture", "no/such/a.png"], "there is no folder no/such; make it first"),
        (["--device", "tpu"], "--device tpu: JAX finds none"),
        (["--only", "nothing"], "invalid choice: 'nothing'"),
    ],
)
def test_wrong_arguments_are_said_in_a_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed


def test_a_missing_competitor_is_skipped_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["bench", "--quick", "--only", "torch", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["skipped"][0].startswith("torch: ")
    assert "skipped: torch: " in printed.err


def test_every_name_can_be_measured() -> None:
    assert set(command._WORKLOADS) == set(WORKLOADS)
    assert set(command._EXTRAS) == set(EXTRAS)
