"""The table of operations: one stanza each, a file for each family or two.

Adding an operation touches one place, its stanza.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._kinds import Operation
from . import (
    casts,
    complexes,
    control,
    convolution,
    cumulative,
    customs,
    derivatives,
    elementwise,
    fourier,
    indexing,
    linear,
    matrices,
    randoms,
    reductions,
    selection,
    shapes,
    sorting,
    special,
    windows,
)

# The simplest first, since Hypothesis shrinks towards it.
HOMES = (
    elementwise,
    special,
    reductions,
    shapes,
    selection,
    cumulative,
    indexing,
    sorting,
    linear,
    matrices,
    convolution,
    windows,
    fourier,
    complexes,
    casts,
    randoms,
    customs,
    derivatives,
    control,
)
TABLE: tuple[Operation, ...] = tuple(op for home in HOMES for op in home.OPERATIONS)
BY_NAME: dict[str, Operation] = {operation.name: operation for operation in TABLE}
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(operation.family for operation in TABLE))


def _namespace() -> dict[str, Any]:
    names: dict[str, Any] = {"jax": jax, "jnp": jnp, "lax": lax}
    for text in dict.fromkeys(operation.definitions for operation in TABLE):
        exec(compile(text, "<definitions>", "exec"), names)
    return names


_NAMESPACE = _namespace()


def namespace_for(menu: Sequence[Operation]) -> dict[str, Any]:
    """What a program's source finds when its first step runs; `menu` may go beyond the table."""
    names = dict(_NAMESPACE)
    for text in dict.fromkeys(op.definitions for op in menu if op.name not in BY_NAME):
        exec(compile(text, "<definitions>", "exec"), names)
    return names
