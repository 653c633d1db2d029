"""Random drawings: any texts, any numbers, edges that lead forward."""

from __future__ import annotations

from hypothesis import strategies as st

from funcgrad._graph._drawing import Drawing, DrawnEdge, DrawnNode, Quantity

texts = st.text(max_size=40)
numbers = st.floats(allow_nan=True, allow_infinity=True)
entries = st.one_of(numbers, st.integers(-(2**64), 2**64), st.booleans(), texts)
quantities = st.builds(
    Quantity,
    shape=st.lists(st.integers(0, 2000), max_size=3).map(tuple),
    dtype=st.sampled_from(["float32", "int8", "complex64", "key<fry>"]),
    values=st.none() | st.lists(entries, max_size=16).map(tuple),
    least=st.none() | numbers,
    mean=st.none() | numbers,
    largest=st.none() | numbers,
    norm=st.none() | numbers,
    zeros=st.floats(0, 1),
    nonfinite=st.integers(0, 10**6),
)


@st.composite
def drawings(draw: st.DrawFn, most: int = 14, depth: int = 1) -> Drawing:
    """A drawing of up to `most` nodes, with bodies that are opened `depth` levels deep."""
    names = draw(st.lists(texts, max_size=most, unique=True))
    inner = st.none() | drawings(3, depth - 1) if depth else st.none()
    nodes = tuple(draw(_nodes(name, inner)) for name in names)
    pairs = st.tuples(st.integers(0, len(names) - 1), st.integers(0, len(names) - 1))
    found = draw(st.lists(pairs, max_size=2 * most)) if names else []
    edges = [
        draw(_edges(names[min(pair)], names[max(pair)], operand))
        for operand, pair in enumerate(found)
        if pair[0] != pair[1]
    ]
    return Drawing(draw(texts), nodes, tuple(edges))


def _nodes(name: str, inner: st.SearchStrategy[Drawing | None]) -> st.SearchStrategy[DrawnNode]:
    return st.builds(
        DrawnNode,
        name=st.just(name),
        kind=st.sampled_from(["input", "constant", "step", "body"]),
        op=st.none() | texts,
        params=st.dictionaries(texts, texts, max_size=2),
        rule=texts,
        source=st.none() | texts,
        code=st.none() | texts,
        requires_grad=st.booleans(),
        output=st.booleans(),
        value=quantities,
        gradient=st.none() | quantities,
        inner=inner,
    )


def _edges(source: str, target: str, operand: int) -> st.SearchStrategy[DrawnEdge]:
    return st.builds(
        DrawnEdge,
        source=st.just(source),
        target=st.just(target),
        operand=st.just(operand),
        partial=st.none() | quantities,
        flow=st.none() | quantities,
    )
