"""What a check says, as immutable data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from rich.text import Text

from .._errors import FuncgradError
from ._differences import Estimate
from ._html import fragment, page
from ._json import as_json
from ._text import magnitude, rich_text, text

WRONG, INCONCLUSIVE, KINK, RIGHT = "wrong", "inconclusive", "kink", "right"


class GradientError(FuncgradError, AssertionError):
    """A derivative that is wrong, or that could not be judged; the message is the report."""


class Finding(NamedTuple):
    """One thing that was noticed about a derivative.

    Attributes:
        kind: what was examined: "gradient", "second", "forward", "value", "cotangent",
            "repeat", "batch", "scan", "jit", "structure", "dtype", "nan", "precision", "error",
            "kink", "noise", "primal", "note".
        verdict: "wrong", "inconclusive", "kink", or "right" for a mere remark.
        message: one sentence: what is the matter.
        witness: what the derivative was compared with.
        point: where: "the given point", or how the point was made from it.
        leaf: the input, as one would write it: ``x['w']``.
        index: the element of that input; empty for a scalar, None where it does not apply.
        expected, received: the derivative's element.
        bound: how far it may be off for rounding and for what the witness does not know.
        meaning: what this usually means: "factor 2 in every entry: a missing 1/2?".
        source: the user's line, ``file.py:17``.
        estimate: the numerical derivative along that element, with its ladder of steps.
    """

    kind: str
    verdict: str
    message: str
    witness: str = ""
    point: str = ""
    leaf: str = ""
    index: tuple[int, ...] | None = None  # type: ignore[assignment]  # hides tuple.index, unused
    expected: complex | float | None = None
    received: complex | float | None = None
    bound: float | None = None
    meaning: str = ""
    source: str = ""
    estimate: Estimate | None = None

    @property
    def difference(self) -> float | None:
        """How far the derivative is off, in absolute value."""
        if self.expected is None or self.received is None:
            return None
        with np.errstate(all="ignore"):  # the numbers may be huge, or no numbers
            return magnitude(np.complex128(self.received) - np.complex128(self.expected))


@dataclass(frozen=True)
class Report:
    """Whether the derivatives of a function are right, and what was seen.

    Attributes:
        name: the function.
        verdict: "right", "kink", "inconclusive" or "wrong"; `ok` holds for the first two.
        findings: ordered by weight, the worst first.
        points: the points that were visited, in words.
        witnesses: what the derivatives were compared with, in words.
        leaves: the inputs that were differentiated, with their types: ``x['w'] float32[3,4]``.
        order: the highest order that was examined; 0 for what is no derivative, an optimiser.
        seed: of the random directions and points.
        seconds: how long it took.
        call: the call, as one would repeat it.
    """

    name: str
    verdict: str
    findings: tuple[Finding, ...] = ()
    points: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    order: int = 2
    seed: int = 0
    seconds: float = 0.0
    call: str = ""

    @property
    def ok(self) -> bool:
        """Whether the derivatives are right, kinks aside."""
        return self.verdict in (RIGHT, KINK)

    def to_json(self) -> str:
        """The report as JSON, with every number; a NaN or an infinity is a string."""
        return as_json(self)

    def to_html(self) -> str:
        """The report as a page of its own, with a plot of the error against the step."""
        return page(self)

    def raise_if_failed(self) -> Report:
        """The report itself, if the derivatives are right.

        Raises:
            GradientError: they are wrong. What is inconclusive does not raise here.
        """
        if self.verdict == WRONG:
            raise GradientError(str(self))
        return self

    def __str__(self) -> str:
        return text(self)

    def __rich__(self) -> Text:
        return rich_text(self)

    def _repr_html_(self) -> str:
        return fragment(self)
