"""Who is right where two derivatives differ, and what a margin amounts to along a direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..verify._lines import inner
from ._twin import Values, slope_of
from ._verdicts import (
    BOTH,
    JAX,
    NAN,
    OURS,
    UNDECIDED,
    WRONG,
    Disagreement,
    described,
    is_nan,
    sizes,
)

SHARE = 2.0**-36  # by which inputs move to see how well a derivative is conditioned
SLOPE_SAFETY = 10.0  # times the error bound of a numerical derivative


def blamed(
    function: Callable[..., Any], leaves: Values, answers: tuple[Values, Values], what: str
) -> Disagreement:
    """Whose gradient is wrong, by the numerical derivative along the difference of the two."""
    ours, theirs = answers
    apart = [np.conj(np.asarray(a) - np.asarray(b)) for a, b in zip(ours, theirs, strict=True)]
    length = max(float(np.sqrt(sum(np.sum(np.abs(d) ** 2) for d in apart))), 1e-300)
    size = max([*sizes(leaves), 1e-3])
    along = [d * (size / length) for d in apart]
    truth = slope_of(function, leaves, along)
    gaps = [abs(inner(answer, along) - truth.value) for answer in answers]
    bound = SLOPE_SAFETY * truth.error
    who = UNDECIDED
    if truth.kind == "smooth" and bound < 0.2 * sum(gaps):
        near = [gap <= max(bound, 0.02 * sum(gaps)) for gap in gaps]
        who = {(True, False): JAX, (False, True): OURS, (False, False): BOTH}.get(
            (near[0], near[1]), UNDECIDED
        )
    bad, good = (theirs, ours) if who == JAX else (ours, theirs)
    return Disagreement(who, WRONG, what, described(bad, good), good)


def one_not_finite(ours: Values, theirs: Values, what: str) -> Disagreement | None:
    """A derivative that only one of the two has as a finite number."""
    if is_nan(ours) == is_nan(theirs):
        return None
    who, bad, good = (OURS, ours, theirs) if is_nan(ours) else (JAX, theirs, ours)
    return Disagreement(who, NAN, what, described(bad, good), good)


def weighed(allowed: Sequence[float], along: Values) -> float:
    return sum(
        a * float(np.sum(np.abs(np.asarray(w)))) for a, w in zip(allowed, along, strict=True)
    )
