"""`shard_map` and the collectives on four devices, with typed mapped axes and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def differences() -> dict[str, float]:
    """For each program the largest difference from JAX's gradient."""
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-m", "tests.rules.mapped_programs"],
        cwd=root,
        env=os.environ | devices,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, float] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("kind", ["typed", "untyped"])
@pytest.mark.parametrize(
    "name",
    [
        "psum", "pmean", "all_gather", "all_gather tiled", "psum_scatter", "all_to_all",
        "ppermute", "axis_index", "copied input", "copied output", "second order",
    ],
)  # fmt: skip
def test_gradients_are_jaxs(differences: dict[str, float], name: str, kind: str) -> None:
    assert differences[f"{name}, {kind}"] < 1e-5


def test_a_sum_over_a_mapped_axis(differences: dict[str, float]) -> None:
    assert differences["psum under vmap"] < 1e-5
