"""`lax.reduce` with a computation of the user's.

Such a computation is associative, so its reduction may be formed by pairs, and the pairs' results
by pairs again. The pullback records this program and sweeps it: a pass over arrays of half the
length for each level, where a fold would take one step for each entry. (Sums, products, extrema and
the logical reductions are primitives of their own.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from .._registry import joint
from .._reverse import sweep
from .._trace import record
from ._cases import several, shaped

Combine = Callable[..., list[Any]]


def _pullback(
    cts: Sequence[Any], _ys: Any, *operands: Any, jaxpr: Any, dimensions: tuple[int, ...]
) -> list[Any]:
    combine = jaxprs.jaxpr_function(jaxpr)
    chosen = [compat.is_inexact(compat.typeof(operand)) for operand in operands]

    def program(*values: Any) -> list[Any]:
        count = len(values) // 2
        return _reduce(combine, values[:count], values[count:], dimensions)

    _, tape = record(program, operands, differentiate=chosen)
    arriving = [None if compat.is_float0(ct) else ct for ct in cts]
    return sweep(tape, arriving)


def _reduce(
    combine: Combine, xs: Sequence[Any], initial: Sequence[Any], dimensions: tuple[int, ...]
) -> list[Any]:
    """The reduction by pairs; the initial values, which are neutral, come once and first."""
    rest = tuple(n for axis, n in enumerate(xs[0].shape) if axis not in dimensions)
    starts = [lax.broadcast(start, (math.prod(rest),)) for start in initial]
    rows = [_rows(x, dimensions) for x in xs]
    if rows[0].shape[0]:
        folded = [row[0] for row in _fold(combine, rows)]
        starts = jax.vmap(combine)(*starts, *folded)
    return [lax.reshape(value, rest) for value in starts]


def _rows(x: Any, dimensions: tuple[int, ...]) -> Any:
    """The axes to reduce as one axis in front, all others as one behind."""
    others = [axis for axis in range(x.ndim) if axis not in dimensions]
    moved = lax.transpose(x, [*dimensions, *others])
    count = math.prod(x.shape[axis] for axis in dimensions)
    return lax.reshape(moved, (count, math.prod(x.shape[axis] for axis in others)))


def _fold(combine: Combine, rows: list[Any]) -> list[Any]:
    """Combine neighbours until one row is left; a last one without a neighbour waits."""
    each = jax.vmap(jax.vmap(combine))
    while rows[0].shape[0] > 1:
        even = rows[0].shape[0] // 2 * 2
        pairs = each(
            *(lax.slice_in_dim(row, 0, even, 2) for row in rows),
            *(lax.slice_in_dim(row, 1, even, 2) for row in rows),
        )
        waiting = [lax.slice_in_dim(row, even, None) for row in rows]
        rows = [lax.concatenate(both, 0) for both in zip(pairs, waiting, strict=True)]
    return rows


# --- cases ----------------------------------------------------------------------------------------


def _compose(x: Any, dimensions: tuple[int, ...]) -> Any:
    """1 + the product of all (1 + x)."""
    return lax.reduce(x, jnp.zeros((), x.dtype), lambda a, b: a + b + a * b, dimensions)


def _two_sums(x: Any, y: Any) -> Any:
    """A sum, and a product that depends on both: each output on each operand."""
    start = (jnp.zeros((), x.dtype), jnp.zeros((), x.dtype))
    return lax.reduce((x, y), start, lambda a, b: (a[0] + b[0], a[1] + b[1] + a[0] * b[0]), (1,))


def _extremes(x: Any) -> Any:
    """The entry of the largest magnitude along the first axis, and its position."""
    positions = lax.broadcasted_iota(jnp.int32, x.shape, 0)

    def larger(a: Any, b: Any) -> Any:
        first = jnp.abs(a[0]) >= jnp.abs(b[0])
        return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

    return lax.reduce((x, positions), (jnp.zeros((), x.dtype), jnp.int32(-1)), larger, (0,))[0]


joint(
    p.reduce_p, _pullback, ignores=["computation"],
    cases=[
        shaped(lambda x: _compose(x, (0,)), (5,), (3, 2), (1,), (0, 2)),
        shaped(lambda x: _compose(x, (0, 2)), (3, 2, 2)),
        shaped(lambda x: _compose(x, (1,)), (2, 0), note="constant: nothing to reduce"),
        shaped(jax.vmap(lambda x: _compose(x, (0,)), 1), (4, 2)),
        several(_two_sums, (2, 3), (2, 3)),
        shaped(_extremes, (4, 2), (3,), dtypes="f", order=0,
               note="JAX has no derivative beside an operand of whole numbers"),
    ],
)  # fmt: skip
