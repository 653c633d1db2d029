"""A graph as plain data: what every picture is drawn from, and what is written to JSON.

A `Drawing` holds no array and no program. Its numbers are Python numbers, its functions are texts,
so it can be stored, compared, sent and drawn where JAX is not installed.
"""

from __future__ import annotations

from typing import NamedTuple


class Quantity(NamedTuple):
    """An array in a few numbers.

    Attributes:
        shape: of the array; ``()`` for a scalar.
        dtype: its name.
        values: the entries in row-major order if there are at most `SHOWN`, else None; whole
            numbers and truth values as they are, complex numbers as text.
        least, mean, largest: over the finite entries; None where there is none.
        norm: the root of the sum of squares of the finite entries.
        zeros: the fraction of entries that are exactly zero.
        nonfinite: how many entries are NaN or infinite.
    """

    shape: tuple[int, ...]
    dtype: str
    values: tuple[float | int | bool | str, ...] | None
    least: float | None
    mean: float | None
    largest: float | None
    norm: float | None
    zeros: float
    nonfinite: int


SHOWN = 16


class DrawnNode(NamedTuple):
    """A value in the graph.

    Attributes:
        name: unique in its drawing: an argument (`params['w1']`), a variable, or the primitive
            with a number (`mul_2`).
        kind: "input" for what the function was called with, "constant" for other values without
            a creator, "step" for the result of a primitive, "body" for the result of a program
            inside the program (`jit`, `scan`, a module), which `inner` may show.
        op: the name of the function that created it; None for inputs and constants.
        params: its parameters, as text.
        rule: how its cotangent flows back, as the rule's source has it; "" where there is none.
        source: `file.py:17`, the user's line; None where it is unknown.
        code: that line.
        requires_grad: whether it depends on a differentiated input.
        output: whether it is an output of the function.
        value: the value.
        gradient: of the output by it; None where none arrives.
        inner: the opened body, or None.
    """

    name: str
    kind: str
    op: str | None
    params: dict[str, str]
    rule: str
    source: str | None
    code: str | None
    requires_grad: bool
    output: bool
    value: Quantity
    gradient: Quantity | None
    inner: Drawing | None = None


class DrawnEdge(NamedTuple):
    """An operand of a step.

    Attributes:
        source: the name of the operand's node.
        target: the name of the result's node.
        operand: its position among the operands.
        partial: the local partial derivative of the target by the source, where it is a number or
            an array that multiplies entry by entry; None where it is a general linear map, or
            where nothing flows back.
        flow: what the target's gradient adds to the source's along this edge; None for nothing.
    """

    source: str
    target: str
    operand: int
    partial: Quantity | None
    flow: Quantity | None


class Drawing(NamedTuple):
    """A graph in the order of execution; every edge leads to a later node."""

    title: str
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]
