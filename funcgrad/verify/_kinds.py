"""What drawn entries are to be like: a dtype, constants to come close to, an interval.

Everything here is plain arithmetic; what Hypothesis draws with it is in the module `_draws`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigurationError, GradientTypeError, GradientValueError

REALS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = {"complex64": "float32", "complex128": "float64"}
_float_info: Callable[[Any], Any] = jnp.finfo  # which has no types


class Kind(NamedTuple):
    """What entries are to be like.

    Attributes:
        dtype: of the entries; a complex one is drawn as two real ones.
        near: constants that entries come close to.
        within: the least and the greatest value.
    """

    dtype: np.dtype[Any]
    near: tuple[Any, ...] = ()
    within: tuple[float, float] | None = None


def dtype_of(dtype: Any) -> np.dtype[Any]:
    """A dtype that can be drawn."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError as error:
        raise GradientTypeError(
            f"dtype must be a dtype, but is {dtype!r}; give one such as 'float32'"
        ) from error
    if not (found.name in {*REALS, *COMPLEX, "bool"} or found.kind in "iu"):
        raise GradientTypeError(
            f"no strategy draws the dtype {found.name}; give float16, bfloat16, float32, float64, "
            "complex64, complex128, an integer or bool"
        )
    if found.itemsize > jax.dtypes.canonicalize_dtype(found).itemsize:
        raise ConfigurationError(
            f"JAX has no {found.name} while 64-bit numbers are off; ask for a narrower dtype, or "
            'switch them on by jax.config.update("jax_enable_x64", True)'
        )
    return found


# --- what fits a dtype ----------------------------------------------------------------------------


def limits(kind: Kind) -> tuple[float, float]:
    """The least and the greatest value of a real dtype, within what is wanted."""
    if kind.dtype.name == "bool":
        low, high = 0.0, 1.0
    elif kind.dtype.kind in "iu":
        info = np.iinfo(kind.dtype)
        # Integers pass through float64, which holds them up to 2**53.
        low, high = max(float(info.min), -(2.0**53)), min(float(info.max), 2.0**53)
    else:
        high = float(_float_info(kind.dtype).max)
        low = -high
    if kind.within is None:
        return low, high
    return max(low, kind.within[0]), min(high, kind.within[1])


def fit(values: Any, kind: Kind) -> np.ndarray[Any, Any]:
    """Numbers of float64 as the nearest of a dtype, folded into the interval, never subnormal."""
    low, high = limits(kind)
    x = np.asarray(values, np.float64)
    if kind.within is not None:
        x = _fold(x, low, high)
    if kind.dtype.name == "bool":
        return np.asarray(x > 0.0)
    if kind.dtype.kind in "iu":
        return np.clip(np.rint(x), np.ceil(low), np.floor(high)).astype(kind.dtype)
    narrow = np.clip(x, low, high).astype(kind.dtype)
    if kind.within is not None:
        narrow = _inside(narrow, kind)
    # XLA flushes subnormal numbers: the program would see a zero anyway.
    tiny = float(_float_info(kind.dtype).tiny)
    return np.where(np.abs(narrow.astype(np.float64)) < tiny, narrow * 0, narrow)


def _fold(x: np.ndarray[Any, Any], low: float, high: float) -> np.ndarray[Any, Any]:
    """What lies outside comes in as by mirrors, so that it does not pile up at the edges."""
    outside = (x < low) | (x > high)
    if not outside.any():
        return x
    if high - low < 1e30:
        span = max(high - low, np.finfo(np.float64).tiny)
        folded = low + np.mod(np.abs(x - low), span)
    else:
        folded = np.where(x < low, low + (low - x), high - (x - high))
    return np.where(outside, np.clip(folded, low, high), x)


def _inside(narrow: np.ndarray[Any, Any], kind: Kind) -> np.ndarray[Any, Any]:
    """Rounding to the dtype may leave the interval by half a unit: step back."""
    low, high = limits(kind)
    wide, top = narrow.astype(np.float64), np.asarray(_float_info(kind.dtype).max, kind.dtype)
    narrow = np.where(wide < low, np.nextafter(narrow, top), narrow)
    return np.where(wide > high, np.nextafter(narrow, -top), narrow)


def around(constant: float, kind: Kind) -> tuple[float, ...]:
    """A constant, its neighbours in the dtype, and numbers a little further off."""
    if kind.dtype.kind in "iub":
        return (constant, constant - 1, constant + 1)
    k = np.asarray(constant).astype(kind.dtype)
    top = np.asarray(_float_info(kind.dtype).max, kind.dtype)
    eps, size = float(_float_info(kind.dtype).eps), max(abs(constant), 1.0)
    below, above = (float(np.nextafter(k, way)) for way in (-top, top))
    steps = [s * size * d for d in (0.125, 1e-3, eps**0.5, 8 * eps) for s in (1.0, -1.0)]
    return (constant, below, above, *(constant + step for step in steps))


def table(kind: Kind) -> tuple[float, ...]:
    """Numbers worth trying, the simplest first: a failing example ends at the front."""
    if kind.dtype.kind in "iub":
        return (0.0, 1.0, 2.0, -1.0, -2.0, 3.0, 7.0)
    largest, tiny = float(_float_info(kind.dtype).max), float(_float_info(kind.dtype).tiny)
    large, small = min(1e8, largest / 8), max(1e-8, tiny)
    return (
        0.0, 1.0, 2.0, 0.5, -1.0, -2.0, -0.5, 3.0, -3.0, 10.0, -10.0, 0.1, -0.1, -0.0, 100.0,
        -100.0, 1e-3, -1e-3, min(1e6, large), -min(1e6, large), max(1e-6, tiny), -max(1e-6, tiny),
        large, -large, small, -small, tiny, -tiny,
    )  # fmt: skip


# --- what is asked for, checked -------------------------------------------------------------------


def kind_of(dtype: Any, near: Any = (), within: Any = None) -> Kind:
    """What entries are to be like, checked."""
    found = dtype_of(dtype)
    kind = Kind(found, _constants(near, found), _interval(within, found))
    if found.name not in COMPLEX:
        low, high = limits(kind)
        whole = found.kind in "iu"
        if (np.ceil(low) > np.floor(high)) if whole else low > high:
            raise GradientValueError(f"within={within!r} holds no number of dtype {found.name}")
    return kind


def _constants(near: Any, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    constants = near if isinstance(near, (tuple, list)) else np.ravel(near).tolist()
    for constant in constants:
        if not _is_number(constant, dtype):
            raise GradientValueError(
                f"near must hold finite numbers that {dtype.name} can hold, but holds {constant!r}"
            )
    return tuple(complex(k) if dtype.name in COMPLEX else complex(k).real for k in constants)


def _is_number(constant: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a constant is one that a dtype has."""
    try:
        value = complex(constant)
    except (TypeError, ValueError):
        return False
    if dtype.name in COMPLEX:
        return bool(max(abs(value.real), abs(value.imag)) <= float(_float_info(dtype).max))
    low, high = limits(Kind(dtype))
    return value.imag == 0 and low <= value.real <= high


def fitting(near: Any, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """Those of some constants that a dtype has."""
    return tuple(constant for constant in near if _is_number(constant, dtype))


def _interval(within: Any, dtype: np.dtype[Any]) -> tuple[float, float] | None:
    if within is None:
        return None
    try:
        low, high = (float(bound) for bound in within)
    except (TypeError, ValueError) as error:
        raise GradientTypeError(
            f"within must be two numbers, the least and the greatest, but is {within!r}"
        ) from error
    if not low <= high:
        raise GradientValueError(f"within must be an interval, but {low!r} is not below {high!r}")
    if dtype.name in COMPLEX:
        raise GradientTypeError(f"within is for real numbers, but the dtype is {dtype.name}")
    return low, high
