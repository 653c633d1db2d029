"""The check of a function that has no 64-bit form: by numerical derivatives in its own precision.

Such are functions that call out of the program, read the bits of a number, or branch in Python on
values. A small input is examined element by element; of a larger one random projections are, which
bound the error of the whole, and a wrong projection is halved until the element is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ._batch import Row
from ._differences import Estimate, differentiate
from ._findings import INCONCLUSIVE, KINK, WRONG, Finding
from ._judge import GIVEN
from ._lines import Arrays, inner, rescaled, scales, unit, wide_point
from ._meaning import meaning
from ._native import Native, equal, failed, run, unrepeatable, widened
from ._problem import Problem
from ._rounding import epsilon

Array = NDArray[Any]
_ELEMENTS = 40  # examined one by one
_PROJECTIONS = 6  # for each larger leaf
_USELESS = 0.05  # of the derivative: a bound above it says little


def plain(problem: Problem, rows: Sequence[Row], seed: int) -> tuple[list[Finding], list[str]]:
    """Findings, and the kinds of the lines that were examined.

    Args:
        problem: what is checked.
        rows: the given point, which is examined thoroughly, and others, where a few directions are:
            a derivative that remembers its first point is wrong there.
        seed: of the directions.
    """
    generator = np.random.default_rng([seed, 3])
    try:
        first = run(problem, rows[0])
        findings, kinds = _row(problem, rows[0], first, generator)
        for row in rows[1:]:
            found, _ = _row(problem, row, run(problem, row), generator, few=True)
            findings += [] if findings else found
        again = run(problem, rows[0])
    except Exception as error:
        return failed(error), []
    if not equal(first, again):
        findings.append(unrepeatable(problem, first, again))
    if kinds and kinds.count("useless") > len(kinds) / 2:
        findings.append(_blind(problem))
    return findings, kinds


def _row(
    problem: Problem, row: Row, result: Native, generator: np.random.Generator, *, few: bool = False
) -> tuple[list[Finding], list[str]]:
    findings: list[Finding] = []
    kinds: list[str] = []
    for leaf in range(len(problem.leaves)):
        by_element = problem.entries <= _ELEMENTS and not few
        count = 2 if few else _PROJECTIONS
        directions = (
            _elements(row, leaf) if by_element else _projections(row, leaf, generator, count)
        )
        finding, seen = _leaf(problem, row, result, leaf, directions)
        kinds += seen
        findings += finding
    return findings, kinds


def _elements(row: Row, leaf: int) -> list[Arrays]:
    return [unit(row.xs, leaf, index) for index in np.ndindex(np.shape(row.xs[leaf]))]


def _projections(row: Row, leaf: int, generator: np.random.Generator, count: int) -> list[Arrays]:
    shape = np.shape(row.xs[leaf])
    found = []
    for _ in range(count):
        direction = unit(row.xs, leaf, (0,) * len(shape), 0)
        direction[leaf] = direction[leaf] + generator.choice([-1.0, 1.0], shape)
        found.append(direction)
    return found


def _leaf(
    problem: Problem, row: Row, result: Native, leaf: int, directions: Sequence[Arrays]
) -> tuple[list[Finding], list[str]]:
    kinds: list[str] = []
    for direction in directions:
        estimate = _estimate(problem, row, direction)
        verdict = _verdict(estimate, inner(result.gradient, direction), problem, leaf)
        kinds.append(verdict)
        if verdict == WRONG:
            wrong, line = _halve(problem, row, result, leaf, direction, estimate)
            return [_finding(problem, result, leaf, wrong, line, row)], kinds
    return [], kinds


def _estimate(problem: Problem, row: Row, direction: Arrays) -> Estimate:
    """The derivative along a direction, from values in the function's own precision."""
    xs = wide_point(row.xs)
    scale = scales(xs, direction)[0]
    dtypes = [np.asarray(x).dtype for x in row.xs]
    evaluate = _evaluate(problem, row)

    def along(points: Array) -> Array:
        moved = (
            [(x + t * scale * d).astype(k) for x, d, k in zip(xs, direction, dtypes, strict=True)]
            for t in points
        )
        return np.asarray([evaluate(values) for values in moved])

    found = differentiate(along, max(epsilon(x.dtype) for x in problem.leaves))
    return rescaled(found, scale)


def _evaluate(problem: Problem, row: Row) -> Callable[[Sequence[Array]], float]:
    def evaluate(values: Sequence[Array]) -> float:
        ys = problem.function(*(jnp.asarray(v) for v in values))
        return inner(widened(ys), row.cs)

    return evaluate


def _verdict(estimate: Estimate, given: float, problem: Problem, leaf: int) -> str:
    eps = epsilon(problem.leaves[leaf].dtype)
    slack = estimate.error + 64 * eps * max(abs(estimate.value), abs(given))
    if np.isnan(given) and estimate.kind == "smooth":
        return WRONG
    if estimate.kind in ("kink", "jump", "edge"):
        low, high = sorted((estimate.left, estimate.right))
        side = estimate.side_error + 1e-3 * (high - low)
        outside = estimate.kind == "kink" and not low - side <= given <= high + side
        return WRONG if outside else KINK
    if estimate.kind == "unknown" or not np.isfinite(slack):
        return "useless"
    if abs(given - estimate.value) > slack:
        return WRONG
    return "useless" if slack > _USELESS * max(abs(estimate.value), abs(given)) > 0 else "right"


def _halve(
    problem: Problem, row: Row, result: Native, leaf: int, direction: Arrays, estimate: Estimate
) -> tuple[Arrays, Estimate]:  # fmt: skip
    """The part of a wrong projection that is wrong, down to one element if possible."""
    while np.count_nonzero(direction[leaf]) > 1:
        places = np.flatnonzero(direction[leaf])
        for half in (places[: places.size // 2], places[places.size // 2 :]):
            part = [np.zeros_like(d) for d in direction]
            part[leaf].ravel()[half] = direction[leaf].ravel()[half]
            found = _estimate(problem, row, part)
            if _verdict(found, inner(result.gradient, part), problem, leaf) == WRONG:
                direction, estimate = part, found
                break
        else:
            break
    return direction, estimate


def _finding(
    problem: Problem, result: Native, leaf: int, direction: Arrays, estimate: Estimate,
    row: Row,
) -> Finding:  # fmt: skip
    places = np.argwhere(direction[leaf])
    one = len(places) == 1
    sign = float(np.real(direction[leaf][tuple(places[0])])) if one else 1.0
    given = inner(result.gradient, direction) * sign
    usual = meaning(estimate.value * sign, given, np.zeros(())) if one else ""
    where = "" if one else f" in a sum of {len(places)} entries"
    return Finding(
        "gradient", WRONG, f"the gradient is wrong{where}",
        "the numerical derivative in the function's own precision", row.point, problem.names[leaf],
        tuple(int(i) for i in places[0]) if one else None, estimate.value * sign, given,
        estimate.error, usual, "", estimate,
    )  # fmt: skip


def _blind(problem: Problem) -> Finding:
    dtype = problem.leaves[0].dtype
    return Finding(
        "noise", INCONCLUSIVE,
        f"the numerical derivative is too noisy in {dtype} to judge by; pass arguments of a wider "
        "dtype, or scale the function",
        "the numerical derivative in the function's own precision", GIVEN,
    )  # fmt: skip
