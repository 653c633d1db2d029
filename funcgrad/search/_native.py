"""Oracles in a program's own precision, on the device where it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _transform as engine
from ..verify._programs import not_offered
from ..verify._rounding import epsilon
from ._twin import Flat, Values
from ._verdicts import (
    JAX,
    NAN,
    NATIVE,
    OTHER,
    OURS,
    UNSTABLE,
    VALUE,
    WRONG,
    Disagreement,
    Margin,
    described,
    distances,
    exceeds,
    is_nan,
    misfits,
    raised,
)

NATIVELY = "gradient in its own precision"
_MAPPED = 1 + 2.0**-6  # the second row under vmap is the point times this


def native(flat: Flat, truth: Values, allowed: Margin | None) -> list[Disagreement]:
    """The gradients as they are computed, against the one in 64 bits; their types; repetition.

    Without `allowed` only types and repetition: of a program that rounds on its way, the one in 64
    bits is another function.
    """
    every = tuple(range(len(flat.leaves)))
    value, again = flat.run(*flat.leaves), flat.run(*flat.leaves)
    if not np.array_equal(np.asarray(value), np.asarray(again), equal_nan=True):
        return [Disagreement(VALUE, UNSTABLE, "value", f"{value}, and again {again}")]
    answers: list[Values] = []
    for who, transform in ((OURS, engine.grad), (JAX, jax.grad))[: 1 if allowed is None else 2]:
        try:
            answers.append(list(transform(flat.run, every)(*flat.leaves)))
        except Exception as error:
            return [] if not_offered(error) else [raised(who, NATIVELY, error)]
        misfit = misfits(answers[-1], flat.leaves)
        if misfit and who == OURS:
            return [misfit]
    if allowed is None:
        return []
    ours, theirs = answers
    return _far(ours, theirs, truth, allowed)


def _far(ours: Values, theirs: Values, truth: Values, allowed: Margin) -> list[Disagreement]:
    """One of the two far from the truth, and much farther than the other."""
    gaps = {OURS: distances(ours, truth), JAX: distances(theirs, truth)}
    found = []
    for who, answer, other in ((OURS, ours, JAX), (JAX, theirs, OURS)):
        limit = [a + OTHER * gap for a, gap in zip(allowed.native, gaps[other], strict=True)]
        if exceeds(gaps[who], limit):
            kind = NAN if is_nan(answer) and not is_nan(truth) else WRONG
            text = described(answer, truth)
            found.append(Disagreement(who, kind, NATIVELY, text, truth))
    return found


def compiled(flat: Flat, allowed: Margin) -> list[Disagreement]:
    """The value and our gradient under `jit`, against the same eagerly."""
    every = tuple(range(len(flat.leaves)))
    plain = flat.run(*flat.leaves)
    run: Callable[..., Any] = jax.jit(engine.value_and_grad(flat.run, every))
    try:
        value, gradient = run(*flat.leaves)
    except Exception as error:
        return [raised(OURS, "gradient under jit", error)]
    unit = epsilon(plain.dtype)
    slack = unit**0.5 * abs(float(plain)) + 64 * unit
    if not abs(float(value) - float(plain)) <= slack:
        text = f"{value} under jit, {plain} eagerly"
        return [Disagreement(VALUE, WRONG, "value under jit", text)]
    eager = list(engine.grad(flat.run, every)(*flat.leaves))
    return _same(eager, list(gradient), allowed, "gradient under jit")


def mapped(flat: Flat, allowed: Margin) -> list[Disagreement]:
    """Our gradient under `vmap` over two points, against the same one by one."""
    every = tuple(range(len(flat.leaves)))
    gradient = engine.grad(flat.run, every)
    other = [leaf * jnp.asarray(_MAPPED, leaf.dtype) for leaf in flat.leaves]
    stacked = [jnp.stack(pair) for pair in zip(flat.leaves, other, strict=True)]
    try:
        both = list(jax.vmap(gradient)(*stacked))
    except Exception as error:
        return [] if not_offered(error) else [raised(OURS, "gradient under vmap", error)]
    eager = list(gradient(*flat.leaves))
    return _same(eager, [b[0] for b in both], allowed, "gradient under vmap")


def _same(eager: Values, other: Values, allowed: Margin, what: str) -> list[Disagreement]:
    limit = [(NATIVE / 4) * a for a in allowed.native]
    if not is_nan(eager) and exceeds(distances(other, eager), limit):
        return [Disagreement(OURS, WRONG, what, described(other, eager), eager)]
    return []
