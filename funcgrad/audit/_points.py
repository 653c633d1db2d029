"""Where a case is measured: smooth points of its domains, and directions."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..verify._lines import wide_point
from ._cases import Example

Arrays = list[NDArray[Any]]
Interval = tuple[float, float]


class Point(NamedTuple):
    """The arguments of a case in its dtype, a cotangent of its results, a tangent of its arguments.

    They are rounded to the dtype before anything else sees them, so that the reference and what is
    measured start from the same numbers.
    """

    arguments: Arrays
    cotangents: Arrays
    tangents: Arrays


def draw(example: Example, dtype: str, seed: int, results: Sequence[Any]) -> Point:
    """A point of an example.

    Args:
        example: the case.
        dtype: of its arguments.
        seed: the same one leads to the same point in every dtype, rounding aside.
        results: the types of the results.
    """
    arguments = draw_arguments(example, dtype, seed)
    random = _generator(example, seed, 1)
    cotangents = [_direction(random, kind.shape, kind.dtype) for kind in results]
    tangents = [_direction(random, x.shape, x.dtype) for x in arguments]
    return Point(arguments, cotangents, tangents)


def draw_arguments(example: Example, dtype: str, seed: int) -> Arrays:
    """The arguments alone, from which the types of the results follow."""
    random = _generator(example, seed, 0)
    pairs = zip(example.shapes, example.case.domains, strict=True)
    return [_inside(random, shape, domain, dtype) for shape, domain in pairs]


def _generator(example: Example, seed: int, part: int) -> np.random.Generator:
    return np.random.default_rng(
        [seed, zlib.crc32(f"{example.name} {example.number}".encode()), part]
    )


def _inside(
    random: np.random.Generator, shape: tuple[int, ...], domain: Interval, dtype: str
) -> NDArray[Any]:
    """Entries from an open interval, apart from one another, so that few bits tie none of them."""
    size = int(np.prod(shape))
    value = _spread(random, size, *domain)
    if dtype.startswith("complex"):
        # Closer to the real axis than poles and branch points of real functions are.
        value = value + 0.25j * _spread(random, size, *domain)
    return value.reshape(shape).astype(jnp.dtype(dtype))


def _spread(random: np.random.Generator, size: int, low: float, high: float) -> NDArray[Any]:
    places = (random.permutation(size) + random.uniform(0.2, 0.8, size)) / max(size, 1)
    return low + (high - low) * (0.03 + 0.94 * places)


def _direction(random: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    value = random.uniform(0.5, 1.5, shape) * random.choice([-1.0, 1.0], shape)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        value = value + 1j * random.uniform(-1, 1, shape)
    return np.asarray(value).astype(jnp.dtype(dtype))


def moved(point: Point, epsilon: float, number: int) -> Point:
    """The point in 64 bits with every number moved by one rounding unit, up or down."""
    random = np.random.default_rng(number)

    def move(leaves: Arrays) -> Arrays:
        return [x * (1 + epsilon * random.choice([-1.0, 1.0], x.shape)) for x in wide_point(leaves)]

    return Point(*map(move, point))


def wide(point: Point) -> Point:
    """The point in 64 bits."""
    return Point(*map(wide_point, point))


def on(point: Point, device: Any) -> Point:
    """The point on a device."""
    return Point(*(jax.device_put(leaves, device) for leaves in point))


def shown(arguments: Arrays, longest: int = 300) -> str:
    """The arguments as text, shortened in the middle if they are many."""
    texts = [
        np.array2string(x, precision=9, separator=", ", threshold=24, max_line_width=10**6)
        for x in wide_point(arguments)
    ]
    text = "; ".join(" ".join(t.split()) for t in texts)
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."
