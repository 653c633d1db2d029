"""Derivatives of a program by numerical differences, with bounds: of the value, of a gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from numpy.typing import NDArray

from ..verify._differences import differentiate_many, line_points
from ._points import Arrays, Point

Floats = NDArray[np.float64]
Numbers = NDArray[Any]


class Slopes(NamedTuple):
    """Derivatives along lines, of results laid end to end.

    Attributes:
        along: those along the tangents, one for each entry of the results.
        by_entry: those by each entry of the arguments, contracted with weights on the results.
        along_error, by_error: their error bounds; infinite at a kink.
    """

    along: Numbers
    along_error: Floats
    by_entry: Numbers
    by_error: Floats


def compiled(function: Callable[..., list[Any]], options: dict[str, Any]) -> Callable[..., Any]:
    """A function of something fixed and of arguments, at many arguments one after the other."""

    def many(fixed: Any, arguments: list[Any]) -> Any:
        return lax.map(lambda one: function(fixed, *one), arguments)

    return jax.jit(many, compiler_options=options)


def line_arguments(point: Point, reach: float) -> Arrays:
    """The arguments at all points of all lines: (lines * points, ...) for each.

    The first line runs along the tangents, the others along each entry of the arguments, and along
    i times each of complex ones. `reach` is how far one may go.
    """
    base, tangent = _joined(point.arguments), _joined(point.tangents)
    units = _units(base)
    directions = np.concatenate([tangent[None] / _tangent_size(tangent), units])
    steps = line_points() * reach
    places = base + steps[None, :, None] * directions[:, None, :]
    return _parted(places.reshape(len(directions) * len(steps), base.size), point.arguments)


def slopes(
    results: Sequence[Any], like: Sequence[Any], point: Point, weights: Arrays, reach: float
) -> Slopes:
    """Differentiate results that were computed at the points of `line_arguments`.

    Args:
        results: for each, (lines * points, ...).
        like: the results at the point itself.
        point: the arguments and tangents.
        weights: by which the results are contracted for the derivatives by each entry.
        reach: as for the arguments.
    """
    many = len(line_points())
    pairs = zip(results, like, strict=True)
    flat = [
        np.asarray(r).reshape(len(r) // many, many, int(np.prod(np.shape(k)))) for r, k in pairs
    ]
    joined = np.concatenate(flat, axis=2) if flat else np.zeros((1, many, 0))
    value, error = _differentiated(joined, reach)
    tangent = _joined(point.tangents)
    first = _tangent_size(tangent)
    by, by_error = _contracted(value[1:], error[1:], _joined(weights))
    if np.iscomplexobj(tangent):
        # The cotangent g of x + iy pairs with dx + i dy as Re(g (dx + i dy)).
        half = len(by) // 2
        by, by_error = by[:half] - 1j * by[half:], by_error[:half] + by_error[half:]
    return Slopes(value[0] * first, error[0] * first, by, by_error)


def _differentiated(values: Numbers, reach: float) -> tuple[Numbers, Floats]:
    """Derivatives and errors (lines, entries); of complex results, in both parts."""
    if np.iscomplexobj(values):
        real, real_error = _differentiated(values.real, reach)
        imaginary, imaginary_error = _differentiated(values.imag, reach)
        return real + 1j * imaginary, real_error + imaginary_error
    lines, many, entries = values.shape
    if not values.size:
        return np.zeros((lines, entries)), np.zeros((lines, entries))
    found = differentiate_many(lambda _: values.transpose(1, 0, 2).reshape(many, -1))
    smooth = np.asarray([e.kind == "smooth" for e in found])
    value = np.asarray([e.value for e in found])
    error = np.where(smooth, np.asarray([e.error for e in found]), np.inf)
    shape = (lines, entries)
    return value.reshape(shape) / reach, error.reshape(shape) / reach


def _contracted(value: Numbers, error: Floats, weights: Numbers) -> tuple[Floats, Floats]:
    by = np.sum((value * weights).real, axis=1)
    bound = np.sum(np.nan_to_num(error * np.abs(weights), nan=np.inf), axis=1)
    return by, bound


def _units(base: Numbers) -> Numbers:
    units = np.eye(base.size, dtype=base.dtype)
    return np.concatenate([units, 1j * units]) if np.iscomplexobj(base) else units


def _tangent_size(tangent: Numbers) -> float:
    return float(np.abs(tangent).max(initial=0.0)) or 1.0


def _joined(leaves: Sequence[Any]) -> Numbers:
    return np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.zeros(0)


def _parted(rows: Numbers, like: Sequence[Any]) -> Arrays:
    """Rows of joined entries as arrays of the shapes of `like`, with a leading axis."""
    parted, start = [], 0
    for leaf in like:
        size = int(np.prod(np.shape(leaf)))
        parted.append(rows[:, start : start + size].reshape(len(rows), *np.shape(leaf)))
        start += size
    return parted


def apart(joined: Numbers, like: Sequence[Any]) -> Arrays:
    """Joined entries as arrays of the shapes of `like`."""
    return [part[0] for part in _parted(joined[None], like)]
