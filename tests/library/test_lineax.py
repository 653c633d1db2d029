"""Lineax, with our rule for its primitive, against `jax.grad`; where it is installed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.rules import third_party as third_party  # its rules are declared by the import
from tests.library.library_calls import COMPLEX, SQUARE, SYMMETRIC, Call, X, Y, call, compare

lx = pytest.importorskip("lineax")

TALL, WIDE = SQUARE[:, :2], SQUARE[:2]
PAIR = np.stack([SQUARE, SYMMETRIC])


def _solved(solver: Any, *tags: Any) -> Any:
    def solve(matrix: Any, vector: Any) -> Any:
        return lx.linear_solve(lx.MatrixLinearOperator(matrix, tags), vector, solver).value

    return solve


def _of_rank_one(u: Any, vector: Any) -> Any:
    return _solved(lx.SVD(rcond=1e-3))(jnp.outer(u, u[:2]), vector)


def _positive(matrix: Any, vector: Any) -> Any:
    solve = _solved(lx.CG(1e-6, 1e-6), lx.positive_semidefinite_tag)
    return solve(matrix @ matrix.T, vector)


def _of_a_function(matrix: Any, vector: Any) -> Any:
    like = jax.eval_shape(lambda: vector)
    operator = lx.FunctionLinearOperator(lambda x: matrix @ x, like)
    return lx.linear_solve(operator, vector, lx.GMRES(1e-6, 1e-6)).value


def _of_a_tree(matrix: Any, vector: Any) -> Any:
    """A block of two unknowns, which are leaves of a pytree."""
    like = {"a": jax.eval_shape(lambda: vector), "b": jax.eval_shape(lambda: vector)}
    operator = lx.FunctionLinearOperator(
        lambda x: {"a": matrix @ x["a"] + x["b"], "b": 3 * x["b"] - x["a"]}, like
    )
    return lx.linear_solve(operator, {"a": vector, "b": 2 * vector}, lx.LU()).value["b"]


CALLS: dict[str, tuple[Any, Call]] = {
    "LU": (_solved(lx.LU()), call(SQUARE, X, times=2)),
    "QR": (_solved(lx.QR()), call(SQUARE, X)),
    "QR of more rows": (_solved(lx.QR()), call(TALL, X, times=2)),
    "QR of more columns": (_solved(lx.QR()), call(WIDE, X[:2], times=2)),
    "SVD": (_solved(lx.SVD()), call(SQUARE, X)),
    "SVD of more rows": (_solved(lx.SVD()), call(TALL, X)),
    "SVD of more columns": (_solved(lx.SVD()), call(WIDE, X[:2], times=2)),
    "SVD of a lower rank": (_of_rank_one, call(X, Y)),
    "Cholesky": (_solved(lx.Cholesky(), lx.positive_semidefinite_tag), call(SYMMETRIC, X)),
    "Triangular": (_solved(lx.Triangular(), lx.lower_triangular_tag), call(np.tril(SQUARE), X)),
    "AutoLinearSolver": (_solved(lx.AutoLinearSolver(well_posed=None)), call(SQUARE, X)),
    "CG": (_positive, call(SQUARE, X)),
    "GMRES": (_of_a_function, call(SQUARE, X)),
    "a pytree": (_of_a_tree, call(SQUARE, X)),
    "complex": (_solved(lx.QR()), call(TALL + 0.3j * TALL[::-1], COMPLEX)),
    "complex SVD": (_solved(lx.SVD()), call(WIDE + 0.3j * WIDE[::-1], COMPLEX[:2])),
    "vmap": (jax.vmap(_solved(lx.LU())), call(PAIR, np.stack([X, Y]))),
    "vmap, one matrix": (jax.vmap(_solved(lx.LU()), (None, 0)), call(SQUARE, np.stack([X, Y]))),
}


@pytest.mark.parametrize("name", CALLS)
def test_our_gradient_is_that_of_jax(name: str) -> None:
    function, one = CALLS[name]
    compare(function, one._replace(factor=200))  # the transposed systems are solved otherwise
