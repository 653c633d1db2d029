"""A derivative beside what it ought to be, and when a guess explains the difference."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TOLERANCE = 1e-3  # of an entry: how well a guess has to reproduce what was received
EXPLAINED = 0.03  # of the error: how much of it a guess may leave, so that noise is no pattern
NEGLIGIBLE = 1e-6  # of the largest entry: entries below it neither prove nor disprove


class Case(NamedTuple):
    """A derivative beside what it ought to be, at a point; all of one shape.

    Attributes:
        expected, received, point: as in `meaning`.
        lengths: numbers of entries that the program knows, with the words for them.
        devices: numbers of devices that it is mapped over, with the words for them.
    """

    expected: Array
    received: Array
    point: Array
    lengths: tuple[tuple[int, str], ...] = ()
    devices: tuple[tuple[int, str], ...] = ()

    @property
    def scale(self) -> float:
        """The largest entry of either."""
        return float(max(largest(self.expected), largest(self.received)))

    def only(self, mask: Array) -> Case:
        """Some of the entries."""
        return self._replace(
            expected=self.expected[mask], received=self.received[mask], point=self.point[mask]
        )


class Guess(NamedTuple):
    """What an error looks like, and what that usually is."""

    what: str
    hint: str = ""
    whole: str = ""  # what to say instead where it holds for the whole argument

    def everywhere(self) -> str:
        """The guess about every entry."""
        if self.whole:
            return self.whole
        return f"{self.what} in every entry" + (f": {self.hint}" if self.hint else "")

    def there(self) -> str:
        """The guess about some entries."""
        return f"{self.what} there" + (f" ({self.hint})" if self.hint else "")


def fits(case: Case, hypothesis: Array) -> bool:
    """Whether a hypothesis says what was received, and so explains what is wrong."""
    few = slice(None, None, max(1, case.received.size // 256))
    if not _reproduces(case.received.ravel()[few], hypothesis.ravel()[few], case.scale):
        return False  # as most are, so that a large array is looked at whole but once or twice
    return _reproduces(case.received, hypothesis, case.scale) and _accounts(case, hypothesis)


def _reproduces(received: Array, hypothesis: Array, scale: float) -> bool:
    left = np.abs(received - hypothesis)
    return bool(np.all(left <= TOLERANCE * np.abs(received) + NEGLIGIBLE * scale))


def _accounts(case: Case, hypothesis: Array) -> bool:
    scale = case.scale
    left = np.abs(case.received - hypothesis)
    rest = np.linalg.norm((left / scale).ravel())
    error = np.linalg.norm((np.abs(case.received - case.expected) / scale).ravel())
    return bool(rest <= EXPLAINED * error)


def largest(values: Array) -> float:
    """The largest absolute value; zero if there is none."""
    return float(np.max(np.abs(values), initial=0.0))
