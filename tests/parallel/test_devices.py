"""What takes several devices is in `on_eight_devices*.py`, each run by a file of its own.

So they are spread over the workers of pytest-xdist, which are given whole files.
"""

from __future__ import annotations

from tests.parallel.eight import HERE, run_on_eight


def test_on_eight_devices() -> None:
    run_on_eight("on_eight_devices.py")


def test_every_file_of_tests_is_run() -> None:
    runners = "".join(path.read_text() for path in HERE.glob("test_devices*.py"))
    files = [path.name for path in HERE.glob("on_eight_devices*.py")]
    assert len(files) >= 4
    assert [name for name in files if f'run_on_eight("{name}")' not in runners] == []
