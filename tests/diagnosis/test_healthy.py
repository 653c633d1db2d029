"""Sound functions, Flax models among them: no finding."""

from __future__ import annotations

import pytest

from funcgrad._diagnosis import diagnose
from tests.diagnosis.healthy import HEALTHY, Healthy


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_a_healthy_function_has_no_finding(case: Healthy) -> None:
    found = diagnose(case.function, *case.args)
    assert found.ok, found
    assert "no findings" in str(found)


def test_there_are_enough_functions() -> None:
    assert len(HEALTHY) >= 32
