"""Solving, inverting and decomposing matrices."""

from __future__ import annotations

import numpy as np

from .._domains import (
    DISTINCT_COMPLEX_EIGENVALUES,
    DISTINCT_EIGENVALUES,
    DISTINCT_SINGULAR_VALUES,
    INDEPENDENT_COLUMNS,
    INVERTIBLE,
    POSITIVE_DEFINITE,
    WELL_PIVOTED,
    any_square,
    both,
    ranked,
    real,
    square_matrix,
)
from .._kinds import Domain, Fits, Operation, Shape, Slot
from .elementwise import NUMBERS

FAMILY = "decompositions"


def tall(shape: Shape, *_: Shape) -> bool:
    return len(shape) == 2 and shape[0] >= shape[1] >= 2


def right_side(shape: Shape, *before: Shape) -> bool:
    """A stack of columns beside a stack of matrices."""
    first = before[0]
    return len(shape) == len(first) and shape[:-1] == first[:-1]


def one(
    name: str,
    template: str,
    domain: Domain,
    fits: Fits = any_square,
    dtypes: str = "f",
    **more: object,
) -> Operation:
    return Operation(name, FAMILY, template, (Slot(fits, domain, dtypes),), wide=True, **more)  # type: ignore[arg-type] # of a NamedTuple


def diagonal(name: str, template: str) -> Operation:
    """An adapter towards a kind of matrix."""
    template = template.replace("EYE", "jnp.eye({0}.shape[-2], {0}.shape[-1], dtype={0}.dtype)")
    draw = lambda choices, _: {"number": choices.choice(NUMBERS)}  # noqa: E731 -- one line says it
    return Operation(name, "linear algebra", template, (both(any_square),), draw)


STEEP = "jnp.arange(1, {0}.shape[-2] + 1, dtype={0}.dtype)[:, None]"
SIDE = real(right_side)
OPERATIONS = (
    diagonal("add_diagonal", "{0} + {number} * EYE"),
    diagonal("add_steep_diagonal", f"{{0}} + {{number}} * {STEEP} * EYE"),
    diagonal("positive_definite", "{0} @ jnp.swapaxes({0}, -1, -2).conj() + {number} * EYE"),
    diagonal(
        "symmetric", f"{{0}} + jnp.swapaxes({{0}}, -1, -2).conj() + {{number}} * {STEEP} * EYE"
    ),
    Operation(
        "solve",
        FAMILY,
        "jnp.linalg.solve({0}, {1})",
        (real(any_square, WELL_PIVOTED), SIDE),
        wide=True,
    ),
    Operation(
        "triangular_solve",
        FAMILY,
        "lax.linalg.triangular_solve({0}, {1}, left_side=True, {flags})",
        (real(any_square, INVERTIBLE), SIDE),
        lambda c, *_: {
            "flags": c.choice(
                (
                    "lower=True",
                    "lower=False",
                    "lower=True, transpose_a=True",
                    "lower=True, unit_diagonal=True",
                )
            )
        },
        lambda _, a, __: bool((np.abs(np.diagonal(a, axis1=-2, axis2=-1)) > 0.3).all()),
        wide=True,
    ),
    Operation(
        "solve_triangular",
        FAMILY,
        "jax.scipy.linalg.solve_triangular({0}, {1}, lower=True)",
        (real(square_matrix, INVERTIBLE), SIDE),
        None,
        lambda _, a, __: bool((np.abs(np.diagonal(a)) > 0.3).all()),
        wide=True,
    ),
    Operation(
        "cho_solve",
        FAMILY,
        "jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor({0}), {1})",
        (real(square_matrix, POSITIVE_DEFINITE), SIDE),
        wide=True,
    ),
    Operation(
        "tridiagonal_solve",
        FAMILY,
        "lax.linalg.tridiagonal_solve("
        "0.2 * {1}[:, 0], 3.0 + jnp.sin({0}[:, 0]), 0.3 * {1}[:, 1], {0})",
        (
            real(lambda shape: len(shape) == 2 and shape[0] == 3),
            real(lambda shape, _: shape in ((3, 2), (3, 3))),
        ),
        wide=True,
    ),
    one("inv", "jnp.linalg.inv({0})", WELL_PIVOTED),
    one("pinv", "jnp.linalg.pinv({0})", INDEPENDENT_COLUMNS, tall),
    one("det", "jnp.linalg.det({0})", WELL_PIVOTED),
    one("slogdet", "jnp.linalg.slogdet({0})[1]", WELL_PIVOTED),
    one("cholesky", "jnp.linalg.cholesky({0})", POSITIVE_DEFINITE, dtypes="fc"),
    one("lax_cholesky", "lax.linalg.cholesky({0}, symmetrize_input=False)", POSITIVE_DEFINITE),
    one("qr", "jnp.linalg.qr({0})", INDEPENDENT_COLUMNS, tall, results=2),
    one("lu", "lax.linalg.lu({0})[0]", WELL_PIVOTED),
    one("scipy_lu", "jax.scipy.linalg.lu({0})[1:]", WELL_PIVOTED, square_matrix, results=2),
    one("eigvalsh", "jnp.linalg.eigvalsh({0})", DISTINCT_EIGENVALUES),
    one("eigh", "jnp.linalg.eigh({0})", DISTINCT_EIGENVALUES, results=2),
    one("eigvals", "jnp.linalg.eigvals({0})", DISTINCT_COMPLEX_EIGENVALUES, square_matrix, order=1),
    one(
        "singular_values",
        "jnp.linalg.svd({0}, compute_uv=False)",
        DISTINCT_SINGULAR_VALUES,
        ranked(2, 2),
    ),
    one(
        "svd",
        "jnp.linalg.svd({0}, full_matrices=False)",
        DISTINCT_SINGULAR_VALUES,
        square_matrix,
        results=3,
    ),
    one(
        "expm",
        "jax.scipy.linalg.expm(0.1 * {0})",
        Domain("small", lambda v: bool(np.abs(v).max() < 8), INVERTIBLE.adapters[:0]),
        square_matrix,
    ),
)
