"""Where operations are defined and smooth, with a margin; and the shapes that they take."""

from __future__ import annotations

import numpy as np

from ._kinds import Adapter, Domain, Fits, Shape, Slot, Values

MARGIN = 0.03  # how far a value stays from a kink


def everywhere(_: Values) -> bool:
    return True


EVERYWHERE = Domain("everywhere", everywhere)


def between(low: float, high: float) -> Domain:
    """Values in an interval, both ends included: the caller leaves the margin."""

    def holds(values: Values) -> bool:
        return bool((values >= low).all() and (values <= high).all())

    radius, middle = 0.45 * (high - low), 0.5 * (high + low)
    params = {"middle": f"{middle:.3g}", "radius": f"{radius:.3g}"}
    adapters = (Adapter("into", params), Adapter("into_by_waves", params))
    return Domain(f"between {low:g} and {high:g}", holds, adapters, (low, high))


def away_from(*kinks: float, low: float = -20.0, high: float = 20.0) -> Domain:
    """Values in an interval, none of them close to a kink."""

    def holds(values: Values) -> bool:
        clear = all(bool((np.abs(values - kink) >= MARGIN).all()) for kink in kinks)
        return clear and bool((values >= low).all() and (values <= high).all())

    beside = (kinks[0] + 1.1, kinks[0] - 1.1)
    sides = [Adapter("into", {"middle": f"{x:.3g}", "radius": "1"}) for x in beside]
    shifts = [Adapter("shift", {"number": x}) for x in ("0.3", "0.75", "1.0")]
    name = "away from " + ", ".join(f"{kink:g}" for kink in kinks)
    return Domain(name, holds, (*shifts, *sides), (low / 10, high / 10), smoothness=True)


def beyond(gap: float) -> Domain:
    """Values of either sign that keep a distance from zero."""

    def holds(values: Values) -> bool:
        sizes = np.abs(values)
        return bool((sizes >= gap).all() and (sizes <= 20).all())

    centers = (f"{gap + 1.2:.3g}", f"{-gap - 1.2:.3g}")
    adapters = tuple(
        Adapter(name, {"middle": center, "radius": "1"})
        for center in centers
        for name in ("into", "into_by_waves")
    )
    return Domain(f"beyond {gap:g}", holds, adapters, (gap, gap + 2))


def is_distinct(values: Values) -> bool:
    """Whether all entries differ, by a margin."""
    ordered = np.sort(values.ravel())
    return bool((np.diff(ordered) >= MARGIN / (1 if values.size <= 8 else 4)).all())


DISTINCT = Domain(
    "distinct",
    is_distinct,
    tuple(Adapter("spread", {"number": n}) for n in ("1.3", "-2.7", "0.71", "5.3", "-13.1")),
    smoothness=True,
)


def is_invertible(values: Values) -> bool:
    """Whether every matrix of a stack is far from singular."""
    if not np.isfinite(values).all():
        return False
    factors = np.linalg.svd(values, compute_uv=False)
    return bool((factors[..., -1] > 0.2).all() and (factors[..., 0] < 30 * factors[..., -1]).all())


_DIAGONALS = tuple(Adapter("add_diagonal", {"number": n}) for n in ("2.0", "-5.0", "15.0"))
INVERTIBLE = Domain("invertible", is_invertible, _DIAGONALS)


def is_positive_definite(values: Values) -> bool:
    symmetric = bool(np.allclose(values, np.conj(np.swapaxes(values, -1, -2)), atol=1e-5))
    return symmetric and is_invertible(values) and bool((np.linalg.eigvalsh(values) > 0).all())


POSITIVE_DEFINITE = Domain(
    "positive definite",
    is_positive_definite,
    tuple(Adapter("positive_definite", {"number": n}) for n in ("2.0", "10.0")),
)


def has_distinct_eigenvalues(values: Values) -> bool:
    """Whether every matrix is symmetric, with eigenvalues that differ."""
    symmetric = bool(np.allclose(values, np.conj(np.swapaxes(values, -1, -2)), atol=1e-5))
    return symmetric and bool((np.diff(np.linalg.eigvalsh(values)) > 0.15).all())


DISTINCT_EIGENVALUES = Domain(
    "symmetric with distinct eigenvalues",
    has_distinct_eigenvalues,
    tuple(Adapter("symmetric", {"number": n}) for n in ("1.5", "-4.0", "9.0")),
)


def has_distinct_singular_values(values: Values) -> bool:
    factors = np.linalg.svd(values, compute_uv=False)
    return bool((factors > 0.15).all() and (-np.diff(factors) > 0.15).all())


_STEEP = tuple(Adapter("add_steep_diagonal", {"number": n}) for n in ("1.5", "-4.0", "9.0"))
DISTINCT_SINGULAR_VALUES = Domain("distinct singular values", has_distinct_singular_values, _STEEP)


def has_distinct_complex_eigenvalues(values: Values) -> bool:
    found = np.linalg.eigvals(values)
    gaps = np.abs(found[..., :, None] - found[..., None, :]) + 9 * np.eye(found.shape[-1])
    return bool((gaps > 0.3).all())


DISTINCT_COMPLEX_EIGENVALUES = Domain(
    "distinct eigenvalues", has_distinct_complex_eigenvalues, _STEEP
)


def is_well_pivoted(values: Values) -> bool:
    """Whether elimination with row exchanges meets no ties and no small pivots."""
    for matrix in values.reshape(-1, *values.shape[-2:]):
        rest = matrix.copy()
        for k in range(min(rest.shape)):
            column = np.sort(np.abs(rest[k:, k]))
            if column[-1] < 0.2 or (len(column) > 1 and column[-1] - column[-2] < 0.05):
                return False
            best = k + int(np.argmax(np.abs(rest[k:, k])))
            rest[[k, best]] = rest[[best, k]]
            rest[k + 1 :] -= np.outer(rest[k + 1 :, k] / rest[k, k], rest[k])
    return True


WELL_PIVOTED = Domain("well pivoted", is_well_pivoted, _STEEP)


def has_independent_columns(values: Values) -> bool:
    return bool((np.linalg.svd(values, compute_uv=False)[..., -1] > 0.3).all())


INDEPENDENT_COLUMNS = Domain("independent columns", has_independent_columns, _STEEP)

# --- shapes ---------------------------------------------------------------------------------------

# Few, because JAX compiles each operation for each shape it meets. The simplest come first.
POOL: tuple[Shape, ...] = ((), (3,), (2, 3), (3, 3), (1, 3), (3, 2), (2, 3, 3))
# What only some operations take, such as images and their kernels.
RARE: tuple[Shape, ...] = ((2,), (2, 2), (3, 1, 2), (2, 2, 2), (1, 3, 3, 2), (2, 2, 2, 2))


def any_shape(_: Shape, *__: Shape) -> bool:
    return True


def ranked(low: int, high: int = 4) -> Fits:
    """Shapes of so many axes."""

    def fits(shape: Shape, *_: Shape) -> bool:
        return low <= len(shape) <= high

    return fits


def like(number: int) -> Fits:
    """The shape of an operand before."""

    def fits(shape: Shape, *before: Shape) -> bool:
        return shape == before[number]

    return fits


def broadcasting(shape: Shape, *before: Shape) -> bool:
    """Shapes that broadcast with those of the operands before, to an array of moderate size."""
    try:
        joint = np.broadcast_shapes(shape, *before)
    except ValueError:
        return False
    return int(np.prod(joint)) <= 36


def square(shape: Shape, *_: Shape) -> bool:
    return len(shape) >= 2 and shape[-1] == shape[-2]


def any_square(shape: Shape, *before: Shape) -> bool:
    return square(shape, *before) and 2 <= shape[-1] <= 3


def matrix(shape: Shape, *_: Shape) -> bool:
    return len(shape) == 2


def square_matrix(shape: Shape, *_: Shape) -> bool:
    return len(shape) == 2 and shape[0] == shape[1]


def real(fits: Fits = any_shape, domain: Domain = EVERYWHERE) -> Slot:
    return Slot(fits, domain, "f")


def both(fits: Fits = any_shape, domain: Domain = EVERYWHERE) -> Slot:
    return Slot(fits, domain, "fc")


def complex_(fits: Fits = any_shape, domain: Domain = EVERYWHERE) -> Slot:
    return Slot(fits, domain, "c")
