"""Where everything in a picture stands: boxes of nodes, boxes of labels, lines of edges.

The flow goes down or right. Rows of nodes and rows of labels take turns, with gaps between them;
lines bend in the gaps only, so that they can meet neither a box nor a label that is not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .._errors import ConfigurationError
from ._cards import describe, label, measure_label
from ._coordinates import Distance, place
from ._crossings import order
from ._drawing import Drawing
from ._layers import Layers, layer

Direction = Literal["down", "right"]
Point = tuple[float, float]

MARGIN = 20.0
_GAP = 13.0  # between rows, at least
_STEEP = 0.12  # of the longest way across a gap is added to it
_GAP_MOST = 52.0
_ARROW = 9.0  # the last piece of a line is straight, so that its arrow head is
_NODES_APART, _LABELS_APART, _LINES_APART = 26.0, 14.0, 16.0
_LANE = 8.0  # between lines that are led around
_PORTS = 34.0  # between the ends of edges on one node, at most


class Box(NamedTuple):
    """A rectangle: its upper left corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


class Route(NamedTuple):
    """A line: straight between points that differ along the flow only, else an S-shaped curve."""

    points: tuple[Point, ...]
    label: Box | None


class Layout(NamedTuple):
    """A picture's geometry.

    Attributes:
        width, height: of the whole, margins included.
        boxes: of the nodes, in their order.
        routes: of the edges, in their order.
        direction: of the flow.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    direction: Direction


class _Grid(NamedTuple):
    """Items before the picture is turned: `x` and `breadth` across the flow, `depth` along it."""

    layers: Layers
    pairs: list[tuple[int, int]]
    x: list[float]
    breadth: list[float]
    depth: list[float]
    tops: list[float]
    bottoms: list[float]
    lanes: dict[int, float]


def lay_out(drawing: Drawing, direction: Direction = "down") -> Layout:
    """Place a drawing's nodes, labels and edges.

    Args:
        drawing: its edges lead from earlier to later nodes.
        direction: of the flow, "down" or "right".

    Returns:
        the geometry; the same drawing always has the same one.

    Raises:
        ConfigurationError: for another direction.

    >>> from funcgrad._graph._drawing import DrawnEdge, DrawnNode, Quantity
    >>> one = Quantity((), "float32", (1.0,), 1.0, 1.0, 1.0, 1.0, 0.0, 0)
    >>> x = DrawnNode("x", "input", None, {}, "", None, None, True, False, one, one)
    >>> y = x._replace(name="y", kind="step", op="sin", output=True)
    >>> layout = lay_out(Drawing("sine", (x, y), (DrawnEdge("x", "y", 0, one, one),)))
    >>> layout.boxes[0].y + layout.boxes[0].height < layout.boxes[1].y
    True
    """
    if direction not in ("down", "right"):
        raise ConfigurationError(
            f"the direction of a picture is {direction!r}, not 'down' or 'right'; pass one of them"
        )
    return _turn(_arrange(drawing, direction), direction)


def _arrange(drawing: Drawing, direction: Direction) -> _Grid:
    index = {node.name: i for i, node in enumerate(drawing.nodes)}
    pairs = [(index[edge.source], index[edge.target]) for edge in drawing.edges]
    layers = layer(len(drawing.nodes), pairs)
    breadth, depth = _sizes(drawing, layers, direction)
    rows = order(layers)
    x = place(rows, layers, breadth, _distances(layers, breadth))
    right = max((c + b / 2 for c, b in zip(x, breadth, strict=True)), default=0.0)
    lanes = _lanes(layers, pairs, right + _NODES_APART)
    tops, bottoms = _heights(rows, layers, x, depth)
    return _Grid(layers, pairs, x, breadth, depth, tops, bottoms, lanes)


def _sizes(
    drawing: Drawing, layers: Layers, direction: Direction
) -> tuple[list[float], list[float]]:
    """The size of each item across the flow and along it."""
    cards = [describe(node) for node in drawing.nodes]
    sizes = [(card.width, card.height) for card in cards]
    sizes += [measure_label(label(edge)) for edge in drawing.edges]
    sizes += [(0.0, 0.0)] * (len(layers.row) - len(sizes))
    widths, heights = [w for w, _ in sizes], [h for _, h in sizes]
    return (widths, heights) if direction == "down" else (heights, widths)


def _distances(layers: Layers, breadth: Sequence[float]) -> Distance:
    """How far apart the centres of two neighbours in a row have to be."""
    labels, trunks = layers.nodes, layers.nodes + layers.edges

    def distance(left: int, right: int) -> float:
        lines = max(left, right) >= trunks
        least = _LINES_APART if lines else _LABELS_APART if left >= labels else _NODES_APART
        return (breadth[left] + breadth[right]) / 2 + least

    return distance


def _lanes(layers: Layers, pairs: Sequence[tuple[int, int]], start: float) -> dict[int, float]:
    """A straight way beside the picture for each node whose edges are too long for a trunk.

    Ways that do not meet share a lane.
    """
    ends: dict[int, int] = {}
    for edge in layers.around:
        tail, head = pairs[edge]
        ends[tail] = max(ends.get(tail, 0), layers.row[head])
    lanes: dict[int, float] = {}
    free: list[int] = []  # by lane, the row from which it is free
    for tail in sorted(ends, key=lambda node: (layers.row[node], node)):
        lane = next((i for i, row in enumerate(free) if row < layers.row[tail]), len(free))
        free[lane : lane + 1] = [ends[tail]]
        lanes[tail] = start + _LANE * lane
    return lanes


def _heights(
    rows: Sequence[Sequence[int]], layers: Layers, x: Sequence[float], depth: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Where each row begins and ends along the flow."""
    tops, bottoms, y = [], [], 0.0
    for row in rows:
        tops.append(y)
        bottoms.append(y + max((depth[item] for item in row), default=0.0))
        ways = [abs(x[item] - x[other]) for item in row for other in layers.lower[item]]
        y = bottoms[-1] + min(_GAP + _STEEP * max(ways, default=0.0), _GAP_MOST)
        y += _ARROW if len(tops) % 2 == 0 else 0.0
    return tops, bottoms


# --- the lines ------------------------------------------------------------------------------------


def _turn(grid: _Grid, direction: Direction) -> Layout:
    """Give the picture its margins and its direction."""
    extent = [c + b / 2 for c, b in zip(grid.x, grid.breadth, strict=True)]
    across = max([*extent, *grid.lanes.values()], default=0.0) + 2 * MARGIN
    along = max(grid.bottoms, default=0.0) + 2 * MARGIN
    boxes = [_box(grid, item, direction) for item in range(grid.layers.nodes + grid.layers.edges)]
    routes = [
        Route(
            tuple(_orient(point, direction) for point in points),
            box if box.width and box.height else None,
        )
        for points, box in zip(_lines(grid), boxes[grid.layers.nodes :], strict=True)
    ]
    width, height = (across, along) if direction == "down" else (along, across)
    return Layout(width, height, tuple(boxes[: grid.layers.nodes]), tuple(routes), direction)


def _orient(point: Point, direction: Direction) -> Point:
    across, along = round(point[0] + MARGIN, 1), round(point[1] + MARGIN, 1)
    return (across, along) if direction == "down" else (along, across)


def _box(grid: _Grid, item: int, direction: Direction) -> Box:
    start, _ = _ends(grid, item)
    x, y = _orient((grid.x[item] - grid.breadth[item] / 2, start), direction)
    size = (round(grid.breadth[item], 1), round(grid.depth[item], 1))
    return Box(x, y, *(size if direction == "down" else size[::-1]))


def _ends(grid: _Grid, item: int) -> tuple[float, float]:
    """Where an item begins and ends along the flow: it stands in the middle of its row."""
    row = grid.layers.row[item]
    middle = (grid.tops[row] + grid.bottoms[row]) / 2
    return middle - grid.depth[item] / 2, middle + grid.depth[item] / 2


def _lines(grid: _Grid) -> list[list[Point]]:
    """The points of each edge: out of its source, through the rows between, into its target."""
    ports = _ports(grid)
    return [
        _line(grid, edge, tail, head, ports[edge]) for edge, (tail, head) in enumerate(grid.pairs)
    ]


def _line(grid: _Grid, edge: int, tail: int, head: int, port: float) -> list[Point]:
    item = grid.layers.nodes + edge
    first, last = grid.layers.row[tail], grid.layers.row[item]
    points = [(grid.x[tail], _ends(grid, tail)[1]), (grid.x[tail], grid.bottoms[first])]
    if edge in grid.layers.around:
        lane = grid.lanes[tail]
        points += [(lane, grid.tops[first + 1]), (lane, grid.bottoms[last - 1])]
    else:
        for passed in grid.layers.trunks[tail][: last - 1 - first]:
            row = grid.layers.row[passed]
            points += [(grid.x[passed], grid.tops[row]), (grid.x[passed], grid.bottoms[row])]
    points += [(grid.x[item], grid.tops[last]), (grid.x[item], grid.bottoms[last])]
    points += [(port, grid.tops[last + 1] - _ARROW), (port, _ends(grid, head)[0])]
    return _thin(points)


def _ports(grid: _Grid) -> dict[int, float]:
    """Where each edge ends on its target: side by side, in the order of their labels."""
    arriving: dict[int, list[int]] = {}
    for edge, (_, head) in enumerate(grid.pairs):
        arriving.setdefault(head, []).append(edge)
    ports = {}
    for head, edges in arriving.items():
        apart = min(_PORTS, 0.8 * grid.breadth[head] / len(edges))
        edges.sort(key=lambda edge: (grid.x[grid.layers.nodes + edge], edge))
        for i, edge in enumerate(edges):
            ports[edge] = grid.x[head] + apart * (i - (len(edges) - 1) / 2)
    return ports


def _thin(points: list[Point]) -> list[Point]:
    """Without points that repeat, or that lie on a straight line along the flow."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and kept[-1][0] == kept[-2][0] == point[0]:
            kept.pop()
        if not kept or point != kept[-1]:
            kept.append(point)
    return kept
