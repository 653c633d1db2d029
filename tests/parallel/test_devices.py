"""What takes several devices is in `on_eight_devices*.py`, run in processes that have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EIGHT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("on_eight_devices*.py")))
def test_on_eight_devices(name: str) -> None:
    """In a process of its own, because the number of devices is fixed when JAX starts."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         HERE / name],
        env=os.environ | EIGHT, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
