"""`funcgrad check`: verdicts, exit codes, output, mistakes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from funcgrad import cli, verify
from funcgrad.checking.command import FOUND, UNDECIDED
from funcgrad.cli import INTERRUPTED, WRONG_USAGE

ROOT = Path(__file__).parents[2]
SCRIPT = """
import time
import jax, jax.numpy as jnp

@jax.custom_vjp
def bad(x):
    return x * x
bad.defvjp(lambda x: (x * x, x), lambda x, ct: (x * ct,))

def good(x):
    return jnp.sum(jnp.sin(x))
def cosine(x):
    return jnp.cos(x)
def corner(x):
    return jnp.abs(x)
def product(x, y):
    return x * y
def shouting(x):
    raise AssertionError("it was run")
def nothing(x):
    return jnp.log(-x * x)
def broken(x):
    return undefined_name
def leaving(x):
    raise SystemExit(5)
def slow(x):
    print("started", flush=True)
    time.sleep(60)

point = (jnp.array([1.0, 2.0]),)
like = jax.ShapeDtypeStruct((2,), "float32")
def strategy():
    from funcgrad.verify import strategies
    return strategies.arrays(2)
"""


@pytest.fixture(name="script")
def a_script(tmp_path: Path) -> Path:
    path = tmp_path / "functions_to_check.py"
    path.write_text(SCRIPT)
    return path


def call(script: Path, *words: str) -> int:
    return cli.main(["check", *(word.replace("SCRIPT", str(script)) for word in words)])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["SCRIPT:good", "--args", "[1.0, 2.0]"], 0, "the derivatives are right ("),
        (["SCRIPT:good", "--args", "SCRIPT:point"], 0, "the derivatives are right ("),
        (["SCRIPT:good", "--args-from", "SCRIPT:point"], 0, "--args-from"),
        (["SCRIPT:corner", "--args", "0.0"], 0, "at a kink there is no derivative"),
        (["SCRIPT:bad", "--args", "[1.0]", "--order", "1"], FOUND, "first order"),
        (["SCRIPT:nothing", "--args", "1.0"], UNDECIDED, "not decided"),
        (["SCRIPT:good", "--args", "[0.5]", "--gradient", "SCRIPT:cosine"], 0, "--gradient"),
        (["SCRIPT:good", "--args", "[0.5]", "--gradient", "SCRIPT:good"], FOUND, "WRONG"),
        (["SCRIPT:good", "--args", "[0.5]", "--points", "given"], 0, "(1 point, "),
        (["jax.numpy:tanh", "--args", "0.5", "--seed", "3"], 0, "seed 3"),
        (["SCRIPT:good", "--args", "[0.5]", "--rtol", "0.001"], 0, "--rtol 0.001"),
    ],
)
def test_the_verdict_sets_the_exit_code(
    words: list[str], code: int, says: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(script, *words) == code
    printed = capsys.readouterr().out
    assert says in printed
    assert "\x1b" not in printed


def test_options_arrive(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: dict[str, object] = {}

    def check(_fun: object, *_args: object, **options: object) -> verify.Report:
        arrived.update(options)
        return verify.Report("f", "right")

    monkeypatch.setattr(verify, "check", check)
    words = ["--kinks", "fail", "--order", "1", "--seed", "2", "--points", "given", "--rtol", "0.1"]
    assert call(script, "SCRIPT:good", "--args", "1.0", *words) == 0
    assert arrived == {"kinks": "fail", "order": 1, "seed": 2, "points": "given", "rtol": 0.1}
    arrived.clear()
    assert call(script, "SCRIPT:good", "--args", "1.0") == 0
    assert not arrived


@pytest.mark.parametrize("name", ["strategy", "like"])
def test_drawn_arguments(name: str, script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--strategy", f"SCRIPT:{name}", "--examples", "3", "--order", "1"]
    assert call(script, "SCRIPT:good", *words) == 0
    assert "(3 drawn examples, " in capsys.readouterr().out


def test_a_drawn_fault_has_a_reproducer(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--strategy", "SCRIPT:like", "--examples", "2", "--order", "1", "--points", "given"]
    assert call(script, "SCRIPT:bad", *words) == FOUND
    printed = capsys.readouterr().out
    assert "again\n\n    import jax.numpy as jnp\n    import funcgrad\n" in printed
    assert "print(funcgrad.check(bad, x, points='given', order=1))" in printed


def test_json_and_a_page(script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    words = ["SCRIPT:bad", "--args", "[1.0]", "--json", "--html", str(page)]
    assert call(script, *words) == FOUND
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "wrong"
    assert found["call"] == f"funcgrad check {script}:bad --args '[1.0]'"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: TARGET"),
        (["SCRIPT:good"], "given 0 arguments: missing a required argument: 'x'; add --args"),
        (
            ["SCRIPT:good", "--args", "1.0, 2.0"],
            ":good takes 1 (x): too many positional arguments; a comma outside of brackets begins "
            'the next argument; for one array of these numbers write --args "[1.0, 2.0]"',
        ),
        (["SCRIPT:good", "--args", "[1.0], 2.0"], "'[1.0], 2.0' is 2 arguments, but "),
        (["SCRIPT:product", "--args", "[1.0]"], "is 1 argument, but SCRIPT:product takes 2 (x, y)"),
        (["SCRIPT:good", "--args", "1.0", "--json", "FILE"], "unrecognized arguments: FILE"),
        (
            ["SCRIPT:shouting", "--args", "1.0", "--html", "r" * 300],
            " cannot be written: File name",
        ),
        (["SCRIPT:good", "--args", "x y"], "cannot be read"),
        (["SCRIPT:good", "--args", "3"], "none of the arguments (int) is a floating"),
        (["SCRIPT:good", "--args", "SCRIPT:nowhere"], "has no 'nowhere'"),
        (["SCRIPT:absent", "--args", "1.0"], "has no 'absent'"),
        (["nowhere.py:f", "--args", "1.0"], "there is no file nowhere.py"),
        (["SCRIPT:broken", "--args", "1.0"], "the function raised NameError"),
        (["SCRIPT:leaving", "--args", "1.0"], "raised SystemExit: 5 at"),
        (["SCRIPT:good", "--args", "1.0", "--rtol", "2"], "rtol must lie between 0 and 1"),
        (["SCRIPT:good", "--args", "1.0", "--order", "3"], "invalid choice: 3"),
        (["SCRIPT:good", "--args", "1.0", "--examples", "3"], "add --strategy"),
        (["SCRIPT:good", "--args", "1.0", "--strategy", "SCRIPT:like"], "not allowed with"),
        (["SCRIPT:good", "--strategy", "SCRIPT:SCRIPT"], "has no"),
        (["SCRIPT:good", "--strategy", "SCRIPT:like", "--examples", "0"], "at least 1, but is 0"),
        (["SCRIPT:good", "--args", "1.0", "--html", "/none/r.html"], "there is no folder /none"),
        (["SCRIPT:good", "--args", "1.0", "--html", "/"], "that is a folder"),
        (["SCRIPT:good", "--args", "1.0", "--gradient", "SCRIPT:point"], "names tuple"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str], message: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(script, *words) == WRONG_USAGE
    said = capsys.readouterr().err
    assert message.replace("SCRIPT", str(script)) in said
    assert len(said.strip().splitlines()) == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("exists", [False, True])
def test_a_page_that_may_not_be_written_is_said_before_the_check(
    exists: bool,
    script: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "report.html"
    if exists:
        target.write_text("what was there")
    loaded = Path.open

    def refuse(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if path == target and mode != "r":
            raise PermissionError(13, "Permission denied", str(path))
        return loaded(path, mode, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)  # root may write anywhere
        words = ["SCRIPT:shouting", "--args", "1.0", "--html", str(target)]
        assert call(script, *words) == WRONG_USAGE
    printed = capsys.readouterr()
    said = f"--html {target} cannot be written: Permission denied; name a file that can be"
    assert printed.err == f"funcgrad: error: {said}\n"
    assert printed.out == ""
    assert target.exists() == exists
    assert not exists or target.read_text() == "what was there"


def test_a_check_that_fails_leaves_no_page(script: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    words = ["SCRIPT:broken", "--args", "1.0", "--html", str(target)]
    assert call(script, *words) == WRONG_USAGE
    assert not target.exists()


def test_a_page_that_cannot_be_written(
    script: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "report.html"

    def refuse(path: Path, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)  # root may write anywhere
    assert call(script, "SCRIPT:good", "--args", "1.0", "--html", str(target)) == WRONG_USAGE
    printed = capsys.readouterr()
    assert "the derivatives are right" in printed.out  # what was found is not lost
    assert printed.err == f"funcgrad: error: Permission denied: {target}\n"


# --- through a shell ------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


def test_a_terminal_has_colours(script: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "funcgrad", "check", f"{script}:good", "--args", "1.0"]
    with subprocess.Popen(command, stdout=theirs, env=environment()) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            printed += part
    os.close(ours)
    assert process.returncode == 0
    assert b"\x1b[1;32mgood: the derivatives are right" in printed


def test_an_interrupt(script: Path) -> None:
    command = [sys.executable, "-m", "funcgrad", "check", f"{script}:slow", "--args", "1.0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert said == "funcgrad: interrupted\n"


def test_help_does_not_import_jax() -> None:
    program = (
        "import sys\nfrom funcgrad import cli\ncode = cli.main(['check', '--help'])\n"
        "assert 'jax' not in sys.modules\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "exit code:" in done.stdout
    assert "--strategy" in done.stdout
