"""The cheapest cut, against all cuts that there are."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad.rules._cut import cheapest_cut

Graph = tuple[dict[int, int], dict[int, list[int]], list[int], list[int]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Small graphs in which edges lead from lower nodes to higher ones."""
    size = draw(st.integers(1, 7))
    weights = {node: draw(st.integers(0, 5)) for node in range(size)}
    operands = {
        node: draw(st.lists(st.integers(0, node - 1), max_size=3)) for node in range(1, size)
    }
    some = st.lists(st.integers(0, size - 1), max_size=3, unique=True)
    return weights, operands, draw(some), draw(some)


def reached(graph: Graph, cut: Sequence[int]) -> bool:
    """Whether a path leads from a source to a sink beside the cut."""
    _, operands, sources, sinks = graph
    waiting, seen = [sink for sink in sinks if sink not in cut], set[int]()
    while waiting:
        node = waiting.pop()
        if node in sources:
            return True
        seen.add(node)
        waiting.extend(v for v in operands.get(node, []) if v not in cut and v not in seen)
    return False


@given(graphs())
def test_no_cut_is_cheaper(graph: Graph) -> None:
    weights = graph[0]
    found = cheapest_cut(*graph)
    assert not reached(graph, sorted(found))
    cuts = [
        cut
        for count in range(len(weights) + 1)
        for cut in itertools.combinations(weights, count)
        if not reached(graph, cut)
    ]
    assert sum(weights[node] for node in found) == min(
        sum(weights[node] for node in cut) for cut in cuts
    )


@pytest.mark.parametrize("length", [1, 10, 2000])
def test_of_equal_cuts_the_one_nearest_to_the_sinks(length: int) -> None:
    chain = {node: [node - 1] for node in range(1, length)}
    assert cheapest_cut(dict.fromkeys(range(length), 8), chain, [0], [length - 1]) == {length - 1}


def test_without_sources_nothing_is_cut() -> None:
    assert cheapest_cut({0: 1, 1: 1}, {1: [0]}, [], [1]) == set()
