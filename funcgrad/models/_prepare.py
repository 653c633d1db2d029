"""Splitting a table into training and test rows, and standardising its columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from funcgrad._errors import DataError, GradientValueError
from funcgrad.models._checks import integer_from

Table64 = NDArray[np.float64]


class Standard(NamedTuple):
    """What a column was shifted and divided by: `standardised = (value - mean) / scale`."""

    mean: Table64  # (columns,)
    scale: Table64  # (columns,)


def split_rows(
    count: int, test_fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose the rows for the test at random; both parts keep the order of the table.

    Returns:
        The numbers of the training rows and of the test rows, `round(count * test_fraction)` many.

    Raises:
        GradientTypeError: `seed` is not an integer.
        GradientValueError: `test_fraction` is not in [0, 1), or `seed` is negative.
        DataError: a part would be empty.

    >>> split_rows(5, 0.4, seed=0)
    (array([0, 1, 3]), array([2, 4]))
    """
    if not 0 <= test_fraction < 1:  # NaN fails this, too
        raise GradientValueError(
            f"test_fraction must be 0 or more and less than 1, got {test_fraction!r}; "
            f"0.2 keeps a fifth of the rows for the test"
        )
    seed = integer_from("seed", seed, least=0)
    tests = round(count * test_fraction)
    if tests == count or (tests == 0 and test_fraction > 0):
        raise DataError(
            f"test_fraction {test_fraction} of {count} rows leaves {count - tests} for training "
            f"and {tests} for the test; each needs one at least, so add rows or change it"
        )
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[tests:]), np.sort(order[:tests])


def fit_standard(columns: Table64) -> Standard:
    """Measure the mean and the standard deviation of every column; a constant one has scale 1.

    The values are first moved into [0, 1], so that neither their squares overflow nor the rounding
    of a mean makes a constant column look as if it varied.

    >>> fit_standard(np.array([[1.0, 7.0], [3.0, 7.0]]))
    Standard(mean=array([2., 7.]), scale=array([1., 1.]))
    """
    low, high = columns.min(axis=0), columns.max(axis=0)
    constant = low == high
    with np.errstate(all="ignore"):  # what overflows is found and named by apply_standard
        span = np.where(constant, 1.0, high - low)
        place = (columns - low) / span
        mean = low + span * place.mean(axis=0)
        return Standard(mean, np.where(constant, 1.0, span * place.std(axis=0)))


def apply_standard(
    standard: Standard, columns: Table64, names: tuple[str, ...]
) -> NDArray[np.float32]:
    """Return `(columns - mean) / scale` in float32.

    Raises:
        DataError: a result is no finite float32.

    >>> apply_standard(Standard(np.array([2.0]), np.array([1.0])), np.array([[1.0]]), ("area",))
    array([[-1.]], dtype=float32)
    """
    with np.errstate(all="ignore"):
        result = ((columns - standard.mean) / standard.scale).astype(np.float32)
    for column, name in enumerate(names):
        bad = columns[~np.isfinite(result[:, column]), column]
        if bad.size:
            raise DataError(
                f"column {name!r} has the value {bad[0]}, which has no standardised float32 value: "
                f"mean {standard.mean[column]}, standard deviation {standard.scale[column]}; "
                f"measure it in another unit or remove the row"
            )
    return result
