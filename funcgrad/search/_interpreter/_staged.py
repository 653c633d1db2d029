"""A function of arrays as one that NumPy runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ... import _jaxprs as jaxprs
from ._machine import Machine, Watch, host
from ._rule import Array


def staged(
    function: Callable[..., Any], leaves: Sequence[Any], watch: Watch | None = None
) -> Callable[..., list[Array]]:
    """Trace a function, and return what runs the traced program.

    Args:
        function: of arrays, returning a pytree of arrays.
        leaves: arrays of the shapes and dtypes that it will be given.
        watch: called with every result on the way.

    Returns:
        A function of arrays to the list of the results' leaves.

    >>> import jax.numpy as jnp
    >>> staged(lambda x: jnp.sin(x) ** 2, [jnp.float32(0.0)])(0.0)
    [array(0., dtype=float32)]
    """
    given = [jnp.asarray(leaf) for leaf in leaves]
    closed = jax.make_jaxpr(lambda *xs: jax.tree.leaves(function(*xs)))(*given)
    machine = Machine(watch)
    jaxpr, _ = jaxprs.open_jaxpr(closed)
    dtypes = [v.aval.dtype for v in jaxpr.invars]

    def run(*values: Any) -> list[Array]:
        cast = [jnp.asarray(v, d) for v, d in zip(values, dtypes, strict=True)]
        return machine.run(closed, [host(v) for v in cast])

    return run
