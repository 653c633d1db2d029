"""Oracles on the device where a program runs: what XLA makes of it, against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .. import _transform as engine
from ..verify._programs import not_offered
from ..verify._rounding import epsilon
from ._native import comparable, far, same
from ._program import Program
from ._twin import Flat, Values
from ._verdicts import JAX, OURS, UNSTABLE, VALUE, WRONG, Disagreement, Margin, raised, sizes

_UNDER_JIT, _EAGERLY = " under jit", " eagerly"


def compiled(flat: Flat, truth: Values, allowed: Margin, program: Program) -> list[Disagreement]:
    """Value and gradients under `jit`."""
    return _run(flat, truth, allowed, program, _UNDER_JIT)


def eager(flat: Flat, truth: Values, allowed: Margin, program: Program) -> list[Disagreement]:
    """Value and gradients operation by operation."""
    return _run(flat, truth, allowed, program, _EAGERLY)


def _run(
    flat: Flat,
    truth: Values,
    allowed: Margin,
    program: Program,
    how: str,
) -> list[Disagreement]:
    """Against NumPy, in one precision; against the truth, where the program does not round."""
    transforms = (engine.grad, jax.grad) if comparable(program) else (engine.grad,)
    wanted = [flat.run, *(transform(flat.run, flat.every) for transform in transforms)]
    functions = [_wrapped(function, how) for function in wanted]
    answers, failures = _asked(functions, flat)
    if failures:
        return _raised(failures, how)
    value, *gradients = answers
    # XLA may leave out that a compiled program rounds to fewer digits on its way.
    found = [] if program.rounds else _value(flat, value, how)
    # An eager gradient may be computed in another way when it is asked for again.
    known = [(functions[0], [value]), (functions[1], gradients[0])][: 2 if how == _UNDER_JIT else 1]
    if not found and not all(_repeats(function, flat, first) for function, first in known):
        found.append(Disagreement(OURS, UNSTABLE, f"gradient{how}", "the second run differs"))
    if not found and comparable(program):
        ours, theirs = map(list, gradients)
        found = far(ours, theirs, truth, allowed, f"gradient{how}")
    if not found and not program.rounds:
        expected = flat.gradient(engine.grad)(*flat.leaves)
        found = same(expected, list(gradients[0]), _loose(allowed, expected), f"gradient{how}")
    return found


def _loose(allowed: Margin, expected: Values) -> Margin:
    """Half of the digits are enough: XLA's functions differ from NumPy's in the last ones.

    1 - tanh(x)**2 at 7 makes a rounding of tanh, which moving x does not show, a million times as
    large; what a compiler does wrong is larger still.
    """
    scales = [epsilon(np.asarray(leaf).dtype) ** 0.5 for leaf in expected]
    loose = [
        a + s * size for a, s, size in zip(allowed.native, scales, sizes(expected), strict=True)
    ]
    return allowed._replace(native=loose)


def _wrapped(function: Callable[..., Any], how: str) -> Callable[..., Any]:
    return jax.jit(function) if how == _UNDER_JIT else function


def _asked(functions: Sequence[Callable[..., Any]], flat: Flat) -> tuple[Values, dict[str, Any]]:
    """What the functions return, once it is there; and the errors of those that raise, by whose."""
    answers, failures = [], dict[str, Any]()
    for who, function in zip((VALUE, OURS, JAX), functions, strict=False):
        try:
            answers.append(jax.block_until_ready(function(*flat.leaves)))
        except Exception as error:  # what a compiler may raise is not known
            failures[who] = error
    return answers, failures


def _raised(failures: dict[str, Any], how: str) -> list[Disagreement]:
    """Whose error it is: the program's before the gradients', and JAX's if both engines fail."""
    if any(not_offered(error) for error in failures.values()):
        return []
    who = next(who for who in (VALUE, JAX, OURS) if who in failures)
    return [raised(who, ("value" if who == VALUE else "gradient") + how, failures[who])]


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
