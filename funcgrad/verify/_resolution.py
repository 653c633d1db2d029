"""How fine the examination in a function's own precision was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ._findings import RIGHT, Finding
from ._judge import GIVEN
from ._native import Native
from ._problem import Problem

PLAIN_WITNESSES = ("numerical derivatives in the function's own precision",)
_NAMED = 3  # inputs


class Line(NamedTuple):
    """What one direction said.

    Attributes:
        leaf: the input that moves.
        kind: "right", "wrong", "kink", or "useless" where the bound says little.
        slack: by how much the derivative along it may be off and be called right.
    """

    leaf: int
    kind: str
    slack: float


def resolution(problem: Problem, result: Native, lines: Sequence[Line], how: str) -> Finding:
    """How large an error may be and stay unseen, for each input.

    A random projection of an error is about as large as its norm, and so is what the bound of a
    projection is compared with.

    Args:
        problem: what was checked.
        result: its derivative at the given point.
        lines: what was seen there.
        how: in which way, in words.
    """
    coarse = [_coarseness(result, leaf, lines) for leaf in range(len(problem.leaves))]
    pairs = sorted(zip(coarse, problem.names, strict=True), reverse=True)
    words = [f"{_share(share)} by {name}" for share, name in pairs[:_NAMED]]
    rest = len(pairs) - _NAMED
    dtypes = ", ".join(dict.fromkeys(str(leaf.dtype) for leaf in problem.leaves))
    text = (
        f"to the first order only, in {dtypes}, {how}: an error of the gradient goes unseen if it "
        f"is smaller than {', '.join(words)}" + (f", and less by {rest} more" if rest > 0 else "")
    )
    return Finding("note", RIGHT, text, PLAIN_WITNESSES[0], GIVEN)


def _coarseness(result: Native, leaf: int, lines: Sequence[Line]) -> float:
    """The largest slack of an input's lines, over the norm of its gradient; infinite if unknown."""
    own = [line for line in lines if line.leaf == leaf]
    slack = max((line.slack for line in own if line.kind == "right"), default=np.inf)
    norm = float(np.linalg.norm(result.gradient[leaf].ravel()))
    return slack / norm if norm > 0 and np.isfinite(slack) else np.inf


def _share(share: float) -> str:
    return f"{share:.1g} of its norm" if np.isfinite(share) else "a size that is not known"
