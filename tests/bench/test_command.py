"""The command measures what it is asked for, prints it in three forms, and says what it skips."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcgrad.bench import command
from funcgrad.bench._figures import Figure
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
    for name in ("trace", "run", "eager"):
        assert figures[name]["ratio"]["median"] > 0
        assert figures[name]["control"] is None  # for which a quick run has no time
    assert figures["error"]["ours"] < 1e-6
    assert {row["figure"] for row in printed["summary"]} >= {"run", "trace", "eager", "operations"}
    assert printed["machine"]["peak operations per second"] > 1e8
    used = figures["run"]["use"]
    assert used["operations per second"] == pytest.approx(23 / figures["run"]["ours"])
    assert used["bound by"] == "overhead"  # of two scalars nothing else
    assert 0 < used["share of the roofline"] < 0.1
    assert used["bytes and share are lower bounds"] is False
    assert "use" not in figures["eager"]


def test_the_table_and_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(QUICK) == 0
    printed = capsys.readouterr().out
    assert "SimpleGraph" in printed
    assert "what the device does in our programs" in printed
    assert "operations/s (matrix product)" in printed
    assert main([*QUICK, "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "| workload | figure | ours |" in printed
    assert "| run | " in printed
    assert "| workload | time | operations/s | bytes/s | of the roofline | bound by |" in printed


def test_several_names_in_one_or_many_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def none(name: str, quick: bool) -> Iterator[Figure]:
        measured.append(f"{name} {quick}")
        return iter(())

    monkeypatch.setattr(command, "_figures", none)
    words = ["--only", "widenet", "conv", "gru", "--only", "conv", "wide"]
    assert main(["bench", *words, "--json"]) == 0
    assert measured == ["widenet False", "conv False", "gru False", "wide False"]


def test_a_quick_run_drops_no_workload_and_names_what_is_smaller() -> None:
    assert set(command._SMALLER) <= set(WORKLOADS)
    assert command._SMALLER["chain"]().name == "chain 1000"
    assert command._WORKLOADS["chain"]().name == "chain 10000"


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "bench.svg"
    assert main([*QUICK, "--picture", str(path)]) == 0
    assert "</svg>" in path.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--picture", "a.bmp"], "must end in .png or .svg"),
        (["--picture", "no/such/a.png"], "there is no folder no/such; make it first"),
        (["--picture", "folder.svg"], "--picture folder.svg is a folder; name a file in it"),
        (["--device", "tpu"], "--device tpu: JAX finds none"),
        (["--only", "nothing"], "invalid choice: 'nothing'"),
    ],
)
def test_wrong_arguments_are_said_in_a_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.svg").mkdir()
    assert main(["bench", *words]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed


def test_a_place_that_cannot_be_written_is_said_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda place, _mode: Path(place) != tmp_path)
    assert main([*QUICK, "--picture", str(tmp_path / "a.svg")]) == 2
    printed = capsys.readouterr()
    assert "no permission to write there" in printed.err
    assert "measuring" not in printed.err


def test_a_missing_competitor_is_skipped_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["bench", "--quick", "--only", "torch", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["skipped"][0].startswith("torch: ")
    assert "skipped: torch: " in printed.err


@pytest.mark.parametrize("measured", [0, 1])
def test_what_was_measured_before_ctrl_c_is_printed(
    measured: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = command._figures

    def stopped(name: str, quick: bool) -> Iterator[Figure]:
        if name == "widenet":
            raise KeyboardInterrupt
        yield from itertools.islice(whole(name, quick), measured)
        if not measured:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_figures", stopped)
    assert main(["bench", "--quick", "--only", "simple", "widenet", "--json"]) == 130
    printed = capsys.readouterr()
    assert "interrupted" in printed.err
    if not measured:
        assert printed.out == ""
        return
    report = json.loads(printed.out)
    assert [figure["name"] for figure in report["figures"]] == ["trace"]
    assert report["skipped"] == ["widenet: interrupted, and what would have followed"]


def test_every_name_can_be_measured() -> None:
    assert set(command._WORKLOADS) == set(WORKLOADS)
    assert set(command._EXTRAS) == set(EXTRAS)
