"""The report as a page: whole, self-contained, escaped, and with words for its pictures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from funcgrad.verify._differences import Estimate, differentiate
from funcgrad.verify._findings import Finding, Report
from funcgrad.verify._html import fragment, page
from funcgrad.verify._html_plot import Scale, plot

VOID = {"meta", "circle", "rect", "path", "polyline"}


class Balanced(HTMLParser):
    """Reads a page and notes what is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(text: str) -> Balanced:
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert not parser.open
    return parser


def finding(**fields: Any) -> Finding:
    return Finding("gradient", "wrong", "the gradient is wrong", **fields)


@pytest.fixture(name="estimate")
def _estimate() -> Estimate:
    return differentiate(np.sin)


def test_a_page_is_whole_and_needs_nothing_else(estimate: Estimate) -> None:
    given = finding(expected=1.0, received=2.0, bound=1e-9, estimate=estimate, leaf="x")
    text = page(Report("loss", "wrong", (given, given), ("x = 0",)))
    parser = read(text)
    assert text.startswith("<!DOCTYPE html>")
    assert {"title", "main", "svg", "figure", "details", "h1", "h2"} <= set(parser.seen)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert not {"script", "link", "img", "iframe"} & set(parser.seen)
    assert not re.search(r"https?:|url\(|@import", text)
    assert not {"id", "src", "href"} & {name for name, _ in parser.attributes}


def test_a_fragment_leaves_the_notebook_around_it_alone() -> None:
    report = Report("loss", "right")
    text = report._repr_html_()
    assert text == fragment(report)
    assert text.startswith('<div class="funcgrad-check">')
    style = text.split("<style>")[1].split("</style>")[0]
    # What stands before a brace, in a media query or not, is inside the report.
    selectors = re.findall(r"([^{}]+)\{", re.sub(r"@media[^{]*\{", "", style))
    assert len(selectors) > 20
    assert all(selector.strip().startswith(".funcgrad-check") for selector in selectors)
    assert "body" not in text


@pytest.mark.parametrize("place", ["message", "leaf", "point", "meaning", "source", "witness"])
def test_everything_is_escaped(place: str) -> None:
    bad = "<script>\"alert('&')\"</script>"
    fields: dict[str, Any] = {place: bad}
    given = finding()._replace(**fields)
    text = page(Report(bad, "wrong", (given,), (bad,), (bad,), (bad,), call=bad))
    assert "script" not in read(text).seen
    assert "&lt;script&gt;" in text


def test_the_plot_has_both_curves_the_bound_and_words(estimate: Estimate) -> None:
    drawn = plot(finding(expected=1.0, received=3.0, bound=1e-9, estimate=estimate))
    steps = len(estimate.steps)
    assert drawn.count("<circle") == steps
    assert drawn.count("<rect") == steps
    assert drawn.count('class="bound" d="M') == 1
    (label,) = re.findall('aria-label="([^"]*)"', drawn)
    assert "quotient - received: least 2 at step" in label
    assert "quotient - expected: least" in label
    assert "bound 1e-09" in label


def test_the_plot_shows_what_there_is(estimate: Estimate) -> None:
    assert plot(finding(expected=1.0, received=2.0)) == ""
    assert plot(finding(estimate=estimate)) == ""
    assert plot(finding(expected=float("nan"), estimate=estimate)) == ""
    only = plot(finding(received=2.0, estimate=estimate))
    assert "<rect" in only
    assert "<circle" not in only
    assert "bound" not in only


def test_an_error_of_zero_stands_on_the_floor() -> None:
    estimate = differentiate(lambda t: 2 * t)
    drawn = plot(finding(expected=2.0, received=3.0, estimate=estimate))
    floor = max(float(y) for y in re.findall('cy="([^"]*)"', drawn))
    assert floor == 260 - 44
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_an_axis_is_logarithmic() -> None:
    axis = Scale(-4, 0, 100, 200)
    assert [axis.at(value) for value in (1e-4, 1e-2, 1.0)] == [100, 150, 200]
    assert (axis.at(1e-9), axis.at(1e9), axis.at(0.0)) == (100, 200, 100)
    assert axis.ticks() == [-4, -3, -2, -1, 0]
    assert len(Scale(-300, 300, 0, 1).ticks()) <= 8


def test_a_program_keeps_its_lines() -> None:
    drawn = fragment(Report("f", "wrong", call="a = 1 < 2\nprint(a)"))
    assert '<dd class="code"><pre>a = 1 &lt; 2\nprint(a)</pre></dd>' in drawn
    assert "<pre>" not in fragment(Report("f", "wrong", call="funcgrad check m:f"))
