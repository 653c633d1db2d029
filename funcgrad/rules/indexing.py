"""Reading and writing at computed positions: gather, scatter-add and dynamic slices.

Gather and scatter-add are each other's transpose, with the same dimension numbers under other
names. An index out of bounds does in the transpose what it did forward: it is clipped where it was
clipped, and dropped where it was filled or dropped.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .._jaxcompat import primitives as p
from .._registry import linear
from ._cases import several, shaped


def _gather_transpose(
    ct: Any, _y: Any, _x: Any, indices: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=dimension_numbers.offset_dims,
        inserted_window_dims=dimension_numbers.collapsed_slice_dims,
        scatter_dims_to_operand_dims=dimension_numbers.start_index_map,
        operand_batching_dims=dimension_numbers.operand_batching_dims,
        scatter_indices_batching_dims=dimension_numbers.start_indices_batching_dims,
    )
    return lax.scatter_add(
        lax.full(_x.shape, 0, ct.dtype), indices, ct, numbers, mode=mode,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices,
    )  # fmt: skip


linear(
    p.gather_p, _gather_transpose, None, ignores=["slice_sizes", "fill_value"],
    cases=[
        shaped(lambda x: x[jnp.array([2, 0, 2])], (3,), (4, 2)),
        shaped(lambda x: x[jnp.array([[0, 1], [1, 2]]), jnp.array([1, 0])], (3, 2)),
        shaped(lambda x: x[:, jnp.array([1, 5])], (2, 3), note="an index out of bounds"),
        shaped(lambda x: x.at[jnp.array([1, 7])].get(mode="fill", fill_value=2), (3,), (3, 2)),
        shaped(lambda x: jnp.take_along_axis(x, jnp.array([[2], [0]]), 1), (2, 3)),
        shaped(jnp.diagonal, (3, 3)),
    ],
)  # fmt: skip


def _scatter_add_updates(
    ct: Any, _y: Any, _x: Any, indices: Any, _updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    numbers = lax.GatherDimensionNumbers(
        offset_dims=dimension_numbers.update_window_dims,
        collapsed_slice_dims=dimension_numbers.inserted_window_dims,
        start_index_map=dimension_numbers.scatter_dims_to_operand_dims,
        operand_batching_dims=dimension_numbers.operand_batching_dims,
        start_indices_batching_dims=dimension_numbers.scatter_indices_batching_dims,
    )
    return lax.gather(
        ct, indices, numbers, _window(_x, _updates, dimension_numbers), mode=mode, fill_value=0,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices,
    )  # fmt: skip


def _window(operand: Any, updates: Any, numbers: Any) -> tuple[int, ...]:
    """The size of the window that each index writes, along every axis of the operand."""
    single = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    sizes = iter(updates.shape[axis] for axis in numbers.update_window_dims)
    return tuple(1 if axis in single else next(sizes) for axis in range(operand.ndim))


linear(
    p.scatter_add_p, lambda ct, _y, _x, _indices, _updates: ct, None, _scatter_add_updates,
    ignores=["update_jaxpr", "update_consts"],
    cases=[
        several(lambda x, u: x.at[1].add(u), (3,), ()),
        several(lambda x, u: x.at[jnp.array([0, 0, 2])].add(u), (3, 2), (3, 2)),
        several(lambda x, u: x.at[jnp.array([0, 9])].add(u), (3,), (2,),
                note="an index out of bounds"),
        several(lambda x, u: x.at[:, 1:].add(u), (2, 3), (2, 2)),
    ],
)  # fmt: skip

# --- dynamic slices -------------------------------------------------------------------------------

linear(
    p.dynamic_slice_p,
    lambda ct, _y, _x, *starts: lax.dynamic_update_slice(
        lax.full(_x.shape, 0, ct.dtype), ct, starts
    ),
    ignores=["slice_sizes"],
    cases=[
        shaped(lambda x: lax.dynamic_slice(x, (jnp.int32(1),), (2,)), (3,), (5,)),
        shaped(lambda x: lax.dynamic_slice(x, (np.int32(1), np.int32(7)), (2, 2)), (3, 4),
               note="a start out of bounds is clamped"),
    ],
)  # fmt: skip
linear(
    p.dynamic_update_slice_p,
    lambda ct, _y, _x, _update, *starts: lax.dynamic_update_slice(
        ct, lax.full(_update.shape, 0, ct.dtype), starts
    ),
    lambda ct, _y, _x, _update, *starts: lax.dynamic_slice(ct, starts, _update.shape),
    cases=[
        several(lambda x, u: lax.dynamic_update_slice(x, u, (jnp.int32(1),)), (4,), (2,)),
        several(lambda x, u: lax.dynamic_update_slice(x, u, (5, 0)), (3, 4), (2, 2)),
    ],
)  # fmt: skip
