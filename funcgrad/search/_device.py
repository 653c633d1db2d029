"""Oracles on the device where a program runs: what XLA makes of it, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .. import _transform as engine
from ..verify._programs import not_offered
from ..verify._rounding import epsilon
from ._native import comparable, far, same
from ._program import Program
from ._twin import Flat, Values
from ._verdicts import OURS, UNSTABLE, VALUE, WRONG, Disagreement, Margin, raised


def compiled(flat: Flat, truth: Values, allowed: Margin, program: Program) -> list[Disagreement]:
    """Value and gradients under `jit`."""
    return _run(flat, truth, allowed, program, " under jit", jax.jit)


def eager(flat: Flat, truth: Values, allowed: Margin, program: Program) -> list[Disagreement]:
    """Value and gradients operation by operation."""
    return _run(flat, truth, allowed, program, " eagerly", lambda function: function)


def _run(
    flat: Flat,
    truth: Values,
    allowed: Margin,
    program: Program,
    how: str,
    wrap: Callable[..., Any],
) -> list[Disagreement]:
    """Against NumPy, in one precision; against the truth, where the program does not round."""
    transforms = (engine.grad, jax.grad) if comparable(program) else (engine.grad,)
    functions = [wrap(flat.run), *(wrap(t(flat.run, flat.every)) for t in transforms)]
    try:
        value, *gradients = [function(*flat.leaves) for function in functions]
    except Exception as error:
        return [] if not_offered(error) else [raised(OURS, f"gradient{how}", error)]
    # XLA may leave out that a compiled program rounds to fewer digits on its way.
    found = [] if program.rounds else _value(flat, value, how)
    # An eager gradient may be computed in another way when it is asked for again.
    known = [(functions[0], [value]), (functions[1], gradients[0])][: 2 if wrap is jax.jit else 1]
    if not found and not all(_repeats(function, flat, first) for function, first in known):
        found.append(Disagreement(OURS, UNSTABLE, f"gradient{how}", "the second run differs"))
    if not found and comparable(program):
        ours, theirs = map(list, gradients)
        found = far(ours, theirs, truth, allowed, f"gradient{how}")
    if not found and not program.rounds:
        expected = flat.gradient(engine.grad)(*flat.leaves)
        found = same(expected, list(gradients[0]), allowed, f"gradient{how}")
    return found


def _value(flat: Flat, value: Any, how: str) -> list[Disagreement]:
    expected = flat.value(*flat.leaves)
    unit = epsilon(value.dtype)
    slack = unit**0.5 * abs(float(expected)) + 64 * unit
    if abs(float(value) - float(expected)) <= slack:
        return []
    text = f"{float(value):.9g}{how}, {float(expected):.9g} by NumPy"
    return [Disagreement(VALUE, WRONG, f"value{how}", text, float(expected))]


def _repeats(function: Callable[..., Any], flat: Flat, first: Any) -> bool:
    again = jax.tree.leaves(function(*flat.leaves))
    pairs = zip(first, again, strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True) for a, b in pairs)
