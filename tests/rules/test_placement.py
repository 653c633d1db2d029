"""Where values lie, on one device; what takes several is in `on_four_devices.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp

import funcgrad
from funcgrad import _jaxcompat as compat


def test_on_four_devices() -> None:
    """In a process of its own, because the number of devices is fixed when JAX starts."""
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         Path(__file__).with_name("on_four_devices.py")],
        env=os.environ | devices, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def test_tied_values() -> None:
    tie = compat.primitives.tie_p

    def function(x: Any) -> Any:
        return tie.bind(jnp.cos(x), x * x)

    assert funcgrad.grad(function)(3.0) == 6.0
