"""What is measured: values and derivatives of a program by an engine, compiled on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import FuncgradError, MissingRuleError
from .._transform import vjp
from ..verify._lines import wide_point
from ._cases import Example
from ._points import Arrays, Point, on
from ._records import (
    COLUMNS,
    FORWARD,
    FORWARD_REVERSE,
    JAX,
    OURS,
    REVERSE,
    REVERSE_TWICE,
    VALUE,
)

Program = Callable[..., list[Any]]
Quantity = Callable[[Program, list[Any], list[Any], list[Any]], list[Any]]
PULLS: dict[str, Callable[..., Any]] = {JAX: jax.vjp, OURS: vjp}

# Compiling is what takes the time, and small programs gain nothing from LLVM's optimisations.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


class Refused(NamedTuple):
    """Why there is no number: a status, and the first line of what was raised."""

    status: str
    message: str


def program(example: Example) -> Program:
    """The case as a function of arrays that returns its floating results, flat."""

    def run(*arguments: Any) -> list[Any]:
        leaves = jax.tree.leaves(example.case.function(*arguments))
        return [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]

    return run


def quantities(engine: str) -> dict[str, Quantity]:
    """What an engine computes, as functions of program, arguments, cotangents and tangents."""
    pull = PULLS[engine]

    def reverse(f: Program, x: list[Any], u: list[Any], _v: list[Any]) -> list[Any]:
        return list(pull(f, *x)[1](u))

    def gradient(f: Program, u: list[Any]) -> Program:
        return lambda *x: reverse(f, list(x), u, [])

    def value(f: Program, x: list[Any], _u: list[Any], _v: list[Any]) -> list[Any]:
        # Ours by way of the transform, whose value is one more thing that could be wrong.
        return f(*x) if engine == JAX else list(pull(f, *x)[0])

    def forward(f: Program, x: list[Any], u: list[Any], v: list[Any]) -> list[Any]:
        if engine == JAX:
            return list(jax.jvp(f, tuple(x), tuple(v))[1])
        # The transpose of the transpose; a witness, and no column of ours.
        return list(pull(lambda u: reverse(f, x, u, v), u)[1](list(v))[0])

    def reverse_twice(f: Program, x: list[Any], u: list[Any], v: list[Any]) -> list[Any]:
        return list(pull(gradient(f, u), *x)[1](list(v)))

    def forward_reverse(f: Program, x: list[Any], u: list[Any], v: list[Any]) -> list[Any]:
        return list(jax.jvp(gradient(f, u), tuple(x), tuple(v))[1])

    named: dict[str, Quantity] = {
        VALUE: value, REVERSE: reverse, FORWARD: forward, REVERSE_TWICE: reverse_twice,
        FORWARD_REVERSE: forward_reverse,
    }  # fmt: skip
    return named


def measured(
    engine: str, function: Program, point: Point, device: Any
) -> dict[str, Arrays | Refused]:
    """The columns of an engine at a point; what cannot be done for one can be for the others.

    One compiled program computes all of them, since compiling is what takes the time.
    """
    with jax.default_device(device):
        there = on(point, device)
        every = quantities(engine)
        parts = {name: every[name] for name in COLUMNS[engine]}
        try:
            found = together(function, parts, device)(*there)
        except Exception:  # which of them it is, and why, is asked one by one
            return {name: single(engine, name, function, device)(there) for name in parts}
    return {name: wide_point(leaves) for name, leaves in found.items()}


def together(
    function: Program, parts: dict[str, Quantity], device: Any
) -> Callable[..., dict[str, Any]]:
    """Several quantities of a program as one compiled program."""
    options = QUICKLY if device.platform == "cpu" else None
    return jax.jit(
        lambda *xuv: {name: part(function, *xuv) for name, part in parts.items()},
        compiler_options=options,
    )


def single(
    engine: str, name: str, function: Program, device: Any
) -> Callable[[Point], Arrays | Refused]:
    """One column, compiled once, as a function of points on the device."""
    run = together(function, {name: quantities(engine)[name]}, device)

    def at(point: Point) -> Arrays | Refused:
        try:
            return wide_point(run(*point)[name])
        except Exception as error:
            return Refused(_status(engine, name, error), first_line(error))

    return at


def _status(engine: str, column: str, error: Exception) -> str:
    """What an error means: that something is not offered, or that it failed.

    Our derivatives are to exist wherever the value does, or to say which rule is missing.
    Forward over reverse of ours is JAX's forward mode over our gradient, and not offered where JAX
    has no rule for it.
    """
    if isinstance(error, jax.errors.JaxRuntimeError) and "UNIMPLEMENTED" not in str(error):
        return "raises"
    if engine == JAX or column == VALUE or isinstance(error, MissingRuleError):
        return "unsupported"
    theirs = not isinstance(error, FuncgradError)
    return "unsupported" if theirs and column == FORWARD_REVERSE else "raises"


def first_line(error: BaseException) -> str:
    """The class of an error and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]:.200}".rstrip(": ")
