"""How far a run is: a bar on a terminal, about ten plain lines anywhere else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 10


def on_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands cursor movements."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def progress(title: str, total: int, stream: TextIO) -> Iterator[Callable[[int, float], None]]:
    """Show progress on a stream while the block runs.

    Args:
        title: what is under way.
        total: the number of steps.
        stream: usually stderr.

    Yields:
        A function of the number of steps done and of the latest loss.

    >>> import sys
    >>> with progress("training", 1000, sys.stdout) as advance:
    ...     advance(40, 0.75)
    ...     advance(125, 0.5)
    ...     advance(150, 0.25)
    training: step 40 of 1000, loss 0.7500000
    training: step 125 of 1000, loss 0.5000000
    """
    if on_terminal(stream):
        with _bar(stream) as bar:
            task = bar.add_task(title, total=total, loss="")
            yield lambda done, loss: bar.update(task, completed=done, loss=f"loss {loss:#.7g}")
    else:
        yield _lines(title, total, stream)


def _bar(stream: TextIO) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=Console(file=stream, force_terminal=True),
    )


def _lines(title: str, total: int, stream: TextIO) -> Callable[[int, float], None]:
    shown = -1  # the first piece is shown, too: it tells that the run is under way

    def advance(done: int, loss: float) -> None:
        nonlocal shown
        tenth = done * LINES // max(total, 1)
        if tenth > shown:
            shown = tenth
            with contextlib.suppress(OSError):  # the run matters, whether or not it is watched
                print(f"{title}: step {done} of {total}, loss {loss:#.7g}", file=stream, flush=True)

    return advance
