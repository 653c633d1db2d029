"""The order of the items in each row: few crossings, operands from left to right."""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import pairwise

from ._layers import Layers

Rows = list[list[int]]

_SWEEPS = 12
_SMALL = 3_000  # items up to which crossings are counted after every sweep


def order(layers: Layers) -> Rows:
    """Rows of items, each sorted by the mean place of its neighbours above and below in turn.

    The best order that was seen is kept. Large graphs get a few sweeps and no count.
    """
    rows = _first(layers)
    if len(layers.row) > _SMALL:
        for sweep in range(4):
            rows = _sweep(rows, layers, down=sweep % 2 == 0)
        return rows
    best, fewest = rows, _count(rows, layers)
    for sweep in range(_SWEEPS):
        rows = _sweep(rows, layers, down=sweep % 2 == 0)
        crossings = _count(rows, layers)
        if crossings < fewest:
            best, fewest = rows, crossings
    return _swap(best, layers)


def _first(layers: Layers) -> Rows:
    """The order in which a walk from the last values up through their operands meets the items."""
    rows: Rows = [[] for _ in range(max(layers.row, default=-1) + 1)]
    seen = [False] * len(layers.row)
    sinks = [item for item in range(layers.nodes) if not layers.lower[item]]
    stack = [*range(len(layers.row) - 1, -1, -1), *reversed(sinks)]
    while stack:
        item = stack.pop()
        if not seen[item]:
            seen[item] = True
            rows[layers.row[item]].append(item)
            stack += reversed(layers.upper[item])
    return rows


def _sweep(rows: Rows, layers: Layers, down: bool) -> Rows:
    neighbours = layers.upper if down else layers.lower
    place = [0.0] * len(layers.row)
    swept = list(rows)
    for index in range(len(rows)) if down else reversed(range(len(rows))):
        swept[index] = _sort(rows[index], neighbours, place)
        for position, item in enumerate(swept[index]):
            place[item] = position
    return swept


def _sort(row: list[int], neighbours: list[list[int]], place: list[float]) -> list[int]:
    """Items without a neighbour keep their places; the others share the remaining ones."""
    mean = {
        item: sum(place[other] for other in neighbours[item]) / len(neighbours[item])
        for item in row
        if neighbours[item]
    }
    moved = iter(sorted(mean, key=mean.__getitem__))
    return [next(moved) if item in mean else item for item in row]


def _count(rows: Rows, layers: Layers) -> int:
    return sum(_between(above, below, layers) for above, below in pairwise(rows))


def _between(above: list[int], below: list[int], layers: Layers) -> int:
    """Crossings between two rows: inversions among the ends of the edges."""
    place = {item: position for position, item in enumerate(below)}
    crossings, ends = 0, list[int]()
    for item in above:
        found = sorted(place[other] for other in layers.lower[item])
        crossings += sum(len(ends) - bisect_right(ends, end) for end in found)
        for end in found:
            insort(ends, end)
    return crossings


def _swap(rows: Rows, layers: Layers) -> Rows:
    """Swap neighbours in a row as long as that removes crossings."""
    rows = [list(row) for row in rows]
    for _ in range(_SWEEPS):
        place = {item: position for row in rows for position, item in enumerate(row)}
        if not sum(_swap_in(row, layers, place) for row in rows):
            break
    return rows


def _swap_in(row: list[int], layers: Layers, place: dict[int, int]) -> int:
    gained = 0
    for i in range(len(row) - 1):
        left, right = row[i], row[i + 1]
        gain = sum(
            _pairs(ends[left], ends[right], place) - _pairs(ends[right], ends[left], place)
            for ends in (layers.upper, layers.lower)
        )
        if gain > 0:
            row[i], row[i + 1] = right, left
            place[left], place[right] = i + 1, i
            gained += gain
    return gained


def _pairs(left: list[int], right: list[int], place: dict[int, int]) -> int:
    return sum(place[a] > place[b] for a in left for b in right)
