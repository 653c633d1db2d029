"""The programs that a check compares, in 64 bits: the derivative as it should be and as it is.

A program takes a row (literals' moves, a point, cotangents of the outputs, tangents of the inputs)
and returns parts by name:

    value      f(x)
    gradient   J(x)^T c, the pullback of the cotangents c
    forward    J(x) w, the tangent of the outputs along w
    second     the gradient by x of the inner product of w and the gradient
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._errors import GradientTypeError
from .._transform import vjp
from ._lift import lift
from ._problem import Problem
from ._rounding import moved_literals

Values = list[Any]
Parts = dict[str, Values]
Program = Callable[[Any, Values, Values, Values], Parts]
VALUE, GRADIENT, FORWARD, SECOND = "value", "gradient", "forward", "second"


class Traced(NamedTuple):
    """What tracing the derivative under test gave.

    Attributes:
        parts: programs by part; each takes (xs, cs, ws).
        failures: errors of the derivative's own, by part.
        unavailable: parts that JAX does not offer for this function, and why.
    """

    parts: dict[str, Any]
    failures: dict[str, Exception]
    unavailable: dict[str, str]


def trace_value(problem: Problem) -> Any:
    """The function's program."""
    return jax.make_jaxpr(problem.function)(*problem.leaves)


def reference(closed: Any, order: int) -> Program:
    """The derivative of the primal body, without its custom rules, by this package's engine."""
    body = lift(closed)

    def first(xs: Values, cs: Values) -> tuple[Values, Values]:
        ys, pullback = vjp(body, *xs)
        return ys, list(pullback(cs))

    def program(moves: Any, xs: Values, cs: Values, ws: Values) -> Parts:
        with moved_literals(moves):
            ys, gradient = first(xs, cs)
            parts = {VALUE: ys, GRADIENT: gradient}
            # The gradient is linear in c; its pullback by c is the forward derivative.
            by_c = (lambda cs: first(xs, cs)[1],), (cs,)
            by_both = (lambda xs, cs: first(xs, cs)[1],), (xs, cs)
            (fun,), primals = by_both if order > 1 else by_c
            _, pullback = vjp(fun, *primals)
            *second, forward = pullback(ws)
            parts[FORWARD] = forward
            if second:
                parts[SECOND] = second[0]
            return parts

    return program


def value_only(closed: Any) -> Program:
    """The primal body alone."""
    body = lift(closed)

    def program(moves: Any, xs: Values, _cs: Values, _ws: Values) -> Parts:
        with moved_literals(moves):
            return {VALUE: body(*xs)}

    return program


def tested(traced: Traced) -> Program:
    """The derivative under test."""
    lifted = {name: lift(closed) for name, closed in traced.parts.items()}

    def program(moves: Any, xs: Values, cs: Values, ws: Values) -> Parts:
        with moved_literals(moves):
            parts = {name: run(*xs, *cs, *ws) for name, run in lifted.items()}
        return _split(parts, len(cs))

    return program


def _split(parts: Parts, outputs: int) -> Parts:
    """The value apart from what is computed along with it."""
    split = dict(parts)
    for name, mark in ((GRADIENT, "value"), (FORWARD, "value, forward")):
        if name in split:
            split[mark], split[name] = split[name][:outputs], split[name][outputs:]
    return split


# --- tracing what JAX does ------------------------------------------------------------------------


def trace_derivatives(problem: Problem, cs: Values, order: int) -> Traced:
    """The programs of the derivatives under test, traced in the function's own precision."""
    fun = problem.function
    parts = {GRADIENT: _reverse(problem)}
    if problem.gradient is None:
        parts[FORWARD] = lambda xs, _cs, ws: _flat(jax.jvp(fun, xs, ws))
        if order > 1:
            parts[SECOND] = _second(parts[GRADIENT])
    traced = Traced({}, {}, {})
    for name, part in parts.items():
        if name != SECOND or GRADIENT in traced.parts:
            _trace(part, name, (problem.leaves, cs, problem.leaves), traced)
    return traced


def _trace(part: Any, name: str, examples: tuple[Values, Values, Values], traced: Traced) -> None:
    try:
        closed = jax.make_jaxpr(part)(*examples)
        if any(e.primitive.name == "custom_lin" for e in equations(closed)):
            traced.unavailable[name] = "a custom_vjp has no forward mode"
        elif any(compat.is_tracer(value) for value in jaxprs.open_jaxpr(closed)[1]):
            traced.failures[name] = GradientTypeError(
                "a traced value of an earlier call is used: a rule keeps it in a global, a list or "
                "an attribute; pass it on as a residual"
            )
        else:
            traced.parts[name] = closed
    except Exception as error:
        reason = not_offered(error)
        if reason:
            traced.unavailable[name] = reason
        else:
            traced.failures[name] = error


def _reverse(problem: Problem) -> Any:
    """The value and the pullback, flat, as a function of (xs, cs, ws)."""
    gradient, fun = problem.gradient, problem.function
    if gradient is None:
        return lambda xs, cs, _ws: _flat(pulled(fun, xs, cs))

    def foreign(xs: Values, cs: Values, _ws: Values) -> Values:
        scaled = (_scaled(g, cs[0], x) for g, x in zip(gradient(*xs), xs, strict=True))
        return [*fun(*xs), *scaled]

    return foreign


def pulled(fun: Any, xs: Sequence[Any], cs: Sequence[Any]) -> tuple[Values, Values]:
    """The values, and JAX's pullback of the cotangents."""
    ys, pullback = jax.vjp(fun, *xs)
    return ys, list(pullback([like(c, y) for c, y in zip(cs, ys, strict=True)]))


def _second(reverse: Any) -> Any:
    def second(xs: Values, cs: Values, ws: Values) -> Values:
        def gradient(xs: Values) -> Values:
            return list(reverse(xs, cs, ws)[len(cs) :])

        _, pullback = jax.vjp(gradient, list(xs))
        return list(pullback(list(ws))[0])

    return second


def _scaled(gradient: Any, c: Any, x: Any) -> Any:
    """A hand-written gradient times the cotangent of the one output."""
    aval = compat.typeof(x)
    return lax.convert_element_type(gradient, aval.dtype) * lax.convert_element_type(c, aval.dtype)


def like(value: Any, model: Any) -> Any:
    """A value in the dtype of another."""
    return lax.convert_element_type(value, compat.typeof(model).dtype)


def _flat(pair: tuple[Any, Any]) -> Values:
    return [*pair[0], *pair[1]]


_NOT_OFFERED = (
    ("Reverse-mode differentiation does not work", "JAX cannot reverse a while_loop"),
    ("forward-mode", "a custom_vjp has no forward mode"),
    ("do not support JVP", "a callback has no derivative of its own"),
    ("Linearization failed", "JAX cannot reverse this program"),
    ("gradient with respect to", "JAX has no derivative by one of the arguments"),
)


def not_offered(error: Exception) -> str:
    """Why JAX does not offer a derivative, where that is no fault of the rule's."""
    text = str(error)
    if isinstance(error, NotImplementedError):
        return text.partition("\n")[0][:120]
    return next((reason for mark, reason in _NOT_OFFERED if mark in text), "")


def equations(closed: Any) -> list[Any]:
    """Every equation of a program, those of the programs inside it included."""
    found = []
    pending = [closed]
    while pending:
        jaxpr, _ = jaxprs.open_jaxpr(pending.pop())
        for equation in jaxpr.eqns:
            found.append(equation)
            pending += inner_programs(equation)
    return found


def inner_programs(equation: Any) -> list[Any]:
    values: list[Any] = []
    for value in equation.params.values():
        values += value if isinstance(value, (tuple, list)) else [value]
    return [value for value in values if hasattr(jaxprs.open_jaxpr(value)[0], "eqns")]
