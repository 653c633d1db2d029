"""Processes that do their work, fail at it, die or hang; the others go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from funcgrad._workers import DIED, DONE, FAILED, HUNG, Outcome, Unusable, run

HERE = "tests.test_workers:work"


def work(task: str, note: Callable[[Any], None]) -> Any:
    """What a task's name says."""
    note(f"began {task}")
    match task:
        case "die":
            os._exit(3)
        case "abort":
            os.abort()
        case "hang":
            time.sleep(600)
        case "fail":
            raise ValueError("the work is wrong")
        case "unusable":
            raise Unusable("no task can be done")
        case "unpicklable":
            return lambda: None
        case "process":
            return os.getpid()
        case "environment":
            return os.environ["COLOUR"]
    return task.upper()


def outcomes(tasks: list[str], **options: Any) -> dict[str, Outcome]:
    return {o.task: o for o in run(tasks, HERE, **options) if o is not None}


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_task_has_its_outcome_and_a_death_or_a_hang_does_not_end_the_rest() -> None:
    found = outcomes(["a", "die", "b", "hang", "c", "abort", "d"], limit=5.0)
    done = {task: o.result for task, o in found.items() if o.kind == DONE}
    assert done == {name: name.upper() for name in "abcd"}
    assert found["die"] == Outcome("die", DIED, "began die", "the process ended with exit code 3")
    assert found["abort"].detail == "the process was ended by SIGABRT"
    assert found["hang"] == Outcome("hang", HUNG, "began hang", "no end after 5 s")


def test_two_processes_share_the_tasks_and_have_the_environment() -> None:
    found = outcomes(["a", "b", "environment"], jobs=2, environment={"COLOUR": "green"})
    assert {o.result for o in found.values()} == {"A", "B", "green"}


def test_an_error_of_the_work_is_its_outcome_and_the_rest_goes_on() -> None:
    found = outcomes(["a", "fail", "unpicklable", "b"])
    assert found["fail"][1:4] == (FAILED, "began fail", "ValueError: the work is wrong")
    assert "raise ValueError" in found["fail"].trace
    assert found["unpicklable"].kind == FAILED
    assert [found[name].result for name in "ab"] == ["A", "B"]


@pytest.mark.parametrize("target", [HERE, "tests.no_such_module:work"])
def test_work_that_cannot_be_done_at_all_is_the_callers(target: str) -> None:
    with pytest.raises(RuntimeError, match=r"no task can be done|no_such_module"):
        list(run(["unusable"], target))


def test_the_caller_hears_while_nothing_ends() -> None:
    with closing(run(["hang"], HERE)) as pool:
        assert next(pool) is None


def test_closing_ends_the_processes() -> None:
    pool = run(["process", "hang"], HERE)
    first = next(o for o in pool if o is not None)
    assert alive(first.result)
    pool.close()
    assert not alive(first.result)


def test_an_interrupt_ends_the_processes() -> None:
    met: list[int] = []

    def interrupted() -> None:
        with closing(run(["process", "hang"], HERE)) as pool:
            met.append(next(o for o in pool if o is not None).result)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not alive(met[0])


def test_no_task_starts_no_process() -> None:
    assert outcomes([]) == {}
