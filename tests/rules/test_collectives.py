"""`shard_map` and the collectives on four devices, with typed mapped axes and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

EVERYWHERE = [
    "psum", "pmean", "all_gather", "all_gather tiled", "psum_scatter", "psum_scatter tiled",
    "all_to_all", "all_to_all tiled", "ppermute", "axis_index",
]  # fmt: skip
SHARDED = [
    "partial ppermute", "copied input", "copied output", "grouped all_gather", "grouped all_to_all",
    "grouped psum_scatter", "pbroadcast", "ragged_all_to_all", "ragged_all_to_all of shared rows",
    "grouped ragged_all_to_all",
]  # fmt: skip
UNTYPED = ["grouped psum", "grouped pmean"]
TYPED = [
    "unreduced psum", "unreduced psum_scatter", "unreduced psum_scatter tiled", "reduced",
    "reduced made varying", "reduced all_gather", "reduced all_gather tiled",
]  # fmt: skip
# A source known only on the devices came with jax 0.12.
TRACED = ["pbroadcast of a traced source"] if jax.__version_info__ >= (0, 12) else []


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


@pytest.mark.parametrize("name", EVERYWHERE + SHARDED + TRACED + TYPED)
@pytest.mark.parametrize("order", [1, 2])
def test_gradients_with_typed_axes(differences: dict[str, float], name: str, order: int) -> None:
    assert differences[f"{name}, typed, order {order}"] < 1e-5


@pytest.mark.parametrize("name", EVERYWHERE + SHARDED + TRACED + UNTYPED)
def test_gradients_with_untyped_axes(differences: dict[str, float], name: str) -> None:
    assert differences[f"{name}, untyped, order 1"] < 1e-5


@pytest.mark.parametrize("name", EVERYWHERE + TRACED)
@pytest.mark.parametrize("how", ["grad of vmap", "vmap of grad"])
def test_gradients_under_vmap(differences: dict[str, float], name: str, how: str) -> None:
    assert differences[f"{name}, {how}"] < 1e-5
