"""`funcgrad audit`: output, exit codes, mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from funcgrad import cli
from funcgrad.audit.command import FOUND
from funcgrad.cli import INTERRUPTED, WRONG_USAGE
from tests.audit.samples import audit_of, row


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--jobs", "0"], "--jobs 0: at least one process"),
        (["--resume"], "add --out"),
        (["--out", "/nowhere/a.json"], "--out /nowhere/a.json: there is no folder /nowhere"),
        (["--html", "."], "that is a folder"),
        (["--baseline", "FOREIGN"], "no audit of this version: it does not hold an audit"),
        (["--baseline", "GOOD", "--out", "GOOD"], "would be overwritten"),
        (["--out", "new", "--html", "new"], "both name new"),
        (["--device", "abacus"], "invalid choice"),
    ],
)
def test_wrong_usage(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "foreign.json").write_text("{}")
    (tmp_path / "good.json").write_text(audit_of(row()).to_json())
    places = {"FOREIGN": str(tmp_path / "foreign.json"), "GOOD": str(tmp_path / "good.json")}
    assert cli.main(["audit", *(places.get(w, w) for w in words)]) == WRONG_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]


def test_three_primitives_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, html = tmp_path / "a.json", tmp_path / "a.html"
    words = ["audit", "--only", "sin", "mul", "sort", "--dtype", "float32", "--jobs", "2"]
    assert cli.main([*words, "--out", str(out), "--html", str(html)]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert max(map(len, lines[:4])) <= 80
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["mul", "f32"], ["sin", "f32"], ["sort", "f32"],
    ]  # fmt: skip
    assert "\x1b" not in printed.out
    assert "3 primitives" in " ".join(lines)
    assert "audit: row" in printed.err
    assert html.read_text().count('<td class="cell ') == 9 * len(
        json.loads(out.read_text())["rows"]
    )

    # The same again says the same; beside a baseline that was better it fails.
    record = json.loads(out.read_text())
    for cell in record["rows"][0]["cells"]:
        cell["digits"] = 15.0
    (tmp_path / "b.json").write_text(json.dumps(record))
    words = ["audit", "--resume", "--out", str(out), *words[1:], "--json"]
    assert cli.main([*words, "--baseline", str(tmp_path / "b.json")]) == FOUND
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert len(found["baseline"]["worse"]) == 9
    assert found["baseline"]["worse"][0]["before"]["digits"] == 15.0


def test_ctrl_c_in_a_terminal_keeps_what_is_done(tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    words = [sys.executable, "-m", "funcgrad", "audit", "--only", "elementwise", "--out", str(out)]
    # A session of its own: as in a terminal, the signal goes to the workers, too.
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("audit: row 1 of ")
        os.killpg(process.pid, signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert printed == ""
    assert "Traceback" not in said
    assert f"they are in {out}, go on with --resume" in said.splitlines()[-1]
    assert json.loads(out.read_text())["rows"]


def test_help_needs_no_jax() -> None:
    program = (
        "import sys, funcgrad.cli\n"
        "funcgrad.cli.main(['audit', '--help'])\n"
        "import funcgrad.audit, funcgrad.audit.options\n"
        "print({'jax', 'numpy', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "funcgrad audit --jobs 2" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"
