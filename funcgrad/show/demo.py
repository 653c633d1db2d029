"""The course's function, whose graph is the first that one sees."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

ARGUMENTS = (1.0, 1.0, 1.0)


def course(x: Any, y: Any, z: Any) -> Any:
    """tanh(ln(1 + z 2x / sin y)), one operation a line.

    >>> round(float(course(1.0, 1.0, 1.0)), 4)
    0.8387
    """
    a = 2 * x
    b = jnp.sin(y)
    c = a / b
    d = z * c
    e = jnp.log(1 + d)
    return jnp.tanh(e)
