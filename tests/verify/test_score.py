"""The score itself: on checkers that are always right, always wrong, or die."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.verify.corpus.cases import Case, Problem
from tests.verify.score import main, options
from tests.verify.score_checkers import Said, by_check_grads, checker, differentiable
from tests.verify.score_run import outcomes_of
from tests.verify.score_table import Outcome, alarmed, details, found, summarize, table
from tests.verify.score_worker import Run, Task, judged

RUN = Run("toy", "float32", ("faults", "hazards"), 2)


def problem(sign: float) -> Callable[[np.dtype[Any], np.random.Generator], Problem]:
    def make(dtype: np.dtype[Any], generator: np.random.Generator) -> Problem:
        x = jnp.asarray(generator.uniform(1, 2, 3), dtype)
        return Problem(lambda x: jnp.sum(x**2), (x,), lambda x: sign * 2 * x)

    return make


FAULT = Case("sign", "sign", problem(-1.0), problem(1.0))
HAZARD = Case("square", "plain", problem(1.0))


def judged_by(judge: Any, case: Case) -> list[Outcome]:
    corpus = "hazards" if case.twin is None else "faults"
    return list(judged(judge, RUN, Task(corpus, case.name, case.kind, case.smooth), case))


def always(verdict: str) -> Callable[[Problem], Said]:
    return lambda _problem: Said(verdict)


def crashing(_problem: Problem) -> Said:
    raise RuntimeError("toy checker broke")


@pytest.mark.parametrize(
    ("judge", "finds", "alarms"),
    [
        (always("right"), 0.0, 0.0),
        (always("wrong"), 0.0, 100.0),
        (always("inconclusive"), 0.0, 0.0),
        (crashing, 0.0, 100.0),
        (lambda p: by_check_grads(1, p), 100.0, 0.0),
    ],
)
def test_the_figures_of_a_checker(judge: Any, finds: float, alarms: float) -> None:
    (row,) = summarize(judged_by(judge, FAULT) + judged_by(judge, HAZARD))
    assert (row.faults, row.hazards) == (2, 2)
    assert (row.found, row.false_alarms) == (finds, alarms)


def test_a_fault_counts_only_if_the_twin_passes() -> None:
    outcome = Outcome("toy", "float32", "faults", "c", "k", True, 0, "wrong", "right")
    assert found(outcome)
    assert found(outcome._replace(twin="kink"))
    assert not found(outcome._replace(twin="inconclusive"))
    assert not found(outcome._replace(twin="wrong"))
    assert not found(outcome._replace(verdict="inconclusive"))
    assert not found(outcome._replace(verdict="crash"))


def test_a_time_out_is_no_alarm_but_is_counted() -> None:
    outcome = Outcome("toy", "float32", "hazards", "c", "k", True, 0, "time-out")
    assert not alarmed(outcome)
    (row,) = summarize([outcome])
    assert (row.time_outs, row.false_alarms, row.found) == (1, 0.0, None)
    assert "time-out: [k] c, draws 0" in details([outcome])


def test_inconclusive_is_counted_on_smooth_hazards_only() -> None:
    smooth = Outcome("toy", "float32", "hazards", "a", "k", True, 0, "inconclusive")
    rough = smooth._replace(case="b", smooth=False)
    (row,) = summarize([smooth, rough, smooth._replace(verdict="right")])
    assert row.inconclusive == 50.0


def test_the_table_and_the_list_name_what_went_wrong() -> None:
    outcomes = judged_by(always("wrong"), FAULT) + judged_by(always("wrong"), HAZARD)
    text = table(summarize(outcomes))
    assert "| toy | float32 | 0.0% of 2 | 100.0% of 2 | 0.0% |" in text
    listed = details(outcomes)
    assert "toy float32 missed: [sign] sign, draws 0,1: wrong, twin wrong" in listed
    assert "toy float32 false alarm: [plain] square, draws 0,1" in listed


def test_only_the_first_draw_is_timed() -> None:
    first, second = judged_by(always("right"), HAZARD)
    assert first.first is not None
    assert first.warm is not None
    assert second.first is None
    assert second.warm is None


def test_a_draw_is_the_same_each_time_and_unlike_the_next() -> None:
    seen: list[Any] = []

    def record(p: Problem) -> Said:
        seen.append(np.asarray(p.args[0]).tolist())
        return Said("right")

    judged_by(record, HAZARD)
    assert seen[0] == seen[1]  # the repeated one
    assert seen[0] != seen[2]


def test_a_hand_written_gradient_of_several_arguments_becomes_a_rule() -> None:
    def gradient(x: Any, y: Any) -> tuple[Any, Any]:
        return y, x

    args = (jnp.float32(2.0), jnp.float32(3.0))
    right = Problem(lambda x, y: x * y, args, gradient)
    assert float(differentiable(right)(*args)) == 6.0
    assert by_check_grads(1, right).verdict == "right"
    swapped = right._replace(gradient=lambda x, y: (x, y))
    assert by_check_grads(1, swapped).verdict == "wrong"


def dying(line: Any, run: Run) -> None:
    """A worker that answers the first draw, and then dies or hangs as its checker's name says."""
    line.send(([Task("hazards", "a", "k", True)], ""))
    line.recv()
    line.send(Outcome(run.checker, run.dtype, "hazards", "a", "k", True, 0, "right"))
    if run.checker == "dies":
        os._exit(1)
    time.sleep(60)


@pytest.mark.parametrize(("name", "verdict"), [("dies", "crash"), ("hangs", "time-out")])
def test_a_case_that_kills_or_hangs_its_worker_ends_only_itself(
    name: str, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_ENABLE_X64", "0")
    monkeypatch.setattr("tests.verify.score_run.serve", dying)
    outcomes = outcomes_of(Run(name, "float32", ("hazards",), 2), 1, 2.0)
    assert [o.verdict for o in outcomes] == ["right", verdict]


def test_an_unknown_checker_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--checkers", "oracle"])
    assert "unknown checker 'oracle'" in capsys.readouterr().err


def test_gradcheck_says_why_it_is_skipped_where_there_is_no_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert checker("gradcheck") == "skipped: gradcheck needs PyTorch beside JAX in one environment"


def test_the_command_scores_a_case(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_ENABLE_X64", "0")
    asked = "--draws 1 --dtype float32 --corpus hazards --checkers check_grads1 --only hand_circ"
    assert main([*asked.split(), "--jobs", "1"]) == 0
    assert "| check_grads1 | float32 | - | 0.0% of 1 |" in capsys.readouterr().out
