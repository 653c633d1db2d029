"""Graphs, nodes and edges show themselves shortly: repr, dir, rich and treescope."""

from __future__ import annotations

import io
from dataclasses import FrozenInstanceError
from typing import Any

import jax.numpy as jnp
import pytest
from rich.console import Console

import funcgrad
from funcgrad.show.demo import ARGUMENTS, course

GRAPH = funcgrad.graph(course, *ARGUMENTS)


def test_a_repr_is_one_line_with_the_numbers() -> None:
    assert repr(GRAPH["e"]) == "<node e = log(add_1): 1.2169, gradient 0.29651>"
    assert repr(GRAPH["e"].incoming[0]) == "<edge add_1 -> e, operand 0>"
    assert repr(GRAPH) == "<graph of course: 10 nodes, 7 created; output tanh_1>"


def test_an_array_is_a_summary() -> None:
    def function(x: Any) -> Any:
        y = jnp.log(x)
        return jnp.sum(y)

    graph = funcgrad.graph(function, jnp.linspace(0.0, 1.0, 100))
    summary = graph["y"].value_summary
    assert (summary.shape, summary.nonfinite, summary.values) == ((100,), 1, None)
    gradient = graph["x"].gradient_summary
    assert gradient is not None
    assert gradient.nonfinite == 1
    assert "float32[100]" in repr(graph["y"])
    assert "1 not finite" in repr(graph["y"])


def test_dir_lists_what_is_for_people() -> None:
    assert {"nodes", "edges", "paths", "svg", "page", "tape", "title"} <= set(dir(GRAPH))
    assert not {"records", "ends", "opening"} & set(dir(GRAPH))
    node = set(dir(GRAPH["e"]))
    assert {"name", "value", "gradient", "op", "inputs", "source", "requires_grad"} <= node
    for thing in (GRAPH, GRAPH["e"], GRAPH.edges[0]):
        assert all(hasattr(thing, name) for name in dir(thing))


def test_keys_complete() -> None:
    assert GRAPH._ipython_key_completions_()[:3] == ["x", "y", "z"]


def test_rich_draws_the_tree() -> None:
    printed = io.StringIO()
    Console(file=printed, width=80).print(GRAPH)
    assert "tanh_1 = tanh" in printed.getvalue()


@pytest.mark.filterwarnings("ignore:The chararray class:DeprecationWarning")  # of treescope
def test_treescope_shows_a_node_and_not_its_graph() -> None:
    treescope = pytest.importorskip("treescope")
    shown = treescope.render_to_text(GRAPH["e"])
    assert "name='e'" in shown
    assert "records" not in shown
    assert "nodes=['x', 'y', 'z'" in treescope.render_to_text(GRAPH)


def test_a_notebook_shows_the_picture() -> None:
    assert GRAPH._repr_svg_().startswith("<svg")


def test_nothing_can_be_assigned() -> None:
    for thing in (GRAPH, GRAPH["e"], GRAPH.edges[0]):
        with pytest.raises(FrozenInstanceError):
            thing.value = 3.0  # type: ignore[misc, union-attr]  # that is what is tested
