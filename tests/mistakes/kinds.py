"""What an entry of the table of mistakes is, and the functions that mistakes are made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import funcgrad
from funcgrad._errors import (
    ArgumentNumberError,
    GradientTypeError,
    GradientValueError,
    TreeError,
)

T, V, N, S = GradientTypeError, GradientValueError, ArgumentNumberError, TreeError
X = jnp.array([1.0, 2.0])
INTS = jnp.array([1, 2])
THREE = jnp.ones(3)


class Mistake(NamedTuple):
    """A wrong call.

    Attributes:
        name: the mistake in words.
        call: makes it with this package.
        error: the class of the error.
        says: what its first line holds, in this order: what was received, what was expected.
        jax: makes it with JAX; None where JAX has no such function, or takes the call.
    """

    name: str
    call: Callable[[], Any]
    error: type[Exception]
    says: str
    jax: Callable[[], Any] | None = None


def f(x: Any) -> Any:
    return jnp.sum(x**2)


def two(x: Any, y: Any) -> Any:
    return jnp.sum(x * y)


def tree(p: Any) -> Any:
    return jnp.sum(p["w"])


def mean(w: Any, b: Any) -> Any:
    return jnp.mean(w * b)


def squares(w: Any) -> Any:
    return w**2


def both(name: str, error: type[Exception], says: str, call: Callable[[Any], Any]) -> Mistake:
    """The same call of this package and of JAX."""
    return Mistake(name, lambda: call(funcgrad), error, says, lambda: call(jax))


def ours(name: str, error: type[Exception], says: str, call: Callable[[], Any]) -> Mistake:
    """A call of a function that JAX does not have."""
    return Mistake(name, call, error, says)


def raised(call: Callable[[], Any]) -> Exception | None:
    """What a call raises."""
    try:
        call()
    except Exception as error:
        return error
    return None
