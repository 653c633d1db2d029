"""Writing the larger or the smaller: `x.at[indices].max(u)` and `.min(u)`.

Of all the entries that compete for a position, the operand's and the updates', those that won share
its cotangent equally, as in JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._jaxcompat import primitives as p
from .._registry import general
from ._cases import several
from .indexing import _read


def _share(
    ct: Any, y: Any, x: Any, indices: Any, updates: Any, dimension_numbers: Any, *how: Any
) -> tuple[Any, Any, Any]:
    """One winner's part of the cotangent at each position, and which operands and updates won."""
    mode, indices_are_sorted, unique_indices = how
    kept = lax.convert_element_type(x == y, ct.dtype)
    results = _read(y, indices, x, updates, dimension_numbers, *how)
    won = lax.convert_element_type(updates == results, ct.dtype)
    winners = lax.scatter_add(
        kept, indices, won, dimension_numbers, mode=mode,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices,
    )  # fmt: skip
    return ct / winners, kept, won


def _operand(
    ct: Any, y: Any, x: Any, indices: Any, updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    how = (mode, indices_are_sorted, unique_indices)
    share, kept, _ = _share(ct, y, x, indices, updates, dimension_numbers, *how)
    return share * kept


def _updates(
    ct: Any, y: Any, x: Any, indices: Any, updates: Any, *, dimension_numbers: Any, mode: Any,
    indices_are_sorted: bool, unique_indices: bool,
) -> Any:  # fmt: skip
    """An update that is dropped reads the fill value 0 in place of a share."""
    how = (mode, indices_are_sorted, unique_indices)
    share, _, won = _share(ct, y, x, indices, updates, dimension_numbers, *how)
    return won * _read(share, indices, x, updates, dimension_numbers, *how)


def _writer(name: str) -> Callable[..., Any]:
    """`x.at[indices].max(u)`, or with another method."""
    return lambda x, indices, u, **how: getattr(x.at[indices], name)(u, **how)


for _primitive, _write in (
    (p.scatter_max_p, _writer("max")), (p.scatter_min_p, _writer("min"))
):  # fmt: skip
    general(
        _primitive, _operand, None, _updates, ignores=["update_jaxpr", "update_consts"],
        cases=[
            several(lambda x, u, w=_write: w(x, 1, u), (3,), (), dtypes="f"),
            several(lambda x, u, w=_write: w(x, jnp.array([0, 0, 2]), u), (3, 2), (3, 2),
                    dtypes="f", note="repeated indices"),
            several(lambda x, u, w=_write: w(x, jnp.array([0, 9]), u), (3,), (2,), dtypes="f",
                    note="an index out of bounds is dropped"),
            several(lambda x, u, w=_write: w(x, jnp.array([0, 9]), u, mode="clip"), (3,), (2,),
                    dtypes="f", order=0, note="clipped; the older JAX errs, or has NaN"),
            several(lambda x, u, w=_write: w(x, jnp.array([2, 1]), u, unique_indices=True), (3, 2),
                    (2, 2), dtypes="f"),
            several(lambda x, u, w=_write: w(x, (slice(None), slice(1, None)), u), (2, 3), (2, 2),
                    dtypes="f", note="a window"),
            several(lambda x, u, w=_write: jax.vmap(w)(x, jnp.array([[1, 1], [0, 2]]), u),
                    (2, 3), (2, 2), dtypes="f", note="batched indices, some repeated"),
        ],
    )  # fmt: skip
