"""`funcgrad graph` and `funcgrad diagnose`: output, files, exit codes, mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from funcgrad import cli
from funcgrad.cli import WRONG_USAGE
from funcgrad.show.command import FOUND


@pytest.fixture(name="script")
def a_script(tmp_path: Path) -> Path:
    path = tmp_path / "functions_of_a_user.py"
    path.write_text(
        "import jax.numpy as jnp\n"
        "def loss(x):\n    y = jnp.sin(x)\n    return jnp.sum(y * y)\n"
        "def trap(x):\n    return jnp.sum(jnp.where(x > 0, jnp.sqrt(x), 0.0))\n"
        "def broken(x):\n    return undefined_name\n"
        "def leaving(x):\n    raise SystemExit(5)\n"
        "point = (jnp.array([0.0, 4.0]),)\n"
    )
    return path


@pytest.mark.parametrize("form", ["text", "svg", "mermaid", "dot", "json"])
def test_every_format_of_the_demo(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "--demo", "--format", form]) == 0
    printed = capsys.readouterr().out
    assert "tanh" in printed
    if form == "svg":
        ElementTree.fromstring(printed)
    if form == "json":
        json.loads(printed)
    if form == "text":
        assert all(len(line) <= 80 for line in printed.splitlines())


@pytest.mark.parametrize("ending", ["svg", "html", "json", "dot", "mmd", "txt"])
def test_the_ending_sets_the_format(
    ending: str, script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / f"graph.{ending}"
    call = ["graph", f"{script}:loss", "--args", "[1.0, 2.0]", "--out", str(target)]
    assert cli.main(call) == 0
    assert capsys.readouterr().out == ""
    assert "sin" in target.read_text(encoding="utf-8")


def test_arguments_from_a_file(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", f"{script}:loss", "--args-from", f"{script}:point"]) == 0
    assert "sin" in capsys.readouterr().out


def test_a_diagnosis_sets_the_exit_code(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", f"{script}:trap", "--args-from", f"{script}:point"]) == FOUND
    assert "functions_of_a_user.py:6" in capsys.readouterr().out
    assert cli.main(["diagnose", f"{script}:loss", "--args", "[1.0, 2.0]"]) == 0
    call = ["diagnose", f"{script}:trap", "--args-from", f"{script}:point", "--json"]
    capsys.readouterr()
    assert cli.main(call) == FOUND
    json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["graph"], "a function is missing"),
        (["graph", "--demo", "math:sqrt"], "--demo draws its own function"),
        (
            ["graph", "SCRIPT:loss"],
            "given 0 arguments: missing a required argument: 'x'; add --args",
        ),
        (["graph", "SCRIPT:loss", "--args", "1.0", "--out", "o.xyz"], "an ending of .svg"),
        (["graph", "/tmp:f"], "neither a module nor a file"),
        (["graph", "SCRIPT:broken", "--args", "1.0"], "undefined_name"),
        (["graph", "SCRIPT:loss", "--args", "[1.0]", "--format", "html"], "a page is a file"),
        (["graph", "SCRIPT:loss", "--args", "'text'"], "type str"),
        (["graph", "SCRIPT:loss", "--args", "[1.0]", "--depth", "-1"], "depth must be"),
        (["graph", "SCRIPT:leaving", "--args", "1.0"], "raised SystemExit: 5 at"),
        (["diagnose", "SCRIPT:nothing", "--args", "1.0"], "has no 'nothing'"),
    ],
)
def test_a_mistake_is_one_sentence(
    call: list[str], message: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([part.replace("SCRIPT", str(script)) for part in call]) == WRONG_USAGE
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert "Traceback" not in said
