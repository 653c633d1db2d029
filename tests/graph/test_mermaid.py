"""The graph for Mermaid."""

from __future__ import annotations

import html
import re

from hypothesis import given

from funcgrad._graph._drawing import Drawing
from funcgrad._graph._mermaid import escape, mermaid
from tests.graph.drawings import arrays, course
from tests.graph.strategies import drawings, texts

QUOTED = r'"[^"\n`&;{}]*(?:(?:#\d+;|<br/>)[^"\n`&;{}]*)*"'
NODE = rf"  n\d+(?:\(\[{QUOTED}\]\)|\[\[{QUOTED}\]\]|\[/{QUOTED}/\]|\[{QUOTED}\])"
EDGE = rf"  n\d+ (?:-->|-\.->)(?:\|{QUOTED}\|)? n\d+"
OUTPUT = r"  classDef output stroke-width:3px|  class n\d+(?:,n\d+)* output"
LINE = re.compile(rf"{NODE}|{EDGE}|{OUTPUT}")


@given(drawings())
def test_every_line_is_a_statement(drawing: Drawing) -> None:
    lines = mermaid(drawing).split("\n")
    assert [lines[0], *lines[2:4]] == ["---", "---", "flowchart TD"]
    assert all(LINE.fullmatch(line) for line in lines[4:])


@given(texts)
def test_an_escaped_text_can_be_read_back(text: str) -> None:
    assert html.unescape(escape(text).replace("#", "&#")) == html.unescape(
        "".join(f"&#{ord(c)};" for c in text)
    )


def test_the_samples() -> None:
    assert 'n5["c div<br/>2.3768<br/>#8706; 0.087807"]' in mermaid(course())
    assert '  n3 -->|"#215; 1.1884"| n5' in mermaid(course())
    assert "class n9 output" in mermaid(course())
    assert "#9656; 1 inside" in mermaid(arrays())
    assert "  n1 -.-> n2" in mermaid(arrays())
