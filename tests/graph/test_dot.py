"""The graph for Graphviz."""

from __future__ import annotations

import re

from hypothesis import given

from funcgrad._graph._dot import dot, escape
from funcgrad._graph._drawing import Drawing
from tests.graph.drawings import arrays, course
from tests.graph.strategies import drawings, texts

STRING = r'"(?:[^"\\\n]|\\.)*"'
VALUE = rf"(?:{STRING}|[\w.]+)"
LIST = rf"\[\w+={VALUE}(?:, \w+={VALUE})*\]"
LINE = re.compile(
    rf"digraph {STRING} {{|  (?:graph|node|edge|n\d+) {LIST};|  n\d+ -> n\d+(?: {LIST})?;|}}"
)


@given(drawings())
def test_every_line_is_a_statement(drawing: Drawing) -> None:
    lines = dot(drawing).split("\n")
    assert all(LINE.fullmatch(line) for line in lines)
    assert len(lines) == 5 + len(drawing.nodes) + len(drawing.edges)


@given(texts)
def test_a_quoted_text_does_not_end_early(text: str) -> None:
    assert re.fullmatch(STRING, escape(text))


def test_signs_stand_for_themselves() -> None:
    assert escape('a"b\\n&lt;') == r'"a\"b\\n&amp;lt;"'


def test_the_samples() -> None:
    assert r'n5 [label="c  div\l2.3768\l∂ 0.087807\l"' in dot(course())
    assert 'n3 -> n5 [label="\u00d7 1.1884\\l"];' in dot(course())
    assert "▸ 1 inside" in dot(arrays())
    assert "n1 -> n2 [style=dashed];" in dot(arrays())
    assert "peripheries=2" in dot(arrays())
