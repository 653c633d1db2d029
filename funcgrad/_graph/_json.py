"""A drawing as JSON, and back.

The schema, version 1. The text is an object::

    {"format": "funcgrad.drawing", "version": 1, "drawings": [DRAWING, ...]}

The first drawing is the picture; the others are the opened bodies within it. No field may be
missing, and there are no others.

=========  =========================================================================================
DRAWING    `title`: text; `nodes`: list of NODE, in the order of execution; `edges`: list of EDGE
NODE       `name`: text, unique in its drawing; `kind`: "input", "constant", "step" or "body";
           `op`: text or null; `params`: object of texts; `rule`: text; `source`, `code`: text or
           null; `requires_grad`, `output`: true or false; `value`: QUANTITY; `gradient`: QUANTITY
           or null; `inner`: null, or the index in `drawings` of its opened body, which is larger
           than that of its own drawing
EDGE       `source`, `target`: names of two nodes, the target the later one; `operand`: whole
           number; `partial`, `flow`: QUANTITY or null
QUANTITY   `shape`: list of whole numbers; `dtype`: text; `values`: null, or a list of numbers,
           truth values and texts; `least`, `mean`, `largest`, `norm`: NUMBER or null;
           `zeros`: NUMBER; `nonfinite`: whole number
NUMBER     a JSON number, or what JSON has no number for: {"float": "nan"}, {"float": "inf"},
           {"float": "-inf"}; so are the numbers in `values`
=========  =========================================================================================

Numbers with a fraction or an exponent are floating point, others whole; they are written with as
many digits as it takes to read the same number again.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

from .._errors import DataError
from ._drawing import Drawing, DrawnEdge, DrawnNode, Quantity
from ._jsonfields import (
    Reader,
    damaged,
    read_flag,
    read_list,
    read_number,
    read_object,
    read_optional,
    read_text,
    read_texts,
    read_value,
    read_whole,
)

__all__ = ["FORMAT", "VERSION", "from_json", "to_json"]

FORMAT = "funcgrad.drawing"
VERSION = 1
_KINDS = ("input", "constant", "step", "body")


def to_json(drawing: Drawing) -> str:
    """Write a drawing, in the schema of this module.

    >>> to_json(Drawing("empty", (), ())).startswith('{"format": "funcgrad.drawing", "version": 1,')
    True
    """
    found = [drawing]
    written = []
    for each in found:  # grows while it is walked: bodies come after what they stand in
        nodes = []
        for node in each.nodes:
            if node.inner is not None:
                found.append(node.inner)
            inner = None if node.inner is None else len(found) - 1
            nodes.append(node._asdict() | _quantities(node) | {"inner": inner})
        edges = [edge._asdict() | _quantities(edge) for edge in each.edges]
        written.append({"title": each.title, "nodes": nodes, "edges": edges})
    content = {"format": FORMAT, "version": VERSION, "drawings": written}
    return json.dumps(content, allow_nan=False)


def _quantities(part: DrawnNode | DrawnEdge) -> dict[str, object]:
    fields = part._asdict().items()
    return {name: _quantity(q) for name, q in fields if isinstance(q, Quantity)}


def _quantity(quantity: Quantity) -> dict[str, object]:
    fields = {name: _number(value) for name, value in quantity._asdict().items()}
    if quantity.values is not None:
        fields["values"] = [_number(value) for value in quantity.values]
    return fields


def _number(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


# --- reading --------------------------------------------------------------------------------------


def from_json(text: str) -> Drawing:
    """Read what `to_json` wrote.

    Raises:
        DataError: if the text is not JSON, is of another format or version, or is damaged; the
            message names the field.

    >>> drawing = Drawing("empty", (), ())
    >>> from_json(to_json(drawing)) == drawing
    True
    >>> from_json("[]")
    Traceback (most recent call last):
    funcgrad._errors.DataError: the text is [], not an object with "format": "funcgrad.drawing"; \
give what `json()` wrote
    """
    content = _parse(text)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(
            f'the text is {_shorten(content)}, not an object with "format": "{FORMAT}"; '
            "give what `json()` wrote"
        )
    if type(content.get("version")) is not int or content["version"] != VERSION:
        raise DataError(
            f"the drawing has schema version {_shorten(content.get('version'))}, and this funcgrad "
            f"reads version {VERSION}; write it again with this funcgrad, or read it with its own"
        )
    items = read_list(content.get("drawings"), "drawings")
    if not items:
        damaged("drawings", items, "a list with at least one drawing")
    read: dict[int, Drawing] = {}
    for index in reversed(range(len(items))):
        read[index] = _drawing(items[index], index, read)
    return read[0]


def _parse(text: str) -> object:
    try:
        content: object = json.loads(text, parse_constant=_refuse)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"the text {_shorten(text)} is not JSON ({error}); give what `json()` wrote"
        ) from error
    return content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def _shorten(content: object) -> str:
    shown = repr(content)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def _drawing(content: object, index: int, read: dict[int, Drawing]) -> Drawing:
    where = f"drawings[{index}]"
    fields = read_object(content, where, ("title", "nodes", "edges"))
    nodes = [
        _node(item, f"{where}.nodes[{i}]", index, read)
        for i, item in enumerate(read_list(fields["nodes"], f"{where}.nodes"))
    ]
    places = {node.name: i for i, node in enumerate(nodes)}
    if len(places) < len(nodes):
        twice = next(node.name for i, node in enumerate(nodes) if places[node.name] != i)
        damaged(f"{where}.nodes", twice, "a name that no other node has")
    edges = [
        _edge(item, f"{where}.edges[{i}]", places)
        for i, item in enumerate(read_list(fields["edges"], f"{where}.edges"))
    ]
    return Drawing(read_text(fields["title"], f"{where}.title"), tuple(nodes), tuple(edges))


def _node(content: object, where: str, index: int, read: dict[int, Drawing]) -> DrawnNode:
    fields = read_object(content, where, DrawnNode._fields)
    if fields["kind"] not in _KINDS:
        damaged(f"{where}.kind", fields["kind"], f"one of {', '.join(_KINDS)}")
    inner = read_optional(read_whole)(fields["inner"], f"{where}.inner")
    if inner is not None and not (index < inner and inner in read):
        damaged(f"{where}.inner", inner, "the index of a later drawing")
    values = {name: reader(fields[name], f"{where}.{name}") for name, reader in _NODE.items()}
    return DrawnNode(**values, inner=None if inner is None else read[inner])


def _edge(content: object, where: str, places: dict[str, int]) -> DrawnEdge:
    fields = read_object(content, where, DrawnEdge._fields)
    edge = DrawnEdge(**{n: reader(fields[n], f"{where}.{n}") for n, reader in _EDGE.items()})
    for name in (edge.source, edge.target):
        if name not in places:
            damaged(where, name, "the name of a node")
    if places[edge.source] >= places[edge.target]:
        damaged(where, f"{edge.source} to {edge.target}", "an edge to a later node")
    return edge


def _read_quantity(content: object, where: str) -> Quantity:
    fields = read_object(content, where, Quantity._fields)
    return Quantity(**{n: reader(fields[n], f"{where}.{n}") for n, reader in _QUANTITY.items()})


def _read_shape(content: object, where: str) -> tuple[int, ...]:
    return tuple(read_whole(size, where) for size in read_list(content, where))


def _read_values(content: object, where: str) -> tuple[float | int | bool | str, ...]:
    return tuple(read_value(value, where) for value in read_list(content, where))


_QUANTITY: dict[str, Reader] = {
    "shape": _read_shape,
    "dtype": read_text,
    "values": read_optional(_read_values),
    **dict.fromkeys(("least", "mean", "largest", "norm"), read_optional(read_number)),
    "zeros": read_number,
    "nonfinite": read_whole,
}
_NODE: dict[str, Reader] = {
    "name": read_text,
    "kind": read_text,
    "op": read_optional(read_text),
    "params": read_texts,
    "rule": read_text,
    "source": read_optional(read_text),
    "code": read_optional(read_text),
    "requires_grad": read_flag,
    "output": read_flag,
    "value": _read_quantity,
    "gradient": read_optional(_read_quantity),
}
_EDGE: dict[str, Reader] = {
    "source": read_text,
    "target": read_text,
    "operand": read_whole,
    "partial": read_optional(_read_quantity),
    "flow": read_optional(_read_quantity),
}
