"""The gradient at the given point beside numerical derivatives along random directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compare import Comparison
from ._differences import Estimate
from ._findings import INCONCLUSIVE, KINK, WRONG, Finding
from ._judge import GIVEN, Programs
from ._lines import LARGE, against, estimates, inner, root_mean_square, wide_point
from ._programs import GRADIENT, VALUE

Array = NDArray[Any]


def baseline(
    programs: Programs, found: Comparison, seed: int, *, by_solver: bool, iterates: bool = False
) -> tuple[list[Finding], list[Estimate]]:
    """The gradient at the given point beside the numerical derivative along random directions.

    It is a second opinion on the reference itself, and tells whether the point is a kink.

    Args:
        programs: what is run.
        found: the comparison.
        seed: of the directions.
        by_solver: the function calls `custom_linear_solve`, whose transposed solver the reference
            uses, too; then the numerical derivative has the last word.
        iterates: it ends loops by a condition, whose tolerance counts in its derivative.
    """
    generator = np.random.default_rng([seed, 2])
    row = found.rows[0]
    xs = wide_point(row.xs)
    sizes = [np.where(x == 0, root_mean_square(x) or 1.0, np.abs(x)) for x in xs]
    directions = [
        [
            s
            * generator.choice([-1.0, 1.0], x.shape)
            * (1 if np.isrealobj(x) else 1j ** generator.integers(4))
            for x, s in zip(xs, sizes, strict=True)
        ]
        for _ in range(1 if sum(x.size for x in xs) > LARGE else 2)
    ]
    lines = estimates(programs.values, row, against(VALUE, row.cs), directions)
    share = max(_ITERATED if iterates else 1e-6, found.smallest)
    for direction, line in zip(directions, lines, strict=True):
        finding = _disagreement(found, direction, line, share, by_solver=by_solver)
        if finding is not None:
            return [finding], lines
    return [], lines


_CLEAR = 100.0  # times the bound
_ITERATED = 1e-4  # of a derivative: what a loop's own tolerance may come to


def _disagreement(
    found: Comparison, direction: list[Array], line: Estimate, share: float, *, by_solver: bool
) -> Finding | None:
    """What a numerical derivative has against the tested one."""
    wanted, given = (
        inner([a[0] for a in side[GRADIENT]], direction)
        for side in (found.expected, found.received)
    )
    slack = line.error + share * abs(line.value) + 1e-9 * abs(wanted)
    apart = abs(given - line.value)
    if line.kind != "smooth" or not np.isfinite(given) or apart <= slack:
        return None
    by_formula = abs(wanted - line.value) > slack  # the reference disagrees with it, too
    usual = "a branch that is taken at exactly this point, as by x == 0" if by_formula else ""
    sure = not by_formula or by_solver or apart > _CLEAR * slack
    return Finding(
        GRADIENT, WRONG if sure else INCONCLUSIVE,
        "the gradient disagrees with the numerical derivative along a random direction",
        "central differences in 64 bits", found.rows[0].point, "all inputs", None,
        line.value, given, line.error, usual, "", line,
    )  # fmt: skip


def kink_findings(lines: Sequence[Estimate], *, strict: bool) -> list[Finding]:
    """The given point is a kink, if it is; the derivative's two sides are in the estimate."""
    line = next((line for line in lines if line.kind in ("kink", "jump", "edge")), None)
    if line is None:
        return []
    text = {
        "kink": "the function has a kink at the given point, along a random direction",
        "jump": "the function jumps at the given point, along a random direction",
        "edge": "the given point is at the edge of the function's domain",
    }[line.kind]
    verdict = WRONG if strict else KINK
    return [Finding("kink", verdict, text, "one-sided differences", GIVEN, estimate=line)]
