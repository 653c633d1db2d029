"""The strategy: sound programs that Hypothesis shrinks to few operations."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings

from funcgrad import FuncgradError
from funcgrad.search._admission import examine
from funcgrad.search._program import Program, leaf_names
from funcgrad.search._strategy import programs

SEARCH = settings(
    database=None, derandomize=True, max_examples=400, suppress_health_check=list(HealthCheck)
)


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(programs(operations=(1, 4)))
def test_programs_are_sound(program: Program) -> None:
    assert examine(program) is not None
    assert 1 <= len(program) <= 4


@pytest.mark.parametrize(("name", "family"), [("cos", "elementwise"), ("cumprod", "cumulative")])
def test_shrinking_reaches_one_operation(name: str, family: str) -> None:
    strategy = programs(operations=(1, 4), families=[family])
    found = hypothesis.find(strategy, lambda program: name in program.operations, settings=SEARCH)
    assert dict(found.operations) == {name: 1}
    assert sum(leaf.size for leaf in leaf_names(found.inputs).values()) <= 3


def test_a_failure_prints_the_source() -> None:
    @settings(SEARCH, max_examples=5)
    @given(programs(operations=(1, 1), families=["elementwise"]))
    def fails(program: Program) -> None:
        raise AssertionError(len(program))

    with pytest.raises(AssertionError) as caught:
        fails()
    assert "import jax.numpy as jnp" in "\n".join(caught.value.__notes__)


def test_bad_options() -> None:
    with pytest.raises(FuncgradError, match="no family 'waves' of operations"):
        programs(families=["waves"])
    with pytest.raises(FuncgradError, match="operations must be a pair"):
        programs(operations=4)  # type: ignore[arg-type] # that is the test
