"""Collectives over the named axes of `shard_map` and `vmap`: linear, with their transposes.

With typed mapped axes (`check_vma=True`) a value is known to be equal on all devices of an axis
("invariant") or not ("varying"). A sum over the axis makes a varying value invariant, and its
transpose is the change of type back; the change of type from invariant to varying, which JAX
inserts wherever the two meet, is in turn transposed to a sum. Without the types a sum is its own
transpose: every device holds one share of the cotangent.

Two further types put off a sum: "unreduced" is a value of which every device holds one summand,
and "reduced" is an invariant value whose cotangent is such a sum. Each is the other's cotangent.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
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


# --- from one device to all -----------------------------------------------------------------------


def _broadcast_transpose(ct: Any, source: Any, axis_name: Any) -> Any:
    """The device whose value was copied receives the sum of the cotangents, the others zeros."""
    here = lax.axis_index(axis_name) == source
    return jnp.where(here, lax.psum(ct, axis_name), 0)


linear(
    p.pbroadcast_p, lambda ct, _y, _x, *, axis_name, source: _broadcast_transpose(
        ct, source, axis_name
    ),
)  # fmt: skip
linear(
    p.pbroadcast_dynamic_p, lambda ct, _y, _x, source, *, axis_name: _broadcast_transpose(
        ct, source, axis_name
    ),
)  # fmt: skip

# --- sums put off ---------------------------------------------------------------------------------

# The sum of the summands that the devices hold, which every device receives. Its cotangent, alike
# on all devices, is the cotangent of each summand: a value whose type says that it is reduced.
linear(p.unreduced_psum_p, lambda ct, _y, _x, *, axes: p.preduced_p.bind(ct, axes=axes))
linear(p.preduced_p, lambda ct, _y, _x, *, axes: p.unreduced_psum_p.bind(ct, axes=axes))
# A change of type alone, in both directions: the values of the devices are taken for summands; and
# the copies that they hold are taken for values of their own.
linear(
    p.vary_unreduced_cast_p,
    lambda ct, _y, _x, *, axes: p.reduced_vary_cast_p.bind(ct, axes=axes),
)
linear(
    p.reduced_vary_cast_p,
    lambda ct, _y, _x, *, axes: p.vary_unreduced_cast_p.bind(ct, axes=axes),
)
# All parts on every device, of which the cotangent is a sum put off; and the sum of which every
# device takes its part.
linear(
    p.all_gather_reduced_p,
    lambda ct, _y, _x, *, all_gather_dimension, axis_name, axis_size, tiled: (
        p.unreduced_reduce_scatter_p.bind(
            ct, axis_name=axis_name, scatter_dimension=all_gather_dimension,
            axis_size=axis_size, tiled=tiled,
        )
    ),
)  # fmt: skip
linear(
    p.unreduced_reduce_scatter_p,
    lambda ct, _y, _x, *, axis_name, scatter_dimension, axis_size, tiled: (
        p.all_gather_reduced_p.bind(
            ct, all_gather_dimension=scatter_dimension, axis_name=axis_name,
            axis_size=axis_size, tiled=tiled,
        )
    ),
)  # fmt: skip
