"""Products of ragged batches: `ragged_dot` and its general form.

With one axis r of the left operand cut into consecutive groups g, the primitive has three forms. In
the letters of Einstein's convention, and with further axes of every kind, it is
    r k, g k n -> r n   (each row with the matrix of its group; rows of no group are zero)
    m r, r n -> g m n   (the sum over r by groups)
    r m k, r k n -> r m n   (the axis is one of the batch).
It is bilinear, and the cotangent of an operand is such a product of the output's cotangent and the
other operand: the first form takes the first form for its left operand and the second for its right
one; the second takes the first for both; the third takes the third.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from .._errors import MissingRuleError
from .._jaxcompat import primitives as p
from .._registry import general
from ._cases import at_least_single, several

Labels = list[str]
GROUP = "group"


class Axes(NamedTuple):
    """The axes of a ragged product by name."""

    left: Labels
    right: Labels
    output: Labels
    first: Labels  # the axes before the ragged one for which group sizes may differ, and this one


def _axes(numbers: Any, left_ndim: int, right_ndim: int) -> Axes:
    (left_sum, right_sum), (left_batch, right_batch) = numbers.dot_dimension_numbers
    left = [f"left {i}" for i in range(left_ndim)]
    right = [f"right {i}" for i in range(right_ndim)]
    for i, j in zip((*left_batch, *left_sum), (*right_batch, *right_sum), strict=True):
        right[j] = left[i]
    for i in numbers.rhs_group_dimensions:
        right[i] = GROUP
    ragged = left[numbers.lhs_ragged_dimensions[0]]
    batch, summed = [left[i] for i in left_batch], [left[i] for i in left_sum]
    free = [name for name in left if name not in right]
    rest = [name for name in right if name not in left and name != GROUP]
    output = [GROUP] * (ragged in summed) + batch + free + rest
    kind = next(names for names in (summed, batch, free) if ragged in names)
    before = kind[: kind.index(ragged) + 1]
    return Axes(left, right, output, before if kind is batch else batch + before)


def _product(
    x: Any, x_axes: Labels, y: Any, y_axes: Labels, wanted: Labels, first: Labels, sizes: Any,
    precision: Any, dtype: Any,
) -> Any:  # fmt: skip
    """The ragged product of x, which has the ragged axis, and y, with the axes that are wanted."""

    def place(name: str) -> int:
        return first.index(name) if name in first else len(first)

    shared = sorted((name for name in x_axes if name in y_axes), key=place)
    batch = [name for name in shared if name in wanted]
    summed = [name for name in shared if name not in wanted]
    free = sorted((name for name in x_axes if name not in y_axes), key=place)
    order = [*batch, *free, *summed]
    groups = [y_axes.index(GROUP)] if first[-1] in free else []
    pairs = [
        ([order.index(name) for name in names], [y_axes.index(name) for name in names])
        for names in (summed, batch)
    ]
    numbers = lax.RaggedDotDimensionNumbers(pairs, [order.index(first[-1])], groups)
    found = lax.ragged_dot_general(
        lax.transpose(x, [x_axes.index(name) for name in order]), y, sizes, numbers,
        precision=precision, preferred_element_type=dtype,
    )  # fmt: skip
    rest = [name for name in y_axes if name not in x_axes and not (groups and name == GROUP)]
    come = [GROUP] * (first[-1] in summed) + batch + free + rest
    return lax.transpose(found, [come.index(name) for name in wanted])


def _left(
    ct: Any, _y: Any, _a: Any, b: Any, sizes: Any, *, ragged_dot_dimension_numbers: Any,
    precision: Any, group_offset: Any,
) -> Any:  # fmt: skip
    _whole(group_offset)
    left, right, output, first = _axes(ragged_dot_dimension_numbers, _a.ndim, b.ndim)
    pair = (ct, output, b, right) if first[-1] in output else (b, right, ct, output)
    found = _product(*pair, left, first, sizes, precision, ct.dtype)
    return lax.convert_element_type(found, _a.dtype)


def _right(
    ct: Any, _y: Any, a: Any, _b: Any, sizes: Any, *, ragged_dot_dimension_numbers: Any,
    precision: Any, group_offset: Any,
) -> Any:  # fmt: skip
    _whole(group_offset)
    left, right, output, first = _axes(ragged_dot_dimension_numbers, a.ndim, _b.ndim)
    found = _product(a, left, ct, output, right, first, sizes, precision, ct.dtype)
    return lax.convert_element_type(found, _b.dtype)


def _whole(group_offset: Any) -> None:
    if group_offset is not None:
        raise MissingRuleError(
            f"ragged_dot with group_offset={group_offset} has no VJP rule; pass group_offset=None"
        )


# --- cases ----------------------------------------------------------------------------------------


def _basic(a: Any, b: Any) -> Any:
    return lax.ragged_dot(a, b, jnp.array([1, 2], jnp.int32))


def _in_single(a: Any, b: Any) -> Any:
    """Narrow factors, and a wider product."""
    wide = at_least_single(a).dtype
    return lax.ragged_dot(a, b, jnp.array([2, 2], jnp.int32), preferred_element_type=wide)


def _ragged(
    summed: Any, batch: Any, ragged: int, groups: list[int], sizes: Any = (1, 2, 1)
) -> Callable[..., Any]:
    numbers = lax.RaggedDotDimensionNumbers((summed, batch), [ragged], groups)
    return lambda a, b: lax.ragged_dot_general(a, b, jnp.array(sizes, jnp.int32), numbers)


_EACH = ((1, 2, 1), (2, 0, 2))
_ONCE = "JAX has no second derivative"
_NEVER = "JAX has no derivative"

general(
    p.ragged_dot_general_p, _left, _right, ignores=["preferred_element_type", "out_sharding"],
    cases=[
        several(_basic, (4, 3), (2, 3, 2), order=1, note=_ONCE),
        several(_in_single, (4, 3), (2, 3, 2), order=1, dtypes="f", note=_ONCE),
        several(_ragged(((0,), (0,)), ((), ()), 1, [2]), (3, 5), (3, 2, 3), order=1, note=_ONCE),
        several(_ragged(((2,), (2,)), ((0,), (1,)), 1, [0], _EACH), (2, 4, 3), (3, 2, 3, 2),
                order=1, note=_ONCE),
        several(_ragged(((2,), (1,)), ((), ()), 1, [0], _EACH), (2, 4, 3), (3, 3, 2),
                order=1, note=_ONCE),
        several(_ragged(((1,), (0,)), ((), ()), 1, []), (2, 4), (4, 3), order=0, note=_NEVER),
        several(_ragged(((1, 2), (0, 1)), ((), ()), 2, [], _EACH), (2, 2, 4), (2, 4, 3),
                order=0, note=_NEVER),
        several(_ragged(((2,), (1,)), ((0,), (0,)), 2, [], _EACH), (2, 3, 4), (2, 4, 2),
                order=0, note=_NEVER),
        several(_ragged(((2,), (1,)), ((0,), (0,)), 0, []), (4, 2, 3), (4, 3, 2),
                order=0, note=_NEVER),
    ],
)  # fmt: skip
