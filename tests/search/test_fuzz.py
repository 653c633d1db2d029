"""The search from end to end, in one process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from funcgrad import FuncgradError
from funcgrad.search.fuzz import Search, fuzz

SMALL: dict[str, Any] = {
    "operations": (1, 2), "families": ["cumulative"], "dtypes": ["float32"]
}  # fmt: skip


def test_a_fault_is_found_made_small_and_saved_and_the_search_goes_on(tmp_path: Path) -> None:
    seen: list[Search] = []
    setup = "tests.search.planted:cumsum_axis"
    found = fuzz(programs=6, setup=setup, out=tmp_path, progress=seen.append, **SMALL)
    assert found.programs == 6
    assert not found.ok
    finding = next(f for f in found.findings if "cumsum" in f.operations)
    assert finding.title == "funcgrad's gradient is wrong"
    assert len(finding.operations) <= 4
    assert (tmp_path / finding.file_name).read_text() == finding.test
    assert "cumsum" in found.coverage["primitives"]
    assert seen[-1].programs == 6

    resumed = fuzz(programs=6, out=tmp_path, resume=True, **SMALL)
    assert resumed.programs == 6
    assert resumed.findings == found.findings
    with pytest.raises(FuncgradError, match=r"has seed 0 and settings .* not seed 1"):
        fuzz(programs=6, seed=1, out=tmp_path, resume=True, **SMALL)


def test_a_search_survives_the_end_of_its_process() -> None:
    found = fuzz(programs=12, setup="tests.search.planted:abort", **SMALL)
    assert found.programs == 12
    assert {finding.kind for finding in found.findings} == {"abort"}
    assert all("cumsum" in finding.source for finding in found.findings)
    assert "exit code 3" in found.findings[0].text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"programs": 0}, "programs must be greater than 0, but is 0"),
        ({"jobs": -1}, "jobs must be greater than 0, but is -1"),
        ({"device": "abacus"}, "device must be cpu, gpu or tpu, but is 'abacus'"),
        ({"dtypes": ["int8"]}, "there is no dtype 'int8'"),
        ({"dtypes": []}, "at least one of"),
        ({"resume": True}, "resume needs the folder"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FuncgradError, match=message):
        fuzz(**options)


def test_an_interrupt_keeps_what_was_found(tmp_path: Path) -> None:
    def interrupt(_: Search) -> None:
        raise KeyboardInterrupt

    found = fuzz(programs=2, out=tmp_path, progress=interrupt, **SMALL)
    assert found.interrupted
    assert (tmp_path / "search.json").is_file()
