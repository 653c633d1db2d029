"""What Orbax says, and what of it is passed on."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import time
from collections.abc import Iterator

_LATE = 0.1  # seconds
# What the collectives and the coordination of JAX say when a process is gone; no disk says so.
_STATUSES = ("UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL", "CANCELLED")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the log of Orbax, for what matters of it is told in our words."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Without what threads of TensorStore print on stderr when a read fails, some of it late."""
    real = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    except Exception:
        gc.collect()
        time.sleep(_LATE)
        raise
    finally:
        os.dup2(real, 2)
        os.close(real)


def is_of_peers(error: Exception) -> bool:
    """Whether an error is about processes that do not answer.

    >>> is_of_peers(ValueError("UNAVAILABLE: no answer")), is_of_peers(OSError(28, "No space left"))
    (True, False)
    """
    return any(f"{status}:" in str(error) for status in _STATUSES)


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of what it says, shortened.

    >>> first_line(ValueError("no such array\\n in this folder"))
    'ValueError: no such array'
    """
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
