"""Eigenvalues and eigenvectors of a general matrix.

First-order perturbation theory: Magnus (1985), "On differentiating eigenvalues and eigenvectors".
<G, X> is Re tr(G^H X) throughout, see `_matrices`. The rule is structured, for the reason that
`spectra` gives.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import structured
from ._cases import shaped
from ._matrices import (
    Factors,
    adjoint,
    conj,
    is_complex,
    keep,
    known,
    over_pairs,
    pairs,
    product,
    real,
    scale_columns,
    separated,
)

Needed = tuple[bool, ...]
SMALL = (-0.25, 0.25)

# A V = V W. With X = V^-1 dA V and F[i, j] = 1 / (W[j] - W[i]) beside the diagonal, dW is the
# diagonal of X, and a column v of V moves by
#     dv = u + v c,   u the column of V (F o X).
# LAPACK's geev holds the length of v, and the phase of its largest entry v[m], which is real:
#     Re c = -Re(v^H u),   Im c = -Im(u[m]) / v[m].
# So if v has the gradient g, u has h = g - v Re(a) - i e[m] Im(a) / v[m] with a = v^H g; and
#     GA = V^-H (GW + conj(F) o (V^H H)) V^H.
# The left vectors are the right ones of A^H, whose eigenvalues are conj(W).
# Nothing promises an order of the eigenvalues, so that vectors computed later might not belong to
# them: where only values were asked for, the vectors are computed beside them.


def _eig_forward(
    _options: Any, _needed: Needed, operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Any]:
    left, right = "compute_left_eigenvectors", "compute_right_eigenvectors"
    known(p.eig_p, params, left, right, "enable_eigvec_derivs", "implementation")
    how = params if params[left] or params[right] else {**params, right: True}
    w, *vectors = p.eig_p.bind(*operands, **how)
    sides = ("left",) * how[left] + ("right",) * how[right]
    results = [w, *vectors][: 1 + params[left] + params[right]]
    return results, (w, vectors, compat.Opaque((sides, is_complex(operands[0]))))


def _eig_backward(kept: Any, _needed: Needed, arriving: Sequence[Any]) -> list[Any]:
    w, vectors, about = kept
    sides, was_complex = about.value
    found = _gradient(w, vectors, list(arriving), sides)
    return [conj(found) if was_complex else real(found)]


@functools.partial(jax.jit, static_argnames="sides")
def _gradient(w: Any, vectors: Any, arriving: Any, sides: tuple[str, ...]) -> Any:
    g_w, *g_vectors = [None if ct is None else conj(ct) for ct in [*arriving, None]]
    parts = []
    for side, v, g_v in zip(sides, vectors, g_vectors, strict=False):
        if side == "right" and not (g_w is None and g_v is None):
            parts.append(_of_right(w, v, g_w, g_v))
        elif not (g_w is None and g_v is None):
            of_adjoint = _of_right(conj(w), v, None if g_w is None else conj(g_w), g_v)
            parts.append(adjoint(of_adjoint))
        g_w = None  # the gradient of the values flows through one side
    return functools.reduce(lax.add, parts)


def _of_right(w: Any, v: Any, g_w: Any, g_v: Any) -> Any:
    """The gradient of a matrix with eigenvalues w and right eigenvectors v, one of them given."""
    inner: Any = None if g_w is None else adjoint(scale_columns(v, conj(g_w)))
    if g_v is not None:
        c = product(adjoint(v), _free(v, g_v))
        mixed = product(over_pairs(c, pairs(conj(w), lax.sub, c)), adjoint(v))
        inner = mixed if inner is None else lax.add(inner, mixed)
    return Factors(v).solve_adjoint(inner)


def _free(v: Any, g: Any) -> Any:
    """The gradients h of the columns before their length and phase are restored."""
    rows = v.ndim - 2
    a = jnp.sum(lax.mul(conj(v), g), axis=rows, keepdims=True)
    sizes = lax.add(lax.square(lax.real(v)), lax.square(lax.imag(v)))
    peak = jnp.broadcast_to(jnp.argmax(sizes, axis=rows, keepdims=True), v.shape)
    at_peak = lax.eq(lax.broadcasted_iota(peak.dtype, v.shape, rows), peak)
    tip = jnp.sum(keep(at_peak, lax.real(v)), axis=rows, keepdims=True)
    turn = keep(at_peak, jnp.broadcast_to(lax.div(lax.imag(a), tip), v.shape))
    along = lax.complex(lax.real(a), lax.full_like(lax.real(a), 0))
    held = lax.mul(v, jnp.broadcast_to(along, v.shape))
    return lax.sub(lax.sub(g, held), lax.complex(lax.full_like(turn, 0), turn))


def _eig(left: bool, right: bool, derivatives: bool) -> Any:
    """Eigenvalues and vectors; the matrix has real and, if it is large enough, complex ones."""

    def found(x: Any) -> Any:
        x = separated(x)
        if x.shape[-1] > 2:
            x = x.at[..., 0, 1].add(2).at[..., 1, 0].add(-2)
        return lax.linalg.eig(
            x, compute_left_eigenvectors=left, compute_right_eigenvectors=right,
            enable_eigvec_derivs=derivatives,
        )  # fmt: skip

    return found


structured(
    p.eig_p, _eig_forward, _eig_backward,
    cases=[
        shaped(_eig(False, False, False), (1, 1), (3, 3), (2, 3, 3), domain=SMALL, order=1,
               note="JAX has no second derivative of it"),
        shaped(_eig(True, True, True), (2, 2), (3, 3), (2, 3, 3), domain=SMALL),
        shaped(_eig(True, False, True), (3, 3), domain=SMALL),
        shaped(_eig(False, True, True), (3, 3), domain=SMALL),
        shaped(_eig(True, True, False), (3, 3), domain=SMALL, order=0,
               note="JAX refuses it, since it cannot know whether the eigenvalues are distinct"),
    ],
)  # fmt: skip
