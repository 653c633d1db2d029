"""Oracles in a program's own precision, run by NumPy."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from .. import _transform as engine
from ..verify._programs import not_offered
from ._interpreter import staged
from ._program import Program
from ._twin import Flat, Values
from ._verdicts import (
    JAX,
    NAN,
    NATIVE,
    OTHER,
    OURS,
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


def native(flat: Flat, truth: Values, allowed: Margin, program: Program) -> list[Disagreement]:
    """The gradients as they are computed, against the one in 64 bits; their types.

    Only the types of a program that rounds on its way: the one in 64 bits is another function.
    """
    answers: list[Values] = []
    for who, transform in ((OURS, engine.grad), (JAX, jax.grad))[: 2 if comparable(program) else 1]:
        try:
            answers.append(flat.gradient(transform)(*flat.leaves))
        except Exception as error:
            return [] if not_offered(error) else [raised(who, NATIVELY, error)]
        misfit = misfits(answers[-1], flat.leaves)
        if misfit and who == OURS:
            return [misfit]
    return far(answers[0], answers[1], truth, allowed, NATIVELY) if comparable(program) else []


def comparable(program: Program) -> bool:
    """Whether JAX has the gradient, and it is in few digits what it is in 64 bits."""
    return program.reverse and not program.rounds


def far(
    ours: Values, theirs: Values, truth: Values, allowed: Margin, what: str
) -> list[Disagreement]:
    """One of the two far from the truth, and much farther than the other."""
    gaps = {OURS: distances(ours, truth), JAX: distances(theirs, truth)}
    found = []
    for who, answer, other in ((OURS, ours, JAX), (JAX, theirs, OURS)):
        limit = [a + OTHER * gap for a, gap in zip(allowed.native, gaps[other], strict=True)]
        if exceeds(gaps[who], limit):
            kind = NAN if is_nan(answer) and not is_nan(truth) else WRONG
            found.append(Disagreement(who, kind, what, described(answer, truth), truth))
    return found


def mapped(flat: Flat, _truth: Values, allowed: Margin, _program: Program) -> list[Disagreement]:
    """Our gradient under `vmap` over two points, against the same one by one."""
    stacked = [np.stack([leaf, leaf * _near(leaf)]) for leaf in map(np.asarray, flat.leaves)]
    gradient = engine.grad(flat.run, flat.every)
    try:
        both = staged(jax.vmap(gradient), stacked)(*stacked)
    except Exception as error:
        return [] if not_offered(error) else [raised(OURS, "gradient under vmap", error)]
    alone = flat.gradient(engine.grad)(*flat.leaves)
    return same(alone, [b[0] for b in both], allowed, "gradient under vmap")


def _near(leaf: Any) -> Any:
    return np.asarray(_MAPPED, leaf.dtype)


def same(expected: Values, other: Values, allowed: Margin, what: str) -> list[Disagreement]:
    """One gradient computed in two ways that round differently."""
    limit = [(NATIVE / 4) * a for a in allowed.native]
    if not is_nan(expected) and exceeds(distances(other, expected), limit):
        return [Disagreement(OURS, WRONG, what, described(other, expected), expected)]
    return []
