"""Who is right where two derivatives differ, and what a margin amounts to along a direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ._twin import Values, product, slope_of
from ._verdicts import BOTH, JAX, OURS, UNDECIDED, WRONG, Disagreement, described

SHARE = 2.0**-36  # by which inputs move to see how well a derivative is conditioned
SLOPE_SAFETY = 10.0  # times the error bound of a numerical derivative


def blamed(
    function: Callable[..., Any], leaves: Values, answers: tuple[Values, Values], what: str
) -> Disagreement:
    """Whose gradient is wrong, by the numerical derivative along the difference of the two."""
    ours, theirs = answers
    apart = [np.conj(np.asarray(a) - np.asarray(b)) for a, b in zip(ours, theirs, strict=True)]
    length = max(float(np.sqrt(sum(np.sum(np.abs(d) ** 2) for d in apart))), 1e-300)
    size = max([float(np.max(np.abs(np.asarray(x)), initial=0)) for x in leaves] + [1e-3])
    along = [jnp.asarray(d * (size / length)) for d in apart]
    truth = slope_of(function, leaves, along)
    gaps = [abs(product(answer, along) - truth.value) for answer in answers]
    bound = SLOPE_SAFETY * truth.error
    who = UNDECIDED
    if truth.kind == "smooth" and bound < 0.2 * sum(gaps):
        near = [gap <= max(bound, 0.02 * sum(gaps)) for gap in gaps]
        who = {(True, False): JAX, (False, True): OURS, (False, False): BOTH}.get(
            (near[0], near[1]), UNDECIDED
        )
    bad, good = (theirs, ours) if who == JAX else (ours, theirs)
    return Disagreement(who, WRONG, what, described(bad, good), good)


def weighed(allowed: Sequence[float], along: Values) -> float:
    return sum(
        a * float(np.sum(np.abs(np.asarray(w)))) for a, w in zip(allowed, along, strict=True)
    )
