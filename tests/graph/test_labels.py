"""How quantities and names are written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._graph._drawing import DrawnEdge, Quantity
from funcgrad._graph._labels import elide, show, show_partial, wrap
from tests.graph.drawings import number
from tests.graph.strategies import quantities, texts

BARE = Quantity((3,), "float32", None, None, None, None, None, 0.0, 0)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (number(2 / 3), "0.66667"),
        (number(1e-9 / 3), "3.3333e-10"),
        (number(math.nan), "nan"),
        (Quantity((), "int32", (1234567,), 0, 0, 0, 0, 0.0, 0), "1234567"),
        (Quantity((), "bool", (True,), 1, 1, 1, 1, 0.0, 0), "True"),
        (Quantity((3,), "int32", (1, 2, 3), 1, 2, 3, 3.7, 0.0, 0), "int32[3] 1, 2, 3"),
        (BARE._replace(mean=0.5, norm=2.0), "float32[3] mean 0.5, norm 2"),
        (BARE._replace(mean=2 / 3, norm=2e-7 / 3), "float32[3] mean 0.6667, norm 6.667e-08"),
        (BARE._replace(least=2.0, mean=2.0, largest=2.0, norm=3.0), "float32[3] all 2"),
        (BARE._replace(least=0.0, mean=0.0, largest=0.0, norm=0.0, zeros=1.0), "float32[3] all 0"),
        (
            BARE._replace(least=2.0, mean=2.0, largest=2.0, norm=2.0, nonfinite=2),
            "float32[3] mean 2, norm 2, 2 not finite",
        ),
        (BARE._replace(nonfinite=3), "float32[3] 3 not finite"),
        (BARE._replace(shape=(0, 2)), "float32[0,2] empty"),
        (BARE._replace(zeros=0.99999), "float32[3] 99.9% zero"),
        (BARE._replace(zeros=1.0), "float32[3] 100% zero"),
        (BARE._replace(shape=(), dtype="key<fry>"), "key<fry>"),
        (BARE._replace(dtype="key<fry>"), "key<fry>[3]"),
        (
            Quantity((512, 1), "float32", None, -1.0, 0.01, 1.0, 12.5, 0.25, 7),
            "float32[512,1] mean 0.01, norm 12.5, 25% zero, 7 not finite",
        ),
    ],
)
def test_quantities(quantity: Quantity, expected: str) -> None:
    assert show(quantity) == expected


@given(quantities)
def test_a_quantity_is_one_printable_line(quantity: Quantity) -> None:
    assert show(quantity).isprintable()


@given(texts, st.integers(3, 50))
def test_an_elided_text_is_short_and_printable(text: str, limit: int) -> None:
    short = elide(text, limit)
    assert len(short) <= limit
    assert short.isprintable()
    if text.isprintable() and len(text) <= limit:
        assert short == text


@given(quantities, st.integers(5, 60))
def test_lines_are_no_longer_than_asked(quantity: Quantity, limit: int) -> None:
    assert all(len(line) <= limit for line in wrap(show(quantity), limit))


def test_facts_are_kept_together_where_they_fit() -> None:
    assert wrap("mean 0.1, norm 3, 25% zero", 20) == ("mean 0.1, norm 3,", "25% zero")


def test_an_edge_without_a_number_has_no_label() -> None:
    edge = DrawnEdge("x", "y", 0, number(2.0), None)
    assert show_partial(edge) == "\u00d7 2"
    assert show_partial(edge._replace(partial=None)) == ""
