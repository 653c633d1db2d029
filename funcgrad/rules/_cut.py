"""The cheapest set of values that separates what is kept from what is read: a minimum cut.

By the theorem of Ford and Fulkerson it is found from a maximum flow, here by Dinic's algorithm
(1970): every value is a pipe as wide as its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Node = int
_WIDE = 1 << 60


def cheapest_cut(
    weights: Mapping[Node, int],
    operands: Mapping[Node, Sequence[Node]],
    sources: Sequence[Node],
    sinks: Sequence[Node],
) -> set[Node]:
    """The nodes of least weight without which no path leads from a source to a sink.

    Args:
        weights: of each node; a source or a sink may be cut like any other.
        operands: for each node those from which an edge leads to it.
        sources, sinks: where paths begin and end.

    Returns:
        Of all cheapest cuts the one nearest to the sinks.

    >>> cheapest_cut({0: 4, 1: 4, 2: 4, 3: 1}, {1: [0], 2: [0], 3: [1]}, [0], [2, 3])
    {0}
    >>> sorted(cheapest_cut({0: 4, 1: 4, 2: 2, 3: 1}, {1: [0], 2: [0], 3: [1]}, [0], [2, 3]))
    [2, 3]
    """
    pipes = _Pipes()
    for node, weight in weights.items():
        pipes.lay(2 * node, 2 * node + 1, weight)
        for operand in operands.get(node, ()):
            pipes.lay(2 * operand + 1, 2 * node, _WIDE)
    for node in sources:
        pipes.lay(-1, 2 * node, _WIDE)
    for node in sinks:
        pipes.lay(2 * node + 1, -2, _WIDE)
    pipes.fill(-1, -2)
    behind = pipes.upstream(-2)
    return {node for node in weights if 2 * node + 1 in behind and 2 * node not in behind}


class _Pipes:
    """A network of pipes with what more could flow through each, in both directions."""

    def __init__(self) -> None:
        self.ends: list[Node] = []  # pipe i leads to ends[i]; i ^ 1 is its opposite direction
        self.room: list[int] = []
        self.at: dict[Node, list[int]] = {}

    def lay(self, begin: Node, end: Node, room: int) -> None:
        for node, other, capacity in ((begin, end, room), (end, begin, 0)):
            self.at.setdefault(node, []).append(len(self.ends))
            self.ends.append(other)
            self.room.append(capacity)

    def fill(self, source: Node, sink: Node) -> None:
        """Send as much as possible, in phases along shortest paths."""
        while True:
            depth = self._depths(source)
            if sink not in depth:
                return
            untried = {node: list(pipes) for node, pipes in self.at.items()}
            while path := self._path(source, sink, depth, untried):
                amount = min(self.room[pipe] for pipe in path)
                for pipe in path:
                    self.room[pipe] -= amount
                    self.room[pipe ^ 1] += amount

    def _depths(self, source: Node) -> dict[Node, int]:
        depth, layer = {source: 0}, [source]
        while layer:
            following = []
            for node in layer:
                for pipe in self.at.get(node, ()):
                    if self.room[pipe] and self.ends[pipe] not in depth:
                        depth[self.ends[pipe]] = depth[node] + 1
                        following.append(self.ends[pipe])
            layer = following
        return depth

    def _path(
        self, source: Node, sink: Node, depth: dict[Node, int], untried: dict[Node, list[int]]
    ) -> list[int]:
        """A path with room from layer to layer; pipes that lead nowhere are not tried again."""
        path: list[int] = []
        node = source
        while node != sink:
            pipes = untried[node]
            while pipes and not (
                self.room[pipes[-1]] and depth.get(self.ends[pipes[-1]], -1) == depth[node] + 1
            ):
                pipes.pop()
            if pipes:
                path.append(pipes[-1])
                node = self.ends[pipes[-1]]
            elif path:
                pipe = path.pop()
                node = self.ends[pipe ^ 1]
                untried[node].pop()
            else:
                return []
        return path

    def upstream(self, sink: Node) -> set[Node]:
        """From which nodes more could still flow to the sink."""
        seen, waiting = {sink}, [sink]
        while waiting:
            for pipe in self.at.get(waiting.pop(), ()):
                begin = self.ends[pipe]
                if self.room[pipe ^ 1] and begin not in seen:
                    seen.add(begin)
                    waiting.append(begin)
        return seen
