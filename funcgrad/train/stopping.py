"""Ctrl-C, SIGTERM and SIGHUP during a run: it ends after the piece at hand, with its results."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_PATIENCE = 3  # times Ctrl-C is pressed until a run that does not end is abandoned


@contextmanager
def stopping() -> Iterator[Callable[[], int | None]]:
    """Note signals instead of ending at once; the third Ctrl-C raises KeyboardInterrupt.

    Yields:
        A function that returns the first signal that came, or None.

    >>> with stopping() as pressed:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     pressed() == signal.SIGTERM
    True
    """
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(number)
        if came.count(signal.SIGINT) >= _PATIENCE:
            raise KeyboardInterrupt("abandoned; what was not written yet is lost")
        if len(came) == 1 and number == signal.SIGINT:
            # Straight to the stream: print may be what was interrupted.
            with contextlib.suppress(OSError):
                sys.stderr.write("stopping; press Ctrl-C twice more to abandon the run\n")

    before = _install(note)
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _install(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    try:
        return {number: signal.signal(number, handler) for number in SIGNALS}
    except ValueError:  # outside of the main thread no signal arrives
        return {}
