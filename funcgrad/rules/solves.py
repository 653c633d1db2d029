"""Solutions of triangular and tridiagonal systems.

A system A x = b has the differential A dx = db - dA x. With the cotangent c of x, and the solution
w of the transposed system A^T w = c, that of b is w, and that of A is -w x^T, of which the entries
that the primitive reads are kept (Giles 2008, "An extended collection of matrix derivative
results", 2.2.2). All of it is holomorphic in A and b: only a conjugated A is conjugated here.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from .._jaxcompat import primitives as p
from .._registry import general, joint
from ._cases import at_least_single, several
from ._matrices import conj, dominant, keep, product, transposed, where_ordered

# --- triangular -----------------------------------------------------------------------------------


def _right_side(
    ct: Any, _x: Any, a: Any, _b: Any, *, left_side: bool, lower: bool, transpose_a: bool,
    conjugate_a: bool, unit_diagonal: bool,
) -> Any:  # fmt: skip
    return lax.linalg.triangular_solve(
        a, ct, left_side=left_side, lower=lower, transpose_a=not transpose_a,
        conjugate_a=conjugate_a, unit_diagonal=unit_diagonal,
    )  # fmt: skip


def _triangle(
    ct: Any, x: Any, a: Any, _b: Any, *, left_side: bool, lower: bool, transpose_a: bool,
    conjugate_a: bool, unit_diagonal: bool,
) -> Any:  # fmt: skip
    w = _right_side(
        ct, x, a, _b, left_side=left_side, lower=lower, transpose_a=transpose_a,
        conjugate_a=conjugate_a, unit_diagonal=unit_diagonal,
    )  # fmt: skip
    # of op(a): -w x^T on the left, -x^T w on the right; of a: transposed with op
    pair = (w, transposed(x)) if left_side else (transposed(x), w)
    whole = product(transposed(pair[1]), transposed(pair[0])) if transpose_a else product(*pair)
    whole = lax.neg(conj(whole) if conjugate_a else whole)
    orders = {(True, False): lax.ge, (True, True): lax.gt, (False, False): lax.le}
    return keep(where_ordered(whole, orders.get((lower, unit_diagonal), lax.lt)), whole)


def _triangular(**how: bool) -> Any:
    return lambda a, b: lax.linalg.triangular_solve(dominant(a), at_least_single(b), **how)


_MODES = [
    {"left_side": True},
    {"left_side": True, "lower": True, "conjugate_a": True},
    {"left_side": True, "lower": True, "transpose_a": True, "unit_diagonal": True},
    {"left_side": True, "transpose_a": True, "conjugate_a": True},
    {"left_side": False, "lower": True, "transpose_a": True, "conjugate_a": True},
    {"left_side": False, "lower": True},
    {"left_side": False, "transpose_a": True},
    {"left_side": False, "conjugate_a": True, "unit_diagonal": True},
]

general(
    p.triangular_solve_p, _triangle, _right_side,
    cases=[
        *(several(_triangular(**how), (3, 3), (3, 2) if how["left_side"] else (2, 3),
                  domain=(-1.0, 1.0), note=", ".join(how)) for how in _MODES),
        several(_triangular(left_side=True, lower=True), (2, 3, 3), (2, 3, 1), domain=(-1.0, 1.0)),
        several(_triangular(left_side=False, transpose_a=True), (2, 2, 2), (2, 1, 2),
                domain=(-1.0, 1.0)),
        several(_triangular(left_side=True), (0, 0), (0, 2), note="constant: without entries"),
    ],
)  # fmt: skip

# --- tridiagonal ----------------------------------------------------------------------------------

# Row i of the system is lower[i] x[i-1] + diagonal[i] x[i] + upper[i] x[i+1] = b[i]; lower[0] and
# upper[-1] stand outside the matrix. The transposed matrix has, in row i, upper[i-1] below and
# lower[i+1] above its diagonal.


def _shift(a: Any, by: int, axis: int) -> Any:
    """The entries moved by one place along an axis, with a zero where none came from."""
    padding = [(0, 0, 0)] * a.ndim
    padding[axis] = (by, -by, 0)
    return lax.pad(a, jnp.zeros((), a.dtype), padding)


def _tridiagonal(
    ct: Any, x: Any, lower: Any, diagonal: Any, upper: Any, _b: Any, *, perturb_singular: bool
) -> list[Any]:
    last, rows = diagonal.ndim - 1, x.ndim - 2
    below, above = _shift(upper, 1, last), _shift(lower, -1, last)
    w = lax.linalg.tridiagonal_solve(below, diagonal, above, ct, perturb_singular=perturb_singular)
    neighbours = (_shift(x, 1, rows), x, _shift(x, -1, rows))
    return [*(lax.neg(jnp.sum(lax.mul(w, beside), axis=-1)) for beside in neighbours), w]


def _tridiagonal_system(lower: Any, diagonal: Any, upper: Any, b: Any, **how: bool) -> Any:
    lower, diagonal, upper, b = map(at_least_single, (lower, diagonal, upper, b))
    return lax.linalg.tridiagonal_solve(lower, diagonal + 6, upper, b, **how)


joint(
    p.tridiagonal_solve_p, _tridiagonal,
    cases=[
        several(_tridiagonal_system, (4,), (4,), (4,), (4, 2)),
        several(_tridiagonal_system, (1,), (1,), (1,), (1, 2)),
        several(_tridiagonal_system, (2, 3), (2, 3), (2, 3), (2, 3, 1)),
        several(lambda *operands: _tridiagonal_system(*operands, perturb_singular=True),
                (3,), (3,), (3,), (3, 2)),
    ],
)  # fmt: skip
