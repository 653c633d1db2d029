"""Reading and writing at computed positions: gather, the scatters and dynamic slices.

Gather and scatter-add are each other's transpose, with the same dimension numbers under other
names. An index out of bounds does in the transpose what it did forward: it is clipped where it was
clipped, and dropped where it was filled or dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .._errors import MissingRuleError
from .._jaxcompat import primitives as p
from .._registry import general, linear
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
        shaped(lambda x: x[:, jnp.array([1, 5])], (2, 3),
               note="no numbers: an index that breaks the promise to be in bounds"),
        shaped(lambda x: x.at[:, jnp.array([1, 5])].get(mode="clip"), (2, 3)),
        shaped(lambda x: x.at[jnp.array([1, 7])].get(mode="fill", fill_value=2), (3,), (3, 2)),
        shaped(lambda x: jnp.take_along_axis(x, jnp.array([[2], [0]]), 1), (2, 3)),
        shaped(lambda x: jax.vmap(lambda row, i: row[i])(x, jnp.array([[1, 1], [0, 2]])), (2, 3),
               note="batched indices"),
    ],
)  # fmt: skip


# --- scatters -------------------------------------------------------------------------------------


def _read(
    values: Any, indices: Any, operand: Any, updates: Any, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    """For every entry of the updates, the value at the position to which a scatter writes it."""
    numbers = lax.GatherDimensionNumbers(
        offset_dims=dimension_numbers.update_window_dims,
        collapsed_slice_dims=dimension_numbers.inserted_window_dims,
        start_index_map=dimension_numbers.scatter_dims_to_operand_dims,
        operand_batching_dims=dimension_numbers.operand_batching_dims,
        start_indices_batching_dims=dimension_numbers.scatter_indices_batching_dims,
    )
    return lax.gather(
        values, indices, numbers, _window(operand, updates, dimension_numbers), mode=mode,
        fill_value=0, indices_are_sorted=indices_are_sorted, unique_indices=unique_indices,
    )  # fmt: skip


def _window(operand: Any, updates: Any, numbers: Any) -> tuple[int, ...]:
    """The size of the window that each index writes, along every axis of the operand."""
    single = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    sizes = iter(updates.shape[axis] for axis in numbers.update_window_dims)
    return tuple(1 if axis in single else next(sizes) for axis in range(operand.ndim))


def _scatter_add_updates(
    ct: Any, _y: Any, _x: Any, indices: Any, _updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    return _read(
        ct, indices, _x, _updates, dimension_numbers, mode, indices_are_sorted, unique_indices
    )


def _scatter_sub_updates(
    ct: Any, _y: Any, _x: Any, indices: Any, _updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    return -_read(
        ct, indices, _x, _updates, dimension_numbers, mode, indices_are_sorted, unique_indices
    )


def _each_row(write: Callable[..., Any], x: Any, u: Any) -> Any:
    return jax.vmap(write)(x, jnp.array([[1, 1], [0, 2]]), u)


linear(
    p.scatter_add_p, lambda ct, _y, _x, _indices, _updates: ct, None, _scatter_add_updates,
    ignores=["update_jaxpr", "update_consts"],
    cases=[
        several(lambda x, u: x.at[1].add(u), (3,), ()),
        several(lambda x, u: x.at[jnp.array([0, 0, 2])].add(u), (3, 2), (3, 2)),
        several(lambda x, u: x.at[jnp.array([0, 9])].add(u), (3,), (2,),
                note="an index out of bounds"),
        several(lambda x, u: x.at[jnp.array([0, 9])].add(u, mode="clip"), (3,), (2,)),
        several(lambda x, u: x.at[:, 1:].add(u), (2, 3), (2, 2)),
        several(lambda x, u: _each_row(lambda a, i, b: a.at[i].add(b), x, u), (2, 3), (2, 2),
                note="batched indices"),
    ],
)  # fmt: skip
linear(
    p.scatter_sub_p, lambda ct, _y, _x, _indices, _updates: ct, None, _scatter_sub_updates,
    ignores=["update_jaxpr", "update_consts"],
    cases=[
        several(lambda x, u: x.at[1].subtract(u), (3,), ()),
        several(lambda x, u: x.at[jnp.array([0, 0, 2])].subtract(u), (3, 2), (3, 2)),
        several(lambda x, u: x.at[jnp.array([0, 9])].subtract(u), (3,), (2,),
                note="an index out of bounds"),
    ],
)  # fmt: skip


# What was written over gets no cotangent. Of several updates of one position one survives, and JAX
# leaves open which: the same scatter is run on the numbers of the updates, and the one that it left
# in the position gets the cotangent.
def _scatter_operand(
    ct: Any, _y: Any, _x: Any, indices: Any, _updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool, update_jaxpr: Any,
) -> Any:  # fmt: skip
    _no_function(update_jaxpr)
    return lax.scatter(
        ct, indices, lax.full(_updates.shape, 0, ct.dtype), dimension_numbers, mode=mode,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices,
    )  # fmt: skip


def _scatter_updates(
    ct: Any, _y: Any, _x: Any, indices: Any, _updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool, update_jaxpr: Any,
) -> Any:  # fmt: skip
    _no_function(update_jaxpr)
    how = (indices_are_sorted, unique_indices)
    arriving = _read(ct, indices, _x, _updates, dimension_numbers, mode, *how)
    if unique_indices:
        return arriving
    numbers = lax.reshape(lax.iota(jnp.uint32, math.prod(_updates.shape)), _updates.shape)
    written = lax.scatter(
        lax.full(_x.shape, 0, jnp.uint32), indices, numbers, dimension_numbers, mode=mode,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices,
    )  # fmt: skip
    left = _read(written, indices, _x, _updates, dimension_numbers, mode, *how)
    return lax.select(left == numbers, arriving, lax.full_like(arriving, 0))


def _no_function(update_jaxpr: Any) -> None:
    """`x.at[i].apply(f)` is the same primitive with a program in the place of the updates."""
    if update_jaxpr is not None:
        raise MissingRuleError(
            "`x.at[indices].apply(f)` has no VJP rule; write "
            "`x.at[indices].set(f(x[indices]))`, which has the same value and a gradient"
        )


linear(
    p.scatter_p, _scatter_operand, None, _scatter_updates, ignores=["update_consts"],
    cases=[
        several(lambda x, u: x.at[1].set(u), (3,), ()),
        several(lambda x, u: x.at[jnp.array([2, 0])].set(u), (3, 2), (2, 2)),
        several(lambda x, u: x.at[jnp.array([0, 2, 0, 2, 0])].set(u), (4,), (5,),
                note="repeated indices"),
        several(lambda x, u: x.at[jnp.array([[1, 1], [0, 1]])].set(u), (3, 2), (2, 2, 2),
                note="repeated indices of windows"),
        several(lambda x, u: x.at[jnp.array([0, 9])].set(u), (3,), (2,),
                note="an index out of bounds"),
        several(lambda x, u: x.at[jnp.array([0, 9, 2])].set(u, mode="clip"), (3,), (3,)),
        several(lambda x, u: x.at[jnp.array([1, 0])].set(u, unique_indices=True), (3,), (2,)),
        several(lambda x, u: _each_row(lambda a, i, b: a.at[i].set(b), x, u), (2, 3), (2, 2),
                note="batched indices, some repeated"),
    ],
)  # fmt: skip


def _scatter_mul_operand(
    ct: Any, _y: Any, _x: Any, indices: Any, updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    return lax.scatter_mul(
        ct, indices, updates, dimension_numbers, mode=mode,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices,
    )  # fmt: skip


def _scatter_mul_updates(
    ct: Any, _y: Any, x: Any, indices: Any, _updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    """The cotangent times the factor that was there, if no other update multiplied it too."""
    if not unique_indices:
        raise MissingRuleError(
            "the gradient of `x.at[indices].multiply(u)` by u is known only for indices without "
            "repetition: pass unique_indices=True if they have none, or write "
            "`x.at[indices].set(x[indices] * u)`"
        )
    return _read(
        ct * x, indices, x, _updates, dimension_numbers, mode, indices_are_sorted, unique_indices
    )


general(
    p.scatter_mul_p, _scatter_mul_operand, None, _scatter_mul_updates,
    ignores=["update_jaxpr", "update_consts"],
    cases=[
        several(lambda x, u: x.at[1].multiply(u), (3,), ()),
        several(lambda x, u: x.at[jnp.array([2, 0])].multiply(u, unique_indices=True),
                (3, 2), (2, 2)),
        shaped(lambda x: x.at[jnp.array([1, 1, 0])].multiply(jnp.array([2, 3, 4], x.dtype)), (3,),
               note="repeated indices, constant factors"),
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
