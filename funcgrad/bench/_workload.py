"""What is measured: a gradient of ours and a competitor's, of one function at one point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax

from funcgrad._transform import grad

# To compile what is run once, and not measured.
UNOPTIMISED = {"xla_backend_optimization_level": 0}
Bound = Literal["dispatch", "compute"]


class Workload(NamedTuple):
    """A gradient by the first argument, and a competitor's gradient of the same function.

    Attributes:
        name: of at most 14 characters, for the table.
        function: whose gradient is taken: a loss; for a second derivative the first one.
        arguments: where.
        ours: the gradient by this package.
        theirs: the competitor's.
        against: the competitor's name.
        bound: what takes the time of the eager gradient: dispatching operations, or computing.
        trips: how often the bodies of the function's `while` loops run; 0 without such loops.
        wide: whether accuracy is measured, against the same gradient in float64.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    against: str = "jax.grad"
    bound: Bound = "dispatch"
    trips: int = 0
    wide: bool = True


def of_loss(
    name: str, loss: Callable[..., Any], *arguments: Any, bound: Bound = "dispatch"
) -> Workload:
    """The gradient of a loss, beside that of `jax.grad`.

    >>> of_loss("square", lambda x: x * x, 3.0).ours(3.0).item()
    6.0
    """
    return Workload(name, loss, arguments, grad(loss), jax.grad(loss), bound=bound)
