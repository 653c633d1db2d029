"""Which points, cotangents and tangents a check goes through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._batch import ROWS, Row
from ._judge import GIVEN
from ._points import Point
from ._rounding import finfo

Array = NDArray[Any]


def build_rows(
    given: Sequence[Any],
    outputs: Sequence[Any],
    points: Sequence[Point],
    seed: int,
    count: int,
    constants: Sequence[float] = (),
) -> list[Row]:
    """The given point under several cotangents, and each other point under one.

    Args:
        given: the point.
        outputs: the function's values there, for their shapes and dtypes.
        points: other points.
        seed: of the directions.
        count: how many rows are wanted at most.
        constants: of the program; a rule may compare cotangents with them.
    """
    generator = np.random.default_rng([seed, 0])
    xs = [np.asarray(x) for x in given]
    base = _cotangents(outputs, generator, 1.0)
    other = _cotangents(outputs, generator, 1.5)
    ws = _directions(xs, generator)
    rows = [Row(xs, base, ws, GIVEN), Row(xs, other, _directions(xs, generator), GIVEN)]
    if count > len(rows) + 1:
        rows += _special(xs, base, ws, generator, constants)
    rows += [
        Row(
            p.leaves,
            _cotangents(outputs, generator),
            _directions(p.leaves, generator),
            p.name,
            "",
            True,
            p.is_degenerate,
        )
        for p in points
    ]
    return rows[: max(count, 1)]


def _special(
    xs: list[Array], cs: list[Array], ws: list[Array], generator: np.random.Generator,
    constants: Sequence[float],
) -> list[Row]:  # fmt: skip
    """The given point under large, tiny, zero, negative and partly zero cotangents and tangents."""
    some = [np.where(generator.random(c.shape) < 0.5, c, 0).astype(c.dtype) for c in cs]
    few = [np.where(generator.random(w.shape) < 0.3, w, 0).astype(w.dtype) for w in ws]
    sizes = [abs(k) for k in constants] or [1.0]
    large = min(2.0**20 * max(1.0, *sizes), *(_largest(a) for a in cs + ws))
    tiny = max(2.0**-20 * min(1.0, *sizes), 1 / large)
    rows = [
        (_times(cs, large), _times(ws, large), "for a large cotangent"),
        (_times(cs, tiny), _times(ws, tiny), "for a tiny cotangent"),
        (_times(cs, -1.0), _times(ws, -1.0), "for a negative cotangent"),
        (_times(cs, 0.0), _times(ws, 0.0), "for a cotangent of zero"),
    ]
    if any(c.size > 1 for c in cs):
        rows.append((some, few, "for a cotangent that is partly zero"))
    return [Row(xs, c, w, GIVEN, what) for c, w, what in rows]


def row_count(size: int) -> int:
    """How many rows are affordable, for so many numbers in the largest array."""
    return int(np.clip(2**25 // max(size, 1), 2, ROWS))


def _largest(array: Array) -> float:
    """How much larger a number of this dtype may become and leave room for computing."""
    return float(float(finfo(array.dtype).max) ** 0.6)


def _times(arrays: Sequence[Array], factor: float) -> list[Array]:
    return [(a * np.asarray(factor).astype(a.dtype)).astype(a.dtype) for a in arrays]


def _cotangents(
    outputs: Sequence[Any], generator: np.random.Generator, lone: float = 1.5
) -> list[Array]:
    """Cotangents of the outputs; `lone` for an only number."""
    arrays = [np.asarray(y) for y in outputs]
    if len(arrays) == 1 and arrays[0].size == 1:
        return [np.full(arrays[0].shape, lone).astype(arrays[0].dtype)]
    return _directions(arrays, generator)


def _directions(arrays: Sequence[Array], generator: np.random.Generator) -> list[Array]:
    """Normal numbers, none close to zero, and exact in any precision."""
    return [_direction(a, generator) for a in arrays]


def _direction(array: Array, generator: np.random.Generator) -> Array:
    def draw() -> Array:
        size = 1 + generator.integers(0, 24, array.shape) / 16
        return np.asarray(size * generator.choice([-1.0, 1.0], array.shape))

    value = draw() + 1j * draw() if np.iscomplexobj(array) else draw()
    return np.asarray(value).astype(array.dtype)
