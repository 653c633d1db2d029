"""The derivative as the user runs it: eagerly, in the function's own precision.

The comparison of formulas in 64 bits does not see a rule that loses its digits on the way, that
overflows, that returns something else when it is called again, or that remembers its first point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .._transform import vjp
from ._batch import Row
from ._compare import Comparison
from ._devices import placed
from ._findings import INCONCLUSIVE, RIGHT, WRONG, Finding
from ._judge import GIVEN, first_index, number
from ._problem import Problem
from ._programs import GRADIENT, like, not_offered
from ._rounding import epsilon, finfo

Array = NDArray[Any]
_POINTS = 6
_WORSE = 100.0  # times the error of the body's own derivative: more is the rule's
_LEAST = 64.0  # units of rounding of the largest entry


class Native(NamedTuple):
    """What one eager run gave: the values and the gradient, in 64 bits for comparing."""

    values: list[Array]
    gradient: list[Array]


def native(problem: Problem, found: Comparison, has_custom: bool) -> list[Finding]:
    """Findings of the eager runs: at the given point, elsewhere, and at the given point again."""
    rows = _rows(found)
    try:
        first = run(problem, found.rows[0])
        elsewhere = [run(problem, found.rows[i]) for i in rows]
        again = run(problem, found.rows[0])
    except Exception as error:
        return failed(error)
    if not equal(first, again):
        return [unrepeatable(problem, first, again)]
    findings: list[Finding] = []
    for i, result in zip([0, *rows], [first, *elsewhere], strict=True):
        findings += _values(problem, found, i, result)
        findings += _examine(problem, found, i, result, has_custom)
        if any(f.verdict == WRONG for f in findings):
            break
    return _without_echoes(findings)


def _without_echoes(findings: list[Finding]) -> list[Finding]:
    """The findings with one remark at most: lost digits show in every leaf alike."""
    faults = [finding for finding in findings if finding.verdict != RIGHT]
    remarks = [finding for finding in findings if finding.verdict == RIGHT]
    return faults + remarks[:1]


def run(problem: Problem, row: Row) -> Native:
    """The derivative under test at a row, by JAX, eagerly."""
    xs = placed(row.xs, problem.leaves)
    if problem.gradient is not None:
        values = problem.function(*xs)
        gradient = problem.gradient(*xs)
        return Native(widened(values), [g * row.cs[0] for g in widened(gradient)])
    ys, pullback = jax.vjp(problem.whole, xs, problem.passive)
    gradient, others = pullback([like(jnp.asarray(c), y) for c, y in zip(row.cs, ys, strict=True)])
    del others  # float0, as JAX itself sees to
    return Native(widened(ys), widened(gradient))


def engine_native(problem: Problem, row: Row) -> list[Array]:
    """The primal body's derivative in the function's own precision, by this package's engine."""
    xs = placed(row.xs, problem.leaves)
    ys, pullback = vjp(problem.function, *xs, custom_rules="ignore")
    return widened(pullback([like(jnp.asarray(c), y) for c, y in zip(row.cs, ys, strict=True)]))


def widened(values: Sequence[Any]) -> list[Array]:
    """Arrays in 64 bits, for comparing."""
    return [_wide_one(np.asarray(value)) for value in values]


def _wide_one(value: Array) -> Array:
    return value.astype(np.complex128 if np.iscomplexobj(value) else np.float64)


def _rows(found: Comparison) -> list[int]:
    """A few other rows, those with ordinary cotangents."""
    kept = [i for i, known in enumerate(found.known) if known and i and not found.rows[i].what]
    return kept[:_POINTS]


def failed(error: Exception) -> list[Finding]:
    """The finding of a derivative that raises an error, unless JAX just does not offer it."""
    if not_offered(error):
        return []
    finding = error_finding("the derivative fails", error)
    if "into a mesh context" not in str(error):
        return [finding]
    hint = "JAX asks for it on an Explicit mesh: check inside of `with jax.set_mesh(mesh):`"
    return [finding._replace(verdict=INCONCLUSIVE, meaning=hint)]


def error_finding(what: str, error: Exception) -> Finding:
    """A derivative that raises an error."""
    first = (str(error).splitlines() or [""])[0]
    text = f"{what}: {type(error).__name__}: {first:.240}"
    leak = isinstance(error, jax.errors.UnexpectedTracerError)
    usual = "a rule keeps a traced value between calls, in a global or an attribute" if leak else ""
    return Finding("error", WRONG, text, "running it", GIVEN, meaning=usual)


def equal(first: Native, second: Native) -> bool:
    """Whether two runs agree to the last bit."""
    pairs = zip(first.gradient + first.values, second.gradient + second.values, strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def unrepeatable(problem: Problem, first: Native, again: Native) -> Finding:
    """The finding of two runs that do not."""
    for leaf, (a, b) in enumerate(zip(first.gradient, again.gradient, strict=True)):
        differs = ~((a == b) | (np.isnan(a) & np.isnan(b)))
        if differs.any():
            index = first_index(differs)
            return Finding(
                "repeat", WRONG,
                "the gradient at the same point is another one when it is computed again",
                "the same call, after calls at other points", GIVEN, problem.names[leaf], index,
                number(a[index]), number(b[index]), 0.0,
                "something is remembered between calls: a cache, a counter, a generator's state",
            )  # fmt: skip
    return Finding(
        "repeat", WRONG, "the value under differentiation is another one when it is computed again",
        "the same call, after calls at other points", GIVEN,
    )  # fmt: skip


def _values(problem: Problem, found: Comparison, row: int, result: Native) -> list[Finding]:
    """Whether the value under differentiation is the plain one, but for rounding."""
    plain = widened(problem.function(*placed(found.rows[row].xs, problem.leaves)))
    for place, (got, own, y) in enumerate(zip(result.values, plain, found.values, strict=True)):
        eps = epsilon(problem.outputs[place])
        with np.errstate(all="ignore"):
            allowed = _LEAST * eps * np.max(np.abs(own), initial=0.0) + _WORSE * np.abs(
                own - y[row]
            )
            off = ~((np.abs(got - own) <= allowed) | (got == own) | ~np.isfinite(own))
        if off.any():
            index = first_index(off)
            finding = Finding(
                "value", WRONG, "the value computed with the gradient differs from the plain value",
                "the function itself", found.rows[row].point, "the output", index,
                number(own[index]), number(got[index]), float(allowed[index]),
            )  # fmt: skip
            return [finding]
    return []


# --- precision ------------------------------------------------------------------------------------


def _examine(
    problem: Problem, found: Comparison, row: int, result: Native, has_custom: bool
) -> list[Finding]:
    """NaN and lost digits in one run."""
    findings = []
    for leaf, (got, name) in enumerate(zip(result.gradient, problem.names, strict=True)):
        wide = found.received[GRADIENT][leaf][row]
        eps = epsilon(problem.leaves[leaf].dtype)
        size = np.max(np.abs(wide[np.isfinite(wide)]), initial=0.0)
        largest = float(finfo(problem.leaves[leaf].dtype).max)
        with np.errstate(all="ignore"):
            apart = np.where(
                np.isfinite(wide) & (np.abs(wide) < largest / 4), np.abs(got - wide), 0.0
            )
        excused = ~np.isfinite(got) & found.rows[row].is_degenerate
        bad = ~excused & np.isnan(apart) | (
            apart > max(_LEAST * eps, found.smallest) * max(size, 1e-30)
        )
        if bad.any():
            findings += _judge_precision(problem, found, (row, leaf, name), got, apart, has_custom)
    return findings


class _Loss(NamedTuple):
    """The worst entry of one input: what came out, and how far off it may be.

    Attributes:
        index: the entry.
        wide, got: its derivative in 64 bits, and as it was run.
        apart: how far they are apart.
        size: the largest derivative by this input.
        allowed: what the plain function's own derivative explains.
        is_own_finite: whether that one is finite there.
    """

    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index, unused
    wide: Any
    got: Any
    apart: float
    size: float
    allowed: float
    is_own_finite: bool

    @property
    def is_broken(self) -> bool:
        return not np.isfinite(self.got)

    @property
    def digits(self) -> float:
        """How many digits are right."""
        share = self.apart / max(self.size, 1e-300)
        return max(float(-np.log10(max(share, 1e-17))), 0.0)


def _judge_precision(
    problem: Problem, found: Comparison, at: tuple[int, int, str], got: Array, apart: Array,
    has_custom: bool,
) -> list[Finding]:  # fmt: skip
    """Whether the rule lost the digits, or whether the function's own derivative does, too."""
    row, leaf, name = at
    try:
        own = engine_native(problem, found.rows[row])[leaf]
    except Exception:
        return []
    wide = found.received[GRADIENT][leaf][row]
    loss = _loss(wide, got, own, apart, epsilon(problem.leaves[leaf].dtype))
    point = found.rows[row].point
    blame = has_custom and (loss.is_own_finite if loss.is_broken else loss.apart > loss.allowed)
    told = _told(loss, blame=blame, given=point == GIVEN)
    if told is None:
        return []
    kind, verdict, text = told
    finding = Finding(
        kind, verdict, text, "the same derivative in 64 bits", point, name, loss.index,
        number(loss.wide), number(loss.got), loss.allowed, _usually(loss, given=point == GIVEN),
    )  # fmt: skip
    return [finding]


def _loss(wide: Array, got: Array, own: Array, apart: Array, eps: float) -> _Loss:
    with np.errstate(all="ignore"):
        yard = np.max(np.abs(own - wide)[np.isfinite(wide)], initial=0.0)
    worst = np.unravel_index(int(np.argmax(np.nan_to_num(apart, nan=np.inf))), apart.shape)
    index = tuple(int(i) for i in worst)
    size = float(np.max(np.abs(wide[np.isfinite(wide)]), initial=0.0))
    return _Loss(
        index, wide[index], got[index], float(apart[index]), size,
        float(_WORSE * (yard + eps * size)), bool(np.isfinite(own[index])),
    )  # fmt: skip


def _told(loss: _Loss, *, blame: bool, given: bool) -> tuple[str, str, str] | None:
    """Kind, verdict and message; nothing of what is only rounding, elsewhere."""
    if loss.is_broken and (blame or given):
        return "nan", WRONG, f"the gradient is {loss.got} where it exists"
    if blame:
        text = "the rule loses digits which the function's own derivative keeps"
        return "precision", WRONG, text
    if given:
        text = "digits are lost to rounding, in JAX's derivative of the plain function, too"
        return "precision", RIGHT, text
    return None


def _usually(loss: _Loss, *, given: bool) -> str:
    if loss.is_broken:
        return "overflow or 0 * inf inside the rule"
    if not given and loss.digits < 2:
        return "what the rule keeps from an earlier call, or a value computed in lower precision"
    return f"about {loss.digits:.0f} digits are right"
