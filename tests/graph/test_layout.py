"""Nothing in a picture lies on anything else, and lines end where they should."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import ConfigurationError
from funcgrad._graph._drawing import Drawing
from funcgrad._graph._layers import layer, rank
from funcgrad._graph._layout import Box, Direction, Layout, Point, lay_out
from tests.graph.drawings import arrays, chain, course
from tests.graph.strategies import drawings

directions = st.sampled_from(["down", "right"])


def overlap(one: Box, other: Box) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height


def contains(box: Box, point: Point, within: float = 0.3) -> bool:
    return (
        box.x + within < point[0] < box.x + box.width - within
        and box.y + within < point[1] < box.y + box.height - within
    )


def trace(layout: Layout, points: tuple[Point, ...]) -> list[Point]:
    """Points along a route; a bend is the curve that the picture draws."""
    along = 1 if layout.direction == "down" else 0
    found = []
    for start, end in pairwise(points):
        for step in range(17):
            t = step / 16
            bend = 3 * t * t - 2 * t**3  # across: control points level with the ends
            way = (1 - t) ** 3 * start[along] + t**3 * end[along]
            way += 3 * t * (1 - t) * (start[along] + end[along]) / 2
            across = start[1 - along] + bend * (end[1 - along] - start[1 - along])
            found.append((across, way) if along else (way, across))
    return found


def grown(count: int, reach: int, seed: int) -> Drawing:
    """A long random graph: each node has two operands among the `reach` nodes before it."""
    long, choose = chain(count), random.Random(seed)
    edges = [
        edge._replace(source=long.nodes[choose.randrange(max(0, i - reach), i)].name, operand=k)
        for i, edge in enumerate(long.edges, 1)
        for k in range(2)
    ]
    return long._replace(edges=tuple(edges))


def assert_tidy(drawing: Drawing, layout: Layout) -> None:
    labels = [route.label for route in layout.routes if route.label is not None]
    for one, other in combinations([*layout.boxes, *labels], 2):
        assert not overlap(one, other)
    for box in (*layout.boxes, *labels):
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height
    assert len(layout.boxes) == len(drawing.nodes)
    assert len(layout.routes) == len(drawing.edges)


@given(drawings(), directions)
def test_boxes_and_labels_do_not_overlap(drawing: Drawing, direction: Direction) -> None:
    assert_tidy(drawing, lay_out(drawing, direction))


@given(drawings(), directions)
def test_lines_touch_their_boxes_and_meet_no_other(drawing: Drawing, direction: Direction) -> None:
    layout = lay_out(drawing, direction)
    box = {node.name: box for node, box in zip(drawing.nodes, layout.boxes, strict=True)}
    for edge, route in zip(drawing.edges, layout.routes, strict=True):
        start, end = box[edge.source], box[edge.target]
        along = 1 if direction == "down" else 0
        assert route.points[0][along] == pytest.approx(start[along] + start[along + 2], abs=0.3)
        assert route.points[-1][along] == pytest.approx(end[along], abs=0.3)
        assert start[1 - along] < route.points[0][1 - along] < start[1 - along] + start[3 - along]
        assert end[1 - along] < route.points[-1][1 - along] < end[1 - along] + end[3 - along]
        others = [r.label for r in layout.routes if r is not route and r.label is not None]
        for point in trace(layout, route.points):
            assert not any(contains(b, point) for b in (*layout.boxes, *others))


def test_a_planted_overlap_and_a_planted_crossing_are_seen() -> None:
    layout = lay_out(course())
    moved = layout.boxes[1]._replace(x=layout.boxes[0].x + 1, y=layout.boxes[0].y)
    planted = layout._replace(boxes=(layout.boxes[0], moved, *layout.boxes[2:]))
    with pytest.raises(AssertionError):
        assert_tidy(course(), planted)
    middle = (moved.x + moved.width / 2, moved.y + moved.height / 2)
    through = trace(layout, ((middle[0], 0.0), (middle[0], layout.height)))
    assert any(contains(moved, point) for point in through)


@pytest.mark.parametrize("drawing", [course(), arrays(), chain(30)])
def test_the_flow_goes_forward(drawing: Drawing) -> None:
    for along, direction in enumerate(("right", "down")):
        layout = lay_out(drawing, direction)  # type: ignore[arg-type] # a tuple's texts are str
        for route in layout.routes:
            ways = [point[along] for point in route.points]
            assert ways == sorted(ways)


@given(drawings())
def test_the_same_drawing_has_the_same_layout(drawing: Drawing) -> None:
    assert lay_out(drawing) == lay_out(drawing)


def test_an_empty_drawing_has_margins_only() -> None:
    assert lay_out(Drawing("empty", (), ()))[:4] == (40.0, 40.0, (), ())


def test_a_value_of_which_nothing_can_be_said_has_a_box() -> None:
    node = course().nodes[0]
    silent = node._replace(value=node.value._replace(values=("",)), gradient=None)
    layout = lay_out(Drawing("silent", (silent,), ()))
    assert layout.boxes[0].width > 0


def test_a_chain_is_one_straight_line() -> None:
    layout = lay_out(chain(30))
    assert len({box.x + box.width / 2 for box in layout.boxes}) <= 3  # by a tenth of a pixel
    assert all(len(route.points) == 2 for route in layout.routes)


def test_operands_stand_from_left_to_right() -> None:
    boxes = dict(zip([n.name for n in course().nodes], lay_out(course()).boxes, strict=True))
    assert boxes["a"].x < boxes["b"].x
    assert boxes["z"].x < boxes["c"].x


@pytest.mark.parametrize("reach", [1, 30, 2000])
def test_two_thousand_nodes(reach: int) -> None:
    drawing = grown(2000, reach, seed=0)
    layout = lay_out(drawing)
    assert len(layout.boxes) == 2000
    # What a time limit would stand for: the work is in proportion to the items and the points.
    assert sum(len(route.points) for route in layout.routes) < 40 * len(drawing.edges)
    pairs = [(i, i + 1) for i in range(1999)] + [(0, i) for i in range(1, 2000)]
    assert len(layer(2000, pairs).row) < 30_000


def test_a_value_that_is_used_far_away_goes_around() -> None:
    long = chain(200)
    extra = [long.edges[0]._replace(target=node.name, operand=1) for node in long.nodes[1:]]
    drawing = long._replace(edges=(*long.edges, *extra))
    layout = lay_out(drawing)
    assert_tidy(drawing, layout)
    beside = max(box.x + box.width for box in layout.boxes)
    assert max(x for x, _ in layout.routes[-1].points) > beside
    assert max(x for x, _ in layout.routes[0].points) < beside


def test_ranks_are_longest_paths_and_inputs_stand_by_their_use() -> None:
    # 0 -> 1 -> 2 -> 4, 3 -> 4
    assert rank(5, [(0, 1), (1, 2), (2, 4), (3, 4)]) == [0, 1, 2, 2, 3]


def test_another_direction_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="'up', not 'down' or 'right'"):
        lay_out(course(), "up")  # type: ignore[arg-type] # the mistake under test
