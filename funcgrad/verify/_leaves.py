"""Strategies for one leaf of a pytree: like a given one, or near it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .._errors import GradientTypeError
from ._draws import Draw, entries
from ._hypothesis import st
from ._kinds import COMPLEX, REALS, Kind, fit, fitting, kind_of

Leaves = st.SearchStrategy[Any]
Given = np.ndarray[Any, Any]


# --- like a given one -----------------------------------------------------------------------------


def leaf_like(leaf: Any, near: tuple[Any, ...], within: Any, integers: bool) -> Leaves:
    """Leaves of the type of a given one."""
    if isinstance(leaf, jax.ShapeDtypeStruct) and compat.is_extended(leaf.dtype):
        return _keys(leaf)
    kind = _kind_like(leaf, near, within, integers)
    return st.just(leaf) if kind is None else _leaf(leaf, kind)


def _has_numbers(leaf: Any) -> bool:
    """Whether a leaf is an array that holds no keys, or a floating or complex Python number."""
    if type(leaf) in (float, complex):
        return True
    array = isinstance(leaf, (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct))
    return array and not compat.is_extended(leaf.dtype)


def _kind_like(leaf: Any, near: tuple[Any, ...], within: Any, integers: bool) -> Kind | None:
    """What to draw for a leaf; None if it stays."""
    if not _has_numbers(leaf):
        return None
    abstract = isinstance(leaf, jax.ShapeDtypeStruct)
    dtype = np.dtype(
        leaf.dtype if abstract else jax.dtypes.canonicalize_dtype(jnp.result_type(leaf))
    )
    if dtype.name in {*REALS, *COMPLEX}:
        bounds = None if dtype.name in COMPLEX else within
        return kind_of(dtype, fitting(near, dtype), bounds)
    if abstract:
        return kind_of(dtype, (), None if dtype.name == "bool" else (0, 3))
    if not integers or leaf.size == 0 or (dtype.kind not in "iu" and dtype.name != "bool"):
        return None
    return kind_of(dtype, (), (int(np.min(leaf)), int(np.max(leaf))))


@st.composite
def _leaf(draw: Draw, leaf: Any, kind: Kind) -> Any:
    shape = np.shape(leaf) if not isinstance(leaf, jax.ShapeDtypeStruct) else leaf.shape
    return _in_the_form_of(leaf, entries(draw, int(np.prod(shape, dtype=np.int64)), kind), shape)


def _in_the_form_of(leaf: Any, flat: Given, shape: tuple[int, ...]) -> Any:
    if type(leaf) in (float, complex):
        return flat[0].item()
    return jnp.asarray(flat.reshape(shape))


def _keys(leaf: jax.ShapeDtypeStruct) -> Leaves:
    if jax.random.key(0).dtype != leaf.dtype:
        raise GradientTypeError(
            f"keys of {leaf.dtype} cannot be drawn: they are not of JAX's default generator; "
            "give an array of keys, which stays as it is"
        )
    return st.integers(0, 2**16 - 1).map(
        lambda seed: (
            jax.random.split(jax.random.key(seed), leaf.shape)
            if leaf.shape
            else jax.random.key(seed)
        )
    )


# --- near a given one -----------------------------------------------------------------------------


def moved(leaf: Any, radius: float, reach: float) -> Leaves:
    """Leaves near a given one."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        raise GradientTypeError(
            f"a neighbourhood is one of values, but received {leaf!r}; give arrays, or use like()"
        )
    kind = _kind_like(leaf, (), None, False)
    return st.just(leaf) if kind is None else _moved(leaf, kind, radius, reach)


@st.composite
def _moved(draw: Draw, leaf: Any, kind: Kind, radius: float, reach: float) -> Any:
    given = np.asarray(leaf, kind.dtype)
    size = draw(st.sampled_from(_STEPS))
    steps = _unit(draw, given.size, kind).reshape(given.shape) * size
    relative = draw(st.booleans()) if reach and radius else not reach
    wide = given.astype(steps.dtype)
    stays = (steps == 0) | ~np.isfinite(wide)
    wide = np.where(stays, 0, wide)
    near = wide * (1 + radius * steps) if relative else wide + reach * steps
    return _in_the_form_of(leaf, np.where(stays, given, _narrow(near, kind)).ravel(), given.shape)


# The whole radius, parts of it, and steps so small that only the last digits change.
_STEPS = (1.0, 1.0, 0.1, 1e-3, 1e-6)


def _unit(draw: Draw, size: int, kind: Kind) -> Given:
    """Steps of at most one: real, or complex in the unit disc."""
    parts = Kind(np.dtype(np.float64), (), (-1.0, 1.0))
    real = entries(draw, size, parts)
    if kind.dtype.name not in COMPLEX:
        return real
    return np.asarray((real + 1j * entries(draw, size, parts)) / 2**0.5)


def _narrow(values: Given, kind: Kind) -> Given:
    if kind.dtype.name in COMPLEX:
        return values.astype(kind.dtype)
    return fit(values, kind)
