"""The check of a function that has no 64-bit form: by numerical derivatives in its own precision.

Such are functions that call out of the program, read the bits of a number, or branch in Python on
values. A small input is examined element by element; of a larger one random projections are, which
bound the error of the whole, and a wrong projection is halved until the element is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ._batch import Row
from ._devices import placed
from ._differences import Estimate, differentiate
from ._findings import INCONCLUSIVE, KINK, WRONG, Finding
from ._judge import GIVEN
from ._lines import Arrays, inner, rescaled, scales, unit, wide_point
from ._meaning import meaning
from ._native import Native, equal, error_finding, failed, run, unrepeatable, widened
from ._problem import Problem
from ._resolution import Line, resolution
from ._rounding import epsilon

Array = NDArray[Any]
_ELEMENTS = 40  # examined one by one
_PROJECTIONS = 6  # for each larger leaf
_USELESS = 0.05  # of the derivative: a bound above it says little


_UNTRACEABLE = (
    jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError, jax.errors.NonConcreteBooleanIndexError,
)  # fmt: skip


class Plain(NamedTuple):
    """What the numerical derivatives in a function's own precision said.

    Attributes:
        findings: faults, and what makes a verdict impossible.
        kinds: of the lines that were examined; none if the derivative could not be run.
        remarks: how fine the examination was.
    """

    findings: list[Finding]
    kinds: list[str]
    remarks: list[Finding]


def plainly(problem: Problem, rows: Sequence[Row], seed: int) -> Plain:
    """Examine the gradient, to the first order.

    Args:
        problem: what is checked.
        rows: the given point, which is examined thoroughly, and others, where a few directions are:
            a derivative that remembers its first point is wrong there.
        seed: of the directions.
    """
    generator = np.random.default_rng([seed, 3])
    try:
        first = run(problem, rows[0])
        findings, lines = _row(problem, rows[0], first, generator)
        for row in rows[1:]:
            found, _ = _row(problem, row, run(problem, row), generator, few=True)
            findings += [] if findings else found
        again = run(problem, rows[0])
    except Exception as error:
        return Plain(_broken(problem, rows, error), [], [])
    if not equal(first, again):
        findings.append(unrepeatable(problem, first, again))
    kinds = [line.kind for line in lines]
    if kinds and kinds.count("useless") > len(kinds) / 2:
        findings.append(_blind(problem))
    return Plain(
        findings, kinds, [] if findings else [resolution(problem, first, lines, _how(problem))]
    )


def _broken(problem: Problem, rows: Sequence[Row], error: Exception) -> list[Finding]:
    """The finding of a derivative that raises an error.

    Where JAX cannot trace the function itself, no derivative rule is to blame.
    """
    if _has_shapes_of_its_own(problem, rows):
        text = "the shape of the function's result depends on the numbers, so that nothing near by"
        return [Finding("note", INCONCLUSIVE, f"{text} compares with it", point=GIVEN)]
    own = problem.gradient is None and isinstance(error, _UNTRACEABLE)
    if not own or _is_traceable(problem):
        return failed(error)
    what = "JAX cannot differentiate this function; jax.grad fails too"
    hint = (
        "it takes a traced array for a number or a NumPy array (float(x), math.sin(x), np.sin(x), "
        "x.tolist()): write it with jax.numpy, jnp.where or lax.cond, make that argument static, "
        "or give the gradient as gradient="
    )
    finding = error_finding(what, error)
    return [finding._replace(verdict=INCONCLUSIVE, meaning=hint)]


def _has_shapes_of_its_own(problem: Problem, rows: Sequence[Row]) -> bool:
    """Whether results have other shapes at points close by."""
    usual = [np.shape(value) for value in problem.values]
    points = [placed(row.xs, problem.leaves) for row in rows]
    moved = [[x + jnp.asarray(1e-2, x.dtype) for x in xs] for xs in points]
    try:
        found = [[np.shape(y) for y in problem.function(*xs)] for xs in (*points, *moved)]
    except Exception:
        return False
    return any(shapes != usual for shapes in found)


def _is_traceable(problem: Problem) -> bool:
    try:
        jax.eval_shape(problem.function, *problem.leaves)
    except Exception:
        return False
    return True


def _row(
    problem: Problem, row: Row, result: Native, generator: np.random.Generator, *, few: bool = False
) -> tuple[list[Finding], list[Line]]:
    findings: list[Finding] = []
    lines: list[Line] = []
    for leaf in range(len(problem.leaves)):
        count = 2 if few else _PROJECTIONS
        directions = (
            _elements(row, leaf)
            if _by_element(problem) and not few
            else _projections(row, leaf, generator, count)
        )
        finding, seen = _leaf(problem, row, result, leaf, directions)
        lines += seen
        findings += finding
    return findings, lines


def _by_element(problem: Problem) -> bool:
    return problem.entries <= _ELEMENTS


def _how(problem: Problem) -> str:
    return "entry by entry" if _by_element(problem) else f"by {_PROJECTIONS} random projections"


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
) -> tuple[list[Finding], list[Line]]:
    lines: list[Line] = []
    for direction in directions:
        estimate = _estimate(problem, row, direction)
        given = inner(result.gradient, direction)
        verdict = _verdict(estimate, given, problem, leaf)
        lines.append(Line(leaf, verdict, _slack(estimate, given, problem, leaf)))
        if verdict == WRONG:
            wrong, line = _halve(problem, row, result, leaf, direction, estimate)
            return [_finding(problem, result, leaf, wrong, line, row)], lines
    return [], lines


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
        ys = problem.function(*placed(values, problem.leaves))
        return inner(widened(ys), row.cs)

    return evaluate


def _slack(estimate: Estimate, given: float, problem: Problem, leaf: int) -> float:
    """By how much a derivative along a line may be off: what its witness and rounding leave."""
    eps = epsilon(problem.leaves[leaf].dtype)
    return estimate.error + 64 * eps * max(abs(estimate.value), abs(given))


def _verdict(estimate: Estimate, given: float, problem: Problem, leaf: int) -> str:
    slack = _slack(estimate, given, problem, leaf)
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
    usual = _usual(problem, estimate.value * sign, given) if one else ""
    where = "" if one else f" in a sum of {len(places)} entries"
    return Finding(
        "gradient", WRONG, f"the gradient is wrong{where}",
        "the numerical derivative in the function's own precision", row.point, problem.names[leaf],
        tuple(int(i) for i in places[0]) if one else None, estimate.value * sign, given,
        estimate.error, usual, "", estimate,
    )  # fmt: skip


def _usual(problem: Problem, expected: float, received: float) -> str:
    return meaning(expected, received, np.zeros(()), devices=problem.devices.sizes)


def _blind(problem: Problem) -> Finding:
    dtype = problem.leaves[0].dtype
    return Finding(
        "noise", INCONCLUSIVE,
        f"the numerical derivative is too noisy in {dtype} to judge by; pass arguments of a wider "
        "dtype, or scale the function",
        "the numerical derivative in the function's own precision", GIVEN,
    )  # fmt: skip
