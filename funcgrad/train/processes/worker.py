"""One process of a run in several: what it is told by the one that started it."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any, NoReturn

WORKER = "FUNCGRAD_WORKER"  # the variable that a supervisor sets
LOST = 4  # the exit code of a process that has lost its peers


def is_worker() -> bool:
    """Whether a supervisor has started this process."""
    return WORKER in os.environ


def take_up() -> dict[str, Any]:
    """Read where this process belongs; speak on the supervisor's streams, and end when it ends.

    The streams that this process was started with are left to libraries that write there.

    Returns:
        The arguments of `join_processes`.
    """
    word = json.loads(os.environ.pop(WORKER))
    streams, lifeline = word.pop("streams"), word.pop("lifeline")
    if streams is not None:
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1) for stream in streams)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    place: dict[str, Any] = word
    return place


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing is ever written: it returns when the other end is gone
    os._exit(LOST)


def leave(code: int) -> NoReturn:
    """End this process at once, without the farewell that JAX would wait for in vain."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
