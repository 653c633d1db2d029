"""The report in words."""

from __future__ import annotations

from io import StringIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from funcgrad.verify._differences import differentiate
from funcgrad.verify._findings import Finding, Report
from funcgrad.verify._text import WIDTH, along, ladder_rows, numbers, rich_text, text


def finding(**fields: Any) -> Finding:
    return Finding(**{
        "kind": "gradient", "verdict": "wrong", "message": "the gradient is wrong", **fields
    })  # fmt: skip


def shown(*findings: Finding, **fields: Any) -> str:
    return text(Report("loss", "wrong", findings, **fields))


def test_a_whole_report_reads_as_it_should() -> None:
    wrong = finding(
        witness="numerical derivative in 64 bits", point="the given point", leaf="x['w']",
        index=(3, 2), expected=0.5, received=1.0, bound=2.1e-9,
        meaning="factor 2 in every entry: a missing 1/2?", source="model.py:17",
    )  # fmt: skip
    report = Report(
        "softplus", "wrong", (wrong,), ("the given point", "x = 0"),
        ("numerical derivative in 64 bits", "our engine"), ("x['w'] float32[4,3]",),
        seconds=0.3123, call="funcgrad.check(softplus, x)",
    )  # fmt: skip
    assert str(report).splitlines() == [
        "softplus: the derivatives are WRONG (2 points, 0.312 s)",
        "",
        "1. WRONG (gradient): the gradient is wrong",
        "   where         x['w'][3, 2], at the given point",
        "   expected      0.5",
        "   received      1",
        "   difference    0.5, which is 100 % of the expected",
        "   bound         2.1e-09",
        "   usually       factor 2 in every entry: a missing 1/2?",
        "   source        model.py:17",
        "   compared with numerical derivative in 64 bits",
        "",
        "witnesses     numerical derivative in 64 bits; our engine",
        "points        the given point; x = 0",
        "examined      orders 1 to 2, seed 0; x['w'] float32[4,3]",
        "again         funcgrad.check(softplus, x)",
    ]


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("right", "the derivatives are right (1 s)"),
        ("kink", "the derivatives are right; at a kink"),
        ("inconclusive", "not decided"),
        ("wrong", "WRONG"),
    ],
)
def test_the_headline_says_the_verdict(verdict: str, words: str) -> None:
    assert words in text(Report("f", verdict, seconds=1.0)).splitlines()[0]


@pytest.mark.parametrize(
    ("expected", "received", "words"),
    [
        (1.0, 1.000001, ("1", "1.000001")),
        (0.123456789, 0.2, ("0.1235", "0.2")),
        (1e-18, 2e-18, ("1e-18", "2e-18")),
        (1 + 2j, 1 - 2j, ("1+2j", "1-2j")),
        (1.0, float("nan"), ("1", "nan")),
        (np.float32(0.1), float("inf"), ("0.1", "inf")),
        (None, 1 / 3, ("", "0.333333")),
        (0.0, 0.0, ("0", "0")),
    ],
)
def test_numbers_show_in_what_they_differ(
    expected: Any, received: Any, words: tuple[str, str]
) -> None:
    assert numbers(expected, received) == words


@given(
    size=st.floats(1e-30, 1e30),
    off=st.floats(1e-12, 1e3),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_different_numbers_never_read_the_same(size: float, off: float, sign: float) -> None:
    first, second = numbers(size, size * (1 + sign * off))
    assert first != second


def test_only_some_findings_are_shown_and_the_rest_counted() -> None:
    many = [finding(leaf="w")] * 9 + [finding(kind="batch", verdict="inconclusive")] * 2
    lines = shown(*many)
    assert "8. WRONG" in lines
    assert "9. " not in lines
    assert "... and 3 more: 2 not decided (batch), 1 WRONG (gradient)" in lines
    assert "more" not in shown(*many[:8])


def test_a_kink_has_its_sides() -> None:
    estimate = differentiate(np.abs)
    lines = shown(finding(kind="kink", verdict="kink", estimate=estimate))
    assert "1. kink: " in lines
    assert "-1 from the left, 1 from the right" in lines
    assert "from the left" not in shown(finding(estimate=estimate))


def test_the_ladder_is_shown_on_request() -> None:
    estimate = differentiate(np.sin)
    given = finding(expected=1.0, received=2.0, estimate=estimate)
    report = Report("f", "wrong", (given,))
    rows = ladder_rows(given)
    assert len(rows) == 1 + len(estimate.steps)
    assert all(row in text(report, ladder=True) for row in rows)
    assert "difference quotient" not in text(report)
    assert rows[1].split() == ["0.12", f"{estimate.central[0]:.15g}", "1"]
    assert "to received" not in ladder_rows(given._replace(received=None))[0]
    assert ladder_rows(finding()) == []


def test_a_complex_derivative_is_compared_by_the_part_that_was_measured() -> None:
    estimate = differentiate(np.sin)  # 1
    assert along(finding(expected=1 + 3j, received=2 + 5j, estimate=estimate)) == (2.0, 1.0)
    assert along(finding(expected=3 + 1j, received=2 + 5j, estimate=estimate)) == (5.0, 1.0)
    assert along(finding(expected=3 - 1j, received=2 + 5j, estimate=estimate)) == (-5.0, 1.0)
    assert along(finding(expected=1.0, received=2.0, estimate=estimate)) == (2.0, 1.0)
    assert along(finding(expected=None, received=2.0)) == (2.0, None)


def test_long_lists_end() -> None:
    lines = shown(points=tuple(f"the point number {i}" for i in range(90)))
    assert "the point number 4; and 85 more" in lines
    assert len(lines.splitlines()) == 4


@given(
    name=st.text(alphabet=st.characters(exclude_characters="\n")),
    message=st.text(max_size=300),
    leaf=st.text(max_size=120),
    names=st.lists(st.text(max_size=200)).map(tuple),
)  # fmt: skip
def test_no_line_is_too_long_and_rich_says_the_same(
    name: str, message: str, leaf: str, names: tuple[str, ...]
) -> None:
    given = finding(message=message, leaf=leaf, index=(1,), estimate=differentiate(np.sin))
    report = Report(name, "wrong", (given,), names, names, names, call=name[:60])
    words = text(report, ladder=True)
    assert all(len(line) <= WIDTH for line in words.splitlines())
    assert rich_text(report, ladder=True).plain == words


def test_a_program_is_printed_as_it_stands() -> None:
    program = "import jax\n\nif True:\n    print(" + "1 + " * 30 + "1)\n"
    lines = shown(call=program).splitlines()
    start = lines.index("again")
    assert lines[start + 1] == ""
    assert lines[start + 2 :] == [f"    {line}".rstrip() for line in program.splitlines()]


def test_a_long_command_is_not_broken() -> None:
    command = "funcgrad check " + "a/long/path/" * 8 + "model.py:loss --args 1.0"
    assert shown(call=command).splitlines()[-1] == f"    {command}"
    assert "again         funcgrad check" in shown(call="funcgrad check model.py:loss")


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (("30 drawn examples",), "f: the derivatives are right (30 drawn examples, 1 s)"),
        (("1 drawn example", "1 of them on a kink"), "(1 drawn example, 1 s)"),
        (("5 drawn examples", "2 of them passed over as inconclusive"), "(5 drawn examples, "),
        (("the given point",), "(1 point, 1 s)"),
        (("the given point", "2 x the given point"), "(2 points, 1 s)"),
        ((), "right (1 s)"),
    ],
)
def test_the_headline_counts_what_was_visited(points: tuple[str, ...], words: str) -> None:
    assert words in text(Report("f", "right", points=points, seconds=1.0)).splitlines()[0]


def test_what_is_no_derivative_has_its_own_words() -> None:
    report = Report("adam", "wrong", points=("9 steps on a quadratic",), seconds=1.0, order=0,
                    leaves=("params float32[]",))  # fmt: skip
    assert text(report).splitlines()[0] == "adam: it is WRONG (9 steps, 1 s)"
    assert text(report).splitlines()[-1] == "examined      seed 0; params float32[]"


def test_rich_shows_colours_and_takes_no_name_for_markup() -> None:
    report = Report("f", "wrong", (finding(leaf="x[red]", index=(0,), received=2.0),))
    stream = StringIO()
    Console(file=stream, force_terminal=True, color_system="standard", width=90).print(report)
    assert "\x1b[" in stream.getvalue()
    plain = StringIO()
    Console(file=plain, width=90).print(report)
    assert [line.rstrip() for line in plain.getvalue().splitlines()] == str(report).splitlines()
    assert "x[red][0]" in plain.getvalue()
