"""Runs in several processes: the losses of one, and a sentence when one of them is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from funcgrad import cli
from funcgrad.cli import main

ENDLESS = ("--steps", "100000000", "--width", "8", "--every", "100", "--timeout", "10")


def environment(devices: int = 1) -> dict[str, str]:
    flags = f"--xla_force_host_platform_device_count={devices}"
    root = str(Path(cli.__file__).parents[1])
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "funcgrad", "train", *words]


def shell(*words: str, cwd: Path, devices: int = 1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=cwd, env=environment(devices),
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip


@contextmanager
def started(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in processes, once it has written a checkpoint."""
    with subprocess.Popen(
        command(*words, "--checkpoint", "kept"), cwd=cwd, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while not list((cwd / "kept").glob("checkpoint_[0-9]*00")):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield process
        finally:
            process.kill()


def children(process: subprocess.Popen[str]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(word) for word in listed.split()]


def losses(folder: Path) -> list[float]:
    found: list[float] = json.loads((folder / "metrics.json").read_text())["losses"]
    return found


# --- the same run ---------------------------------------------------------------------------------


@pytest.mark.parametrize("devices", [1, 4], ids=["1 device each", "4 devices each"])
def test_two_processes_have_the_losses_of_one(devices: int, tmp_path: Path) -> None:
    """Over the whole run of the course."""
    done = shell("--processes", "2", "--json", cwd=tmp_path, devices=devices)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)  # nothing else is there, of gloo or of the second process
    assert record["device"].endswith(f"{2 * devices} devices as data={2 * devices} in 2 processes")
    assert main(["train", "--out", str(tmp_path / "alone")]) == 0
    alone = losses(tmp_path / "alone")
    assert len(alone) == 1847
    np.testing.assert_allclose(record["losses"], alone, rtol=1e-5)
    with (
        np.load(tmp_path / "alone" / "parameters.npz") as one,
        np.load(tmp_path / "widenet-run" / "parameters.npz") as two,
    ):
        for name in one:
            np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_two_processes_goes_on_in_one(tmp_path: Path) -> None:
    words = ("--width", "8", "--batch-size", "8", "--checkpoint", "kept")
    done = shell(*words, "--steps", "20", "--processes", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = shell(*words, "--steps", "50", "--resume", "--out", "resumed", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "goes on from the checkpoint of step 21" in done.stderr
    assert main(["train", *words[:4], "--steps", "50", "--out", str(tmp_path / "alone")]) == 0
    np.testing.assert_allclose(losses(tmp_path / "resumed"), losses(tmp_path / "alone"), rtol=1e-5)


def test_hosts_that_are_started_elsewhere_meet(tmp_path: Path) -> None:
    words = ("--steps", "5", "--width", "8", "--num-processes", "2", "--coordinator")
    place = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        command(*words, place, "--process-id", "1", "--out", "second"),
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as second:  # fmt: skip
        first = shell(*words, place, "--process-id", "0", "--json", cwd=tmp_path)
        shown, told = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + told
    assert len(json.loads(first.stdout)["losses"]) == 5
    assert (shown, told) == ("", "")
    assert not list((tmp_path / "second").glob("*.json"))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


# --- runs that end early --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=lambda number: number.name)
def test_a_lost_process_ends_the_run_with_a_sentence(
    number: signal.Signals, tmp_path: Path
) -> None:
    with started("--processes", "2", *ENDLESS, cwd=tmp_path) as process:
        os.kill(children(process)[1], number)
        begin = time.monotonic()
        shown, told = process.communicate(timeout=90)
    assert time.monotonic() - begin < 60
    assert (process.returncode, shown) == (cli.PROCESS_LOST, "")
    assert "Traceback" not in told
    last = told.splitlines()[-1]
    how = "was ended by SIGKILL" if number == signal.SIGKILL else "gave no sign of life"
    assert last.startswith(f"funcgrad: error: process 1 of 2 {how}")
    saved = re.search(
        r"The checkpoint of step (\d+) is in kept: the same command with a bare", last
    )
    assert saved
    assert int(saved[1]) > 0
    more = ["--processes", "2", *ENDLESS[2:], "--steps", saved[1], "--warm-start-steps", "1"]
    done = shell(*more, "--checkpoint", "kept", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"goes on from the checkpoint of step {saved[1]}" in done.stderr


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_with_results_and_a_checkpoint(
    number: signal.Signals, processes: tuple[str, ...], tmp_path: Path
) -> None:
    with started(*processes, *ENDLESS, cwd=tmp_path) as process:
        process.send_signal(number)
        shown, told = process.communicate(timeout=60)
    assert (process.returncode, shown) == (128 + number, "")
    last = told.splitlines()[-1]
    word = "interrupted" if number == signal.SIGINT else "terminated"
    said = re.match(rf"funcgrad: {word} after (\d+) of 100000000 steps; what was done", last)
    assert said, told
    assert last.endswith("the same command with a bare --resume goes on")
    steps = max(int(path.name.split("_")[1]) for path in (tmp_path / "kept").glob("checkpoint_*"))
    assert steps == int(said[1]) + 1  # with the step of the warm start
    assert len(losses(tmp_path / "widenet-run")) == int(said[1])


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    with started("--processes", "2", *ENDLESS, cwd=tmp_path) as process:
        numbers = children(process)
        assert len(numbers) == 2
        process.kill()
        deadline = time.monotonic() + 30
        while any(is_running(number) for number in numbers):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def is_running(number: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False


def test_a_peer_that_does_not_come_is_told(tmp_path: Path) -> None:
    words = ("--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", "--timeout", "5")
    done = shell(*words, "--process-id", "0", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (cli.PROCESS_LOST, "")
    (line,) = done.stderr.splitlines()
    assert "process 0 of 2 cannot reach the others, or one of them is lost" in line


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    done = shell("--processes", "3", "--width", "8", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "the 32 examples of a step cannot be split evenly over data=3" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--processes 2 --coordinator h:1", "--processes starts all processes on this machine"),
        ("--process-id 0", "--process-id and --num-processes need --coordinator HOST:PORT"),
        ("--coordinator here", "--coordinator here is no HOST:PORT; for example 10.0.0.1:4321"),
        ("--coordinator h:1 --process-id 2 --num-processes 2", "but has I=2 and N=2"),
        ("--coordinator h:1", "but has I=None and N=None"),
        ("--processes 0", "must be a whole number of at least 1"),
    ],
)
def test_what_does_not_fit_is_told(
    words: str, message: str, capsys: pytest.CaptureFixture[Any]
) -> None:
    assert main(["train", *words.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
