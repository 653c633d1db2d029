"""The binomial schedule of Griewank and Walther (Algorithm 799, ACM TOMS 26, 2000).

To reverse n steps with s checkpoints and the least recomputation, each part of the chain is
advanced at most r times, where b(s, r - 1) < n <= b(s, r) and b(s, r) = C(s + r, s).
"""

from __future__ import annotations

from math import comb
from typing import Any

import jax.numpy as jnp
import numpy as np

MOST = 2**31 - 1  # the longest loop that is counted


def binomial_table(checkpoints: int) -> np.ndarray:
    """b(s, r) = C(s + r, s), capped, for s up to `checkpoints` and every r that can be needed."""
    repetitions = 1
    while comb(checkpoints + repetitions, checkpoints) < MOST and repetitions < 2**16:
        repetitions += 1
    return np.array(
        [
            [min(comb(s + r, s), MOST) for r in range(repetitions + 1)]
            for s in range(checkpoints + 1)
        ],
        np.int32,
    )


def split(table: np.ndarray, left: Any, places: Any) -> Any:
    """How far to advance before the next checkpoint, with `left` iterations and `places` in all.

    The best distance m leaves at most b(s, r - 1) iterations before the checkpoint and at most
    b(s - 1, r) behind it, and no fewer than b(s, r - 2) and b(s - 1, r - 1).
    """
    rows = jnp.asarray(table)
    own, fewer = rows[places], rows[places - 1]
    r = jnp.maximum(jnp.searchsorted(own, left), 1)  # the least r with left <= b(s, r)
    least = jnp.where(r >= 2, own[jnp.maximum(r - 2, 0)], 1)
    return jnp.clip(jnp.maximum(least, left - fewer[r]), 1, jnp.maximum(left - 1, 1))


def evaluations(iterations: int, checkpoints: int) -> int:
    """How often the schedule advances the body, beside one evaluation for each reversed step."""
    if iterations <= 1:
        return 0
    r = 1
    while comb(checkpoints + r, checkpoints) < iterations:
        r += 1
    return r * iterations - comb(checkpoints + r, checkpoints + 1)
