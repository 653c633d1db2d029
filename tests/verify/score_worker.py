"""The worker's side of the score: a process that judges one case after another.

Nothing here imports JAX before `serve` is called: the process that starts the workers does not
need it, and sets for them whether there are 64-bit numbers.
"""

from __future__ import annotations

import importlib
import time
import traceback
import zlib
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from tests.verify.score_table import Outcome

REPEAT_UNDER = 5.0  # seconds: a slower check is not repeated for its warm time


class Run(NamedTuple):
    """What is run: a checker in a dtype over cases that contain a text."""

    checker: str
    dtype: str
    corpora: tuple[str, ...]
    draws: int
    only: str = ""


class Task(NamedTuple):
    """A case, by name."""

    corpus: str
    case: str
    kind: str
    smooth: bool


def serve(line: Connection, run: Run) -> None:
    """Sends the tasks there are, then for each that is received its outcomes, draw by draw."""
    cases = dict(_cases(run))
    judge = importlib.import_module("tests.verify.score_checkers").checker(run.checker)
    line.send((list(cases), judge if isinstance(judge, str) else ""))
    while True:
        try:
            task = line.recv()
        except EOFError:
            return
        for outcome in judged(judge, run, task, cases[task]):
            line.send(outcome)
        importlib.import_module("jax").clear_caches()  # else 10,000 compiled programs pile up


def _cases(run: Run) -> Iterator[tuple[Task, Any]]:
    for corpus in run.corpora:
        try:
            module = importlib.import_module(f"tests.verify.corpus.{corpus}")
        except ModuleNotFoundError:
            continue
        for case in getattr(module, corpus.upper()):
            wanted = run.only in case.name or run.only in case.kind
            if wanted and run.dtype in case.dtypes:
                yield Task(corpus, case.name, case.kind, case.smooth), case


def judged(judge: Any, run: Run, task: Task, case: Any) -> Iterator[Outcome]:
    """The outcome of every draw; the first one is timed, and repeated to be timed warm."""
    for draw in range(run.draws):
        problem = _drawn(case.make, run, task, draw)
        verdict, note, first = _asked(judge, problem)
        warm = None
        if draw == 0 and first < REPEAT_UNDER:
            warm = _asked(judge, problem)[2]
        twin = _asked(judge, _drawn(case.twin, run, task, draw))[0] if case.twin else ""
        timed = first if draw == 0 else None
        yield Outcome(run.checker, run.dtype, *task, draw, verdict, twin, timed, warm, note)


def _drawn(make: Any, run: Run, task: Task, draw: int) -> Any:
    np = importlib.import_module("numpy")
    dtype = np.dtype(importlib.import_module("jax.numpy").dtype(run.dtype))
    return make(dtype, np.random.default_rng([zlib.crc32(task.case.encode()), draw]))


def _asked(judge: Any, problem: Any) -> tuple[str, str, float]:
    """The verdict, a line why, and the seconds it took; an exception is a crash."""
    start = time.perf_counter()
    try:
        verdict, note = judge(problem)
    except Exception as error:  # the run goes on, and the crash is counted
        verdict = "crash"
        note = traceback.format_exception_only(error)[-1].strip().splitlines()[0][:200]
    return verdict, note, time.perf_counter() - start
