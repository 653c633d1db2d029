"""The wide net's steps: the same numbers in both programs, and the work of all parts."""

from __future__ import annotations

from typing import Any

import jax
import pytest

from funcgrad import models
from funcgrad.bench._training import training
from funcgrad.bench._wide import Problem, _ours, _theirs, measured
from tests.comparing import assert_close

SMALL = Problem(width=32, points=64, steps=3, parts=4)


@pytest.mark.parametrize("parts", [1, 4])
def test_both_programs_take_the_same_steps(parts: int) -> None:
    problem = SMALL._replace(parts=parts)
    sine = models.noisy_sine(points=64)
    arguments: Any = (models.init_widenet(2021, 32), (sine.x, sine.y))
    ours, theirs = (jax.jit(make(problem))(*arguments) for make in (_ours, _theirs))
    assert_close(ours, theirs, factor=8)


def test_the_figure_of_a_step() -> None:
    (whole,), (parted,) = (list(measured(SMALL._replace(parts=n), turns=1)) for n in (1, 4))
    assert parted.workload == "32 x 64"
    assert parted.note == "3 in one program, 4 micro-batches"
    assert parted.turns == 1
    assert whole.work is not None
    assert parted.work is not None
    assert parted.work.loops
    assert parted.work.operations == pytest.approx(whole.work.operations, rel=0.05)
    # A product, tanh as ten operations and the way back, for each point and each hidden unit.
    assert whole.work.operations > 20 * 32 * 64


def test_a_step_of_the_course_has_its_rate_and_work() -> None:
    found = {figure.name: figure for figure in training(0.01)}
    step = found["step"]
    assert step.ours == found["training"].ours / 1848
    assert step.against == "streamed"
    assert "steps a second in one program" in step.note
    assert step.work is not None
    assert step.work.operations > 20 * 512 * 32
    assert not step.work.loops
