"""What Orbax says, and what of it is passed on."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

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


# --- what is complained of late -------------------------------------------------------------------
# Orbax reads and writes all arrays at once. When one fails it gives up the others, of which asyncio
# and Python complain whenever they are freed, and whenever a thread finds their loop closed.


def ignore_abandoned_tasks() -> None:
    """Let nobody complain of what Orbax gave up; for good, as nobody knows when the last comes."""
    logger = logging.getLogger("asyncio")
    if _is_of_others not in logger.filters:
        logger.addFilter(_is_of_others)
        sys.unraisablehook = partial(_unraisable, sys.unraisablehook)


def _is_of_others(record: logging.LogRecord) -> bool:
    return not _is_abandoned(record.exc_info[1] if record.exc_info else None)


def _unraisable(before: Callable[[Any], None], unraisable: Any) -> None:
    if not _is_abandoned(unraisable.exc_value):
        before(unraisable)


def _is_abandoned(error: BaseException | None) -> bool:
    if error is None:
        return False
    if isinstance(error, RuntimeError) and str(error) == "Event loop is closed":
        return True
    trace = "".join(traceback.format_exception(error))
    return "orbax" in trace or "tensorstore" in trace


# --- its errors -----------------------------------------------------------------------------------


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
