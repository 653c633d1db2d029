"""`lax.reduce_window` with a computation of the user's, or with several operands.

JAX has no gradient for it. The computation is associative and starts from a neutral value, so the
entries of a window may be combined by pairs, and one side of the window after the other; the
pullback records this program and sweeps it. (Sums, maxima and minima are primitives of their own.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import core, lax
from numpy.typing import NDArray

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._errors import MissingRuleError
from .._jaxcompat import primitives as p
from .._registry import structured
from .._reverse import sweep
from .._tape import Options
from .._trace import record
from ._cases import several, shaped
from .windows import Side, entries_at

Ints = tuple[int, ...]
Entries = list[Any]  # one array for each operand
Combine = Callable[[Entries, Entries], Entries]
CombineRows = Callable[["_Row", "_Row"], "_Row"]


class _Windows(NamedTuple):
    """The parameters of the primitive; one that a newer JAX adds is an error."""

    jaxpr: Any
    consts: Any
    window_dimensions: Ints
    window_strides: Ints
    padding: Any
    base_dilation: Ints
    window_dilation: Ints


class _Kept(NamedTuple):
    """What a step keeps: its operands, the initial values behind the entries."""

    operands: tuple[Any, ...]
    how: compat.Opaque


def _forward(
    options: Options, needed: Sequence[bool], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], _Kept]:
    if any(needed[len(needed) // 2 :]):
        raise MissingRuleError(
            "`lax.reduce_window` has no gradient by its initial value, which must be neutral; pass "
            "a constant, and combine the result with the value that shall have a gradient"
        )
    results = p.reduce_window_p.bind(*operands, **params)
    return list(results), _Kept(tuple(operands), compat.Opaque((options, _Windows(**params))))


def _backward(kept: _Kept, needed: Sequence[bool], arriving: Sequence[Any]) -> list[Any]:
    options, windows = kept.how.value
    if all(ct is None or ct.size == 0 for ct in arriving):
        return [None] * len(needed)

    def program(*values: Any) -> list[Any]:
        count = len(values) // 2
        return _reduce(windows, values[:count], values[count:])

    _, tape = record(program, kept.operands, differentiate=needed, options=options)
    return sweep(tape, arriving)


def _on_arrays(jaxpr: Any, consts: Any) -> Combine:
    """The computation, which is one of scalars, entry by entry."""
    scalars, _ = jaxprs.open_jaxpr(jaxpr)

    def combine(first: Entries, second: Entries) -> Entries:
        flat = [lax.reshape(x, (x.size,)) for x in (*first, *second)]
        results = jax.vmap(lambda *entries: core.eval_jaxpr(scalars, consts, *entries))(*flat)
        return [lax.reshape(result, first[0].shape) for result in results]

    return combine


def _reduce(windows: _Windows, entries: Sequence[Any], starts: Sequence[Any]) -> Entries:
    """The reduction along each axis; the initial values come once and first."""
    _, _, sizes, strides, padding, bases, spacings = windows
    apart = [(*ends, base - 1) for ends, base in zip(padding, bases, strict=True)]
    combine = _where_held(_on_arrays(windows.jaxpr, windows.consts), entries, starts)
    xs = [lax.pad(x, start, apart) for x, start in zip(entries, starts, strict=True)]
    row = _Row(xs, _held(entries[0].shape, apart))
    for axis in reversed(range(len(sizes))):
        side = Side(axis, sizes[axis], strides[axis], spacings[axis], row.held.shape[axis])
        row = _fold(combine, [_entries(row, side, place) for place in range(side.size)])
    first = [lax.broadcast(start, row.held.shape) for start in starts]
    return combine(_Row(first, row.held), row).entries


class _Row(NamedTuple):
    """Values at every place, and at which of the places there is an entry among them.

    Elsewhere the value is the neutral one, from padding; shapes alone decide where.
    """

    entries: Entries
    held: NDArray[np.bool_]


def _held(shape: Ints, apart: Sequence[tuple[int, int, int]]) -> NDArray[np.bool_]:
    with jax.ensure_compile_time_eval():
        return np.asarray(lax.pad(np.ones(shape, np.int32), np.int32(0), apart)) > 0


def _entries(row: _Row, side: Side, place: int) -> _Row:
    with jax.ensure_compile_time_eval():
        held = np.asarray(entries_at(row.held, side, place))
    return _Row([entries_at(x, side, place) for x in row.entries], held)


def _where_held(combine: Combine, entries: Sequence[Any], starts: Sequence[Any]) -> CombineRows:
    """Combine rows where one of them holds an entry.

    Two neutral values need not be a point where the computation can be differentiated twice: the
    second derivative of `logaddexp` at two infinities is not a number. There it sees an entry.
    """

    def combined(first: _Row, second: _Row) -> _Row:
        held = first.held | second.held
        if held.all():
            return _Row(combine(first.entries, second.entries), held)
        if not held.any():
            return first
        fill = [lax.stop_gradient(lax.reshape(x, (x.size,))[0]) for x in entries]
        pair = [
            [jnp.where(held, x, value) for x, value in zip(row.entries, fill, strict=True)]
            for row in (first, second)
        ]
        found = zip(combine(*pair), starts, strict=True)
        return _Row([jnp.where(held, x, start) for x, start in found], held)

    return combined


def _fold(combine: CombineRows, rows: list[_Row]) -> _Row:
    """Combine neighbours until one row is left; a last one without a neighbour waits."""
    while len(rows) > 1:
        pairs = [combine(*both) for both in zip(rows[0::2], rows[1::2], strict=False)]
        rows = pairs + rows[2 * len(pairs) :]
    return rows[0]


# --- cases ----------------------------------------------------------------------------------------


def _number(value: float, x: Any) -> Any:
    return np.asarray(value, x.dtype)


def _product(*window: Any) -> Callable[[Any], Any]:
    return lambda x: lax.reduce_window(x, _number(1, x), lax.mul, *window)


def _two_sums(x: Any, y: Any) -> Any:
    """A sum, and another that depends on both: each output on each operand."""
    return lax.reduce_window(
        (x, y), (_number(0, x), _number(0, x)),
        lambda a, b: (a[0] + b[0], a[1] + b[1] + a[0] * b[0]), (2, 3), (1, 2), "SAME",
    )  # fmt: skip


def _farthest(x: Any) -> Any:
    """The entry of the largest magnitude, and its position."""
    positions = lax.broadcasted_iota(jnp.int32, x.shape, 0)

    def larger(a: Any, b: Any) -> Any:
        first = jnp.abs(a[0]) >= jnp.abs(b[0])
        return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

    start = (_number(0, x), np.int32(-1))
    return lax.reduce_window((x, positions), start, larger, (2,), (2,), "VALID")[0]


def _soft_maximum(x: Any) -> Any:
    return lax.reduce_window(
        x, _number(-np.inf, x), jnp.logaddexp, (2, 2), (2, 1), ((1, 0), (0, -1)), (1, 2), (2, 1)
    )


def _sum_from_traced_zero(x: Any) -> Any:
    """A sum whose initial value is not known when it is traced."""
    return lax.reduce_window(x, jnp.zeros((), x.dtype), lax.add, (2,), (1,), "SAME")


_UNKNOWN = "JAX has no gradient for it"

structured(
    p.reduce_window_p, _forward, _backward,
    cases=[
        shaped(_product((3,), (2,), "SAME"), (5,), (3,), order=0, note=_UNKNOWN),
        shaped(_product((2, 2), (1, 2), "VALID", (2, 1), (1, 2)), (3, 4), order=0, note=_UNKNOWN),
        shaped(_soft_maximum, (4, 3), dtypes="f", order=0, note=_UNKNOWN),
        shaped(_farthest, (5,), dtypes="f", order=0, note=_UNKNOWN),
        several(_two_sums, (3, 4), (3, 4), order=0, note=_UNKNOWN),
        shaped(jax.jit(_sum_from_traced_zero), (3,), order=0, note=_UNKNOWN),
        shaped(_product((3,), (1,), "VALID"), (2,), order=0, note="constant: no window"),
    ],
)  # fmt: skip
