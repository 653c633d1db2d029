"""Rows of items: what Sugiyama's method orders and places.

Nodes stand in even rows and the labels of edges in odd ones, each just before its target. An edge
over several rows passes through place holders, which all edges from one node share (a trunk with
branches): the rows stay short, and a value that is used often draws one line and not many.

Sugiyama, Tagawa, Toda: Methods for visual understanding of hierarchical system structures,
IEEE Transactions on Systems, Man, and Cybernetics 11 (1981), 109-125.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Pair = tuple[int, int]


class Layers(NamedTuple):
    """Items and their neighbours. Nodes come first, then one item an edge, then place holders.

    Attributes:
        row: of each item.
        upper: each item's neighbours in the row before.
        lower: each item's neighbours in the row after.
        trunks: by node, the place holders of its edges, row by row.
        around: the edges that are led around the picture, being too long for a trunk.
        nodes: how many items are nodes.
        edges: how many are labels.
    """

    row: list[int]
    upper: list[list[int]]
    lower: list[list[int]]
    trunks: list[list[int]]
    around: frozenset[int]
    nodes: int
    edges: int

    def is_trunk(self, item: int) -> bool:
        """Whether an item is a place holder in a trunk."""
        return item >= self.nodes + self.edges


_BUDGET = 12_000  # place holders; more would take seconds to order


def layer(count: int, pairs: Sequence[Pair]) -> Layers:
    """Give `count` nodes, and the edges between them, their rows.

    Args:
        count: number of nodes, in an order in which every edge leads forward.
        pairs: (source, target) of each edge.

    Returns:
        the items, with every edge between neighbouring rows.
    """
    ranks = rank(count, pairs)
    longest = _longest_trunk(count, pairs, ranks)
    around = frozenset(
        i for i, (tail, head) in enumerate(pairs) if ranks[head] - ranks[tail] - 1 > longest
    )
    row = [2 * r for r in ranks] + [2 * ranks[head] - 1 for _, head in pairs]
    trunks: list[list[int]] = [[] for _ in range(count)]
    for tail, reach in _reaches(pairs, ranks, longest).items():
        rows = range(2 * ranks[tail] + 1, 2 * ranks[tail] + 2 * reach + 1)
        trunks[tail] = list(range(len(row), len(row) + len(rows)))
        row += rows
    upper, lower = _link(pairs, row, trunks, around)
    return Layers(row, upper, lower, trunks, around, count, len(pairs))


def rank(count: int, pairs: Sequence[Pair]) -> list[int]:
    """Each node's distance from the top: the longest path to it, then as near to its use as may be.

    Only nodes with at most one operand move down; for others the edges would become longer.
    """
    ranks = [0] * count
    operands = Counter(head for _, head in pairs)
    for tail, head in sorted(pairs):
        ranks[head] = max(ranks[head], ranks[tail] + 1)
    uses: list[list[int]] = [[] for _ in range(count)]
    for tail, head in pairs:
        uses[tail].append(head)
    for node in reversed(range(count)):
        if uses[node] and operands[node] <= 1:
            ranks[node] = min(ranks[head] for head in uses[node]) - 1
    top = min(ranks, default=0)
    return [r - top for r in ranks]


def _reaches(pairs: Sequence[Pair], ranks: list[int], longest: int) -> dict[int, int]:
    """How many ranks each node's trunk has to pass."""
    reaches: dict[int, int] = {}
    for tail, head in pairs:
        between = ranks[head] - ranks[tail] - 1
        if 0 < between <= longest:
            reaches[tail] = max(reaches.get(tail, 0), between)
    return reaches


def _longest_trunk(count: int, pairs: Sequence[Pair], ranks: list[int]) -> int:
    """The length up to which trunks are drawn, so that all of them stay within the budget."""
    longest = 40
    while longest and 2 * sum(_reaches(pairs, ranks, longest).values()) > _BUDGET + count:
        longest //= 2
    return longest


def _link(
    pairs: Sequence[Pair], row: list[int], trunks: list[list[int]], around: frozenset[int]
) -> tuple[list[list[int]], list[list[int]]]:
    upper: list[list[int]] = [[] for _ in row]
    lower: list[list[int]] = [[] for _ in row]

    def join(above: int, below: int) -> None:
        upper[below].append(above)
        lower[above].append(below)

    for tail, trunk in enumerate(trunks):
        for above, below in zip([tail, *trunk], trunk, strict=False):
            join(above, below)
    for edge, (tail, head) in enumerate(pairs):
        item = len(trunks) + edge
        if edge not in around:
            join([tail, *trunks[tail]][row[item] - 1 - row[tail]], item)
        join(item, head)
    return upper, lower
