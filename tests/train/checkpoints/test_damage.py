"""Damaged checkpoints are refused or do no harm; `damage.py` makes them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from funcgrad.train.checkpoints import store
from tests.train.checkpoints import damage


def test_every_damaged_file_is_refused_or_harmless(count: Callable[[str, int], None]) -> None:
    """In a process of its own, for Orbax leaves coroutines behind that complain when freed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.train.checkpoints.damage", "--flips", "1"],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    said = re.match(r"(\d+) damaged files: (\d+) refused, (\d+) without harm, 0 ", done.stdout)
    assert said, done.stdout + done.stderr
    assert done.returncode == 0
    assert int(said[2]) >= 20
    assert int(said[3]) >= 20
    count("damaged files", int(said[1]))
    count("of them refused", int(said[2]))


def test_damage_that_no_checksum_sees_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiled = damage.program()
    expected = damage.written(tmp_path / "whole", compiled)
    read = store.Checkpoints._read

    def corrupted(self: store.Checkpoints, step: int, item: object) -> Any:
        found = dict(read(self, step, item))
        if "arrays" in found:
            found["arrays"]["params.b1"] += 1
        return found

    monkeypatch.setattr(store.Checkpoints, "_read", corrupted)
    refused = damage._verdict(tmp_path / "whole", compiled, expected)
    assert refused.startswith("nothing is offered: ")
    assert "damaged (its numbers are not what was written)" in refused
    monkeypatch.setattr(store, "checksums", lambda _: _Equal())
    assert damage._verdict(tmp_path / "whole", compiled, expected).startswith("accepted")


ROOT = Path(__file__).parents[3]


class _Equal:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_a_flip_changes_one_bit() -> None:
    content = bytes(range(16))
    flipped = damage._flipped(0.5, 4, content)
    changed = np.frombuffer(content, np.uint8) ^ np.frombuffer(flipped, np.uint8)
    assert changed.sum() == 4
