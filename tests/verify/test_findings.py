"""The report as data: its verdict, its errors, and its JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import FuncgradError
from funcgrad.verify._differences import differentiate
from funcgrad.verify._findings import Finding, GradientError, Report

NUMBERS = st.one_of(
    st.none(), st.floats(), st.complex_numbers(), st.builds(np.float32, st.floats(width=32))
)
FINDINGS = st.builds(
    Finding,
    st.sampled_from(["gradient", "kink", "batch"]),
    st.sampled_from(["wrong", "inconclusive", "kink", "right"]),
    st.text(),
    leaf=st.text(),
    index=st.one_of(st.none(), st.lists(st.integers(0, 9)).map(tuple)),
    expected=NUMBERS,
    received=NUMBERS,
    bound=st.one_of(st.none(), st.floats()),
    estimate=st.sampled_from([None, differentiate(np.sin), differentiate(np.abs)]),
)
REPORTS = st.builds(
    Report,
    st.text(),
    st.sampled_from(["wrong", "inconclusive", "kink", "right"]),
    st.lists(FINDINGS, max_size=3).map(tuple),
    points=st.lists(st.text(), max_size=3).map(tuple),
    seconds=st.floats(0, 100),
)


def strictly(text: str) -> Any:
    """What JSON says, of which NaN is no part."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def finding(**fields: Any) -> Finding:
    return Finding("gradient", "wrong", "the gradient is wrong", **fields)


@pytest.mark.parametrize(
    ("verdict", "ok"), [("right", True), ("kink", True), ("inconclusive", False), ("wrong", False)]
)
def test_right_and_kink_are_ok(verdict: str, ok: bool) -> None:
    assert Report("f", verdict).ok is ok


def test_a_wrong_report_raises_itself() -> None:
    report = Report("loss", "wrong", (finding(leaf="x"),))
    with pytest.raises(GradientError, match=r"loss: the derivatives are WRONG") as caught:
        report.raise_if_failed()
    assert isinstance(caught.value, FuncgradError)
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value) == str(report)


@pytest.mark.parametrize("verdict", ["right", "kink", "inconclusive"])
def test_other_reports_are_returned(verdict: str) -> None:
    report = Report("loss", verdict)
    assert report.raise_if_failed() is report


def test_the_difference_is_that_of_the_numbers() -> None:
    assert finding(expected=1.0, received=3.0).difference == 2.0
    assert finding(expected=1 + 1j, received=1 - 1j).difference == 2.0
    assert finding(expected=1.0).difference is None


def test_json_holds_every_number() -> None:
    estimate = differentiate(np.sin)
    given = finding(
        index=(np.int64(3), 2), expected=1 + 2j, received=float("nan"), bound=float("inf"),
        estimate=estimate,
    )  # fmt: skip
    report = Report("f", "wrong", (given,), ("x = 0",), seconds=0.5, seed=7)
    content = strictly(report.to_json())
    assert content["schema_version"] == 1
    assert (content["name"], content["verdict"], content["ok"]) == ("f", "wrong", False)
    assert (content["points"], content["seconds"], content["seed"]) == (["x = 0"], 0.5, 7)
    (found,) = content["findings"]
    assert found["index"] == [3, 2]
    assert found["expected"] == {"re": 1.0, "im": 2.0}
    assert (found["received"], found["bound"], found["difference"]) == ("nan", "inf", "nan")
    assert found["estimate"]["steps"] == list(estimate.steps)
    assert found["estimate"]["value"] == estimate.value
    assert set(found) == {*Finding._fields, "difference"}


@given(report=REPORTS)
def test_any_report_can_be_shown(report: Report) -> None:
    content = strictly(report.to_json())
    assert content["verdict"] == report.verdict
    assert len(content["findings"]) == len(report.findings)
    assert report.to_html().count("<section") == len(report.findings)
    assert str(report)
