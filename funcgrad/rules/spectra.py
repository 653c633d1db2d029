"""Singular values and vectors, and the eigenvalues and eigenvectors of Hermitian matrices.

First-order perturbation theory: Magnus (1985), "On differentiating eigenvalues and eigenvectors";
Giles (2008), "An extended collection of matrix derivative results"; Seeger et al. (2017), "Auto-
differentiating linear algebra"; Wan and Zhang (2019), "Automatic differentiation for complex valued
SVD". <G, X> is Re tr(G^H X) throughout, see `_matrices`.

At equal values the vectors have no derivative: the difference of the values divides, and a gradient
through the vectors is not finite. That through the values is finite, as JAX has it. So the rules
must know whether the vectors have a cotangent, and are structured: such a rule is told of a missing
cotangent, others receive zeros.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._errors import MissingRuleError
from .._jaxcompat import primitives as p
from .._registry import structured
from ._cases import shaped
from ._matrices import (
    adjoint,
    conj,
    half,
    half_lower,
    hermitian,
    is_complex,
    known,
    over_pairs,
    pairs,
    product,
    scale_columns,
    separated,
    skew,
    transposed,
    where_ordered,
)

Needed = tuple[bool, ...]
SMALL = (-0.25, 0.25)

# --- eigh -----------------------------------------------------------------------------------------

# A V = V W with V unitary. With X = V^H dA V, and o the product of entries,
#     dW = the diagonal of X,   dV = V (F o X),   F[i, j] = 1 / (W[j] - W[i]) beside the diagonal.
# (V^H dV is skew-Hermitian; that it has no diagonal holds the phases of the vectors.) So
#     GA = V (GW + F o C) V^H,   C = V^H GV,
# of which the Hermitian part acts, and that of F o C is F o (C - C^H) / 2. The primitive reads one
# triangle, so that an entry beside the diagonal stands for two.


def _eigh_forward(
    _options: Any, _needed: Needed, operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Any]:
    known(p.eigh_p, params, "lower", "sort_eigenvalues", "subset_by_index", "algorithm")
    size, subset = operands[0].shape[-1], params["subset_by_index"]
    if subset is not None and tuple(subset) != (0, size):
        raise MissingRuleError(
            f"eigh with subset_by_index={subset} of a matrix with {size} rows has no VJP rule: the "
            "gradient needs all eigenvectors; compute all, and select among them"
        )
    results = p.eigh_p.bind(*operands, **params)
    return list(results), (*results, compat.Opaque(params["lower"]))


def _eigh_backward(kept: Any, _needed: Needed, arriving: Sequence[Any]) -> list[Any]:
    v, w, from_lower = kept
    return [_eigh_gradient(v, w, *arriving, lower=from_lower.value)]


@functools.partial(jax.jit, static_argnames="lower")
def _eigh_gradient(v: Any, w: Any, g_v: Any, g_w: Any, *, lower: bool) -> Any:
    twice: Any = None if g_w is None else scale_columns(v, lax.add(g_w, g_w))
    if g_v is not None:
        c = skew(product(adjoint(v), conj(g_v)))
        mixed = product(v, over_pairs(c, pairs(w, lax.sub, c)))
        twice = mixed if twice is None else lax.add(twice, mixed)
    found = half_lower(product(twice, adjoint(v)))
    return conj(found if lower else adjoint(found))


def _eigh(symmetrize: bool = True, lower: bool = True) -> Any:
    """Eigenvalues and vectors, the vectors in a product that does not know their phases."""

    def found(x: Any) -> Any:
        v, w = lax.linalg.eigh(hermitian(x), symmetrize_input=symmetrize, lower=lower)
        return w, product(scale_columns(v, jnp.sin(w)), adjoint(v))

    return found


structured(
    p.eigh_p, _eigh_forward, _eigh_backward,
    cases=[
        shaped(_eigh(), (1, 1), (3, 3), (2, 3, 3), domain=SMALL),
        shaped(_eigh(symmetrize=False), (3, 3), domain=SMALL),
        shaped(_eigh(symmetrize=False, lower=False), (3, 3), domain=SMALL),
        shaped(lambda x: lax.linalg.eigh(hermitian(x), sort_eigenvalues=False), (3, 3),
               domain=SMALL, dtypes="f"),
        shaped(lambda x: lax.linalg.eigh(separated(x), symmetrize_input=False)[1], (3, 3),
               domain=SMALL, order=0, note="one triangle is read; JAX's gradient is that of both"),
    ],
)  # fmt: skip

# --- svd ------------------------------------------------------------------------------------------

# A = U S V^H with k = min(m, n) columns in U and V. Let X = U^H dA V have the Hermitian part X' and
# the skew part X''. Then dS is the diagonal of X', and U^H dU S - S V^H dV = X - dS is solved by
#     U^H dU = F o X' + E o X''      F[i, j] = 1 / (S[j] - S[i]) beside the diagonal
#     V^H dV = F o X' - E o X''      E[i, j] = 1 / (S[j] + S[i]).
# In this form nothing cancels where two values come close, as it does in one with the squares of S.
# The diagonal of U^H dU - V^H dV is that of X'' / S; how U and V share it is open, and in JAX it is
# all U's. With J = U^H GU and K = V^H GV, primes as before,
#     GA = U (GS + F o (J + K)'' + E o (J - K)'') V^H
#          + (1 - U U^H) GU S^-1 V^H + U S^-1 GV^H (1 - V V^H),   where U or V is not square,
# and on the diagonal 2 J'' stands for (J - K)''.


def _svd_forward(
    _options: Any, _needed: Needed, operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Any]:
    known(p.svd_p, params, "full_matrices", "compute_uv", "subset_by_index", "algorithm")
    (m, n), subset = operands[0].shape[-2:], params["subset_by_index"]
    if subset is not None and tuple(subset) != (0, min(m, n)):
        raise MissingRuleError(
            f"svd with subset_by_index={subset} of a matrix of shape {(m, n)} has no VJP rule: the "
            "gradient needs all singular vectors; compute all, and select among them"
        )
    if params["compute_uv"] and params["full_matrices"] and m != n:
        raise MissingRuleError(
            f"svd with full_matrices=True of a matrix of shape {(m, n)} has no VJP rule: the "
            "matrix does not determine the additional vectors; pass full_matrices=False"
        )
    results = list(p.svd_p.bind(*operands, **params))
    kept = results if params["compute_uv"] else operands
    return results, (*kept, compat.Opaque(params["algorithm"]))


def _svd_backward(kept: Any, _needed: Needed, arriving: Sequence[Any]) -> list[Any]:
    *values, algorithm = kept
    if len(arriving) == 1:  # values without vectors: they are computed now
        how = {"full_matrices": False, "compute_uv": True, "subset_by_index": None}
        _, u, vh = p.svd_p.bind(*values, **how, algorithm=algorithm.value)
        return [_svd_gradient(None, u, vh, arriving[0], None, None)]
    return [_svd_gradient(*values, *arriving)]


@jax.jit
def _svd_gradient(s: Any, u: Any, vh: Any, g_s: Any, g_u: Any, g_vh: Any) -> Any:
    of_values = None if g_s is None else product(scale_columns(u, g_s), vh)
    if g_u is None and g_vh is None:
        return conj(of_values)
    g_u = lax.full_like(u, 0) if g_u is None else conj(g_u)
    g_v = lax.full_like(transposed(vh), 0) if g_vh is None else transposed(g_vh)
    found = _of_vectors(s, u, adjoint(vh), g_u, g_v)
    return conj(found if of_values is None else lax.add(found, of_values))


def _of_vectors(s: Any, u: Any, v: Any, g_u: Any, g_v: Any) -> Any:
    """The gradient that flows through the singular vectors alone."""
    j, k = product(adjoint(u), g_u), product(adjoint(v), g_v)
    inner = product(u, half(_rotations(s, j, k)))
    inverse = lax.div(lax.full_like(s, 1), s)
    if u.shape[-2] > s.shape[-1]:
        inner = lax.add(inner, scale_columns(lax.sub(g_u, product(u, j)), inverse))
    found = product(inner, adjoint(v))
    if v.shape[-2] > s.shape[-1]:
        outside = lax.sub(g_v, product(v, k))
        found = lax.add(found, product(scale_columns(u, inverse), adjoint(outside)))
    return found


def _rotations(s: Any, j: Any, k: Any) -> Any:
    """Twice F o (J + K)'' + E o (J - K)''."""
    together, apart = skew(lax.add(j, k)), skew(lax.sub(j, k))
    sums = pairs(s, lax.add, apart)
    mixed = lax.add(over_pairs(together, pairs(s, lax.sub, together)), over_pairs(apart, sums))
    if not is_complex(j):
        return mixed
    phases = lax.div(lax.mul(skew(j), lax.full_like(j, 2)), sums)
    return lax.select(where_ordered(mixed, lax.eq), phases, mixed)


def _svd(x: Any) -> Any:
    """Singular values and vectors, the vectors in products that do not know their phases."""
    u, s, vh = lax.linalg.svd(separated(x), full_matrices=False)
    return s, product(scale_columns(u, jnp.sin(s)), vh), product(scale_columns(u, s), adjoint(u))


def _vectors(full_matrices: bool) -> Any:
    return lambda x: lax.linalg.svd(separated(x), full_matrices=full_matrices)


def _values(full_matrices: bool) -> Any:
    return lambda x: lax.linalg.svd(separated(x), full_matrices=full_matrices, compute_uv=False)


structured(
    p.svd_p, _svd_forward, _svd_backward,
    cases=[
        shaped(_svd, (3, 3), (4, 2), (2, 4), (2, 2, 3), domain=SMALL),
        shaped(_vectors(True), (3, 3), domain=SMALL, dtypes="f"),
        shaped(_vectors(False), (3, 2), (2, 3), domain=SMALL, dtypes="f"),
        shaped(_values(True), (3, 3), (4, 2), domain=SMALL),
        shaped(_values(False), (2, 4), (2, 3, 2), domain=SMALL),
    ],
)  # fmt: skip
