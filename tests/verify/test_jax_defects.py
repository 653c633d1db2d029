"""The listed defects of JAX are still there, and `check` reports them."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np
import pytest

import funcgrad
from tests.verify.jax_defects import DEFECTS


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def _is_here(defect: Any) -> bool:
    """Whether the installed JAX is one of those that have a defect."""
    mine = _version(jax.__version__)
    begun = not defect.first or mine >= _version(defect.first)
    return begun and (not defect.until or mine < _version(defect.until))


def _is_right(defect: Any) -> bool:
    try:
        found = np.asarray(defect.derivative(*defect.point))
    except TypeError:
        return False
    return bool(np.allclose(found, defect.right, rtol=defect.rtol, atol=1e-5))


PRESENT = [pytest.param(d, id=d.name) for d in DEFECTS if _is_here(d)]
ABSENT = [pytest.param(d, id=d.name) for d in DEFECTS if not _is_here(d)]


@pytest.mark.parametrize("defect", PRESENT)
def test_the_defect_is_still_there(defect: Any) -> None:
    assert not _is_right(defect), (
        f"JAX {jax.__version__} seems to have mended {defect.name!r}: set `until` in jax_defects.py"
    )


@pytest.mark.parametrize("defect", ABSENT)
def test_other_versions_are_right(defect: Any) -> None:
    assert _is_right(defect), f"JAX {jax.__version__} has {defect.name!r}, too: widen its versions"


# A check of a decomposition compiles for seconds; the thorough profile has them all.
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
REPORTED = [
    pytest.param(d, id=d.name)
    for d in [d for d in DEFECTS if _is_here(d) and d.kind][: None if THOROUGH else 4]
]


@pytest.mark.parametrize("defect", REPORTED)
def test_check_reports_it(defect: Any) -> None:
    report = funcgrad.check(defect.function, *defect.point, points="given")
    assert report.verdict == defect.verdict
    kinds = {f.kind for f in report.findings if f.verdict == defect.verdict}
    assert any(kind.startswith(defect.kind) for kind in kinds)


def test_every_defect_is_described() -> None:
    assert len({d.name for d in DEFECTS}) == len(DEFECTS)
    assert all(d.reason and np.isfinite(np.asarray(d.right)).all() for d in DEFECTS)
