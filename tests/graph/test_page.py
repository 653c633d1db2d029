"""The page as a text: it needs nothing else, and texts of the user stay texts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from funcgrad._graph._drawing import Drawing
from funcgrad._graph._page import collect, key, page, policy, to_script
from funcgrad._graph._story import story
from tests.graph.drawings import arrays, chain, course

HOSTILE = """</script><img src=x onerror="alert(1)"><!-- ${title} $data ' " & </title></style>"""


class Reader(HTMLParser):
    """All elements, their attributes, and the texts of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self.open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open = tag
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open in self.texts:
            self.texts[self.open][-1] += data

    def count(self, name: str) -> int:
        return sum(tag == name for tag, _ in self.elements)

    @property
    def data(self) -> list[dict[str, Any]]:
        pictures: list[dict[str, Any]] = json.loads(self.texts["script"][-1])
        return pictures


def hostile() -> Drawing:
    """The course's function in a file and with names that would like to be markup."""
    one = course()
    rename = {"y": HOSTILE, "b": f"b{HOSTILE}"}
    nodes = tuple(
        node._replace(
            name=rename.get(node.name, node.name), code=HOSTILE, source=HOSTILE, rule=HOSTILE,
            op=node.op and HOSTILE, params={HOSTILE: HOSTILE},
        )
        for node in one.nodes
    )  # fmt: skip
    edges = tuple(
        edge._replace(
            source=rename.get(edge.source, edge.source), target=rename.get(edge.target, edge.target)
        )
        for edge in one.edges
    )
    return Drawing(HOSTILE, nodes, edges)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(page(arrays()))


# --- self-contained -------------------------------------------------------------------------------


@pytest.mark.parametrize("drawing", [course(), arrays(), Drawing("nothing", (), ())])
def test_no_address_is_in_the_page(drawing: Drawing) -> None:
    text = page(drawing)
    assert "://" not in text
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {
        '"#page-back"',
        *re.findall(r"#fg-\w+-arrow", text),
    }


def test_no_element_loads_anything(reader: Reader) -> None:
    loading = [(tag, a) for tag, a in reader.elements if a.keys() & {"src", "href", "srcset"}]
    assert loading == [("link", {"rel": "icon", "href": "data:,"})]
    assert not {tag for tag, _ in reader.elements} & {"iframe", "object", "embed", "base", "img"}


def test_the_policy_allows_this_style_and_this_script_only(reader: Reader) -> None:
    metas = [a for tag, a in reader.elements if tag == "meta"]
    (rule,) = [a["content"] for a in metas if a.get("http-equiv") == "Content-Security-Policy"]
    assert rule is not None
    assert rule.startswith("default-src 'none'; ")
    assert "unsafe" not in rule
    for name in ("script", "style"):
        digest = hashlib.sha256(reader.texts[name][0].encode()).digest()
        assert f"{name}-src 'sha256-{base64.b64encode(digest).decode()}'" in rule
    assert rule == policy(reader.texts["style"][0], reader.texts["script"][0])


def test_nothing_needs_what_the_policy_forbids(reader: Reader) -> None:
    assert len(reader.texts["style"]) == 1  # the pictures have none of their own
    for _, attributes in reader.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    script = reader.texts["script"][0]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
    assert '"use strict"' in script


def test_the_reader_of_the_page_chooses_light_or_dark(reader: Reader) -> None:
    sheet = reader.texts["style"][0]
    assert "prefers-color-scheme" not in sheet
    assert sheet.count(':root[data-theme="dark"] {') == 2  # of the page, and of the pictures


def test_the_same_drawing_gives_the_same_page() -> None:
    assert page(course()) == page(course())


# --- texts of the user ----------------------------------------------------------------------------


def test_texts_of_the_user_are_no_markup() -> None:
    plain, evil = Reader(page(course())), Reader(page(hostile()))
    assert [tag for tag, _ in evil.elements] == [tag for tag, _ in plain.elements]
    assert evil.count("img") == 0
    assert evil.texts["script"][0] == plain.texts["script"][0]
    assert evil.texts["title"][0] == HOSTILE


def test_texts_of_the_user_arrive_unchanged() -> None:
    picture = Reader(page(hostile())).data[0]
    names = [node["name"] for node in picture["nodes"]]
    assert HOSTILE in names
    assert all(node["code"] == HOSTILE for node in picture["nodes"])
    elements = Reader(page(hostile())).elements
    assert HOSTILE in {attributes.get("data-node") for _, attributes in elements}


def test_a_lone_surrogate_can_be_written() -> None:
    nodes = (course().nodes[0]._replace(name="\ud800", code="\udfff"),)
    text = page(Drawing("\ud800", nodes, ()))
    assert text.encode("utf-8")


def test_data_cannot_end_its_script() -> None:
    text = to_script({"a": "</script><!--<script>"})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--<script>"}


# --- the data -------------------------------------------------------------------------------------


def test_every_step_of_the_story_is_in_the_data() -> None:
    (picture,) = Reader(page(course())).data
    moments = story(course())
    assert [moment["arithmetic"] for moment in picture["moments"]] == [
        moment.arithmetic for moment in moments
    ]
    edge = picture["edges"][picture["moments"][-1]["edge"]]
    assert edge["key"] == "x→a:1"
    assert picture["nodes"][edge["target"]]["name"] == "a"


def test_every_name_in_the_data_is_in_the_picture(reader: Reader) -> None:
    drawn = {name: {a.get(name) for _, a in reader.elements} for name in ("data-node", "data-edge")}
    for picture in reader.data:
        assert {node["name"] for node in picture["nodes"]} <= drawn["data-node"]
        assert {edge["key"] for edge in picture["edges"]} <= drawn["data-edge"]
    assert {key(edge) for edge in arrays().edges} <= drawn["data-edge"]


def test_a_sum_that_is_not_complete_is_marked() -> None:
    one = course()
    edges = (*one.edges, one.edges[0]._replace(target="tanh_1", operand=1))
    (picture,) = Reader(page(Drawing("twice", one.nodes, edges))).data
    parts = [moment for moment in picture["moments"] if moment["node"] == 0][1:]
    assert [(moment["was"], moment["now"]) for moment in parts] == [
        ("", "∂ 0.2087 …"),
        ("∂ 0.2087 …", None),
    ]


def test_bodies_are_collected_once(reader: Reader) -> None:
    inner = arrays().nodes[2].inner
    assert inner is not None
    assert collect(arrays()) == [arrays(), inner]
    assert reader.count("template") == 1
    assert reader.data[0]["nodes"][2]["inner"] == 1
    two = arrays()._replace(nodes=(*arrays().nodes, arrays().nodes[2]._replace(name="other")))
    assert len(collect(two)) == 2


def test_a_large_graph_is_written_quickly() -> None:
    start = time.perf_counter()
    text = page(chain(2000))
    assert time.perf_counter() - start < 20
    assert len(text) < 8_000_000
