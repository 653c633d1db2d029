"""The workers from outside: they get cases, and what kills one of them costs a part of a row."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence

from .. import _workers as workers
from .._errors import ConfigurationError
from ._records import Row, same_cells
from ._worker import Failed, Introduction, Job, Order, Ready, Setting, State

START_LIMIT = 300.0  # seconds in which a worker must be ready; accelerators are slow to start
_ATTEMPTS = 6  # at a case that kills one worker after the other, each in another part
_WORK = "funcgrad.audit._worker:work"


class Tasks:
    """What is left to do. A case whose worker died comes back, and is the next one then."""

    def __init__(self) -> None:
        self._left: deque[Introduction | Order] = deque()

    def __iter__(self) -> Iterator[Introduction | Order]:
        return self

    def __next__(self) -> Introduction | Order:
        if not self._left:
            raise StopIteration
        return self._left.popleft()

    def add(self, tasks: Iterable[Introduction | Order]) -> None:
        """Last of all."""
        self._left.extend(tasks)

    def return_(self, task: Order) -> None:
        """First of all."""
        self._left.appendleft(task)


class Crew:
    """Workers that measure cases; a crash or a hang costs the part of a row that caused it.

    Args:
        setting: of every worker.
        jobs: how many work at a time.
        limit: the seconds that one part of a row may take.

    Raises:
        ConfigurationError: a worker cannot start.
    """

    def __init__(self, setting: Setting, jobs: int, limit: float) -> None:
        """Start the first worker, which says what there is to measure."""
        self._setting = setting
        self._tasks = Tasks()
        self._tasks.add([Introduction(setting)])
        self._outcomes: Generator[workers.Outcome | None, None, None] = workers.run(
            self._tasks, _WORK, jobs=jobs, limit=limit, start=START_LIMIT,
            environment=environment(setting.device),
        )  # fmt: skip
        try:
            self.offered = self._introduced()
        except BaseException:
            self.close()
            raise

    def _introduced(self) -> Ready:
        outcome = next(found for found in self._outcomes if found is not None)
        if outcome.kind == workers.HUNG:
            raise ConfigurationError(f"no worker process was ready: {outcome.detail}")
        if outcome.kind == workers.FAILED:
            raise ConfigurationError(f"the audit cannot start: {outcome.detail}")
        if outcome.kind == workers.DIED:
            raise ConfigurationError(
                f"{outcome.detail} before it was ready; a program that calls this needs the guard "
                '`if __name__ == "__main__":`'
            )
        if isinstance(outcome.result, Failed):
            raise ConfigurationError(f"the audit cannot start: {outcome.result.message}")
        ready: Ready = outcome.result
        return ready

    def close(self) -> None:
        """End all workers."""
        self._outcomes.close()

    def rows(self, jobs: Sequence[Job]) -> Iterator[Row]:
        """Measure cases, and yield their rows as they come, in no order."""
        self._tasks.add(Order(self._setting, job) for job in jobs)
        for outcome in self._outcomes:
            if outcome is None:
                continue
            if outcome.kind == workers.DONE:
                yield from outcome.result
            else:
                yield from self._lost(outcome)

    def _lost(self, outcome: workers.Outcome) -> Iterator[Row]:
        """What was measured before; the case goes on without the part that the worker was at."""
        order: Order = outcome.task
        job = order.job
        state: State = outcome.result or State((), job.dtypes[0], "reference")
        yield from state.rows
        done = {row.dtype for row in state.rows}
        status = "timed out" if outcome.kind == workers.HUNG else "crashed"
        if (state.dtype, state.part) in {b[:2] for b in job.broken} or len(job.broken) > _ATTEMPTS:
            done.add(state.dtype)
            yield lost_row(job, state.dtype, status, outcome.detail)
        else:
            broken = (state.dtype, state.part, status, outcome.detail)
            job = job._replace(broken=(*job.broken, broken))
        left = tuple(d for d in job.dtypes if d not in done)
        if left:
            self._tasks.return_(order._replace(job=job._replace(dtypes=left)))


def environment(device: str) -> dict[str, str]:
    """What JAX and XLA are to read in a worker before they are imported."""
    # Several workers share one accelerator.
    quiet = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = {name: os.environ.get(name, value) for name, value in quiet.items()}
    if device == "cpu":
        found["JAX_PLATFORMS"] = "cpu"
    elif os.environ.get("JAX_PLATFORMS"):
        # The references come from the CPU.
        found["JAX_PLATFORMS"] = os.environ["JAX_PLATFORMS"] + ",cpu"
    return found


def lost_row(job: Job, dtype: str, status: str, message: str) -> Row:
    """The row of a case of which nothing could be measured."""
    offer = job.offer
    return Row(
        offer.primitive, offer.family, offer.topic, offer.case, dtype, offer.note, offer.shapes,
        "", same_cells(status, message),
    )  # fmt: skip
