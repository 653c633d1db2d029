"""What is asked of the types of values; a part of `_jaxcompat`, which hands it on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import numpy as np
from jax import core, dtypes
from jax.sharding import AxisType, NamedSharding, PartitionSpec

FLOAT0 = dtypes.float0


def tangent_type(aval: Any) -> Any:
    """The type of a tangent of `aval`: its own for inexact dtypes, float0 for the others."""
    return aval.to_tangent_aval()


def cotangent_type(aval: Any) -> Any:
    """The type of a cotangent of `aval`; it differs from the tangent's only in its sharding."""
    return aval.to_ct_aval()


def explicit_sharding(aval: Any, order: Sequence[int] | None = None, beside: Any = None) -> Any:
    """The sharding of a cotangent of `aval`, its axes in some order; None where none is typed.

    An array that was made outside of the mesh that types what stands beside it is whole on every
    device of that mesh.
    """
    if AxisType.Explicit not in aval.sharding.mesh.axis_types:
        mesh = aval.sharding.mesh if beside is None else beside.sharding.mesh
        typed = AxisType.Explicit in mesh.axis_types
        return NamedSharding(mesh, PartitionSpec(*[None] * aval.ndim)) if typed else None
    spec = cotangent_type(aval).sharding.spec
    parts = [spec.partitions[i] for i in order or range(aval.ndim)]
    whole = PartitionSpec(*parts, unreduced=spec.unreduced, reduced=spec.reduced)
    return NamedSharding(aval.sharding.mesh, whole)


def strengthen(aval: Any) -> Any:
    """`aval` without its weak type."""
    return aval.strip_weak_type()


def is_inexact(aval: Any) -> bool:
    """Whether values of this type can carry a gradient (floating or complex, of any width)."""
    dtype = getattr(aval, "dtype", None)
    return dtype is not None and _is_inexact_dtype(dtype)


@cache  # asked at every step, and not cheap
def is_extended(dtype: Any) -> bool:
    """Whether a dtype is one that JAX adds to numpy's: of keys, of scaled narrow numbers."""
    return bool(jax.numpy.issubdtype(dtype, dtypes.extended))


@cache
def is_complex(dtype: Any) -> bool:
    return bool(jax.numpy.issubdtype(dtype, np.complexfloating))


@cache
def _is_inexact_dtype(dtype: Any) -> bool:
    if is_extended(dtype):  # such a dtype names that of its tangents
        return bool(tangent_type(core.ShapedArray((), dtype)).dtype != FLOAT0)
    return bool(jax.numpy.issubdtype(dtype, np.inexact))


def is_float0(value: Any) -> bool:
    """Whether `value` is a gradient of integer type, which holds nothing."""
    return getattr(value, "dtype", None) == FLOAT0


def varying_axes(aval: Any) -> frozenset[Any]:
    """The mesh axes of an enclosing `shard_map` over which values of this type differ."""
    return frozenset(aval.mat.varying)


def is_plain(aval: Any) -> bool:
    """Whether values of this type are the same on all devices, as far as their type says."""
    return bool(aval.sharding.mesh.empty) and not aval.mat.varying


def deferred_sums(aval: Any) -> dict[str, frozenset[Any]]:
    """The mesh axes over which values of this type are summands, or their cotangents are."""
    return {"unreduced": frozenset(aval.mat.unreduced), "reduced": frozenset(aval.mat.reduced)}
