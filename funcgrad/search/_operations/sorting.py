"""Order: sorting, the largest few, the middle."""

from __future__ import annotations

from .._choices import Choices
from .._domains import DISTINCT, any_shape, like, ranked, real
from .._kinds import Operation, Params, Shape


def axis(choices: Choices, shape: Shape, *_: Shape) -> Params:
    return {"axis": str(choices.integer(-1, len(shape) - 2))}


def flags(choices: Choices, shape: Shape) -> Params:
    order = {"descending": str(choices.boolean()), "stable": str(choices.boolean(0.8))}
    return {**axis(choices, shape), **order}


def number(choices: Choices, shape: Shape) -> Params:
    return {"k": str(choices.integer(1, shape[-1]))}


TIELESS = real(ranked(1), DISTINCT)
OPERATIONS = (
    Operation(
        "sort",
        "sorting",
        "jnp.sort({0}, axis={axis}, descending={descending}, stable={stable})",
        (TIELESS,),
        flags,
    ),
    Operation(
        "sort_pairs",
        "sorting",
        "lax.sort(({0}, {1}), dimension={axis} % {0}.ndim, num_keys=1)",
        (TIELESS, real(like(0))),
        axis,
        results=2,
    ),
    Operation(
        "sort_by_two_keys",
        "sorting",
        "lax.sort((jnp.round(0.1 * {0}), {0}, {1}), num_keys=2)[2]",
        (TIELESS, real(like(0))),
    ),
    Operation(
        "argsort_take",
        "sorting",
        "jnp.take_along_axis({0}, jnp.argsort({0}, axis={axis}), axis={axis})",
        (TIELESS,),
        axis,
    ),
    Operation(
        "argmax_item", "sorting", "{0}.ravel()[jnp.argmax({0})]", (real(any_shape, DISTINCT),)
    ),
    Operation("top_k", "sorting", "lax.top_k({0}, {k})[0]", (TIELESS,), number),
    Operation("approx_max_k", "sorting", "lax.approx_max_k({0}, {k})[0]", (TIELESS,), number),
    Operation("median", "sorting", "jnp.median({0}, axis={axis})", (TIELESS,), axis),
    Operation(
        "quantile", "sorting", "jnp.quantile({0}, 0.3, axis={axis})", (TIELESS,), axis, wide=True
    ),
    Operation(
        "partition",
        "sorting",
        "jnp.partition({0}, 1)",
        (TIELESS,),
        lambda _, shape: {} if shape[-1] > 1 else None,
    ),
)
