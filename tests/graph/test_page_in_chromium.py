"""The page in a browser: it steps to both ends, shows the numbers, and the console stays empty."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import jax.numpy as jnp
import pytest
from jax import lax

import funcgrad
from funcgrad._graph._draw import draw
from funcgrad._graph._drawing import Drawing
from funcgrad._graph._page import key, page
from funcgrad._graph._story import Moment, story
from tests.graph.drawings import arrays, chain, course
from tests.graph.test_page import HOSTILE, hostile
from tests.graph.webdriver import PACKAGES, Browser, browsing, missing

pytestmark = pytest.mark.skipif(missing(), reason=PACKAGES)

LEFT, RIGHT, END, HOME, ENTER, ESCAPE = "\ue012", "\ue014", "\ue010", "\ue011", "\ue007", "\ue00c"
BETWEEN = "\u203a"  # stands between a body and what it is in
OPENED = f"arrays\n{BETWEEN}\nlayer"
LOOK = """
const classes = (name) => Object.fromEntries([...document.querySelectorAll(`#view [data-${name}]`)]
  .map((g) => [g.dataset[name], [...g.classList]]));
const texts = (role) => Object.fromEntries([...document.querySelectorAll("#view [data-node]")]
  .map((g) => [g.dataset.node, [...g.querySelectorAll("." + role)]
    .filter((t) => getComputedStyle(t).visibility === "visible")
    .map((t) => t.textContent).join(" ").trim()]));
return {nodes: classes("node"), edges: classes("edge"), value: texts("value"),
  gradient: texts("gradient")};
"""

Visit = Callable[[Drawing], Browser]


@pytest.fixture(scope="module")
def session() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def browser(session: Browser) -> Iterator[Browser]:
    """The browser on a large, light screen; after the test its console must be empty."""
    session.resize(1280, 800)
    session.prefer("light")
    session.complaints()
    yield session
    assert session.complaints() == []


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Visit:
    def write_and_visit(drawing: Drawing) -> Browser:
        path = tmp_path / "page.html"
        path.write_text(page(drawing), encoding="utf-8")
        browser.visit(path)
        return browser

    return write_and_visit


def plain(text: str) -> str:
    """What is read, without the signs that only keep a line together."""
    return " ".join(text.replace("\u2060", "").split())


def shown(browser: Browser, part: str) -> str:
    return plain(str(browser.run(f"return document.getElementById('{part}').textContent")))


def look(browser: Browser) -> dict[str, dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = browser.run(LOOK)
    return seen


def slide(browser: Browser, step: int) -> None:
    browser.run(
        "const s = document.getElementById('slider'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'));",
        step,
    )


def check(browser: Browser, moment: Moment) -> None:
    """The page tells this moment."""
    assert shown(browser, "arithmetic") == plain(moment.arithmetic)
    assert shown(browser, "sentence") == plain(moment.sentence)
    assert shown(browser, "total") == plain(moment.total)
    assert shown(browser, "rule") == plain(moment.rule)


# --- steps ----------------------------------------------------------------------------------------


def test_values_appear_node_by_node_and_then_the_gradient_edge_by_edge(visit: Visit) -> None:
    browser = visit(course())
    known: list[str] = []
    flowed: set[str] = set()
    for step, moment in enumerate(story(course()), start=1):
        browser.click("#forward")
        check(browser, moment)
        assert browser.text("#count") == f"step {step} of 20"
        seen = look(browser)
        assert "now" in seen["nodes"][moment.node]
        if moment.edge is None:
            known += [moment.node] if moment.phase == "forward" else []
        else:
            flowed.add(key(moment.edge))
            assert "now" in seen["edges"][key(moment.edge)]
            assert "from" in seen["nodes"][moment.edge.target]
        assert [name for name, text in seen["value"].items() if text] == sorted(
            known, key=list(seen["value"]).index
        )
        assert {name for name, classes in seen["edges"].items() if "flowed" in classes} == flowed


def test_the_numbers_at_the_end_are_those_of_the_course(visit: Visit) -> None:
    browser = visit(course())
    browser.press(END)
    seen = look(browser)
    assert seen["value"]["tanh_1"] == "0.83874"
    gradients = {name: seen["gradient"][name] for name in ("x", "y", "z", "b")}
    assert gradients == {"x": "∂ 0.2087", "y": "∂ -0.134", "z": "∂ 0.2087", "b": "∂ -0.24802"}
    assert browser.run("return document.getElementById('last').disabled") is True


def test_every_step_can_be_taken_back(visit: Visit) -> None:
    browser = visit(course())
    start = look(browser)
    assert not any(start["value"].values())
    assert not any(start["gradient"].values())
    states = []
    for _ in story(course()):
        states.append(look(browser))
        browser.press(RIGHT)
    assert browser.text("#phase") == "← backward"
    for state in reversed(states):
        browser.press(LEFT)
        assert look(browser) == state
    assert browser.text("#phase") == "ready"


def test_a_sum_of_two_parts_is_shown_as_it_grows(visit: Visit) -> None:
    browser = visit(draw(funcgrad.graph(lambda x: x * x, 3.0)))
    gradients = []
    for step in (3, 4, 5, 4, 3):
        slide(browser, step)
        gradients.append(look(browser)["gradient"]["x"])
    assert gradients == ["", "∂ 3 …", "∂ 6", "∂ 3 …", ""]
    slide(browser, 5)
    assert browser.text("#total") == "∂L/\u2060∂x = 3 + 3 = 6 (complete)"


def test_home_end_and_the_slider_jump(visit: Visit) -> None:
    browser = visit(course())
    browser.press(END)
    assert browser.text("#count") == "step 20 of 20"
    browser.press(LEFT)
    assert browser.text("#count") == "step 19 of 20"
    browser.press(HOME)
    assert browser.text("#count") == "step 0 of 20"
    slide(browser, 14)
    check(browser, story(course())[13])


def test_space_plays_and_pauses(visit: Visit) -> None:
    browser = visit(course())
    browser.press(" ")
    assert browser.text("#play") == "Pause"
    deadline = time.monotonic() + 10
    while shown(browser, "count") == "step 1 of 20" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert shown(browser, "count") == "step 2 of 20"
    browser.press(" ")
    assert browser.text("#play") == "Play"


# --- details, bodies, search ----------------------------------------------------------------------


def test_hovering_shows_details(visit: Visit) -> None:
    browser = visit(course())
    browser.hover("[data-node='b'] .box")
    tip = browser.text("#tip")
    assert "jnp.sin(y)" in tip
    assert "0.84147" in tip
    browser.hover("[data-edge='x→a:1'] .line")
    assert "flows back\n0.2087" in browser.text("#tip")


def test_a_click_opens_a_body_and_the_path_leads_back(visit: Visit) -> None:
    browser = visit(arrays())
    slide(browser, 2)
    browser.click("[data-node='hidden'] .name")
    assert browser.text("#path") == OPENED
    assert list(look(browser)["nodes"]) == ["x"]
    browser.press(END)
    assert look(browser)["value"] == {"x": "1"}
    browser.click("#path button")
    assert browser.text("#path") == "arrays"
    assert browser.text("#count") == "step 2 of 5"


def test_keys_open_a_body_and_leave_it(visit: Visit) -> None:
    browser = visit(arrays())
    slide(browser, 3)
    assert browser.text("#open") == "▸ Open hidden"
    browser.press(ENTER)
    assert browser.text("#path") == OPENED
    browser.press(ESCAPE)
    assert browser.text("#path") == "arrays"
    browser.run("document.querySelector(\"[data-node='hidden']\").focus()")
    browser.press(ENTER)
    assert browser.text("#path") == OPENED


def test_bodies_of_a_real_graph_open_in_each_other(visit: Visit) -> None:
    def iteration(carry: Any, _: None) -> tuple[Any, None]:
        return jnp.sin(carry) * carry, None

    def program(x: Any) -> Any:
        return lax.scan(iteration, x, None, length=3)[0]

    browser = visit(draw(funcgrad.graph(program, jnp.float32(0.5)), inner=2))
    assert browser.run("return document.querySelectorAll('template').length") > 1
    browser.click("[data-node].openable .name")
    browser.click("[data-node].openable .name")
    assert browser.text("#path").count(BETWEEN) == 2
    browser.press(END)
    assert browser.text("#phase") in ("← backward", "forward →")


def test_the_search_highlights_and_scrolls(visit: Visit) -> None:
    browser = visit(chain(60))
    browser.press("/")
    browser.type("#search", "sin_5")
    assert browser.text("#found") == "1 of 11"  # sin_5 and sin_50 to sin_59
    found = [name for name, classes in look(browser)["nodes"].items() if "match" in classes]
    assert len(found) == 11
    browser.type("#search", ENTER)
    assert browser.text("#found") == "2 of 11"
    inside = """const [a, b] = ["#view", "[data-node='sin_50']"]
      .map((s) => document.querySelector(s).getBoundingClientRect());
      return b.top > a.top && b.bottom < a.bottom;"""
    assert browser.run(inside) is True
    browser.type("#search", ESCAPE)
    assert not [c for c in look(browser)["nodes"].values() if "match" in c]
    browser.type("#search", "nowhere")
    assert browser.text("#found") == "none"


@pytest.mark.parametrize("text", ["course.py:7", "SIN"])
def test_the_search_knows_functions_and_source_lines(visit: Visit, text: str) -> None:
    browser = visit(course())
    browser.type("#search", text)
    found = {name for name, classes in look(browser)["nodes"].items() if "match" in classes}
    assert "b" in found
    assert "x" not in found


# --- looks ----------------------------------------------------------------------------------------


def screenshot(browser: Browser, path: Path) -> tuple[int, int]:
    content = browser.screenshot(path).read_bytes()
    assert len(content) > 5000  # not one colour
    width, height = struct.unpack(">II", content[16:24])
    return width, height


PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
COLOURS = """const style = (s, p) => getComputedStyle(document.querySelector(s))[p];
return [style("body", "backgroundColor"), style("#view .paper", "fill")];"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_light_or_dark_as_the_system_is(
    browser: Browser, visit: Visit, tmp_path: Path, scheme: str
) -> None:
    browser.prefer(scheme)
    visit(course())
    assert browser.run(COLOURS) == [PAPER[scheme]] * 2
    for name, step in (("first", 0), ("middle", 17), ("last", 20)):
        slide(browser, step)
        assert screenshot(browser, tmp_path / f"{scheme}-{name}.png") == (1280, 800)
    browser.click("#theme")
    other = "light" if scheme == "dark" else "dark"
    assert browser.run(COLOURS) == [PAPER[other]] * 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_the_page(
    browser: Browser, visit: Visit, tmp_path: Path, scheme: str
) -> None:
    browser.resize(360, 740)
    browser.prefer(scheme)
    visit(course())
    for name, step in (("first", 0), ("middle", 17), ("last", 20)):
        slide(browser, step)
        assert screenshot(browser, tmp_path / f"phone-{scheme}-{name}.png") == (360, 740)
    assert browser.run("return document.scrollingElement.scrollWidth") <= 360
    outside = """return [...document.querySelectorAll("header *, footer *")].filter((e) => {
      const r = e.getBoundingClientRect();
      return r.width > 0 && (r.left < 0 || r.right > innerWidth || r.bottom > innerHeight);
    }).map((e) => e.id)"""
    assert browser.run(outside) == []
    small = """return [...document.querySelectorAll("button:not([hidden])")]
      .filter((e) => e.getBoundingClientRect().height < 36).map((e) => e.id)"""
    assert browser.run(small) == []


def test_the_picture_can_be_made_larger_and_smaller(visit: Visit) -> None:
    browser = visit(course())
    width = "return document.querySelector('#view > svg').getBoundingClientRect().width"
    fitting = browser.run(width)
    browser.click("#larger")
    assert browser.run(width) == pytest.approx(1.25 * fitting)
    browser.press("-", "-")
    assert browser.run(width) == pytest.approx(fitting / 1.25)
    browser.click("#fit")
    assert browser.run(width) == pytest.approx(fitting)


def test_every_control_has_a_name(visit: Visit) -> None:
    browser = visit(arrays())
    nameless = """return [...document.querySelectorAll("button, input, [role=button]")]
      .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim()) && !e.hidden)
      .map((e) => e.outerHTML)"""
    assert browser.run(nameless) == []
    assert browser.run("return document.getElementById('told').ariaLive") == "polite"


# --- safety, size, and whether the checks themselves see anything ---------------------------------


def test_texts_of_the_user_are_shown_and_not_run(visit: Visit) -> None:
    browser = visit(hostile())
    browser.press(END)
    assert browser.run("return document.images.length") == 0
    assert browser.run("return document.title") == HOSTILE
    slide(browser, 2)
    assert HOSTILE in browser.run("return document.getElementById('arithmetic').textContent")
    browser.type("#search", "onerror")
    assert browser.text("#found").endswith(" of 10")


def test_two_thousand_nodes_step_without_a_pause(visit: Visit) -> None:
    browser = visit(chain(2000))
    timed = """const start = performance.now();
      for (let i = 0; i < 20; i++) {
        document.getElementById("forward").click();
        document.body.getBoundingClientRect();
      }
      return (performance.now() - start) / 20;"""
    assert browser.run(timed) < 100  # milliseconds a step, layout included
    browser.press(END)
    assert browser.text("#count") == "step 3999 of 3999"
    browser.press(LEFT)
    assert browser.text("#count") == "step 3998 of 3999"


def test_a_graph_without_nodes_has_a_page(visit: Visit) -> None:
    browser = visit(Drawing("nothing", (), ()))
    browser.press(RIGHT, END, ENTER, ESCAPE, HOME)
    assert browser.text("#count") == "step 0 of 0"


def test_the_policy_stops_what_is_put_into_the_page(visit: Visit) -> None:
    browser = visit(course())
    inject = """const script = document.createElement("script");
      try { script.textContent = "window.ran = true"; document.body.append(script); } catch {}
      try { document.body.innerHTML = "<b>gone</b>"; } catch {}
      return [window.ran === true, document.getElementById("view") !== null];"""
    assert browser.run(inject) == [False, True]
    assert browser.complaints()  # which also shows that complaints are heard


def test_an_error_of_a_page_is_noticed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "broken.html"
    path.write_text("<!DOCTYPE html><script>missing()</script>", encoding="utf-8")
    browser.visit(path)
    assert "missing is not defined" in " ".join(browser.complaints())


def test_an_element_that_is_not_there_is_an_error(browser: Browser) -> None:
    with pytest.raises(HTTPError, match="404"):
        browser.find("#nothing-of-that-name")
