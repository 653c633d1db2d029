"""Decompositions and triangular solves, for the last two axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import scipy.linalg

from ._rule import Array, NotHereError, Params, Rule, plain, shaped


def _each(function: Callable[[Array], tuple[Array, ...]], x: Array) -> list[Array]:
    """The results for each matrix of a stack, stacked."""
    batch = np.shape(x)[:-2]
    if 0 in np.shape(x):
        raise NotHereError
    rows = [function(m) for m in np.reshape(x, (-1, *np.shape(x)[-2:]))]
    parts = [np.stack(part) for part in zip(*rows, strict=True)]
    return [part.reshape(*batch, *part.shape[1:]) for part in parts]


def _lu(x: Array) -> list[Array]:
    def one(matrix: Array) -> tuple[Array, ...]:
        # LAPACK by another name than `lu_factor`, which warns of singular matrices.
        (getrf,) = scipy.linalg.get_lapack_funcs(("getrf",), (matrix,))
        found, pivots, _ = getrf(matrix)
        order = np.arange(matrix.shape[0])
        for i, pivot in enumerate(pivots):
            order[[i, pivot]] = order[[pivot, i]]
        return found, pivots, order

    return _each(one, x)


def _triangular(params: Params, a: Array, b: Array) -> Array:
    matrix = np.tril(a) if params["lower"] else np.triu(a)
    if params["unit_diagonal"]:
        index = np.arange(matrix.shape[-1])
        matrix = np.array(matrix)
        matrix[..., index, index] = 1
    if params["transpose_a"]:
        matrix = np.swapaxes(matrix, -1, -2)
    if params["conjugate_a"]:
        matrix = np.conj(matrix)
    index = np.arange(matrix.shape[-1])
    if 0 in np.shape(b) or (matrix[..., index, index] == 0).any():
        raise NotHereError
    if params["left_side"]:
        return np.linalg.solve(matrix, b)
    turned = np.linalg.solve(np.swapaxes(matrix, -1, -2), np.swapaxes(b, -1, -2))
    return np.swapaxes(turned, -1, -2)


def _cholesky(x: Array) -> Array:
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        raise NotHereError from None


def _qr(params: Params, x: Array) -> list[Array]:
    if params.get("pivoting"):
        raise NotHereError
    return list(np.linalg.qr(x, "complete" if params["full_matrices"] else "reduced"))


def _svd(params: Params, x: Array) -> list[Array]:
    if params.get("subset_by_index") is not None or not np.isfinite(x).all():
        raise NotHereError
    if not params["compute_uv"]:
        return [np.linalg.svd(x, compute_uv=False)]
    u, s, v = np.linalg.svd(x, full_matrices=params["full_matrices"])
    return [s, u, v]


def _eigh(params: Params, x: Array) -> list[Array]:
    if params.get("subset_by_index") is not None or not np.isfinite(x).all():
        raise NotHereError
    values, vectors = np.linalg.eigh(x, "L" if params["lower"] else "U")
    return [vectors, values]


RULES: Mapping[str, Rule] = {
    "lu": plain(_lu),
    "triangular_solve": shaped(_triangular),
    "cholesky": plain(_cholesky),
    "qr": shaped(_qr),
    "svd": shaped(_svd),
    "eigh": shaped(_eigh),
}
