"""Runs that are killed at any moment end as if nothing had happened; `kills.py` does it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
POINTS = 50

Count = Callable[[str, int], None]


def command(*words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """In a process of its own, which has started nothing of JAX when it forks."""
    start = ["-c", code] if code else ["-m", "tests.train.checkpoints.kills"]
    return subprocess.run(
        [sys.executable, "-W", "ignore", *start, *words],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip


def test_a_killed_run_ends_bit_by_bit_as_one_that_was_not(count: Count) -> None:
    done = command("--points", str(POINTS), "--seed", "0")
    said = re.match(r"(\d+) kill points \((\d+) during a write\) in \d+ runs", done.stdout)
    assert said, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout
    assert int(said[1]) >= POINTS
    assert int(said[2]) >= 5
    count("kill points", int(said[1]))
    count("of them during a write", int(said[2]))


FORGETFUL = """
import sys
from funcgrad.train.checkpoints import store
from tests.train.checkpoints import kills
record = store.Checkpoints._record
def forgetful(self, step, content):  # the optimiser's state is not restored
    found = record(self, step, content)
    carry = found.position.carry._replace(state=self.compiled.first.state)
    return found._replace(position=found.position._replace(carry=carry))
store.Checkpoints._record = forgetful
sys.argv[1:] = ["--points", "6", "--seed", "3"]
kills.command()
"""


def test_a_run_that_goes_on_with_another_state_is_noticed() -> None:
    done = command(code=FORGETFUL)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "differ" in done.stdout


@pytest.mark.parametrize("number", [1, 40])
def test_a_kill_at_an_operation_comes(number: int, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.train.checkpoints import kills\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"kills.at_operation(folder, {number})()\n"
        "[(folder / str(i)).write_text('x') for i in range(30)]\n"
        "print(len(list(folder.iterdir())))\n"
    )
    done = command(code=code)
    assert (done.returncode == 0) == (number > 31)
