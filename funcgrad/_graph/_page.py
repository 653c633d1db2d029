"""A graph as one HTML file that steps through both passes and needs no network.

The file carries everything: the pictures, the story as data, a style sheet and a script. Texts of
the user reach the page as data only; its policy lets no other script, style or request through.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from string import Template
from typing import Any

from ._drawing import Drawing, DrawnEdge, DrawnNode
from ._labels import GRADIENT, show
from ._story import Moment, story
from ._sums import write
from ._svg import svg
from ._svgparts import escape
from ._svgstyle import DARK, LIGHT, style

__all__ = ["page"]


def page(drawing: Drawing) -> str:
    """Write the page of a graph.

    Args:
        drawing: the graph; the bodies that its nodes have as `inner` can be opened on the page.

    Returns:
        an HTML document.

    >>> from funcgrad._graph._drawing import Quantity
    >>> one = Quantity((), "float32", (1.0,), 1.0, 1.0, 1.0, 1.0, 0.0, 0)
    >>> x = DrawnNode("x", "input", None, {}, "", None, None, True, False, one, one)
    >>> document = page(Drawing("only </script>", (x,), ()))
    >>> document.count("</script>"), "://" in document
    (2, False)
    """
    drawings = collect(drawing)
    sheet, script = _sheet(), _asset("frame.js") + _asset("page.js")
    first, *others = (_picture(one) for one in drawings)
    content = {
        "title": escape(drawing.title),
        "policy": policy(sheet, script),
        "sheet": sheet,
        "script": script,
        "picture": first,
        "bodies": "\n".join(f"<template>{picture}</template>" for picture in others),
        "data": to_script([_describe(one, drawings) for one in drawings]),
    }
    return Template(_asset("page.html")).substitute(content)


def collect(drawing: Drawing) -> list[Drawing]:
    """The drawing and all that can be opened in it, each once."""
    found = [drawing]
    for one in found:  # grows while it is walked
        for node in one.nodes:
            if node.inner is not None and node.inner not in found:
                found.append(node.inner)
    return found


def policy(sheet: str, script: str) -> str:
    """A content security policy that allows this style sheet and this script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_digest(sheet)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def to_script(data: Any) -> str:
    """JSON that can stand in a script element: no text in it ends the element or opens another."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


# --- style and pictures ---------------------------------------------------------------------------


def _sheet() -> str:
    """One style sheet for all pictures, which the reader can turn from light to dark."""
    of_pictures = style("picture").replace("#picture", ".funcgrad-graph")
    chosen = of_pictures.replace("@media (prefers-color-scheme: dark)", ':root[data-theme="dark"]')
    light, dark = _variables(LIGHT), _variables(DARK)
    colours = f':root {{ {light} }}\n:root[data-theme="dark"] {{ {dark} }}'
    return f"{colours}\n@layer picture {{ {chosen} }}\n{_asset('page.css')}"


def _variables(palette: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in palette.items())


_OWN_STYLE = re.compile(r"<style>.*?</style>\s*", re.DOTALL)


def _picture(drawing: Drawing) -> str:
    """The SVG without what only a file of its own needs: the page has its own style sheet."""
    head, found, rest = svg(drawing).partition("</style>")
    head = _OWN_STYLE.sub("", head + found, count=1)
    return head.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1) + rest


# --- data -----------------------------------------------------------------------------------------


def _describe(drawing: Drawing, drawings: list[Drawing]) -> dict[str, Any]:
    """What the script needs of a drawing; nodes and edges are named by their numbers."""
    number = {node.name: i for i, node in enumerate(drawing.nodes)}
    edges = {key(edge): i for i, edge in enumerate(drawing.edges)}
    incoming: list[list[int]] = [[] for _ in drawing.nodes]
    for i, edge in enumerate(drawing.edges):
        incoming[number[edge.target]].append(i)
    moments, before = [], dict.fromkeys(number, "")
    for moment in story(drawing):
        after = _so_far(moment, drawing.nodes[number[moment.node]])
        moments.append(_tell(moment, number, edges) | {"was": before[moment.node], "now": after})
        before[moment.node] = after or ""
    return {
        "title": drawing.title,
        "nodes": [
            {
                "name": node.name,
                "find": " ".join(filter(None, (node.name, node.op, node.source))).lower(),
                "facts": list(_facts(node)),
                "source": node.source,
                "code": node.code,
                "edges": incoming[i],
                "inner": None if node.inner is None else drawings.index(node.inner),
            }
            for i, node in enumerate(drawing.nodes)
        ],
        "edges": [
            {"key": key(edge), "target": number[edge.target], "facts": list(_edge_facts(edge))}
            for edge in drawing.edges
        ],
        "moments": moments,
    }


def key(edge: DrawnEdge) -> str:
    """The name of an edge in the picture."""
    return f"{edge.source}→{edge.target}:{edge.operand}"


def _tell(moment: Moment, number: dict[str, int], edges: dict[str, int]) -> dict[str, Any]:
    return {
        "phase": moment.phase,
        "node": number[moment.node],
        "edge": None if moment.edge is None else edges[key(moment.edge)],
        "sentence": moment.sentence,
        "arithmetic": moment.arithmetic,
        "total": moment.total,
        "rule": moment.rule,
    }


def _so_far(moment: Moment, node: DrawnNode) -> str | None:
    """What the node shows as its gradient: a sum that is not complete, or None for all of it."""
    if moment.part == moment.parts:
        return None
    known = moment.after is not None and not node.value.shape
    text = write(moment.after or (), node.value) if known else f"{moment.part} of {moment.parts}"
    return f"{GRADIENT} {text} …"


def _facts(node: DrawnNode) -> Iterator[tuple[str, str]]:
    yield "value", show(node.value)
    if node.gradient is not None:
        yield "gradient", show(node.gradient)
    elif not node.requires_grad:
        yield "gradient", "none: it depends on no differentiated input"
    else:
        yield "gradient", "none arrives"
    yield "made by", node.op or node.kind
    yield from node.params.items()
    if node.rule:
        yield "rule", node.rule
    if node.source or node.code:
        yield "source", " ".join(filter(None, (node.source, node.code)))


def _edge_facts(edge: DrawnEdge) -> Iterator[tuple[str, str]]:
    yield "operand", f"{edge.operand} of {edge.target}"
    partial = f"{GRADIENT}{edge.target}/{GRADIENT}{edge.source}"
    yield partial, "a linear map" if edge.partial is None else show(edge.partial)
    yield "flows back", "nothing" if edge.flow is None else show(edge.flow)
