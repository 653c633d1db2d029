"""Kill a run at any moment, resume it, and compare with the run that nothing befell.

    python -m tests.train.checkpoints.kills --points 200 --seed 1

Runs are forked from a process that has loaded everything and started nothing, so that a kill costs
a second. Half of the kills come at a chosen operation of Python on the folder of checkpoints (of
its hundreds: opening, making, renaming, removing), the other half at a random time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

# All that a run imports, before the fork.
import funcgrad.train.checkpoints.folder
import funcgrad.train.command
import funcgrad.train.picture  # noqa: F401
from funcgrad.cli import main

WORDS = ("train", "--width", "16", "--steps", "240", "--optimizer", "adam", "--batch-size", "8")
KEPT = ("--every", "30", "--keep", "2", "--resume")
MOST_SECONDS = 120


class Outcome(NamedTuple):
    """What became of the kills: how many, how many of them in a write, and of the runs."""

    kills: int
    in_a_write: int
    runs: int
    differences: list[str]


class Finished(NamedTuple):
    """What a run that came to its end has left."""

    params: dict[str, bytes]
    losses: list[float]


def fork(words: list[str], prepare: Callable[[], None], kill: float | None = None) -> int:
    """Run the command line in a fork of this process; its exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            prepare()
            os._exit(main(words))
        os._exit(99)
    deadline = time.monotonic() + (MOST_SECONDS if kill is None else kill)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.002)


def at_operation(folder: Path, number: int) -> Callable[[], None]:
    """Kill this process at an operation on a folder; told to `Counter` where it is not reached."""
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if any(str(folder) in str(argument) for argument in arguments[:2]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        del event

    return lambda: sys.addaudithook(hook)


def finished(out: Path) -> Finished:
    with np.load(out / "parameters.npz") as loaded:
        params = {name: loaded[name].tobytes() for name in loaded}
    return Finished(params, json.loads((out / "metrics.json").read_text())["losses"])


def is_writing(folder: Path) -> bool:
    """Whether something has begun to be written that is not complete."""
    return any("tmp" in path.name for path in folder.glob("*"))


def hunt(points: int, seed: int) -> Outcome:
    """Kill so many times, in as many runs as it takes."""
    draw = random.Random(seed)
    kills = in_a_write = runs = 0
    different = []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        jax.config.update("jax_compilation_cache_dir", str(root / "programs"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        assert fork([*WORDS, "--out", str(root / "whole")], lambda: None) == 0
        expected = finished(root / "whole")
        while kills < points:
            runs += 1
            folder, out = root / f"checkpoints-{runs}", root / f"out-{runs}"
            words = [*WORDS, *KEPT, "--checkpoint", str(folder), "--out", str(out)]
            code = -signal.SIGKILL
            while code == -signal.SIGKILL:
                code = _once(words, folder, draw if kills < points else None)
                kills += code == -signal.SIGKILL
                in_a_write += code == -signal.SIGKILL and is_writing(folder)
            if code != 0 or finished(out) != expected:
                different.append(f"run {runs}: exit code {code}")
    return Outcome(kills, in_a_write, runs, different)


def _once(words: list[str], folder: Path, draw: random.Random | None) -> int:
    if draw is None:
        return fork(words, lambda: None)
    if draw.random() < 0.5:
        return fork(words, at_operation(folder, draw.randrange(1, 400)))
    return fork(words, lambda: None, kill=draw.uniform(0.1, 2.5))


def command() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begin = time.monotonic()
    outcome = hunt(options.points, options.seed)
    print(
        f"{outcome.kills} kill points ({outcome.in_a_write} during a write) in {outcome.runs} runs "
        f"in {time.monotonic() - begin:.0f} s: {len(outcome.differences)} differ"
    )
    print(*outcome.differences, sep="\n", end="")
    sys.exit(bool(outcome.differences))


if __name__ == "__main__":
    command()
