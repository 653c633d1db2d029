"""Reading and writing at indices."""

from __future__ import annotations

import numpy as np

from .._choices import Choices
from .._domains import MARGIN, between, beyond, both, ranked, real
from .._kinds import Operation, Params, Shape, Slot, Values


def index(choices: Choices, shape: Shape, *_: Shape) -> Params:
    """Two indices of the first axis, which may be equal or count from the end."""
    n = shape[0]
    first, second = choices.integer(0, n - 1), choices.integer(-n, n - 1)
    return {"i": str(first), "ij": str([first, second])}


def along(choices: Choices, shape: Shape) -> Params:
    axis = choices.integer(0, len(shape) - 1)
    n = shape[axis]
    return {"axis": str(axis), "ij": str([choices.integer(0, n - 1) for _ in range(3)])}


def starts(choices: Choices, shape: Shape, *_: Shape) -> Params:
    """Where a dynamic slice begins: near the end it is moved back."""
    sizes = [choices.integer(1, n) for n in shape]
    begin = [choices.integer(0, n) for n in shape]
    return {"starts": str(tuple(begin)), "sizes": str(tuple(sizes))}


def inside(choices: Choices, shape: Shape, update: Shape) -> Params | None:
    if len(update) != len(shape) or any(u > n for u, n in zip(update, shape, strict=True)):
        return None
    return {"starts": str(tuple(choices.integer(0, n) for n in shape))}


def _column(shape: Shape, *before: Shape) -> bool:
    """What can be written at one index of the first axis."""
    return shape == before[0][1:]


def _pair(shape: Shape, *before: Shape) -> bool:
    return shape == (2, *before[0][1:])


def _smaller(shape: Shape, *before: Shape) -> bool:
    first = before[0]
    return len(shape) == len(first) and all(u <= n for u, n in zip(shape, first, strict=True))


def apart_at(params: Params, value: Values, update: Values) -> bool:
    return bool((np.abs(value[int(params["i"])] - update) >= MARGIN).all())


def at(name: str, method: str, **more: object) -> Operation:
    """An update of one index."""
    template = f"{{0}}.at[{{i}}].{method}({{1}})"
    slots = (Slot(ranked(1), more.pop("domain", between(-20, 20)), "f"), real(_column))  # type: ignore[arg-type] # a Domain
    return Operation(name, "indexing", template, slots, index, **more)  # type: ignore[arg-type] # of a NamedTuple


ONE, ROWS = both(ranked(1)), both(ranked(2, 3))
OPERATIONS = (
    Operation("item", "indexing", "{0}[{i}]", (ONE,), index),
    Operation("dynamic_item", "indexing", "{0}[jnp.array({i})]", (ONE,), index),
    Operation("gather", "indexing", "{0}[jnp.array({ij})]", (ONE,), index),
    Operation(
        "gather_filled",
        "indexing",
        "{0}.at[jnp.array([0, 7])].get(mode='fill', fill_value=0.5)",
        (ONE,),
    ),
    Operation("gather_columns", "indexing", "{0}[:, jnp.array([0, 0, -1])]", (ROWS,)),
    Operation(
        "gather_points", "indexing", "{0}[jnp.array([0, -1, 0]), jnp.array([0, 0, -1])]", (ROWS,)
    ),
    Operation("mask", "indexing", "{0} * (jnp.arange({0}.shape[-1]) < 2)", (ONE,)),
    Operation("take", "indexing", "jnp.take({0}, jnp.array({ij}), axis={axis})", (ONE,), along),
    Operation("take_flat", "indexing", "jnp.take({0}, jnp.array([[0, -1], [0, 0]]))", (ONE,)),
    Operation(
        "take_along_axis",
        "indexing",
        "jnp.take_along_axis({0}, jnp.zeros_like({0}, dtype=int)[..., :1], axis=-1)",
        (ONE,),
    ),
    Operation(
        "index_in_dim", "indexing", "lax.index_in_dim({0}, {i}, 0, keepdims=False)", (ONE,), index
    ),
    Operation(
        "dynamic_slice", "indexing", "lax.dynamic_slice({0}, {starts}, {sizes})", (ONE,), starts
    ),
    Operation(
        "dynamic_index_in_dim",
        "indexing",
        "lax.dynamic_index_in_dim({0}, jnp.array({i}), 0)",
        (ONE,),
        index,
    ),
    Operation(
        "dynamic_update_slice",
        "indexing",
        "lax.dynamic_update_slice({0}, {1}, {starts})",
        (real(ranked(1)), real(_smaller)),
        inside,
    ),
    at("at_set", "set"),
    at("at_add", "add"),
    at("at_subtract", "subtract"),
    at("at_multiply", "multiply"),
    at(
        "at_divide_by_square",
        "divide",
        domain=beyond(0.1),
        apart=lambda _, __, u: bool((np.abs(u) > 0.3).all()),
    ),
    at("at_min", "min", apart=apart_at),
    at("at_max", "max", apart=apart_at),
    Operation(
        "at_add_twice",
        "indexing",
        "{0}.at[jnp.array([0, 0])].add({1})",
        (real(ranked(1)), real(_pair)),
    ),
    Operation(
        "at_multiply_twice",
        "indexing",
        "{0}.at[jnp.array([0, -1])].multiply({1}, unique_indices=True)",
        (real(ranked(1)), real(_pair)),
        lambda _, shape, __: {} if shape[0] > 1 else None,
    ),
    Operation("at_set_slice", "indexing", "{0}.at[::2].set(0.5 * {0}[::2])", (ONE,)),
    Operation(
        "segment_sum",
        "indexing",
        "jax.ops.segment_sum({0}, jnp.arange({0}.shape[0]) % 2, num_segments=2)",
        (real(ranked(1)),),
    ),
    Operation(
        "one_hot",
        "indexing",
        "jax.nn.one_hot(jnp.array({ij}), {0}.shape[0], dtype={0}.dtype) @ {0}",
        (real(ranked(1, 2)),),
        lambda choices, shape: {"ij": str([0, shape[0] - 1, choices.integer(0, shape[0] - 1)])},
    ),
    Operation(
        "scatter_sub",
        "indexing",
        "lax.scatter_sub({0}, jnp.array([[0], [0]]), {1}, "
        "lax.ScatterDimensionNumbers((), (0,), (0,)))",
        (real(ranked(1, 1)), real(lambda shape, _: shape == (2,))),
    ),
)
