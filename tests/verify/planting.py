"""What the tests of the checker share: functions with planted rules, and the parts of a check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad.verify._batch import Row, Runner
from funcgrad.verify._compare import SMALLEST, Comparison, compare
from funcgrad.verify._customs import Customs
from funcgrad.verify._findings import Finding
from funcgrad.verify._judge import Judge, Programs
from funcgrad.verify._plain import Plain, plainly
from funcgrad.verify._points import Point
from funcgrad.verify._problem import Problem, pose
from funcgrad.verify._programs import (
    Traced,
    reference,
    tested,
    trace_derivatives,
    trace_value,
    value_only,
)
from funcgrad.verify._rows import build_rows

X = jnp.array([0.5, -1.25, 2.0], jnp.float32)


def sine(x: Any) -> Any:
    """A body that is not JAX's own function."""
    return jnp.sin(x)


def vjp_rule(function: Callable[..., Any], backward: Callable[..., Any]) -> Any:
    """A function with a reverse rule; backward takes the tuple of arguments and the cotangent."""
    made = jax.custom_vjp(function)
    made.defvjp(lambda *args: (function(*args), args), backward)
    return made


def jvp_rule(function: Callable[..., Any], tangent: Callable[[Any, Any], Any]) -> Any:
    """A function of one argument with a forward rule; tangent takes the point and its tangent."""
    made = jax.custom_jvp(function)
    made.defjvp(lambda p, t: (function(p[0]), tangent(p[0], t[0])))
    return made


def reverse_off(factor: Any) -> Any:
    """A sine whose reverse rule is off by a factor."""
    return vjp_rule(sine, lambda args, ct: (ct * jnp.cos(args[0]) * factor,))


def forward_off(factor: Any) -> Any:
    """A sine whose forward rule is off by a factor."""
    return jvp_rule(sine, lambda x, t: t * jnp.cos(x) * factor)


def stale_sine() -> Any:
    """A sine whose reverse rule remembers the first point at which it was run."""
    kept: list[Any] = []

    def backward(args: Any, ct: Any) -> Any:
        if not kept and not isinstance(args[0], jax.core.Tracer):
            kept.append(args[0])
        return (ct * jnp.cos(kept[0] if kept else args[0]),)

    return vjp_rule(sine, backward)


def callback_sine(x: Any) -> Any:
    """A sine that leaves the program."""
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.pure_callback(lambda v: np.sin(np.asarray(v)), shape, x, vmap_method="broadcast_all")


class Parts(NamedTuple):
    """A check taken apart, up to the comparison."""

    problem: Problem
    closed: Any
    traced: Traced
    rows: list[Row]
    programs: Programs
    found: Comparison

    def findings(self, *, own: bool = True) -> list[Finding]:
        """The judge's."""
        judge = Judge(self.problem, self.programs, self.found, Customs(own=own))
        return judge.findings()


def parts(
    fun: Callable[..., Any],
    *args: Any,
    gradient: Any = None,
    order: int = 2,
    points: tuple[Point, ...] = (),
    smallest: float = SMALLEST,
) -> Parts:
    """Take a check apart."""
    problem = pose(fun, args, {}, gradient)
    count = 2 + len(points)
    rows = build_rows(problem.leaves, problem.values, points, 0, count)[:2]
    rows += build_rows(problem.leaves, problem.values, points, 0, 40)[-len(points) or 40 :]
    closed = trace_value(problem)
    traced = trace_derivatives(problem, [jnp.asarray(c) for c in rows[0].cs], order)
    sides = (value_only(closed), reference(closed, order), tested(traced))
    programs = Programs(*(Runner(side, rows[0], problem.entries) for side in sides))
    floors = [0.0] * len(problem.leaves)
    found = compare(programs.reference, programs.tested, rows, smallest, floors)
    return Parts(problem, closed, traced, rows, programs, found)


def examined(fun: Callable[..., Any], x: Any = X, gradient: Any = None) -> Plain:
    """What is found in a function's own precision, at the point and under another cotangent."""
    problem = pose(fun, (x,), {}, gradient)
    return plainly(problem, build_rows(problem.leaves, problem.values, [], 0, 2), 0)


def kinds(findings: Any) -> set[tuple[str, str]]:
    """What was found, in short."""
    return {(finding.kind, finding.verdict) for finding in findings}
