"""The exchange of slices of unequal lengths between devices.

Slice i of a device's operand, `sizes[i]` rows from `starts[i]` on, goes to one device, which writes
it over the rows of its output from `places[i]` on. So the cotangent of the operand is the exchange
the other way round, of rows of the cotangent: by an `all_to_all` each device learns where the
slices that came to it were written here, and where they had been cut out there. A row that was
overwritten passes no cotangent to the output that was there before.

An exchange writes, and does not add. Where some device sent a row in more than one slice, the
slices come back one at a time, and are added.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import general


class _Slices(NamedTuple):
    """What a device sends and receives, and among whom."""

    starts: Any  # where each slice that it sends is cut out here
    sizes: Any
    places: Any  # where that slice is written there
    arriving: Any  # the sizes of the slices that it receives
    axes: Any
    groups: Any


def _told(values: Any, slices: _Slices) -> Any:
    """For each slice that a device receives, what its sender knows."""
    return lax.all_to_all(values, slices.axes, 0, 0, axis_index_groups=slices.groups, tiled=True)


def _exchange(operand: Any, output: Any, slices: _Slices) -> Any:
    return lax.ragged_all_to_all(
        operand, output, slices.starts, slices.sizes, slices.places, slices.arriving,
        axis_name=slices.axes, axis_index_groups=slices.groups,
    )  # fmt: skip


def _count(starts: Any, sizes: Any, rows: int) -> Any:
    """In how many slices each row lies: one more from each start on, one fewer from each end on."""
    there = (sizes > 0).astype(jnp.int32)
    steps = jnp.zeros(rows + 1, jnp.int32)
    steps = steps.at[starts].add(there, mode="drop").at[starts + sizes].add(-there, mode="drop")
    return lax.cumsum(steps)[:rows]


def _one_by_one(ct: Any, empty: Any, back: _Slices) -> Any:
    """The sum of what the slices bring back, each in an exchange of its own."""
    order = jnp.arange(back.arriving.shape[0])

    def add(total: Any, current: Any) -> tuple[Any, None]:
        arriving = jnp.where(order == current, back.arriving, 0)
        alone = back._replace(arriving=arriving, sizes=_told(arriving, back))
        return lax.add(total, _exchange(ct, empty, alone)), None

    return lax.scan(add, empty, order)[0]


def _to_operand(
    ct: Any, _y: Any, _operand: Any, _output: Any, starts: Any, sizes: Any, places: Any,
    arriving: Any, *, axis_name: Any, axis_index_groups: Any,
) -> Any:  # fmt: skip
    sent = _Slices(starts, sizes, places, arriving, axis_name, axis_index_groups)
    back = sent._replace(
        starts=_told(places, sent), sizes=arriving, places=_told(starts, sent), arriving=sizes
    )
    empty = compat.zeros(compat.cotangent_type(_operand))
    repeated = jnp.any(_count(starts, sizes, _operand.shape[0]) > 1)
    anywhere = lax.psum(repeated.astype(jnp.int32), axis_name) > 0  # all devices branch alike
    return lax.cond(
        anywhere,
        lambda rows: _one_by_one(rows, empty, back),
        lambda rows: _exchange(rows, empty, back),
        ct,
    )


def _to_output(
    ct: Any, _y: Any, _operand: Any, _output: Any, _starts: Any, _sizes: Any, places: Any,
    arriving: Any, *, axis_name: Any, axis_index_groups: Any,
) -> Any:  # fmt: skip
    sent = _Slices(None, None, places, arriving, axis_name, axis_index_groups)
    rows = ct.shape[0]
    written = _count(_told(places, sent), arriving, rows) > 0
    return jnp.where(written.reshape(rows, *(1 for _ in ct.shape[1:])), 0, ct)


general(p.ragged_all_to_all_p, _to_operand, _to_output, None, None, None, None)
