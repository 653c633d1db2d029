"""Sorting and picking the largest: the output permutes or chooses among the operand's entries.

Both are piecewise linear, with the pieces given by the order of the entries. The cotangent goes to
the entry from which each output came; among equal entries that is the one that JAX put there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import general, structured
from .._tape import Options
from ._cases import shaped


def put_along(ct: Any, positions: Any, axis: int, shape: Sequence[int], unique: bool = True) -> Any:
    """Zeros of a shape with each entry of `ct` added at its position along an axis."""
    others = tuple(i for i in range(ct.ndim) if i != axis)
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(),
        inserted_window_dims=(axis,),
        scatter_dims_to_operand_dims=(axis,),
        operand_batching_dims=others,
        scatter_indices_batching_dims=others,
    )
    indices = lax.expand_dims(positions, (positions.ndim,))
    return lax.scatter_add(
        lax.full(shape, 0, ct.dtype), indices, ct, numbers,
        unique_indices=unique, mode="promise_in_bounds",
    )  # fmt: skip


# --- sort -----------------------------------------------------------------------------------------


class Sorted(NamedTuple):
    """What a sort keeps: for every output the position along `axis` from which it came."""

    positions: Any
    axis: compat.Opaque


def _sort_forward(
    _options: Options, _needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Sorted]:
    """Sort the positions along with the operands: for the price of one sort, whatever the keys."""
    axis = params["dimension"]
    positions = lax.broadcasted_iota(jnp.int32, operands[0].shape, axis)
    *results, positions = p.sort_p.bind(*operands, positions, **params)
    return results, Sorted(positions, compat.Opaque(axis))


def _sort_backward(kept: Sorted, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    axis = kept.axis.value
    return [
        put_along(ct, kept.positions, axis, ct.shape) if wanted and ct is not None else None
        for wanted, ct in zip(needed, arriving, strict=True)
    ]


def _sort_pairs(x: Any) -> Any:
    """Sort by a key of few values, so that most of the order is among equal keys."""
    keys = lax.convert_element_type(lax.round(jnp.real(x)), jnp.int32)
    return lax.sort((keys, x), dimension=0, num_keys=1)[1]


structured(
    p.sort_p, _sort_forward, _sort_backward,
    cases=[
        shaped(jnp.sort, (3,), (2, 3), (0, 2), (1,)),
        shaped(lambda x: lax.sort(x, dimension=0), (4, 2), (3, 2, 2)),
        shaped(lambda x: lax.sort(x, is_stable=False), (3, 2)),
        shaped(_sort_pairs, (5,), (4, 2), dtypes="f"),
        shaped(lambda x: lax.sort((x[0], x[1]), num_keys=2)[1], (2, 5), (2, 3, 2)),
        shaped(lambda x: lax.sort((jnp.sign(x), x, 2 * x), num_keys=2)[1:], (5,), dtypes="f"),
        shaped(lambda x: jnp.take_along_axis(x, jnp.argsort(-x, axis=1), 1), (2, 3), dtypes="f"),
        shaped(jax.vmap(lambda x: lax.sort(x, dimension=0)), (2, 3, 2)),
    ],
)  # fmt: skip


# --- the k largest --------------------------------------------------------------------------------


def _top_k_pullback(cts: Sequence[Any], ys: Sequence[Any], _x: Any, *, axis: int) -> Any:
    return put_along(cts[0], ys[1], axis, _x.shape)


general(
    p.top_k_p, _top_k_pullback, ignores=["k", "is_stable"],
    cases=[
        shaped(lambda x: lax.top_k(x, 2)[0], (3,), (2, 3), (0, 2), dtypes="f"),
        shaped(lambda x: lax.top_k(x, 3, axis=0)[0], (4,), (4, 2), (3, 2, 2), dtypes="f"),
        shaped(lambda x: lax.top_k(x, 2, axis=1)[0], (2, 4, 3), dtypes="f"),
        shaped(lambda x: lax.top_k(x, 0)[0], (3,), dtypes="f", note="constant: nothing is picked"),
    ],
)  # fmt: skip


def _approx_pullback(
    cts: Sequence[Any], ys: Sequence[Any], _x: Any, *, reduction_dimension: int
) -> Any:
    """An approximate answer has exact positions; a partial one may name a position twice."""
    return put_along(cts[0], ys[1], reduction_dimension % _x.ndim, _x.shape, unique=False)


def _values(function: Callable[..., Any], **options: Any) -> Callable[[Any], Any]:
    return lambda x: function(x, 2, **options)[0]


general(
    p.approx_top_k_p, _approx_pullback,
    ignores=["k", "recall_target", "is_max_k", "reduction_input_size_override",
             "aggregate_to_topk"],
    cases=[
        shaped(_values(lax.approx_max_k), (3,), (2, 4), dtypes="f"),
        shaped(_values(lax.approx_min_k), (3,), (2, 4), dtypes="f"),
        shaped(_values(lax.approx_max_k, reduction_dimension=0), (4, 2), dtypes="f"),
        shaped(_values(lax.approx_min_k, aggregate_to_topk=False), (4,), dtypes="f"),
    ],
)  # fmt: skip
