"""Windows that slide over an array, of reductions and of convolutions alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ._rule import Array
from ._shapes import padded

Cut = tuple[slice, ...]


def spread(x: Array, value: Any, dilation: Sequence[int], padding: Any) -> Array:
    """An array with a value between its entries and around them."""
    pads = [(low, high, d - 1) for (low, high), d in zip(padding, dilation, strict=True)]
    return padded(x, np.asarray(value, np.asarray(x).dtype), pads)


def counts(
    shape: Sequence[int], window: Sequence[int], dilation: Sequence[int], strides: Sequence[int]
) -> list[int]:
    """How many windows there are along each axis."""
    return [
        max((n - (w - 1) * d - 1) // s + 1, 0)
        for n, w, d, s in zip(shape, window, dilation, strides, strict=True)
    ]


def cuts(
    window: Sequence[int], dilation: Sequence[int], strides: Sequence[int], sizes: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Cut]]:
    """Each place in the window, with the entries at it of every window."""
    for place in itertools.product(*map(range, window)):
        yield (
            place,
            tuple(
                slice(p * d, p * d + (size - 1) * s + 1 if size else 0, s)
                for p, d, size, s in zip(place, dilation, sizes, strides, strict=True)
            ),
        )
