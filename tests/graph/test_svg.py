"""The SVG picture is valid, complete, legible and safe beside others."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._graph._cards import SMALL, describe, label, measure
from funcgrad._graph._drawing import Drawing
from funcgrad._graph._layout import Direction, lay_out
from funcgrad._graph._svg import svg
from funcgrad._graph._svgparts import escape
from funcgrad._graph._svgstyle import DARK, KINDS, LIGHT
from tests.graph.drawings import arrays, chain, course
from tests.graph.strategies import drawings, texts

SPACE = "{http://www.w3.org/2000/svg}"


def parse(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def groups(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [g for g in root.iter(f"{SPACE}g") if g.get("class", "").split()[:1] == [name]]


def words(group: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in group.iter(f"{SPACE}text")]


@given(drawings(), st.sampled_from(["down", "right"]))
def test_any_drawing_is_valid_xml_with_all_its_parts(
    drawing: Drawing, direction: Direction
) -> None:
    root = parse(svg(drawing, direction))
    assert len(groups(root, "node")) == len(drawing.nodes)
    assert len(groups(root, "edge")) == len(drawing.edges)
    assert root.get("role") == "img"
    for node, group in zip(drawing.nodes, groups(root, "node"), strict=True):
        if "\ufffd" not in escape(node.name):
            assert group.get("data-node") == node.name


@given(drawings(), st.sampled_from(["down", "right"]))
def test_no_text_leaves_its_box(drawing: Drawing, direction: Direction) -> None:
    layout, root = lay_out(drawing, direction), parse(svg(drawing, direction))
    for box, group in zip(layout.boxes, groups(root, "node"), strict=True):
        for text in group.iter(f"{SPACE}text"):
            size = SMALL if text.get("class") == "tag" else 13
            left = float(text.get("x", ""))
            assert box.x < left
            assert left + measure(text.text or "", size) < box.x + box.width
            assert box.y + size * 0.8 < float(text.get("y", "")) < box.y + box.height - 3
    for edge, route in zip(drawing.edges, layout.routes, strict=True):
        if route.label is not None:
            assert max(measure(line, SMALL) for line in label(edge)) < route.label.width


def test_the_course_s_function_shows_values_gradients_and_partials() -> None:
    root = parse(svg(course()))
    nodes = {group.get("data-node"): words(group) for group in groups(root, "node")}
    assert nodes["x"] == ["x", "input", "1", "∂ 0.2087"]
    assert nodes["c"] == ["c", "div", "2.3768", "∂ 0.087807"]
    assert nodes["tanh_1"] == ["tanh_1", "output", "0.83874", "∂ 1"]
    edges = {group.get("data-edge"): words(group) for group in groups(root, "edge")}
    assert edges["a→c:0"] == ["\u00d7 1.1884"]
    assert edges["b→c:1"] == ["\u00d7 -2.8246"]
    assert len(edges) == 9


def test_kinds_differ_by_more_than_colour() -> None:
    root = parse(svg(arrays()))
    hidden = groups(root, "node")[-1]
    assert hidden.get("class") == "node body output openable broken"
    assert len(list(hidden.iter(f"{SPACE}rect"))) == 2
    assert "▸ 1 inside" in words(hidden)[1]
    assert groups(root, "node")[1].get("class") == "node input broken frozen"
    assert [edge.get("class") for edge in groups(root, "edge")] == ["edge", "edge idle"]
    nodes = (arrays().nodes[0]._replace(kind=kind) for kind in ("input", "constant", "step"))
    pictures = [parse(svg(Drawing("one", (node,), ()))) for node in nodes]
    assert len({p.find(f".//{SPACE}rect[@class='box']").get("rx") for p in pictures}) == 3  # type: ignore[union-attr] # found, or the test fails


def test_the_tooltips_say_what_the_boxes_have_no_room_for() -> None:
    long = "params['encoder']['layers'][3]['attention']['query']['kernel']"
    node = arrays().nodes[0]._replace(name=long)
    picture = svg(Drawing("one", (node,), ()))
    assert describe(node).name == "…ention']['query']['kernel']"
    assert long in (parse(picture).findtext(f".//{SPACE}g[@data-node]/{SPACE}title") or "")
    titles = [g.findtext(f"{SPACE}title") or "" for g in groups(parse(svg(course())), "node")]
    assert "backward: lambda _y, x: lax.cos(x)\ncourse.py:7 b = jnp.sin(y)" in titles[4]


def test_ids_and_rules_belong_to_one_picture() -> None:
    one, other = svg(course()), svg(chain(3))
    assert one == svg(course())
    ids = [set(re.findall(r'\bid="([^"]+)"', picture)) for picture in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert ids[0].isdisjoint(re.findall(r'\bid="([^"]+)"', svg(course(), "right")))
    rules = (parse(one).findtext(f"{SPACE}style") or "").replace("@media", "").split("}")
    selectors = [rule.split("{")[-2] for rule in rules if "{" in rule]
    assert len(selectors) > 30
    bound = [part.strip() for selector in selectors for part in selector.split(", ")]
    assert all(part.startswith("#fg-") for part in bound)


@given(texts)
def test_any_text_can_be_read_back_from_xml(text: str) -> None:
    root = parse(f'<a b="{escape(text)}">{escape(text)}</a>')
    if "\ufffd" not in escape(text):
        assert (root.get("b"), root.text or "") == (text, text)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of the Web Content Accessibility Guidelines 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(palette: dict[str, str]) -> None:
    for ground in ("paper", *KINDS):
        for text in ("ink", "soft", "gradient"):
            assert contrast(palette[text], palette[ground]) >= 7
    for line in ("line", "broken-line", *(f"{kind}-line" for kind in KINDS)):
        assert contrast(palette[line], palette["paper"]) >= 3
    assert contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.01)


def test_two_thousand_nodes_are_all_drawn() -> None:
    assert svg(chain(2000)).count("data-node=") == 2000
