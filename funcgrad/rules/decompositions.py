"""Triangular decompositions: Cholesky, LU and QR.

Each is derived from the differential of its defining equation, brought into a form in which the
unknown differentials are the triangles of one known matrix: Giles (2008), "An extended collection
of matrix derivative results"; Walter and Lehmann (2012), "Algorithmic differentiation of linear
algebra functions with application in optimum experimental design"; Seeger et al. (2017), "Auto-
differentiating linear algebra". <G, X> is Re tr(G^H X) throughout, see `_matrices`.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
from jax import lax

from .._jaxcompat import primitives as p
from .._registry import general
from ._cases import shaped
from ._matrices import (
    Factors,
    adjoint,
    conj,
    dominant,
    half_lower,
    lower,
    positive,
    product,
    solve_triangular,
    strict_lower,
    transposed,
    undo_permutation,
    unit_lower,
    upper,
)

SMALL = (-1.0, 1.0)

# --- Cholesky -------------------------------------------------------------------------------------

# A = L L^H with L lower triangular and its diagonal real. With X = L^-1 dA L^-H, Hermitian,
#     L^-1 dL + (L^-1 dL)^H = X,   so   dL = L low(X),
# low being the strict lower triangle and half of the diagonal, real. Then
#     <G, dL> = <M, X>  with M = low(L^H G),   and on Hermitian X   <M, X> = <(M + M^H) / 2, X>.
# The primitive reads the lower triangle of A, so that an entry below the diagonal stands for two;
# and of its output the upper triangle is without meaning.


# That takes 4 n^3 operations, all on full matrices. In blocks S = L^-H (M + M^H) L^-1, of which the
# result is the lower triangle, comes from the last to the first: with all of S behind a block row,
#     S21 = (G21 - S22 L21) L11^-1,   and S11 is that of L11 with the gradient G11 - S21^H L21.
# Three blocks take 1.15 n^3 (many small ones 2/3 n^3: Murray 2016, "Differentiation of the Cholesky
# decomposition", but every block takes as long to compile as the whole).

_WHOLE = 160  # rows up to which a CPU is as fast without blocks
_ALIGNED = 16  # rows; an odd border takes longer to compile and to run


def _cholesky(ct: Any, factor: Any, _a: Any) -> Any:
    g, factor = conj(ct), lower(factor)
    borders = _borders(g.shape[-1])
    last = slice(borders[-2], None)
    s = _of_block(g[..., last, last], factor[..., last, last])
    for begin, end in reversed(list(itertools.pairwise(borders[:-1]))):
        here, behind = slice(begin, end), slice(end, None)
        first, below = factor[..., here, here], factor[..., behind, here]
        left = _over(lax.sub(g[..., behind, here], product(s, below)), first)
        top = lax.sub(g[..., here, here], product(adjoint(left), below))
        s = _joined(_of_block(top, first), left, s)
    return conj(half_lower(s))


def _borders(n: int) -> list[int]:
    """Where the blocks begin and end."""
    if n <= _WHOLE:
        return [0, n]
    return [0, *(n * i // 3 // _ALIGNED * _ALIGNED for i in (1, 2)), n]


def _joined(top: Any, left: Any, last: Any) -> Any:
    """The Hermitian matrix of these blocks."""
    rows, columns = last.ndim - 2, last.ndim - 1
    first = lax.concatenate([top, left], rows)
    return lax.concatenate([first, lax.concatenate([adjoint(left), last], rows)], columns)


def _of_block(g: Any, factor: Any) -> Any:
    """All of S, where there is one block."""
    low = half_lower(product(adjoint(factor), g))
    half = transposed(_over(lax.add(low, adjoint(low)), factor))
    return transposed(
        solve_triangular(transposed(factor), half, left=False, lower=False, adjoint_of=True)
    )


def _over(b: Any, factor: Any) -> Any:
    """The solution of ``x factor = b``, of transposed matrices: LAPACK has them column by column,
    so that these are copied nowhere."""
    return transposed(solve_triangular(transposed(factor), transposed(b), left=True, lower=False))


general(
    p.cholesky_p, _cholesky,
    cases=[
        shaped(lambda x: lax.linalg.cholesky(positive(x)), (1, 1), (3, 3), (2, 3, 2)),
        shaped(lambda x: lax.linalg.cholesky(positive(x), symmetrize_input=False), (3, 2)),
        shaped(lambda x: lax.linalg.cholesky(positive(x)), (0, 0), note="constant: no entries"),
        shaped(lambda x: lax.linalg.cholesky(dominant(x), symmetrize_input=False), (3, 3),
               domain=SMALL, order=0,
               note="one triangle is read: jax 0.10 returns the gradient of a symmetric matrix"),
    ],
)  # fmt: skip

# --- LU -------------------------------------------------------------------------------------------

# A[permutation] = L U. In blocks, of which the first has k = min(m, n) rows and columns,
#     A11 = L1 U1,   A21 = L2 U1,   A12 = L1 U2,
# where one of A21 and A12 is empty. With X = L1^-1 dA11 U1^-1 = L1^-1 dL1 + dU1 U1^-1,
#     dL1 = L1 strict_lower(X)        dL2 = (dA21 - L2 dU1) U1^-1
#     dU1 = upper(X) U1               dU2 = L1^-1 (dA12 - dL1 U2).
# The output is packed: G11 holds the gradients of L1 and U1, G21 that of L2, G12 that of U2.
#     <G11, dL1 + dU1> + <G21, dL2> + <G12, dU2> = <S, X> + <G21 U1^-H, dA21> + <L1^-H G12, dA12>,
#     S = strict_lower(L1^H G11 - G12 U2^H) + upper(G11 U1^H - L2^H G21).


def _lu(cts: Any, outputs: Any, _a: Any) -> Any:
    g, (packed, _, permutation) = conj(cts[0]), outputs
    k = min(packed.shape[-2:])
    first, others = g[..., :k, :k], packed[..., :k, :k]
    l1, u1 = unit_lower(others), upper(others)
    g21, g12 = g[..., k:, :k], g[..., :k, k:]
    of_l = lax.sub(product(adjoint(l1), first), product(g12, adjoint(packed[..., :k, k:])))
    of_u = lax.sub(product(first, adjoint(u1)), product(adjoint(packed[..., k:, :k]), g21))
    s = lax.add(strict_lower(of_l), upper(of_u))
    rows = lax.concatenate([s, g21], s.ndim - 2)
    right = solve_triangular(u1, rows, left=False, lower=False, adjoint_of=True)
    columns = lax.concatenate([right[..., :k, :], g12], s.ndim - 1)
    left = solve_triangular(l1, columns, left=True, lower=True, adjoint_of=True, unit=True)
    if g.shape[-2] > k:
        left = lax.concatenate([left, right[..., k:, :]], s.ndim - 2)
    return conj(undo_permutation(left, permutation, -2))


def _packed(x: Any) -> Any:
    """Both factors of a matrix whose rows are out of order."""
    return lax.linalg.lu(dominant(x)[..., ::-1, :])[0]


general(
    p.lu_p, _lu,
    cases=[
        shaped(_packed, (1, 1), (3, 3), (2, 3, 3), domain=SMALL),
        shaped(_packed, (4, 2), (2, 1, 2), (2, 4, 2), domain=SMALL, note="a tall matrix"),
        shaped(_packed, (2, 4), (2, 2, 4), domain=SMALL, note="a wide matrix"),
    ],
)  # fmt: skip

# --- QR -------------------------------------------------------------------------------------------

# A = Q R with Q^H Q = 1, R upper triangular and its diagonal real. For A of full column rank let
# X = Q^H dA R^-1 = Q^H dQ + dR R^-1, the sum of a skew-Hermitian matrix and of an upper triangular
# one, Y, with a real diagonal. So X determines both: Y is the strict upper triangle of X + X^H and
# the real part of the diagonal of X; Q^H dQ = X - Y; and dQ = (1 - Q Q^H) dA R^-1 + Q (X - Y). With
# M = GR R^H - Q^H GQ it follows from <GQ, dQ> + <GR, dR> that
#     GA = (GQ + Q S) R^-H,   S = the Hermitian matrix that has the upper triangle of M.
# A wide A = [A1, A2] has R = [R1, R2] with A1 = Q R1 and R2 = Q^H A2: then
#     GA2 = Q GR2,   and GQ grows by A2 GR2^H = Q R2 GR2^H.
# With pivoting A[:, permutation] = Q R.


def _qr(cts: Any, outputs: Any, _a: Any, *, pivoting: bool, full_matrices: bool) -> Any:
    (g_q, g_r), (q, r) = (conj(cts[0]), conj(cts[1])), outputs[:2]
    rows, columns = _a.shape[-2:]
    if full_matrices and rows > columns:
        g_q = _pull_completion(g_q, q, columns)
        q, r, g_r = q[..., :columns], r[..., :columns, :], g_r[..., :columns, :]
    k = q.shape[-1]
    rest, g_rest = r[..., k:], g_r[..., k:]
    if columns > rows:
        g_q = lax.add(g_q, product(q, product(rest, adjoint(g_rest))))
    r, g_r = r[..., :k], g_r[..., :k]
    m = lax.sub(product(g_r, adjoint(r)), product(adjoint(q), g_q))
    low = half_lower(adjoint(m))
    inner = lax.add(g_q, product(q, lax.add(low, adjoint(low))))
    found = solve_triangular(r, inner, left=False, lower=False, adjoint_of=True)
    if columns > rows:
        found = lax.concatenate([found, product(q, g_rest)], found.ndim - 1)
    return conj(undo_permutation(found, outputs[2], -1) if pivoting else found)


# The full Q = [Q1, Q2] of a tall matrix is a product of n reflections, Q = 1 - V T V^H with the
# n columns of V unit lower triangular above (Golub and Van Loan, "Matrix Computations", 5.1.7;
# Schreiber and Van Loan 1989). Its first n columns determine the others: with V = [V1; V2],
#     Q11 = 1 - V1 T V1^H     Q12 =   - V1 T V2^H
#     Q21 =   - V2 T V1^H     Q22 = 1 - V2 T V2^H,
# so V2 T = -Q21 V1^-H and V2 = -Q21 (T V1^H)^-1. With N = 1 - Q11 and C = Q21 it follows
#     Q12 = N W,   Q22 = 1 - C W,   W = N^-H C^H.
# The differentials are dQ12 = dN W + N dW and dQ22 = -dC W - C dW with N^H dW = dC^H - dN^H W. With
# Z = N^-1 (N^H G12 - C^H G22):
#     GN = G12 W^H - W Z^H,   GC = Z^H - G22 W^H.


def _pull_completion(g: Any, q: Any, n: int) -> Any:
    """The gradient of the first n columns of a full Q, that of the others included."""
    q11, c = q[..., :n, :n], q[..., n:, :n]
    one_less = lax.sub(jnp.broadcast_to(jnp.eye(n, dtype=q.dtype), q11.shape), q11)
    g12, g22 = g[..., :n, n:], g[..., n:, n:]
    factors = Factors(one_less)
    w = factors.solve_adjoint(adjoint(c))
    z = factors.solve(lax.sub(product(adjoint(one_less), g12), product(adjoint(c), g22)))
    of_n = lax.sub(product(g12, adjoint(w)), product(w, adjoint(z)))
    of_c = lax.sub(adjoint(z), product(g22, adjoint(w)))
    return lax.add(g[..., :n], lax.concatenate([lax.neg(of_n), of_c], g.ndim - 2))


def _factors(full_matrices: bool) -> Any:
    return lambda x: lax.linalg.qr(_filled(x), full_matrices=full_matrices)


def _filled(x: Any) -> Any:
    """Without zeros below the diagonal, at which a reflection is the identity and then jumps."""
    return dominant(x) + 2


def _pivoted(full_matrices: bool) -> Any:
    def both(x: Any) -> Any:
        mixed = jnp.roll(_filled(x)[..., ::-1], 1, -1)  # for three columns, their order is a cycle
        q, r, _ = lax.linalg.qr(mixed, full_matrices=full_matrices, pivoting=True)
        return q, r

    return both


general(
    p.qr_p, _qr, ignores=["use_magma"],
    cases=[
        shaped(_factors(True), (3, 3), (2, 3, 3), domain=SMALL),
        shaped(_factors(False), (4, 2), (2, 3, 2), domain=SMALL, note="a tall matrix"),
        shaped(_factors(True), (4, 2), (3, 1), (2, 3, 2), domain=SMALL, note="a full Q"),
        shaped(_factors(False), (2, 4), (2, 2, 3), domain=SMALL, note="a wide matrix"),
        shaped(_factors(True), (2, 4), domain=SMALL, note="a wide matrix"),
        shaped(_pivoted(True), (3, 3), (4, 2), (5, 3), domain=SMALL),
        shaped(_pivoted(False), (3, 2), (4, 3), domain=SMALL),
        shaped(_pivoted(False), (3, 5), domain=SMALL, order=0,
               note="a wide matrix with pivoting: JAX's gradient disagrees with differences"),
        shaped(_pivoted(True), (2, 3, 3), domain=SMALL, order=0,
               note="a batch with pivoting: JAX's gradient is an error"),
    ],
)  # fmt: skip
