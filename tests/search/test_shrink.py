"""Failing programs become small."""

from __future__ import annotations

import numpy as np
import pytest

from funcgrad.search._admission import examine
from funcgrad.search._choices import RandomChoices
from funcgrad.search._draw import draw_program
from funcgrad.search._program import Program, leaf_names
from funcgrad.search._shrink import shrink
from tests.search.small import draw_one


def with_operation(name: str, before: int = 5) -> Program:
    for seed in range(20):
        program = draw_one(RandomChoices(np.random.default_rng(seed)), name, before=before)
        if program is not None and len(program) > 4:
            return program
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["sin", "cumsum", "scan_carry", "matmul"])
def test_what_matters_is_left(name: str) -> None:
    program = with_operation(name)
    small = shrink(program, lambda candidate: name in candidate.operations)
    assert set(small.operations) == {name}
    assert len(small) == 1
    assert examine(small) is not None


def with_a_plain_body() -> tuple[Program, str]:
    """A checkpoint around an operation that has no body of its own, and its name."""
    for seed in range(40):
        program = draw_one(RandomChoices(np.random.default_rng(seed)), "checkpoint")
        steps = program.steps[-1].bodies[0].steps if program is not None else ()
        if program is not None and len(steps) > 1 and not steps[-1].bodies:
            return program, steps[-1].operation.name
    raise AssertionError("no such program was drawn")


def test_a_body_is_inlined() -> None:
    program, wanted = with_a_plain_body()
    small = shrink(program, lambda candidate: wanted in candidate.operations)
    assert len(small) <= 2
    assert not any(step.bodies for step in small.steps)


def test_numbers_become_round_and_arrays_small() -> None:
    program = with_operation("matmul")
    small = shrink(program, lambda candidate: "matmul" in candidate.operations)
    leaves = leaf_names(small.inputs).values()
    assert sum(leaf.size for leaf in leaves) <= 2
    assert all(float(x) in {0.5, 1.0, 2.0, -1.0} for leaf in leaves for x in leaf.ravel())
    assert "weighed" not in small.source()


def test_candidates_stay_at_smooth_points() -> None:
    program = with_operation("abs")
    small = shrink(program, lambda candidate: "abs" in candidate.operations)
    assert all(np.all(np.abs(leaf) > 0.01) for leaf in leaf_names(small.inputs).values())


def test_time_is_limited_and_what_does_not_fail_stays() -> None:
    program = draw_program(np.random.default_rng(0), operations=(2, 3), families=["elementwise"])
    assert shrink(program, lambda _: True, seconds=0.0) == program
    assert shrink(program, lambda _: False) == program


def test_what_the_predicate_raises_is_passed_on() -> None:
    def broken(_: Program) -> bool:
        raise RuntimeError("the oracle is broken")

    with pytest.raises(RuntimeError, match="the oracle is broken"):
        shrink(with_operation("sin"), broken)
