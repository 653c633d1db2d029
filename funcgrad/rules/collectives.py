"""Collectives over the named axes of `shard_map` and `vmap`: linear, with their transposes.

With typed mapped axes (`check_vma=True`) a value is known to be equal on all devices of an axis
("invariant") or not ("varying"). A sum over the axis makes a varying value invariant, and its
transpose is the change of type back; the change of type from invariant to varying, which JAX
inserts wherever the two meet, is in turn transposed to a sum. Without the types a sum is its own
transpose: every device holds one share of the cotangent.
"""

from __future__ import annotations

from typing import Any

from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import linear


def _varying(value: Any, axes: Any) -> Any:
    """The same value, typed as different on each device of the axes."""
    missing = tuple(axis for axis in axes if axis not in compat.varying_axes(compat.typeof(value)))
    return lax.pcast(value, missing, to="varying") if missing else value


def _psum_transpose(ct: Any, _y: Any, _x: Any, *, axes: Any, axis_index_groups: Any) -> Any:
    """A sum over named axes is its own transpose; `vmap` turns some into sums over real axes."""
    real = [axis for axis in axes if isinstance(axis, int)]
    named = tuple(axis for axis in axes if not isinstance(axis, int))
    if real:
        kept = tuple(axis for axis in range(_x.ndim) if axis not in real)
        ct = lax.broadcast_in_dim(ct, _x.shape, kept)
    return lax.psum(ct, named, axis_index_groups=axis_index_groups) if named else ct


linear(p.psum_p, _psum_transpose)
linear(p.psum_invariant_p, lambda ct, _y, _x, *, axes: _varying(ct, axes))
linear(p.pvary_p, lambda ct, _y, _x, *, axes: lax.psum(ct, axes))


def _all_gather_transpose(
    ct: Any, _y: Any, _x: Any, *, all_gather_dimension: int, axis_name: Any,
    axis_index_groups: Any, tiled: bool,
) -> Any:  # fmt: skip
    return lax.psum_scatter(
        ct, axis_name, scatter_dimension=all_gather_dimension,
        axis_index_groups=axis_index_groups, tiled=tiled,
    )  # fmt: skip


def _reduce_scatter_transpose(
    ct: Any, _y: Any, _x: Any, *, axis_name: Any, scatter_dimension: int,
    axis_index_groups: Any, tiled: bool,
) -> Any:  # fmt: skip
    return lax.all_gather(
        ct, axis_name, axis=scatter_dimension, axis_index_groups=axis_index_groups, tiled=tiled
    )


def _all_gather_invariant_transpose(
    ct: Any, _y: Any, _x: Any, *, all_gather_dimension: int, axis_name: Any, tiled: bool
) -> Any:
    """Each device takes its own part of a cotangent that all of them hold."""
    axis = all_gather_dimension
    index = lax.axis_index(axis_name)
    names = axis_name if isinstance(axis_name, tuple) else (axis_name,)
    whole = _varying(ct, names)
    if not tiled:
        return lax.dynamic_index_in_dim(whole, index, axis, keepdims=False)
    size = _x.shape[axis]
    return lax.dynamic_slice_in_dim(whole, index * size, size, axis)


def _all_to_all_transpose(
    ct: Any, _y: Any, _x: Any, *, split_axis: int, concat_axis: int, axis_name: Any,
    axis_index_groups: Any, tiled: bool,
) -> Any:  # fmt: skip
    return lax.all_to_all(
        ct, axis_name, concat_axis, split_axis, axis_index_groups=axis_index_groups, tiled=tiled
    )


linear(p.all_gather_p, _all_gather_transpose, ignores=["axis_size"])
linear(p.all_gather_invariant_p, _all_gather_invariant_transpose, ignores=["axis_size"])
linear(p.reduce_scatter_p, _reduce_scatter_transpose, ignores=["axis_size"])
linear(p.all_to_all_p, _all_to_all_transpose)
linear(
    p.ppermute_p, lambda ct, _y, _x, *, axis_name, perm: lax.ppermute(
        ct, axis_name, [(target, source) for source, target in perm]
    ),
)  # fmt: skip
