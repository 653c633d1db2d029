"""See `test_devices.py`."""

from __future__ import annotations

from tests.parallel.eight import run_on_eight


def test_on_eight_devices() -> None:
    run_on_eight("on_eight_devices_gradients.py")
