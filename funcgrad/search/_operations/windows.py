"""Sums, extremes and products over windows."""

from __future__ import annotations

from .._choices import Choices
from .._domains import DISTINCT, between, ranked, real
from .._kinds import Operation, Params, Shape


def window(choices: Choices, shape: Shape, *_: Shape) -> Params:
    """A window over the last one or two axes; of the others one entry each."""
    first = len(shape) - choices.integer(1, min(2, len(shape)))
    lengths = tuple(min(2, n) if i >= first else 1 for i, n in enumerate(shape))
    strides = (1,) * (len(shape) - 1) + (choices.integer(1, 2),)
    padding = choices.choice(("'VALID'", "'SAME'"))
    return {"window": str(lengths), "strides": str(strides), "padding": padding}


def dilated(choices: Choices, shape: Shape) -> Params:
    options = f"base_dilation={(2,) * len(shape)}"
    if min(shape) > 2:
        options = choices.choice((options, f"window_dilation={(2,) * len(shape)}"))
    return {**window(choices, shape), "options": options}


def pooled(name: str, first: str, function: str, tieless: bool) -> Operation:
    template = (
        f"lax.reduce_window({{0}}, {first}, {function}, {{window}}, {{strides}}, {{padding}})"
    )
    slot = real(ranked(1), DISTINCT) if tieless else real(ranked(1))
    return Operation(name, "windows", template, (slot,), window)


LOWEST = "-jnp.inf"
OPERATIONS = (
    pooled("window_sum", "0.0", "lax.add", False),
    pooled("window_max", LOWEST, "lax.max", True),
    pooled("window_min", "jnp.inf", "lax.min", True),
    Operation(
        "dilated_window_sum",
        "windows",
        "lax.reduce_window({0}, 0.0, lax.add, {window}, {strides}, {padding}, {options})",
        (real(ranked(1)),),
        dilated,
    ),
    Operation(
        "average_pool",
        "windows",
        "lax.reduce_window({0}, 0.0, lax.add, {window}, {strides}, 'VALID') / 4",
        (real(ranked(2)),),
        window,
    ),
    Operation(
        "window_product",
        "windows",
        "lax.reduce_window({0}, 1.0, lax.mul, {window}, {strides}, {padding})",
        (real(ranked(1), between(-3, 3)),),
        window,
        reverse=False,
        order=1,
    ),
)
