"""Reports of public issue trackers, diagnosed: right primitive and line, fitting suggestion.

``pytest -s`` prints the score.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from funcgrad._diagnosis import Diagnosis, diagnose
from tests.diagnosis.cases import CASES, Case

_PLACES: list[str] = []
_SUGGESTIONS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _score() -> Iterator[None]:
    yield
    print(f"\nprimitive and line: {len(_PLACES)}, suggestion: {len(_SUGGESTIONS)} of {len(CASES)}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_reported_case_is_diagnosed(case: Case) -> None:
    found = diagnose(case.function, *case.args)
    _check(case, found)


def _check(case: Case, found: Diagnosis) -> None:
    assert found.findings, found
    first = found.findings[0]
    assert (first.primitive, first.source) == (case.primitive, f"cases.py:{case.line()}"), found
    assert first.kind in case.kinds, found
    assert first.leaves, found
    assert not case.inside or case.inside in " ".join(first.inside), found
    _PLACES.append(case.name)
    assert all(word in first.suggestion for word in case.words), found
    _SUGGESTIONS.append(case.name)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 36
    assert len({case.name for case in CASES}) == len(CASES)
