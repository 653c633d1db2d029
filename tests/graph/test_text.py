"""The tree of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from funcgrad._graph._drawing import Drawing
from funcgrad._graph._text import text
from tests.graph.drawings import arrays, chain, course
from tests.graph.strategies import drawings

COURSE = """\
course
tanh_1 = tanh  0.83874  ∂ 1  output
└── * 0.29651  e = log  1.2169  ∂ 0.29651
    └── * 0.29614  add_1 = add  3.3768  ∂ 0.087807
        └── * 1  d = mul  2.3768  ∂ 0.087807
            ├── * 2.3768  z  1  ∂ 0.2087  input
            └── * 1  c = div  2.3768  ∂ 0.087807
                ├── * 1.1884  a = mul  2  ∂ 0.10435
                │   └── * 2  x  1  ∂ 0.2087  input
                └── * -2.8246  b = sin  0.84147  ∂ -0.24802
                    └── * 0.5403  y  1  ∂ -0.134  input"""
ARRAYS = """\
arrays
hidden = layer  float32[32,512]  ▸ 1 inside · output
mean 0.1, norm 3, 25% zero, 7 not finite
∂ mean 0.1, norm 3, 25% zero, 7 not finite
├── params['w1']  float32[512,1]  input
│   mean 0.01, norm 12.5
│   ∂ mean 0.01, norm 12.5
└── no gradient  x  float32[32,512]  input
    mean 0.1, norm 3, 25% zero, 7 not finite"""


@pytest.mark.parametrize(("drawing", "expected"), [(course(), COURSE), (arrays(), ARRAYS)])
def test_the_whole_text(drawing: Drawing, expected: str) -> None:
    assert text(drawing).replace("\u00d7", "*") == expected


@given(drawings(), st.integers(8, 100))
def test_no_line_is_wider_than_asked(drawing: Drawing, width: int) -> None:
    assert all(cell_len(line) <= width for line in text(drawing, width).splitlines())


def test_a_long_chain_is_cut_into_trees() -> None:
    lines = text(chain(2000)).splitlines()
    assert max(map(len, lines)) <= 80
    for i in range(1, 2000):
        assert sum(f" sin_{i} = sin" in f" {line}" for line in lines) == 1
    cut = [line for line in lines if line.endswith("(below)")]
    assert len(cut) == sum(not line.startswith(("chain", " ", "└")) for line in lines) - 1


def test_a_value_used_twice_is_shown_once_and_named_again() -> None:
    twice = chain(3)
    again = twice.edges[0]._replace(target="sin_2", operand=1)
    lines = text(twice._replace(edges=(*twice.edges, again))).splitlines()
    assert [line.split("x  0.5")[0][-3:] for line in lines if "x  0.5" in line]
    assert sum("x  0.5" in line for line in lines) == 1
    assert lines[-1].endswith("x  (above)")


def test_what_reaches_no_output_is_shown_after_the_outputs() -> None:
    nodes = [node._replace(output=node.name == "a") for node in course().nodes]
    lines = text(course()._replace(nodes=tuple(nodes))).splitlines()
    assert lines[1].startswith("a = mul")
    assert sum(line.startswith("tanh_1") for line in lines) == 1


def test_it_is_plain_unless_colour_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in text(course())
    assert "\x1b[31m" in text(course(), color=True)
