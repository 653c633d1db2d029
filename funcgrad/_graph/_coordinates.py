"""Where the items of a row stand: long lines straight, nodes in the middle of their neighbours.

Four placements, each leaning to one corner, are averaged by their two medians, which keeps every
distance that all four keep. From Brandes, Köpf: Fast and simple horizontal coordinate assignment,
Graph Drawing 2001, with the blocks placed by longest paths instead of by recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from ._layers import Layers

Rows = Sequence[Sequence[int]]
Distance = Callable[[int, int], float]


def place(rows: Rows, layers: Layers, breadth: Sequence[float], distance: Distance) -> list[float]:
    """The centre of each item across the flow.

    Args:
        rows: the items of each row in their order.
        layers: their neighbours.
        breadth: the size of each item across the flow.
        distance: the least distance of the centres of two items that stand side by side.

    Returns:
        a coordinate by item; the smallest edge of all items is at 0.
    """
    if not layers.row:
        return []
    crossed = _crossed(rows, layers)
    four = [
        _lean(rows, layers, crossed, distance, down, left)
        for down in (True, False)
        for left in (True, False)
    ]
    centres = _average(four, breadth)
    edge = min(x - b / 2 for x, b in zip(centres, breadth, strict=True))
    return [x - edge for x in centres]


def _crossed(rows: Rows, layers: Layers) -> set[tuple[int, int]]:
    """Edges that cross a trunk: the trunk is to be straight, so they give way."""
    found: set[tuple[int, int]] = set()
    for above, below in pairwise(rows):
        position = {item: i for i, item in enumerate(above)}
        start, first = 0, 0
        for i, item in enumerate(below):
            inner = [u for u in layers.upper[item] if layers.is_trunk(u) and layers.is_trunk(item)]
            if not inner and i < len(below) - 1:
                continue
            last = position[inner[0]] if inner else len(above) - 1
            for other in below[start : i + 1]:
                for u in layers.upper[other]:
                    straight = layers.is_trunk(u) and layers.is_trunk(other)
                    if not straight and not first <= position[u] <= last:
                        found |= {(u, other), (other, u)}
            start, first = i + 1, last
    return found


def _lean(
    rows: Rows,
    layers: Layers,
    crossed: set[tuple[int, int]],
    distance: Distance,
    down: bool,
    left: bool,
) -> list[float]:
    """One of the four placements; the others are mirror images of the one to the upper left."""
    turned = list(rows) if down else list(reversed(rows))
    turned = turned if left else [list(reversed(row)) for row in turned]
    roots = _align(turned, _prefer(layers, down), crossed)
    centres = _compact(turned, roots, distance)
    return centres if left else [-x for x in centres]


def _prefer(layers: Layers, down: bool) -> list[list[int]]:
    """Which neighbours an item may stand in line with: trunks and longest paths are straight.

    Both have to prefer each other, or else what comes first in a row would take the place.
    """
    above, below = _straight(layers, layers.upper), _straight(layers, layers.lower)
    mine, theirs = (above, below) if down else (below, above)
    return [
        [other for other in others if item in theirs[other]] for item, others in enumerate(mine)
    ]


def _straight(layers: Layers, neighbours: list[list[int]]) -> list[list[int]]:
    def short(item: int) -> bool:
        upper = layers.upper[item]
        return layers.nodes <= item and bool(upper) and upper[0] < layers.nodes

    return [
        list(filter(layers.is_trunk if layers.is_trunk(item) else short, others)) or others
        for item, others in enumerate(neighbours)
    ]


def _align(rows: Rows, neighbours: list[list[int]], crossed: set[tuple[int, int]]) -> list[int]:
    """Join each item with a median neighbour, without crossings; give the first of each block."""
    roots = list(range(len(neighbours)))
    position = [0] * len(neighbours)
    for row in rows:
        last = -1
        for item in row:
            others = sorted(neighbours[item], key=position.__getitem__)
            for median in {(len(others) - 1) // 2: None, len(others) // 2: None} if others else ():
                other = others[median]
                if last < position[other] and (other, item) not in crossed:
                    roots[item] = roots[other]
                    last = position[other]
                    break
        for i, item in enumerate(row):
            position[item] = i
    return roots


def _compact(rows: Rows, roots: list[int], distance: Distance) -> list[float]:
    """Put the blocks as far left as they go, then each as far right as that costs no room."""
    after: dict[int, dict[int, float]] = {root: {} for root in roots}
    waiting = dict.fromkeys(after, 0)
    for row in rows:
        for left, right in pairwise(row):
            nearby, block = after[roots[left]], roots[right]
            waiting[block] += block not in nearby
            nearby[block] = max(nearby.get(block, 0.0), distance(left, right))
    x = dict.fromkeys(after, 0.0)
    queue = [block for block, number in waiting.items() if not number]
    for block in queue:  # grows while it is walked: blocks in the order of their left neighbours
        for other, gap in after[block].items():
            x[other] = max(x[other], x[block] + gap)
            waiting[other] -= 1
            if not waiting[other]:
                queue.append(other)
    for block in reversed(queue):
        if after[block]:
            x[block] = max(x[block], min(x[other] - gap for other, gap in after[block].items()))
    return [x[root] for root in roots]


def _average(four: list[list[float]], breadth: Sequence[float]) -> list[float]:
    """The mean of the two medians, after all are moved to the narrowest of them."""
    spans = [
        (
            min(x - b / 2 for x, b in zip(xs, breadth, strict=True)),
            max(x + b / 2 for x, b in zip(xs, breadth, strict=True)),
        )
        for xs in four
    ]
    low, high = min(spans, key=lambda span: span[1] - span[0])
    moves = [  # those that lean left share the left side, the others the right side
        low - span[0] if i % 2 == 0 else high - span[1] for i, span in enumerate(spans)
    ]
    moved = [[x + move for x in xs] for xs, move in zip(four, moves, strict=True)]
    return [sum(sorted(xs)[1:3]) / 2 for xs in zip(*moved, strict=True)]
