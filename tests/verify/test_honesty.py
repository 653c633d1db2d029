"""The stated bounds hold on a sample of `honesty.py`, and the table would show if they did not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.verify import honesty


@pytest.fixture(scope="module")
def results() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = honesty.run(1400, seed=0)
    return found


def test_the_true_error_lies_inside_the_bound(results: dict[str, list[Any]]) -> None:
    scores = [score for family in results.values() for score in family]
    assert len(scores) == 1400
    # The command asks for 99.9% of 10,000; a sample this small may have one unlucky draw more.
    assert sum(not score.inside for score in scores) <= 2


@pytest.mark.parametrize(
    ("family", "bound", "share"),
    [
        ("elementary", 1e-6, 0.99), ("compositions", 1e-6, 0.95), ("frequencies", 1e-6, 0.95),
        ("steep", 1e-6, 0.9), ("scales", 1e-6, 0.99), ("sums", 1e-6, 0.99), ("edges", 1e-6, 0.7),
        ("kinks", 1e-6, 0.65), ("single_precision", 1e-2, 0.7),
    ],
)  # fmt: skip
def test_bounds_are_useful(
    results: dict[str, list[Any]], family: str, bound: float, share: float
) -> None:
    assert np.mean([s.relative_bound < bound for s in results[family]]) >= share


def test_a_smooth_point_is_hardly_ever_called_a_kink(results: dict[str, list[Any]]) -> None:
    kinds = [score.found.kind for family in results.values() for score in family]
    assert sum(kind not in {"smooth", "unknown"} for kind in kinds) <= 2


def test_a_bound_that_does_not_hold_shows() -> None:
    score = honesty.score(honesty.elementary(np.random.default_rng(0)))
    assert score.inside
    value = score.found.value + 2 * score.found.error
    assert not score._replace(found=score.found._replace(value=value)).inside


def test_the_command_prints_a_row_for_each_family(capsys: Any) -> None:
    assert honesty.main(["--problems", "28", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert all(family.__name__ in printed for family in honesty.FAMILIES)
    assert printed.splitlines()[-1].split()[:3] == ["all", "28", "100.000%"]
