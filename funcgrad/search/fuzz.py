"""The search: random programs in processes of their own, and what the oracles made of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from .. import _workers as workers
from .._errors import ConfigurationError, GradientValueError
from ._coverage import Coverage
from ._draw import DTYPES
from ._findings import Finding, Ledger
from ._included import included
from ._state import State, environment_line, load_state, save_state
from ._worker import Report, Task

_LIMIT = 180.0  # seconds for a program, shrinking included
_SAVED_EVERY = 20  # programs
_USUALLY = 30.0  # seconds of a search
_PLATFORMS = {"cpu": "cpu", "gpu": "cuda,cpu", "tpu": "tpu,cpu"}


@dataclasses.dataclass(frozen=True)
class Search:
    """What became of a search.

    Attributes:
        programs: how many were examined.
        operations: how many operations they had together.
        seconds: how long that took, sessions before included.
        findings: the disagreements, the most frequent first.
        coverage: what the programs went through.
        environment: versions and device.
        interrupted: whether it was stopped before its end.
    """

    programs: int
    operations: int
    seconds: float
    findings: tuple[Finding, ...]
    coverage: Coverage
    environment: str
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether no oracle disagreed."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "programs": self.programs,
            "operations": self.operations,
            "seconds": round(self.seconds, 3),
            "environment": self.environment,
            "interrupted": self.interrupted,
            "findings": [finding.to_json() for finding in self.findings],
            "coverage": self.coverage.to_json(),
        }


def fuzz(
    *,
    programs: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    operations: tuple[int, int] = (4, 16),
    families: Sequence[str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    jobs: int = 1,
    device: str = "cpu",
    out: str | Path | None = None,
    resume: bool = False,
    setup: str = "",
    include: Sequence[str] = (),
    every_oracle: bool = False,
    progress: Callable[[Search], None] | None = None,
) -> Search:
    """Search for programs about whose derivatives independent oracles disagree.

    Program `i` of a search depends on `seed` and `i` alone, whatever the number of processes.

    Args:
        programs, seconds: when to end; whichever comes first. 30 seconds if neither is given.
        seed: of the search.
        operations: the least and the greatest number of operations of a program.
        families: from which families of operations to draw; all by default.
        dtypes: of the programs; the first is drawn more often than the others together.
        jobs: processes at a time.
        device: "cpu", "gpu" or "tpu"; 64-bit references are computed on the CPU in any case.
        out: a folder for the findings as pytest files, and for the state.
        resume: go on with the search in `out`.
        setup: ``"module:function"``, called once in each process: to register rules, for example.
        include: ``"module:function"`` of functions of your own, of which each program calls one at
            least, for example functions with derivative rules. They take one to four float arrays.
        every_oracle: ask all of them about each program; by default the costly ones are sampled.
        progress: called a few times a second with what there is so far.

    Raises:
        GradientValueError: an option is out of range.
        ConfigurationError: `out` holds no search to resume, or one of other options; or a function
            cannot be included.

    It starts processes; call it under ``if __name__ == "__main__"``.
    """
    _check(programs, seconds, jobs, device, dtypes)
    folder = Path(out) if out is not None else None
    for target in include:
        included(target)
    settings = repr((operations, families, dtypes, every_oracle, *include))
    state = _begin(folder, resume, seed, settings)
    if programs is None and seconds is None:
        seconds = _USUALLY
    task = Task(
        seed, 0, operations, tuple(families) if families else None, tuple(dtypes), setup, (),
        every_oracle, tuple(include),
    )  # fmt: skip
    run = _Run(state, Ledger(state.findings), folder, seconds, time.monotonic(), progress)
    pool = workers.run(
        run.tasks(task, programs), "funcgrad.search._worker:work", jobs=jobs, limit=_LIMIT,
        environment={"JAX_PLATFORMS": _PLATFORMS[device]},
    )  # fmt: skip
    with closing(pool):
        return run.follow(pool)


class _Run(NamedTuple):
    """A search that is going on."""

    state: State
    ledger: Ledger
    folder: Path | None
    seconds: float | None
    start: float
    progress: Callable[[Search], None] | None

    def tasks(self, task: Task, programs: int | None) -> Iterator[Task]:
        """The programs still to come, as long as there is time."""
        for number in self.state.missing(programs):
            if self.seconds is not None and time.monotonic() - self.start > self.seconds:
                return
            yield task._replace(number=number, known=self.ledger.known())

    def so_far(self, *, interrupted: bool = False) -> Search:
        seconds = self.state.seconds + time.monotonic() - self.start
        return Search(
            len(self.state.done), self.state.operations, seconds, self.ledger.findings(),
            self.state.coverage, self.state.environment, interrupted,
        )  # fmt: skip

    def follow(self, outcomes: Iterable[workers.Outcome | None]) -> Search:
        """Enter what becomes of the programs, until all are done or the user has enough."""
        interrupted = False
        self.save()  # so that there is a search to resume, however soon this one is killed
        try:
            for outcome in outcomes:
                self.take(outcome)
        except KeyboardInterrupt:
            interrupted = True
        self.save()
        return self.so_far(interrupted=interrupted)

    def take(self, outcome: workers.Outcome | None) -> None:
        """Enter what became of a program; None if there is nothing new."""
        if outcome is not None:
            new = _entered(outcome, self.state, self.ledger)
            if new or len(self.state.done) % _SAVED_EVERY == 0:
                self.save()
        if self.progress is not None:
            self.progress(self.so_far())

    def save(self) -> None:
        if self.folder is not None:
            seconds = self.so_far().seconds
            kept = dataclasses.replace(self.state, seconds=seconds, findings=self.ledger.to_json())
            save_state(self.folder, kept)
            self.ledger.write(self.folder)


def _check(
    programs: int | None, seconds: float | None, jobs: int, device: str, dtypes: Sequence[str]
) -> None:
    for name, value in (("programs", programs), ("seconds", seconds), ("jobs", jobs)):
        if value is not None and value <= 0:
            raise GradientValueError(f"{name} must be greater than 0, but is {value}")
    if device not in _PLATFORMS:
        raise GradientValueError(f"device must be cpu, gpu or tpu, but is {device!r}")
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise GradientValueError(f"there is no dtype {dtype!r}; choose {', '.join(DTYPES)}")
    if not dtypes:
        raise GradientValueError(f"dtypes must name at least one of {', '.join(DTYPES)}")


def _begin(folder: Path | None, resume: bool, seed: int, settings: str) -> State:
    fresh = State(seed, settings, environment_line())
    if not resume:
        if folder is not None:
            _prepare(folder)
        return fresh
    if folder is None:
        raise ConfigurationError("resume needs the folder of a search; name it by out")
    state = load_state(folder)
    if (state.seed, state.settings) != (seed, settings):
        raise ConfigurationError(
            f"the search in {folder} has seed {state.seed} and settings {state.settings}, not "
            f"seed {seed} and {settings}; repeat its options, or name another folder"
        )
    return state


def _prepare(folder: Path) -> None:
    """Find out before the search whether the folder can be written."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    probe.touch()
    probe.unlink()


def _entered(outcome: workers.Outcome, state: State, ledger: Ledger) -> bool:
    """Whether a program led to a new finding."""
    state.done.add(outcome.task.number)
    if outcome.kind != workers.DONE:
        return ledger.enter_lost(outcome)
    report: Report = outcome.result
    state.operations += report.operations
    state.coverage.add(report.met)
    for key in report.again:
        ledger.count(key)
    new = [ledger.enter(sighting) for sighting in report.sightings]
    return any(new)
