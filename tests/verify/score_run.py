"""Runs a checker over the corpora in worker processes, each case under a time limit."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from tests.verify.score_table import Outcome
from tests.verify.score_worker import Run, Task, serve

START = 120.0  # seconds for a worker to import JAX and the corpora


class Worker(NamedTuple):
    """A process that judges cases, and the line to it."""

    process: Any
    line: Connection
    tasks: list[Task]
    refusal: str


def outcomes_of(run: Run, jobs: int, limit: float) -> list[Outcome]:
    """The outcomes of every case and draw, in the order of the corpora."""
    os.environ["JAX_ENABLE_X64"] = "1" if run.dtype == "float64" else "0"
    first = _start(run)
    if first.refusal:
        print(f"{run.checker} {run.dtype}: {first.refusal}", file=sys.stderr, flush=True)
        _stop(first)
        return []
    waiting: SimpleQueue[Task] = SimpleQueue()
    for task in first.tasks:
        waiting.put(task)
    done: dict[Task, list[Outcome]] = {}
    starters = [first, *[None] * (min(jobs, len(first.tasks)) - 1)]
    threads = [
        threading.Thread(target=_work, args=(run, worker, waiting, done, limit))
        for worker in starters
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcome for task in first.tasks for outcome in done[task]]


def _work(
    run: Run,
    worker: Worker | None,
    waiting: SimpleQueue[Task],
    done: dict[Task, list[Outcome]],
    limit: float,
) -> None:
    """Judges cases until none is waiting; a worker that hangs or dies is replaced."""
    while True:
        try:
            task = waiting.get_nowait()
        except Empty:
            break
        worker = worker or _start(run)
        worker.line.send(task)
        answer = _received(worker, run.draws, limit)
        done[task] = answer + _missing(run, task, answer, worker)
        if len(answer) < run.draws:
            _stop(worker)
            worker = None
    if worker is not None:
        _stop(worker)


def _received(worker: Worker, draws: int, limit: float) -> list[Outcome]:
    """The draws' outcomes, as far as they came in time: the limit is for each draw."""
    answer: list[Outcome] = []
    try:
        while len(answer) < draws and worker.line.poll(limit):
            answer.append(worker.line.recv())
    except (EOFError, ConnectionError):
        pass  # the process died: what is missing is a crash
    return answer


def _missing(run: Run, task: Task, answer: Sequence[Outcome], worker: Worker) -> list[Outcome]:
    worker.process.join(0.5 if len(answer) < run.draws else 0)
    verdict = "time-out" if worker.process.is_alive() else "crash"
    return [
        Outcome(run.checker, run.dtype, *task, draw, verdict, note="no answer")
        for draw in range(len(answer), run.draws)
    ]


def _start(run: Run) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, run), daemon=True)
    process.start()
    theirs.close()
    if not ours.poll(START):
        raise TimeoutError(f"a worker for {run} did not start within {START:.0f} seconds")
    tasks, refusal = ours.recv()
    return Worker(process, ours, tasks, refusal)


def _stop(worker: Worker) -> None:
    worker.line.close()
    worker.process.kill()
    worker.process.join()
