"""What the rules of linear algebra share: adjoints, products, triangles and solves of matrices.

The rules are derived with the gradient under the real inner product <G, X> = Re tr(G^H X), where
every adjoint is a conjugate transpose. JAX's cotangent is the conjugate of that gradient: a rule
takes the conjugate of what arrives and returns the conjugate of what it finds. For real matrices
both conjugations are nothing. Matrices may have axes of batches before their two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .._registry import Rule, check_params
from ._cases import at_least_single


def is_complex(a: Any) -> bool:
    return bool(jnp.issubdtype(a.dtype, jnp.complexfloating))


def conj(a: Any) -> Any:
    return lax.conj(a) if is_complex(a) else a


def real(a: Any) -> Any:
    return lax.real(a) if is_complex(a) else a


def transposed(a: Any) -> Any:
    return lax.transpose(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))


def adjoint(a: Any) -> Any:
    """The conjugate transpose."""
    return conj(transposed(a))


def product(a: Any, b: Any) -> Any:
    """The product of two batches of matrices, in full precision on every device."""
    batch = tuple(range(a.ndim - 2))
    dims = (((a.ndim - 1,), (b.ndim - 2,)), (batch, batch))
    return lax.dot_general(a, b, dims, precision=lax.Precision.HIGHEST)


def scale_columns(a: Any, factors: Any) -> Any:
    """``a @ diag(factors)``."""
    wide = lax.broadcast_in_dim(factors, a.shape, (*range(a.ndim - 2), a.ndim - 1))
    return lax.mul(a, lax.convert_element_type(wide, a.dtype))


# --- parts of matrices ----------------------------------------------------------------------------


def where_ordered(a: Any, order: Callable[[Any, Any], Any]) -> Any:
    """The mask of the entries of a whose row and column stand in the given order."""
    rows, columns = (
        lax.broadcasted_iota(jnp.int32, a.shape, axis) for axis in (a.ndim - 2, a.ndim - 1)
    )
    return order(rows, columns)


def keep(mask: Any, a: Any) -> Any:
    """The entries under a mask, and zeros."""
    return lax.select(mask, a, lax.full_like(a, 0))


def strict_lower(a: Any) -> Any:
    return keep(where_ordered(a, lax.gt), a)


def lower(a: Any) -> Any:
    return keep(where_ordered(a, lax.ge), a)


def upper(a: Any) -> Any:
    return keep(where_ordered(a, lax.le), a)


def unit_lower(a: Any) -> Any:
    """The strict lower triangle, with ones on the diagonal."""
    return lax.select(where_ordered(a, lax.eq), lax.full_like(a, 1), strict_lower(a))


def half(a: Any) -> Any:
    return lax.mul(a, lax.full_like(a, 0.5))


def half_lower(a: Any) -> Any:
    """The lower triangle of a, its diagonal halved, and of the diagonal the real part only."""
    diagonal = lax.convert_element_type(half(real(a)), a.dtype)
    return lax.select(where_ordered(a, lax.eq), diagonal, strict_lower(a))


def skew(a: Any) -> Any:
    """Twice the skew-Hermitian part."""
    return lax.sub(a, adjoint(a))


# --- solving --------------------------------------------------------------------------------------


def solve_triangular(
    a: Any, b: Any, *, left: bool, lower: bool, adjoint_of: bool = False, unit: bool = False
) -> Any:
    """The solution of ``op(a) x = b`` (left) or ``x op(a) = b``; op: the adjoint, or nothing."""
    return lax.linalg.triangular_solve(
        a, b, left_side=left, lower=lower, transpose_a=adjoint_of, conjugate_a=adjoint_of,
        unit_diagonal=unit,
    )  # fmt: skip


def undo_permutation(a: Any, permutation: Any, axis: int) -> Any:
    """The matrix b with ``b[permutation] = a`` along its rows (axis -2) or columns (-1)."""
    inverse = jnp.argsort(permutation, axis=-1)
    return jnp.take_along_axis(a, jnp.expand_dims(inverse, -1 if axis == -2 else -2), axis)


class Factors:
    """A square matrix factored once, to solve with it and with its adjoint."""

    def __init__(self, a: Any) -> None:
        self.packed, _, self.permutation = lax.linalg.lu(a)

    def solve(self, b: Any) -> Any:
        """The solution of ``a x = b``: a[permutation] = L U."""
        moved = jnp.take_along_axis(b, jnp.expand_dims(self.permutation, -1), -2)
        between = solve_triangular(self.packed, moved, left=True, lower=True, unit=True)
        return solve_triangular(self.packed, between, left=True, lower=False)

    def solve_adjoint(self, b: Any) -> Any:
        """The solution of ``a^H x = b``: U^H L^H x[permutation] = b."""
        between = solve_triangular(self.packed, b, left=True, lower=False, adjoint_of=True)
        moved = solve_triangular(
            self.packed, between, left=True, lower=True, adjoint_of=True, unit=True
        )
        return undo_permutation(moved, self.permutation, -2)


# --- perturbation theory --------------------------------------------------------------------------


def known(primitive: Any, params: dict[str, Any], *names: str) -> None:
    """Raise for a parameter that is not among those for which a structured rule was written."""
    check_params(Rule(primitive, "structured", (), frozenset(names), (), __package__), params)


def pairs(values: Any, combine: Callable[[Any, Any], Any], like: Any) -> Any:
    """The matrix with ``combine(values[j], values[i])`` in row i and column j, as like is typed."""
    last = values.ndim - 1
    columns = lax.broadcast_in_dim(values, like.shape, (*range(last), last + 1))
    rows = lax.broadcast_in_dim(values, like.shape, tuple(range(last + 1)))
    return lax.convert_element_type(combine(columns, rows), like.dtype)


def over_pairs(a: Any, b: Any) -> Any:
    """a / b off the diagonal, and zeros on it."""
    beside = where_ordered(a, lax.ne)
    return keep(beside, lax.div(a, lax.select(beside, b, lax.full_like(b, 1))))


# --- matrices for the cases -----------------------------------------------------------------------


def positive(x: Any) -> Any:
    """A Hermitian, positive definite, well conditioned matrix made of any matrix."""
    x = at_least_single(x)
    return dominant(product(x, adjoint(x)), 2.0, 0.0)


def dominant(x: Any, least: float = 6.0, step: float = 3.0) -> Any:
    """x with a diagonal of distinct entries, which dominates if the entries of x are small."""
    x = at_least_single(x)
    rows, columns = x.shape[-2:]
    weights = (least + step * np.arange(columns)) * np.eye(rows, columns)
    return x + jnp.broadcast_to(jnp.asarray(weights, x.dtype), x.shape)


def separated(x: Any) -> Any:
    """A matrix whose eigenvalues and singular values are close to 1, 2, 3 and so on."""
    return dominant(x, 1.0, 1.0)


def hermitian(x: Any) -> Any:
    """A Hermitian matrix whose eigenvalues are close to 1, 2, 3 and so on."""
    return half(separated(x) + adjoint(separated(x)))
