"""Tasks in processes of their own, which may crash, hang or be interrupted; the rest goes on.

JAX is not imported here: a worker sets its environment first, and imports the function that does
the work only then.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from importlib import import_module
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

DONE, FAILED, DIED, HUNG = "done", "failed", "died", "hung"
_TICK = 0.2  # seconds after which a caller hears from the pool, whether or not anything is done
_LIVES = 1500  # tasks after which a worker is replaced: compiled programs are never freed
Note = Callable[[Any], None]
Work = Callable[[Any, Note], Any]


class Unusable(Exception):  # noqa: N818 -- it is raised by the work, for the caller's caller
    """Raised by the work when it can do no task at all; `run` raises it as a `RuntimeError`."""


class Outcome(NamedTuple):
    """What became of a task.

    Attributes:
        task: the task.
        kind: "done", "failed" (the work raised), "died" (the process ended) or "hung" (it took too
            long and was killed).
        result: what the work returned; otherwise the last thing that it noted.
        detail: the error that the work raised, or how the process ended, in words.
        trace: the traceback of that error.
    """

    task: Any
    kind: str
    result: Any = None
    detail: str = ""
    trace: str = ""


class _Worker:
    """One process, its pipe, and what it is at."""

    def __init__(self, target: str, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, target, dict(environment))
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.task: Any = None
        self.is_busy = False
        self.noted: Any = None
        self.since = time.monotonic()
        self.served = 0

    def give(self, task: Any) -> None:
        self.task, self.noted, self.is_busy = task, None, True
        self.since = time.monotonic()
        self.served += 1
        with contextlib.suppress(BrokenPipeError, OSError):  # seen as dead in a moment
            self.pipe.send(task)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run(
    tasks: Iterable[Any],
    target: str,
    *,
    jobs: int = 1,
    limit: float = 120.0,
    start: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[Outcome | None, None, None]:
    """Work on tasks in `jobs` processes, and yield what became of each, in the order of ending.

    None is yielded now and then while nothing ends, so that the caller can look at the clock.
    Closing the iterator stops the processes.

    Args:
        tasks: picklable; taken one by one, when a process is free.
        target: ``"module:function"``; the function takes a task and a function to note what it is
            at, and returns a picklable result.
        jobs: processes at a time.
        limit: seconds for a task.
        start: if given, the seconds in which a new process must say its first word, imports
            included; and `limit` counts from each note anew.
        environment: variables that are set in the processes before the module is imported.

    Raises:
        RuntimeError: the function cannot be imported, or raises `Unusable`.
    """
    waiting = iter(tasks)
    workers: list[_Worker] = []
    try:
        while True:
            _fill(workers, waiting, jobs, target, environment or {})
            busy = [worker for worker in workers if worker.is_busy]
            if not busy:
                return
            yield from _heard(busy, workers, limit, start)
    finally:
        for worker in workers:
            worker.stop()


def _fill(
    workers: list[_Worker],
    waiting: Iterator[Any],
    jobs: int,
    target: str,
    environment: Mapping[str, str],
) -> None:
    """Give every free process a task, as long as there are any."""
    for worker in [w for w in workers if not w.is_busy and w.served >= _LIVES]:
        worker.stop()
        workers.remove(worker)
    free = [worker for worker in workers if not worker.is_busy]
    while free or len(workers) < jobs:
        try:
            task = next(waiting)
        except StopIteration:
            return
        if not free:
            free.append(_Worker(target, environment))
            workers.append(free[0])
        free.pop().give(task)


def _heard(
    busy: list[_Worker], workers: list[_Worker], limit: float, start: float | None
) -> Iterator[Outcome | None]:
    """What the busy processes say within a tick; None if nothing."""
    ready = wait([worker.pipe for worker in busy], timeout=_TICK)
    quiet = True
    for worker in busy:
        outcome = _listen(worker) if worker.pipe in ready else None
        if start is not None and worker.pipe in ready:
            worker.since = time.monotonic()
        is_silent = worker.served == 1 and worker.noted is None
        allowed = start if start is not None and is_silent else limit
        if outcome is None and time.monotonic() - worker.since > allowed:
            outcome = Outcome(worker.task, HUNG, worker.noted, f"no end after {allowed:g} s")
        if outcome is None:
            continue
        if outcome.kind == DONE:
            worker.is_busy = False
        else:
            worker.stop()
            workers.remove(worker)
        quiet = False
        yield outcome
    if quiet:
        yield None


def _listen(worker: _Worker) -> Outcome | None:
    try:
        word, content = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        return Outcome(worker.task, DIED, worker.noted, _ending(worker.process.exitcode))
    if word == "note":
        worker.noted = content
        return None
    if word == "unusable":
        raise RuntimeError(content)
    if word == FAILED:
        return Outcome(worker.task, FAILED, worker.noted, _last_line(content), content)
    return Outcome(worker.task, DONE, content)


def _last_line(trace: str) -> str:
    return (trace.strip().splitlines() or ["an error"])[-1][:200]


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"the process ended with exit code {code}"
    names = {int(number): number.name for number in signal.Signals}
    return f"the process was ended by {names.get(-code, f'signal {-code}')}"


def _serve(pipe: Connection, target: str, environment: Mapping[str, str]) -> None:
    """The life of a process: tasks come through the pipe, notes and results go back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    os.environ.update(environment)
    with contextlib.suppress(EOFError, OSError, BrokenPipeError):
        try:
            module, name = target.split(":")
            work: Work = getattr(import_module(module), name)
        except Exception:
            pipe.send(("unusable", traceback.format_exc()))
            return
        while True:
            _answer(pipe, work, pipe.recv())


def _answer(pipe: Connection, work: Work, task: Any) -> None:
    """Do one task; an error of the work is an answer, too."""
    try:
        pipe.send((DONE, work(task, lambda content: pipe.send(("note", content)))))
    except BrokenPipeError:
        raise
    except Unusable:
        pipe.send(("unusable", traceback.format_exc()))
    except Exception:
        pipe.send((FAILED, traceback.format_exc()))
