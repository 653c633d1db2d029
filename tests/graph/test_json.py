"""A drawing survives its way through JSON, and nothing else passes for one."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import DataError
from funcgrad._graph._drawing import Drawing
from funcgrad._graph._json import from_json, to_json
from tests.graph.drawings import arrays, chain, course
from tests.graph.strategies import drawings


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)


@given(drawings(depth=3))
def test_any_drawing_comes_back_as_it_was(drawing: Drawing) -> None:
    written = to_json(drawing)
    # `repr`: it tells 1 from 1.0 and from True, -0.0 from 0.0, and takes a NaN for itself.
    assert repr(from_json(written)) == repr(drawing)
    json.loads(written, parse_constant=refuse)


@pytest.mark.parametrize("drawing", [course(), arrays(), chain(2000)])
def test_the_samples_come_back(drawing: Drawing) -> None:
    assert from_json(to_json(drawing)) == drawing


def test_bodies_may_be_nested_as_deep_as_they_like() -> None:
    drawing = chain(1)
    for _ in range(3000):
        body = chain(1).nodes[0]._replace(kind="body", inner=drawing)
        drawing = Drawing("nest", (body,), ())
    read, depth = from_json(to_json(drawing)), 0
    while read.nodes[0].inner is not None:
        read, depth = read.nodes[0].inner, depth + 1
    assert depth == 3000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ('{"format": NaN}', "NaN is not a number of JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", r'the text is \[\], not an object with "format": "funcgrad.drawing"'),
        ('{"format": "other"}', "not an object with"),
        ('{"format": "funcgrad.drawing", "version": 2}', "schema version 2.*reads version 1"),
        ('{"format": "funcgrad.drawing", "version": true}', "schema version True"),
        ('{"format": "funcgrad.drawing", "version": 1}', "at drawings: it has None.*a list"),
        ('{"format": "funcgrad.drawing", "version": 1, "drawings": []}', "at least one drawing"),
    ],
)
def test_foreign_texts(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_json(text)


def damage(path: list[str | int], value: Any) -> str:
    """The sample drawing, with another value at a path."""
    content = json.loads(to_json(arrays()))
    place = content["drawings"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ([0, "title"], 3, r"drawings\[0\].title: it has 3 instead of a text"),
        ([0, "nodes"], {}, r"drawings\[0\].nodes: it has {} instead of a list"),
        ([0, "nodes", 1, "name"], "hidden", "'hidden' instead of a name that no other node has"),
        ([0, "nodes", 1, "kind"], "leaf", "'leaf' instead of one of input, constant"),
        ([0, "nodes", 1, "output"], 1, r"nodes\[1\].output: it has 1 instead of true or false"),
        ([0, "nodes", 1, "params"], {"a": 1}, r"nodes\[1\].params.a: it has 1 instead of a text"),
        ([0, "nodes", 1, "more"], 1, r"\['more'\] instead of exactly the fields name"),
        ([0, "nodes", 1, "value", "shape"], [1.5], "value.shape: it has 1.5.*a whole number"),
        ([0, "nodes", 1, "value", "zeros"], "0", "value.zeros: it has '0' instead of a number"),
        ([0, "nodes", 1, "value", "mean"], {"float": "1"}, "value.mean: it has {'float': '1'}"),
        ([0, "nodes", 2, "inner"], 2, "inner: it has 2 instead of the index of a later drawing"),
        ([0, "nodes", 2, "inner"], 0, "inner: it has 0 instead of the index of a later drawing"),
        ([0, "edges", 0, "operand"], -1, r"edges\[0\].operand: it has -1"),
        ([0, "edges", 0, "source"], "w", r"edges\[0\]: it has 'w' instead of the name of a node"),
        ([0, "edges", 0, "target"], "params['w1']", "instead of an edge to a later node"),
    ],
)
def test_damage_is_named(path: list[str | int], value: Any, message: str) -> None:
    from_json(damage([0, "title"], "still well"))
    with pytest.raises(DataError, match=message):
        from_json(damage(path, value))


@given(st.data())
def test_a_text_with_a_lost_field_is_refused(data: st.DataObject) -> None:
    content = json.loads(to_json(course()))
    drawing = content["drawings"][0]
    part = data.draw(st.sampled_from([drawing, *drawing["nodes"], *drawing["edges"]]))
    del part[data.draw(st.sampled_from(sorted(part)))]
    with pytest.raises(DataError, match="missing or too many"):
        from_json(json.dumps(content))
