"""The dry run in a process of its own, as from a shell, where it makes its devices itself."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import pytest

from funcgrad import cli
from funcgrad._errors import ConfigurationError
from funcgrad.train.dry_run.command import make_devices

WIDE = ["--width", str(2**20)]


def shell(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = str(Path(cli.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "funcgrad", "train", "--dry-run", *words],
        env=os.environ | {"PYTHONPATH": root}, cwd=cwd,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert os.listdir(cwd) == []
    return done


def record(*words: str, cwd: Path) -> dict[str, Any]:
    done = shell(*words, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_a_million_units_on_256_devices(tmp_path: Path) -> None:
    made = record(*WIDE, "--mesh", "data=256", "--examples", "8192", cwd=tmp_path)
    (one,) = made["collectives"]
    parameters = 4 * (3 * 2**20 + 1)
    assert (one["kind"], one["axes"], one["group"]) == ("all-reduce", ["data"], 256)
    assert made["communication_bytes"] == one["bytes"] == parameters + 4  # and the loss
    assert made["sent_bytes"] == 2 * 255 / 256 * (parameters + 4)
    assert made["memory"]["parameters"] == parameters
    assert made["memory"]["state"] == parameters + 1  # whether the gradient was finite
    assert made["memory"]["examples"] == 2 * 4 * 32
    for rows, examples in (("same_examples", {8192}), ("same_examples_per_device", None)):
        assert [row["devices"] for row in made[rows]] == [1, 8, 64, 256]
        seen = {row["examples"] for row in made[rows]}
        assert seen == (examples or {32, 256, 2048, 8192})
        for row in made[rows]:
            assert row["step_seconds"] == row["compute_seconds"] + row["communication_seconds"]
            assert row["overlapped_step_seconds"] <= row["step_seconds"]
    assert made["left_out"] == []


def test_a_million_units_split_over_two(tmp_path: Path) -> None:
    words = ["--mesh", "data=128,model=2", "--examples", "8192", "--batch-size", "1024"]
    made = record(*WIDE, *words, cwd=tmp_path)
    model, data, finite = made["collectives"]
    assert (model["axes"], model["group"], model["bytes"]) == (["model"], 2, 4 * 1024 // 128)
    half = 4 * (3 * 2**19 + 1)
    assert (data["axes"], data["group"], data["bytes"]) == (["data"], 128, half + 4)
    assert (finite["axes"], finite["bytes"]) == (["model"], 3)  # whether w1, b1 and w2 are
    assert made["memory"]["parameters"] == half
    assert [row["devices"] for row in made["same_examples"]] == [8, 64, 256]


def test_for_people_there_is_a_table(tmp_path: Path) -> None:
    for words, seen in (
        (["--mesh", "data=8"], "all-reduce along data (8): 5 arrays, 6,152 bytes\n"),
        ([*WIDE, "--mesh", "data=32,model=8"], "along data (32): 5 arrays, 1,572,872 bytes\n"),
    ):
        done = shell(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert seen in done.stdout
        assert "left out: 256 devices: the 32 examples" in done.stdout or len(words) > 2
        assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_a_mesh_there_is_one_device(tmp_path: Path) -> None:
    made = record("--examples", "512", cwd=tmp_path)
    assert (made["devices"], made["collectives"], made["sent_bytes"]) == (1, [], 0)
    assert [row["devices"] for row in made["same_examples"]] == [1, 8, 64, 256]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reference"], "--reference compares losses, but a dry run has none"),
        (["--mesh", "rows=8"], "knows only the axes 'data'"),
        (["--mesh", "data=256"], "for example by --examples 256"),
        (["--mesh", "data=3", "--batch-size", "8"], "for example by --batch-size 9"),
        (["--mesh", "model=3"], "--width 512 cannot be split evenly over model=3"),
        (["--mesh", "data"], "is no axis"),
        (["--mesh", "data=4096"], "can stand in for 2048 devices, but --mesh has 4096"),
        (["--machine", "h300"], "no machine 'h300'"),
        (["--batch-size", "64"], "--batch-size 64 is more than the 32 training examples"),
        (["--data", "none.csv", "--target", "y"], "none.csv"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], message: str, tmp_path: Path) -> None:
    done = shell(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("funcgrad: error: ")
    assert message in line


def test_a_real_run_refuses_what_is_for_a_dry_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--examples", "64", "--out", str(tmp_path / "run")]) == 2
    assert "--examples is for a dry run" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_devices_cannot_be_made_once_jax_has_started() -> None:
    make_devices(jax.device_count())  # enough are there already
    wanted = jax.device_count() + 1
    with pytest.raises(ConfigurationError, match=f"a dry run for {wanted} devices needs as many"):
        make_devices(wanted)
