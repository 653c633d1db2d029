"""The course of a check: which witnesses are heard, at which points, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from .._errors import FuncgradError
from .._jaxcompat import primitives as p
from ._baseline import baseline, kink_findings, solvers
from ._batch import Row, Runner
from ._compare import APPROXIMATE, SMALLEST, compare
from ._customs import culprits, customs
from ._devices import devices_of
from ._findings import INCONCLUSIVE, KINK, RIGHT, WRONG, Finding
from ._judge import GIVEN, Judge, Programs
from ._lift import Unliftable
from ._native import error_finding, native
from ._plain import plainly
from ._points import NEAR, Point, constants, mined_points
from ._problem import Problem
from ._programs import (
    FORWARD,
    GRADIENT,
    SECOND,
    Traced,
    equations,
    reference,
    tested,
    trace_derivatives,
    trace_value,
    value_only,
)
from ._resolution import PLAIN_WITNESSES
from ._rounding import finfo
from ._rows import build_rows, row_count
from ._variants import variants


class Options(NamedTuple):
    """The options of a check; see there."""

    order: int
    kinks: str
    rtol: float | None
    seed: int
    budget: float
    points: str


class Examined(NamedTuple):
    """What an examination found."""

    findings: list[Finding]
    points: tuple[str, ...] = (GIVEN,)
    witnesses: tuple[str, ...] = ()


def examine(problem: Problem, options: Options) -> Examined:
    ill = _primal_findings(problem)
    if ill:
        return Examined(ill)
    row = build_rows(problem.leaves, problem.values, [], options.seed, 1)[0]
    try:
        closed = trace_value(problem)
    except Exception as error:
        return _plainly(problem, row, options, f"it cannot be traced ({type(error).__name__})")
    traced = trace_derivatives(problem, _arrays(row.cs), options.order)
    gradients = traced.parts.values() if problem.gradient is not None else ()
    programs = [closed, *traced.parts.values()]
    problem = problem._replace(devices=devices_of(problem.leaves, programs, gradients))
    failures = [_failure(part, error) for part, error in traced.failures.items()]
    if GRADIENT not in traced.parts and FORWARD not in traced.parts:
        return _untraced(problem, row, options, traced, failures)
    try:
        examined = _widely(problem, options, closed, traced)
    except _NOT_WIDE as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        examined = _plainly(problem, row, options, first, closed)
    findings = [*failures, *examined.findings, *_uncovered(problem)]
    return examined._replace(findings=_placed(findings, problem, closed))


# Among them what JAX raises about a program that it cannot transform in 64 bits.
_NOT_WIDE = (
    Unliftable, FuncgradError, TypeError, ValueError, NotImplementedError, AssertionError,
)  # fmt: skip


def _placed(findings: list[Finding], problem: Problem, closed: Any) -> list[Finding]:
    """The faults with the place of what may be to blame: a custom rule, a sum taken twice."""
    homes = culprits(closed) if problem.gradient is None else problem.devices.sums
    source = ", or ".join(homes[:3])
    return [f._replace(source=source) if f.verdict == WRONG and source else f for f in findings]


def _uncovered(problem: Problem) -> list[Finding]:
    if not problem.uncovered:
        return []
    text = (
        "the gradient function returns the derivative by the first argument alone, as jax.grad "
        f"does; {', '.join(problem.uncovered[:3])} went unexamined (return a tuple with one entry "
        "for each argument, to have all examined)"
    )
    return [Finding("note", RIGHT, text)]


def _arrays(values: Sequence[Any]) -> list[Any]:
    return [jnp.asarray(value) for value in values]


def _primal_findings(problem: Problem) -> list[Finding]:
    """What makes a verdict impossible: nothing floating comes out, noise, NaN."""
    values, again = problem.values, problem.function(*problem.leaves)
    if not values:
        text = "the function returns no floating array, so that there is nothing to differentiate"
        return [Finding("primal", INCONCLUSIVE, text, point=GIVEN)]
    pairs = list(zip(values, again, strict=True))
    if not all(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True) for a, b in pairs):
        text = (
            "the function returned another value when it was called again with the same arguments; "
            "pass its random numbers as an argument (a key)"
        )
        return [Finding("noise", INCONCLUSIVE, text, point=GIVEN)]
    if not all(jnp.isfinite(value).all() for value in values):
        text = (
            "the function is not finite at the given point; funcgrad.diagnose says where it begins"
        )
        return [Finding("primal", INCONCLUSIVE, text, point=GIVEN)]
    return []


def _failure(part: str, error: Exception) -> Finding:
    what = _PARTS[part]
    return error_finding(f"{what} cannot be traced, as jit and scan do", error)


_PARTS = {
    GRADIENT: "the gradient",
    FORWARD: "the forward derivative",
    SECOND: "the second derivative",
}


def _untraced(
    problem: Problem, row: Row, options: Options, traced: Traced, failures: list[Finding]
) -> Examined:
    """No derivative can be traced: a gradient that is not JAX's is still run."""
    if problem.gradient is not None:
        return _plainly(problem, row, options, "the gradient function cannot be traced")
    if failures:
        return Examined(failures)
    reason = "; ".join(dict.fromkeys(traced.unavailable.values()))
    text = f"JAX offers no derivative of this function: {reason}"
    return Examined([Finding("note", INCONCLUSIVE, text, point=GIVEN)])


def _plainly(
    problem: Problem, row: Row, options: Options, reason: str, closed: Any = None
) -> Examined:
    rows = [row, *_second_rows(problem, row, options)]
    findings, kinds, remarks = plainly(problem, [row, rows[-1]], options.seed)
    # Variants trace the derivative, which only a function with a program allows.
    own = closed is not None and (problem.gradient is not None or customs([closed]).own)
    if not findings and own:
        findings += variants(problem, rows)
    if kinds:  # otherwise it could not be run
        text = f"examined in the function's own precision only: {reason}"
        findings += [Finding("note", RIGHT, text, point=GIVEN), *remarks]
    if KINK in kinds:
        findings.append(Finding("kink", KINK, "the function has a kink here", point=GIVEN))
    return Examined(findings, (GIVEN,), PLAIN_WITNESSES)


def _second_rows(problem: Problem, row: Row, options: Options) -> list[Row]:
    """Another cotangent at the given point, and a point close by."""
    rows = build_rows(problem.leaves, row.cs, [], options.seed, 2)
    near = [(np.asarray(x) * 1.0625).astype(np.asarray(x).dtype) for x in row.xs]
    return [rows[1], rows[1]._replace(xs=near, point=NEAR)]


def _widely(problem: Problem, options: Options, closed: Any, traced: Traced) -> Examined:
    """The comparison in 64 bits, and the eager runs."""
    size = _largest(closed, problem)
    count = max(2, int(row_count(size) * options.budget))
    mined: list[Point] = []
    found_constants = constants([closed, *traced.parts.values()])
    if options.points == "mined":
        mined = mined_points(problem.leaves, problem.names, found_constants, options.seed)
    rows = build_rows(problem.leaves, problem.values, mined, options.seed, count, found_constants)
    programs = Programs(
        *(
            Runner(p, rows[0], size)
            for p in (value_only(closed), reference(closed, options.order), tested(traced))
        )
    )
    rules = customs([closed, *traced.parts.values()])
    if problem.gradient is not None:
        rules = rules._replace(own=True)
    floors = [_smallest(leaf.dtype) for leaf in problem.leaves]
    relative = options.rtol or (APPROXIMATE if rules.approximate else SMALLEST)
    found = compare(programs.reference, programs.tested, rows, relative, floors)
    findings = Judge(problem, programs, found, rules).findings()
    if GRADIENT in found.received:
        if rules.samples:
            findings.append(Finding("note", RIGHT, _SAMPLES, point=GIVEN))
        else:
            solver = solvers(equations(closed))
            iterates = any(e.primitive is p.while_p for e in equations(closed))
            doubts, lines = baseline(
                programs, found, options.seed, solver=solver, iterates=iterates
            )
            findings += doubts if not _faults(findings) else []
            findings += kink_findings(lines)
        if not _faults(findings):
            eager = native(problem, found, rules.own)
            # The sampler draws other bits, and so another sample, in 64 bits.
            findings += [f for f in eager if not (rules.samples and f.kind == "precision")]
        if not _faults(findings) and rules.own:
            known = [r for r, k in zip(rows, found.known, strict=True) if k]
            findings += variants(problem, known)
    findings += _notes(traced)
    visited = dict.fromkeys(r.point for r, known in zip(rows, found.known, strict=True) if known)
    return Examined(findings, tuple(visited), _WITNESSES)


def _faults(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict == WRONG]


def _smallest(dtype: Any) -> float:
    """What is as good as zero in a dtype: XLA flushes what is below its normal numbers."""
    info = finfo(dtype)
    return float(info.smallest_subnormal if info.bits == 16 else info.tiny)


_WITNESSES = (
    "the primal body in 64 bits, differentiated by funcgrad's engine without custom rules",
    "numerical derivatives in 64 bits, with error bounds",
    "the same derivative run eagerly, again, and elsewhere",
)


_SAMPLES = (
    "numerical derivatives say nothing here: the derivative of a gamma sample by its shape is that "
    "of the quantile (Figurnov et al., 2018), and the sampler itself accepts or rejects"
)


def _notes(traced: Traced) -> list[Finding]:
    return [
        Finding("note", RIGHT, f"{_PARTS[part]} was not examined: {why}", point=GIVEN)
        for part, why in traced.unavailable.items()
        if part != "forward"
    ]


def _largest(closed: Any, problem: Problem) -> int:
    """The number of entries of the largest array that the function computes."""
    sizes = [
        atom.aval.size
        for e in equations(closed)
        for atom in e.outvars
        if hasattr(atom.aval, "size")
    ]
    return max([problem.entries, *(int(size) for size in sizes)])
