"""What is known about the values in a `shard_map`'s body: where they differ, and by what factor.

Whether a value differs between the devices of an axis is followed from the specifications of the
inputs through every operation, so that it is known with mapped-axis types and without. It is an
upper bound: a value that is said to be the same on all devices is.

Beside it goes how often the size of an axis was multiplied in. A sum over the axis does so once; a
division by the size takes it back. A sum of values that are the same on all devices does nothing
but multiply, and where that is no matter of types, as in the transpose of a sum, whether the factor
is one too many is seen from what becomes of it: it is "pending" until a mean or another sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from funcgrad import _jaxcompat as compat
from funcgrad import _jaxprs as jaxprs
from funcgrad._jaxcompat import primitives as p

Axes = frozenset[Any]
NONE: Axes = frozenset()


class Pending(NamedTuple):
    """A factor in a value, from a sum of equal values.

    Attributes:
        site: which sum.
        axes: over which the values were equal.
        constant: whether they were known without any input: the cotangent of a loss, a count.
        balanced: whether the size had been divided by before.
        crossed: whether the factor has met a value that differs between the devices.
    """

    site: int
    axes: Axes
    constant: bool
    balanced: bool = False
    crossed: bool = False


class Known(NamedTuple):
    """What is known about a value.

    Attributes:
        varies: the axes between whose devices it may differ.
        constant: whether it is known without any input.
        summed: the axes over which it is a sum.
        averaged: the axes by whose sizes it was divided without being a sum over them.
        pending: the factors in it.
    """

    varies: Axes = NONE
    constant: bool = False
    summed: Axes = NONE
    averaged: Axes = NONE
    pending: frozenset[Pending] = frozenset()


CONSTANT = Known(constant=True)


def join(*parts: Known) -> Known:
    """What is known about a value that is computed from others, or is one of them."""
    if not parts:
        return CONSTANT
    first: Known = reduce(
        lambda a, b: Known(
            a.varies | b.varies, a.constant and b.constant, a.summed | b.summed,
            a.averaged | b.averaged, a.pending | b.pending,
        ),
        parts,
    )  # fmt: skip
    met = {f._replace(crossed=f.crossed or bool(f.axes & first.varies)) for f in first.pending}
    return first._replace(pending=frozenset(met))


def mapped_axes(params: Mapping[str, Any]) -> tuple[Any, ...]:
    """The mesh axes that a collective names; those of arrays, which `vmap` put in, are numbers."""
    found = params.get("axes", params.get("axis_name", ()))
    names = found if isinstance(found, (tuple, list, frozenset)) else (found,)
    return tuple(name for name in names if isinstance(name, str))


def size_of(sizes: Mapping[Any, int], axes: Any) -> int:
    return math.prod(sizes.get(axis, 1) for axis in axes)


# --- division by the size of an axis --------------------------------------------------------------


class Uses(NamedTuple):
    """What a program does with its variables.

    Attributes:
        numbers: the variables that are a literal number in another type.
        readers: the equations that read a variable, each with the place among its operands.
        results: the variables that it returns.
    """

    numbers: Mapping[Any, float]
    readers: Mapping[Any, list[tuple[Any, int]]]
    results: frozenset[Any]


def uses_in(jaxpr: Any) -> Uses:
    """Look through a program once."""
    found: dict[Any, float] = {}
    readers: dict[Any, list[tuple[Any, int]]] = {}
    for equation in jaxpr.eqns:
        for place, atom in enumerate(equation.invars):
            if not jaxprs.is_literal(atom):
                readers.setdefault(atom, []).append((equation, place))
        if equation.primitive in _SAME_NUMBER and len(equation.invars) == 1:
            value = _number(equation.invars[0], found)
            if value is not None:
                found[equation.outvars[0]] = value
    results = (atom for atom in jaxpr.outvars if not jaxprs.is_literal(atom))
    return Uses(found, readers, frozenset(results))


def _number(atom: Any, numbers: Mapping[Any, float]) -> float | None:
    if not jaxprs.is_literal(atom):
        return numbers.get(atom)
    is_real = isinstance(atom.val, (int, float)) or getattr(atom.val, "shape", None) == ()
    return float(np.real(atom.val)) if is_real and not compat.is_extended(atom.aval.dtype) else None


def divisor(equation: Any, place: int, numbers: Mapping[Any, float]) -> float | None:
    """By which number an equation divides its operand at a place; None if it does not."""
    if equation.primitive not in (p.div_p, p.mul_p) or place > (equation.primitive is p.mul_p):
        return None
    value = _number(equation.invars[1 - place], numbers)
    if equation.primitive is p.mul_p:
        return 1 / value if value else None
    return value


def divided(known: Known, by: float, sizes: Mapping[Any, int]) -> Known:
    """A value divided by a number, which may be that of devices on which it is the same."""
    groups = [set(group) for group in _groups(sizes) if _near(by, size_of(sizes, group))]
    axes = frozenset(axis for group in groups for axis in group if not group & known.varies)
    left = (f for f in known.pending if not _near(by, size_of(sizes, f.axes)))
    return known._replace(
        summed=known.summed - axes, averaged=known.averaged | (axes - known.summed),
        pending=frozenset(left),
    )  # fmt: skip


def _groups(sizes: Mapping[Any, int]) -> Iterator[tuple[Any, ...]]:
    real = [axis for axis, size in sizes.items() if size > 1]
    for count in range(1, len(real) + 1):
        yield from combinations(real, count)


def _near(value: float, size: int) -> bool:
    return abs(value - size) <= 1e-3 * size


def is_mean(equation: Any, uses: Uses, size: int) -> bool:
    """Whether nothing becomes of a sum but its quotient by the number of summands."""
    if uses.results & set(equation.outvars):
        return False
    readers = [reader for sum_ in equation.outvars for reader in uses.readers.get(sum_, ())]
    divisors = [divisor(other, place, uses.numbers) for other, place in readers]
    return bool(divisors) and all(by is not None and _near(by, size) for by in divisors)


# --- what other collectives do --------------------------------------------------------------------

SUMS = frozenset({p.psum_p, p.psum_invariant_p, p.reduce_scatter_p})
# Every device receives the same, whatever it gave.
_EQUALISE = frozenset(
    {p.pmax_p, p.pmin_p, p.all_gather_p, p.all_gather_invariant_p, p.all_gather_reduced_p,
     p.pbroadcast_p, p.pbroadcast_dynamic_p, p.unreduced_psum_p}
)  # fmt: skip
# A change of type alone.
_CASTS = frozenset({p.pvary_p, p.preduced_p, p.reduced_vary_cast_p, p.vary_unreduced_cast_p})
_SAME_NUMBER = _CASTS | {p.convert_element_type_p, p.broadcast_in_dim_p, p.reshape_p}
# What a sum over devices is still a sum after, beside the sum and difference of two of them.
_LINEAR = _CASTS | frozenset(
    {p.mul_p, p.div_p, p.neg_p, p.add_jaxvals_p, p.reduce_sum_p, p.cumsum_p, p.dot_general_p,
     p.transpose_p, p.reshape_p, p.broadcast_in_dim_p, p.squeeze_p, p.expand_dims_p, p.copy_p,
     p.convert_element_type_p, p.slice_p, p.dynamic_slice_p, p.gather_p, p.concatenate_p, p.pad_p,
     p.select_n_p, p.rev_p, p.scatter_add_p, p.conv_general_dilated_p, p.split_p}
)  # fmt: skip


def plainly(equation: Any, operands: Sequence[Known], every: Axes) -> Known:
    """What is known about the results of an operation that is no sum over devices."""
    primitive, named = equation.primitive, frozenset(mapped_axes(equation.params))
    if primitive is p.div_p:
        # A factor in what is divided by is no factor of the quotient: a count, most often.
        below = operands[1]._replace(pending=frozenset(), summed=NONE)
        operands = [operands[0], below]
    known = join(*operands)
    known = known._replace(summed=_still_summed(primitive, operands, known.summed))
    if primitive in _CASTS:
        return known
    if not named:
        is_free = bool(equation.effects)  # to give each device what it likes
        return join(known._replace(varies=every, constant=False)) if is_free else known
    if primitive in _EQUALISE and equation.params.get("axis_index_groups") is None:
        return known._replace(varies=known.varies - named)
    return join(known._replace(varies=known.varies | named, constant=False))


def _still_summed(primitive: Any, operands: Sequence[Known], summed: Axes) -> Axes:
    if primitive in (p.add_p, p.sub_p):
        return reduce(frozenset.__and__, (operand.summed for operand in operands))
    return summed if primitive in _LINEAR else NONE
