"""Where decisions come from: a random generator for the fuzzer, Hypothesis for strategies.

Everything that is drawn goes through these few methods, so that one drawing routine serves both.
The simplest option comes first and the simplest integer is the lowest, since Hypothesis shrinks
towards them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

T = TypeVar("T")


class Choices(Protocol):
    """A source of decisions."""

    def integer(self, low: int, high: int) -> int:
        """An integer between two bounds, both of which it may be."""

    def integers(self, count: int, low: int, high: int) -> list[int]:
        """Several of them."""

    def choice(self, options: Sequence[T]) -> T:
        """One of several."""

    def boolean(self, probability: float = 0.5) -> bool:
        """True with about the given probability."""


class RandomChoices:
    """Decisions of a random generator. Numbers are fetched by the hundred, which is faster."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._fractions: list[float] = []

    def _fraction(self) -> float:
        if not self._fractions:
            self._fractions = self._generator.random(256).tolist()
        return self._fractions.pop()

    def integer(self, low: int, high: int) -> int:
        return low + int(self._fraction() * (high - low + 1))

    def integers(self, count: int, low: int, high: int) -> list[int]:
        return [int(n) for n in self._generator.integers(low, high + 1, count)]

    def choice(self, options: Sequence[T]) -> T:
        return options[int(self._fraction() * len(options))]

    def boolean(self, probability: float = 0.5) -> bool:
        return self._fraction() < probability
