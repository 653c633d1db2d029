"""Every function of `jax.numpy.linalg`, `jax.scipy.linalg` and `jax.lax.linalg` with a gradient."""

from __future__ import annotations

from typing import Any

import jax.lax.linalg
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
import pytest

from tests.library.library_calls import (
    SQUARE,
    SYMMETRIC,
    Call,
    M,
    N,
    X,
    Y,
    assert_complete,
    call,
    calls_of,
    compare,
    names,
    public_functions,
)

VECTORS = "eigenvectors are determined up to a factor only"
NO_RULE = "it has no rule for the primitive"
LOOP = "it is a loop of a length that the values decide"
LOWER = np.tril(SQUARE)
PIVOTS = np.array([2, 2, 2], np.int32)
OFF_DIAGONAL = np.array([0.0, 0.3, -0.4])


def _of_symmetric(function: Any) -> Any:
    """Only one triangle is read; older JAX spreads its cotangent over both, with the same sum."""
    return lambda a, **options: function(a @ a.T, **options)


NUMPY: dict[str, Any] = {
    "cholesky": call(SYMMETRIC),
    "cond": (call(SQUARE), call(SQUARE, 1)),
    "cross": call(X, Y),
    "det": (call(SQUARE), call(SQUARE, times=2, factor=4)),
    "diagonal": call(SQUARE),
    "eig": call(SQUARE, cannot=VECTORS),
    "eigh": call(SYMMETRIC, factor=30),
    "eigvals": call(SQUARE, factor=30),
    "eigvalsh": call(SYMMETRIC, factor=30),
    "inv": call(SQUARE),
    "lstsq": call(M.T, X, factor=20),
    "matmul": call(M, N.T),
    "matrix_norm": (call(M), call(M, ord="nuc"), call(M, ord=2)),
    "matrix_power": (call(SQUARE, 3), call(SQUARE, -2)),
    "matrix_transpose": call(M),
    "multi_dot": call([X, SQUARE, Y]),
    "norm": (call(M), call(X, ord=3), call(M, ord=2), call(M, ord="nuc"), call(X, ord=1)),
    "outer": call(X, Y),
    "pinv": call(M, factor=10),
    "qr": call(M.T, factor=10),
    "slogdet": call(SQUARE),
    "solve": (call(SQUARE, X), call(SQUARE, X, times=2)),
    "svd": (call(M, full_matrices=False, factor=30), call(SQUARE, factor=30)),
    "svdvals": call(M, factor=10),
    "tensordot": call(M, N, axes=((0, 1), (0, 1))),
    "tensorinv": call(SQUARE, 1),
    "tensorsolve": call(SQUARE, X),
    "trace": call(SQUARE),
    "vecdot": call(M, N),
    "vector_norm": (call(M), call(X, ord=3)),
}

SCIPY: dict[str, Any] = {
    **{
        name: call(X)
        for name in names("circulant companion fiedler fiedler_companion hankel toeplitz")
    },
    "block_diag": call(M, X),
    "cho_factor": call(SQUARE, adapt=_of_symmetric),
    "cho_solve": call(LOWER, X, adapt=lambda f: lambda c, b: f((c, True), b)),
    "cholesky": call(SQUARE, adapt=_of_symmetric, lower=True),
    "convolution_matrix": call(X, 4),
    "det": call(SQUARE),
    "eigh": call(SYMMETRIC, factor=30),
    "eigh_tridiagonal": call(X, Y[:2], eigvals_only=True, cannot=LOOP),
    "expm": call(SQUARE, factor=10),
    "expm_frechet": call(SQUARE, SYMMETRIC, factor=10),
    "funm": call(SQUARE, cannot=NO_RULE, adapt=lambda f: lambda a: f(a, jnp.exp)),
    "hessenberg": call(SQUARE, cannot=NO_RULE),
    "inv": call(SQUARE),
    "leslie": call(X, Y[:2]),
    "lu": call(SQUARE),
    "lu_factor": call(SQUARE),
    "lu_solve": call(SQUARE, X, adapt=lambda f: lambda a, b: f((a, PIVOTS), b)),
    "polar": (
        call(SQUARE, method="svd", factor=30),
        call(SQUARE, method="qdwh", cannot=LOOP),
    ),
    "qr": call(M.T, mode="economic", factor=10),
    "qr_multiply": call(M.T, X, cannot=NO_RULE),
    "rsf2csf": call(SQUARE, SYMMETRIC),
    "schur": call(SQUARE, cannot=NO_RULE),
    "solve": (call(SQUARE, X), call(SYMMETRIC, X, assume_a="pos")),
    "solve_sylvester": call(SQUARE, SYMMETRIC, SQUARE + 1, cannot=NO_RULE),
    "solve_triangular": call(LOWER, X, lower=True),
    "sqrtm": call(SQUARE, cannot=NO_RULE),
    "svd": call(M, full_matrices=False, factor=30),
}

LAX: dict[str, Any] = {
    "cholesky": call(SYMMETRIC),
    "cholesky_update": call(LOWER.T, X, cannot=NO_RULE),
    "eig": call(SQUARE, compute_left_eigenvectors=False, compute_right_eigenvectors=False,
                factor=30),
    "eigh": call(SYMMETRIC, factor=30),
    "hessenberg": call(SQUARE, cannot=NO_RULE),
    "householder_product": call(LOWER, Y, cannot=NO_RULE),
    "lu": call(SQUARE),
    "ormqr": call(LOWER, Y, SQUARE, cannot=NO_RULE),
    "qdwh": call(SQUARE, cannot=LOOP),
    "qr": call(M.T, full_matrices=False, factor=10),
    "schur": call(SQUARE, cannot=NO_RULE),
    "svd": call(M, full_matrices=False, factor=30),
    "symmetric_product": call(M, SYMMETRIC[:2, :2], symmetrize_output=True, cannot=NO_RULE),
    "triangular_solve": call(LOWER, SQUARE, left_side=True, lower=True),
    "tridiagonal": call(SYMMETRIC, cannot=NO_RULE),
    "tridiagonal_solve": call(OFF_DIAGONAL, X + 2, OFF_DIAGONAL[::-1], X[:, None]),
}  # fmt: skip

EXCLUDED_NUMPY = {"the result is a whole number": "matrix_rank"}
EXCLUDED_SCIPY = {
    "the result depends on no floating argument": (
        "dft hadamard helmert hilbert invhilbert invpascal pascal"
    )
}
EXCLUDED_LAX = {"it permutes whole numbers": "lu_pivots_to_permutation"}


@pytest.mark.parametrize(("function", "one"), calls_of(NUMPY, jnp.linalg))
def test_our_gradient_is_that_of_jax_in_numpy(function: Any, one: Call) -> None:
    compare(function, one)


@pytest.mark.parametrize(("function", "one"), calls_of(SCIPY, jax.scipy.linalg))
def test_our_gradient_is_that_of_jax_in_scipy(function: Any, one: Call) -> None:
    compare(function, one)


@pytest.mark.parametrize(("function", "one"), calls_of(LAX, jax.lax.linalg))
def test_our_gradient_is_that_of_jax_in_lax(function: Any, one: Call) -> None:
    compare(function, one)


def test_no_function_is_left_out() -> None:
    assert_complete(NUMPY, EXCLUDED_NUMPY, public_functions(jnp.linalg))
    assert_complete(SCIPY, EXCLUDED_SCIPY, public_functions(jax.scipy.linalg))
    assert_complete(LAX, EXCLUDED_LAX, public_functions(jax.lax.linalg))
