"""The gradient at the given point beside numerical derivatives along random directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._jaxcompat import primitives as p
from ._compare import Comparison
from ._differences import Estimate
from ._findings import INCONCLUSIVE, KINK, RIGHT, WRONG, Finding
from ._judge import GIVEN, Programs
from ._lines import LARGE, against, estimates, inner, root_mean_square, wide_point
from ._programs import GRADIENT, VALUE

Array = NDArray[Any]


def baseline(
    programs: Programs, found: Comparison, seed: int, *, solver: str = "", iterates: bool = False
) -> tuple[list[Finding], list[Estimate]]:
    """The gradient at the given point beside the numerical derivative along random directions.

    It is a second opinion on the reference itself, and tells whether the point is a kink.

    Args:
        programs: what is run.
        found: the comparison.
        seed: of the directions.
        solver: see `solvers`; the reference uses the transposed solver of a `custom_linear_solve`,
            too, so that the numerical derivative has the last word.
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
    doubts = _doubts(found, directions, lines, share, by_solver=bool(solver))
    if doubts and solver == SYMMETRIC and any(map(_is_symmetric, xs)):
        directions = [[_mirrored(w, x) for w, x in zip(d, xs, strict=True)] for d in directions]
        lines = estimates(programs.values, row, against(VALUE, row.cs), directions)
        if not _doubts(found, directions, lines, share, by_solver=True):
            text = (
                "the gradient holds for changes that keep a matrix symmetric, as the solver that "
                "is called takes for granted; it is not that by each entry alone"
            )
            doubts = [Finding("note", RIGHT, text, point=GIVEN)]
    return doubts, lines


SYMMETRIC, SOLVER = "symmetric", "general"


def solvers(equations: Sequence[Any]) -> str:
    """Whether a program calls `custom_linear_solve`, for a matrix said to be symmetric or not."""
    calls = [e.params["jaxprs"] for e in equations if e.primitive is p.linear_solve_p]
    if any(call.vecmat is call.matvec for call in calls):
        return SYMMETRIC
    return SOLVER if calls else ""


def _is_symmetric(x: Array) -> bool:
    is_square = x.ndim >= 2 and x.shape[-1] == x.shape[-2] > 1
    return is_square and np.array_equal(x, np.conj(np.swapaxes(x, -1, -2)))


def _mirrored(direction: Array, x: Array) -> Array:
    """A direction in which a symmetric matrix stays so."""
    if not _is_symmetric(x):
        return direction
    return np.asarray((direction + np.conj(np.swapaxes(direction, -1, -2))) / 2)


def _doubts(
    found: Comparison, directions: Sequence[list[Array]], lines: Sequence[Estimate], share: float,
    *, by_solver: bool,
) -> list[Finding]:  # fmt: skip
    """The first of the lines that has something against the gradient."""
    for direction, line in zip(directions, lines, strict=True):
        finding = _disagreement(found, direction, line, share, by_solver=by_solver)
        if finding is not None:
            return [finding]
    return []


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
    reference = abs(wanted) if np.isfinite(wanted) else 0.0  # it may have overflowed on its way
    slack = line.error + share * abs(line.value) + 1e-9 * reference
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


def kink_findings(lines: Sequence[Estimate]) -> list[Finding]:
    """The given point is a kink, if it is; the derivative's two sides are in the estimate."""
    line = next((line for line in lines if line.kind in ("kink", "jump", "edge")), None)
    if line is None:
        return []
    text = {
        "kink": "the function has a kink at the given point, along a random direction",
        "jump": "the function jumps at the given point, along a random direction",
        "edge": "the given point is at the edge of the function's domain",
    }[line.kind]
    return [Finding("kink", KINK, text, "one-sided differences", GIVEN, estimate=line)]
