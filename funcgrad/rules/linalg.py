"""Linear algebra: the general matrix product."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import general
from .._reverse import type_of
from ._cases import at_least_single, several

# dot_general(a, b) has the axes: batch, free axes of a, free axes of b. With C the cotangent,
#     dL = sum_{batch, i, j} C[i, j] sum_k dA[i, k] B[k, j],
# so the cotangent of a is the product of C and b that contracts the free axes of b. Its axes come
# out as: batch, free axes of a, contracted axes in the order in which b has them; a transposition
# puts them where a has them. The operand b is the mirror image.


def _free_axes(ndim: int, contracted: tuple[int, ...], batch: tuple[int, ...]) -> list[int]:
    return [axis for axis in range(ndim) if axis not in contracted and axis not in batch]


def _pull(
    ct: Any,
    other: Any,
    mine: Any,
    axes: tuple[Any, ...],
    other_axes: tuple[Any, ...],
    first: bool,
    precision: Any,
) -> Any:
    """The cotangent of the operand of type `mine` with the contracted and batch axes `axes`."""
    (contracted, batch), (other_contracted, other_batch) = axes, other_axes
    free = _free_axes(mine.ndim, contracted, batch)
    other_free = _free_axes(other.ndim, other_contracted, other_batch)
    start = len(batch) + (len(free) if first else 0)
    summed = tuple(range(start, start + len(other_free)))
    dims = ((summed, tuple(other_free)), (tuple(range(len(batch))), tuple(other_batch)))
    order = sorted(range(len(contracted)), key=other_contracted.__getitem__)
    inner = [contracted[i] for i in order]
    came, factors = [*batch, *free, *inner], (ct, other)
    if [*batch, *inner, *free] == list(range(mine.ndim)):  # then nothing is to be transposed
        came, factors, dims = [*batch, *inner, *free], (other, ct), _swapped(dims)
    product = lax.dot_general(
        *factors, dims, precision=precision, preferred_element_type=ct.dtype,
        out_sharding=compat.explicit_sharding(type_of(mine), came, type_of(ct)),
    )  # fmt: skip
    placed = lax.transpose(product, sorted(range(mine.ndim), key=came.__getitem__))
    return placed if placed.dtype == mine.dtype else _narrow(placed, mine.dtype)


def _swapped(dims: Any) -> Any:
    """The dimension numbers of a product with its factors in the other order."""
    (left, right), (left_batch, right_batch) = dims
    return (right, left), (right_batch, left_batch)


def _narrow(value: Any, dtype: Any) -> Any:
    """Convert a cotangent to its operand's dtype, where the product was formed in a wider one."""
    if jnp.issubdtype(value.dtype, jnp.complexfloating) and not jnp.issubdtype(
        dtype, jnp.complexfloating
    ):
        value = lax.real(value)
    return lax.convert_element_type(value, dtype)


def _sides(dimension_numbers: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    (left, right), (left_batch, right_batch) = dimension_numbers
    return (left, left_batch), (right, right_batch)


def _pull_left(ct: Any, _y: Any, _a: Any, b: Any, *, dimension_numbers: Any, precision: Any) -> Any:
    left, right = _sides(dimension_numbers)
    return _pull(ct, b, _a, left, right, True, precision)


def _pull_right(
    ct: Any, _y: Any, a: Any, _b: Any, *, dimension_numbers: Any, precision: Any
) -> Any:
    left, right = _sides(dimension_numbers)
    return _pull(ct, a, _b, right, left, False, precision)


def _matmul_in_single(a: Any, b: Any) -> Any:
    """Narrow factors, and a wider product."""
    return jnp.matmul(a, b, preferred_element_type=at_least_single(a).dtype)


general(
    p.dot_general_p, _pull_left, _pull_right, ignores=["preferred_element_type", "out_sharding"],
    cases=[
        several(jnp.dot, (3,), (3,)),
        several(jnp.matmul, (2, 3), (3, 4)),
        several(jnp.matmul, (2, 3), (3,)),
        several(jnp.matmul, (0, 3), (3, 2), note="constant: without entries"),
        several(_matmul_in_single, (2, 3), (3, 4), dtypes="f"),
        several(jnp.matmul, (2, 4, 3), (2, 3, 5)),
        several(lambda a, b: jnp.einsum("bik,kbj->jbi", a, b), (2, 3, 4), (4, 2, 3)),
        several(lambda a, b: jnp.einsum("ijk,kjl->il", a, b), (2, 3, 4), (4, 3, 2)),
        several(lambda a, b: jnp.einsum("i,j->ij", a, b), (2,), (3,)),
        several(lambda a, b: jnp.tensordot(a, b, ((0, 2), (1, 0))), (2, 3, 4), (4, 2, 3)),
    ],
)  # fmt: skip
