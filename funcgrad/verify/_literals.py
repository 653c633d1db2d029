"""Values as Python text that rebuilds them to the last bit, as short as it gets."""

from __future__ import annotations

import base64
import dataclasses
import sys
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from .. import _jaxcompat as compat

Array = np.ndarray[Any, Any]
FEW, MANY, PACKED = (
    40,
    200,
    50_000,
)  # entries in a list, the same at most, characters of packed ones


def literal(value: Any) -> str | None:
    """A value as an expression of `jax`, `jnp`, `np`, `base64`, `zlib`; None if there is none.

    >>> import jax.numpy as jnp
    >>> literal({"w": jnp.zeros((50, 2)).at[3, 1].set(-0.5), "n": 3})
    "{'w': jnp.zeros((50, 2), 'float32').at[3, 1].set(-0.5), 'n': 3}"
    """
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        return array_literal(value)
    if value is None or type(value) in (bool, int, str, bytes):
        return repr(value)
    if type(value) is float:
        return _real(np.float64(value), "float('nan')", "float('inf')")
    if type(value) is complex:
        return _complex(np.complex128(value))
    return _container(value)


def _container(value: Any) -> str | None:
    if type(value) is dict:
        keys = [repr(key) if type(key) in (str, int) else None for key in value]
        return _joined("{", keys, ": ", value.values(), "}")
    if type(value) is list:
        return _joined("[", [""] * len(value), "", value, "]")
    if type(value) is tuple:
        return _joined("(", [""] * len(value), "", value, ",)" if len(value) == 1 else ")")
    names = field_names(value)
    if names is None:
        return None
    fields = [getattr(value, name) for name in names]
    return _joined(f"{type(value).__qualname__}(", names, "=", fields, ")")


def _joined(start: str, keys: Sequence[Any], between: str, values: Any, end: str) -> str | None:
    texts = [literal(value) for value in values]
    if None in texts or None in keys:
        return None
    items = (f"{key}{between}{text}" for key, text in zip(keys, texts, strict=True))
    return start + ", ".join(items) + end


def field_names(value: Any) -> list[str] | None:
    """The fields that a NamedTuple or a dataclass of some module is built from."""
    kind = type(value)
    # one that can be imported by its name
    if getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is not kind:
        return None
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return list(kind._fields)
    if dataclasses.is_dataclass(value) and all(f.init for f in dataclasses.fields(value)):
        return [field.name for field in dataclasses.fields(value)]
    return None


def classes(value: Any) -> Iterator[type]:
    """The classes that the literal of a value names."""
    names = field_names(value)
    if names is not None:
        yield type(value)
        value = [getattr(value, name) for name in names]
    if type(value) in (dict, list, tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from classes(item)


# --- arrays ---------------------------------------------------------------------------------------


def array_literal(array: Any) -> str | None:
    """An array; a list of its entries, or what makes it of few of them."""
    if compat.is_extended(array.dtype):
        data = array_literal(jax.random.key_data(array))
        return f"jax.random.wrap_key_data({data}, impl={str(jax.random.key_impl(array))!r})"
    x = np.asarray(array)
    if x.ndim == 0:
        return f"jnp.array({_entry(x[()])}, {x.dtype.name!r})"
    forms = (_filled, _listed, _changed, _in_runs, _in_turn, _long, _packed)
    return next((text for form in forms if (text := form(x))), None)


def _listed(x: Array, most: int = FEW) -> str | None:
    if not 0 < x.size <= most:
        return None
    texts = np.array([_entry(v) for v in x.ravel()], object).reshape(x.shape).tolist()
    return f"jnp.array({_nested(texts)}, {x.dtype.name!r})"


def _long(x: Array) -> str | None:
    return _listed(x, MANY)


def _nested(texts: Any) -> str:
    return texts if isinstance(texts, str) else "[" + ", ".join(map(_nested, texts)) + "]"


def _bits(x: Array) -> Array:
    """Entries as what can be told apart: a zero from a negative one, a NaN equal to itself."""
    raw = np.ascontiguousarray(x).reshape(-1).view(np.uint8).reshape(x.size, -1)
    return np.unique(raw, axis=0, return_inverse=True)[1].reshape(-1)


def _filled(x: Array) -> str | None:
    if x.size == 0:
        return f"jnp.zeros({x.shape}, {x.dtype.name!r})"
    return _full(x.shape, x.ravel()[0]) if not _bits(x).any() else None


def _full(shape: tuple[int, ...], value: Any) -> str:
    size = str(shape[0]) if len(shape) == 1 else str(shape)
    text, name = _entry(value), repr(value.dtype.name)
    word = {"0.0": "zeros", "0": "zeros", "1.0": "ones", "1": "ones"}.get(text)
    return f"jnp.{word}({size}, {name})" if word else f"jnp.full({size}, {text}, {name})"


def _changed(x: Array) -> str | None:
    """One value everywhere but in a few places."""
    bits = _bits(x)
    common = int(np.argmax(np.bincount(bits)))
    places = np.flatnonzero(bits != common)
    if len(places) > 8:
        return None
    flat = x.ravel()
    text = _full(x.shape, flat[np.argmax(bits == common)])
    for place in places:
        index = ", ".join(str(int(i)) for i in np.unravel_index(place, x.shape))
        text += f".at[{index}].set({_entry(flat[place])})"
    return text


def _in_runs(x: Array) -> str | None:
    starts = np.flatnonzero(np.diff(_bits(x), prepend=-1))
    if len(starts) > 16:
        return None
    values, lengths = _row(x.ravel()[starts]), np.diff([*starts, x.size]).tolist()
    return _shaped(f"np.repeat({values}, {lengths})", x)


def _in_turn(x: Array) -> str | None:
    bits = _bits(x)
    for period in range(2, 17):
        if np.array_equal(bits[period:], bits[:-period]):
            return _shaped(f"np.resize({_row(x.ravel()[:period])}, {x.size})", x)
    return None


def _packed(x: Array) -> str | None:
    text = base64.b64encode(zlib.compress(np.ascontiguousarray(x).tobytes(), 9)).decode()
    if len(text) > PACKED:
        return None
    dtype = "jnp.bfloat16" if x.dtype.name == "bfloat16" else repr(x.dtype.name)
    source = f"np.frombuffer(zlib.decompress(base64.b64decode({text!r})), {dtype})"
    return _shaped(source, x)


def _shaped(source: str, x: Array) -> str:
    shaped = source if x.ndim == 1 else f"{source}.reshape{x.shape}"
    return f"jnp.array({shaped}, {x.dtype.name!r})"


def _row(values: Array) -> str:
    return "[" + ", ".join(_entry(v) for v in values) + "]"


# --- entries --------------------------------------------------------------------------------------


def _entry(value: Any) -> str:
    if value.dtype.kind in "iub":
        return repr(value.item())
    return _complex(value) if value.dtype.kind == "c" else _real(value)


def _real(value: Any, nan: str = "jnp.nan", infinite: str = "jnp.inf") -> str:
    """The shortest text that the dtype reads back as the same number."""
    number = float(value)
    if np.isnan(number):
        return nan
    if np.isinf(number):
        return infinite if number > 0 else f"-{infinite}"
    short = repr(float(str(value)))
    same = np.asarray(float(short)).astype(value.dtype) == value
    return short if same else repr(number)


def _complex(value: Any) -> str:
    real, imaginary = _real(value.real), _real(value.imag)
    plain = all(np.isfinite(part) and part > 0 for part in (value.real, value.imag))
    return f"{real}+{imaginary}j" if plain else f"complex({real}, {imaginary})"
