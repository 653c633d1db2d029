"""Functions with derivative rules as a user writes them: each is right, and has a wrong twin.

A search that includes one of them has to be silent about it, and to find its twin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Rule = Callable[..., Any]


def _ruled(function: Rule, forward: Rule, backward: Rule) -> Rule:
    ruled = jax.custom_vjp(function)
    ruled.defvjp(forward, backward)
    return ruled


def _pushed(function: Rule, rule: Rule) -> Rule:
    ruled = jax.custom_jvp(function)
    ruled.defjvp(rule)
    return ruled


def _both(name: str, make: Callable[[bool], Rule]) -> None:
    """Two functions of this module by that name, the second with a fault in its rule."""
    right, wrong = make(False), make(True)
    for ending, found in (("", right), ("_wrong", wrong)):
        found.__name__ = found.__qualname__ = name + ending
        globals()[name + ending] = found
    NAMES.append(name)


NAMES: list[str] = []


def _softplus(x: Any) -> Any:
    return jnp.logaddexp(x, 0.0)


def _swish(x: Any) -> Any:
    return x * jax.nn.sigmoid(x)


def _softmax(x: Any) -> Any:
    shifted = jnp.exp(x - lax.stop_gradient(jnp.max(x)))
    return shifted / jnp.sum(shifted)


def _norm(x: Any) -> Any:
    return jnp.sqrt(jnp.sum(x * x) + 0.1)


def _product(a: Any, b: Any) -> Any:
    if a.ndim != 2 or b.ndim != 2:
        raise TypeError("matrices were expected")
    return a @ b


def _bias(x: Any, b: Any) -> Any:
    if x.ndim != 2 or b.shape != x.shape[1:]:
        raise TypeError("a matrix and a row were expected")
    return x + b


def _normalised(x: Any) -> Any:
    return (x - jnp.mean(x)) / jnp.sqrt(jnp.var(x) + 0.1)


def _angle(y: Any, x: Any) -> Any:
    return jnp.arctan2(y, x + 3.0)


def _root(x: Any) -> Any:
    """The solution of y + y**3 = x, by Newton's method."""
    return lax.fori_loop(0, 30, lambda _, y: y - (y + y**3 - x) / (1 + 3 * y * y), x / 3)


def _accumulated(x: Any) -> Any:
    return jnp.cumsum(x**2, axis=-1)


_both("softplus", lambda wrong: _pushed(
    _softplus,
    lambda p, t: (_softplus(*p), t[0] * jax.nn.sigmoid(-p[0] if wrong else p[0]))))  # fmt: skip
_both(
    "swish",
    lambda wrong: _ruled(
        _swish,
        lambda x: (_swish(x), x),
        lambda x, g: (g * jax.nn.sigmoid(x) * (1 + (0 if wrong else x) * jax.nn.sigmoid(-x)),),
    ),
)
_both("softmax", lambda wrong: _ruled(
    _softmax, lambda x: (_softmax(x), _softmax(x)),
    lambda y, g: (y * (g - (0.0 if wrong else jnp.sum(g * y))),)))  # fmt: skip
_both("norm", lambda wrong: _ruled(
    _norm, lambda x: (_norm(x), (x, _norm(x))),
    lambda kept, g: (g * kept[0] / (1.0 if wrong else kept[1]),)))  # fmt: skip
_both(
    "product",
    lambda wrong: _ruled(
        _product,
        lambda a, b: (_product(a, b), (a, b)),
        lambda kept, g: (jnp.matmul(g, kept[1].T), (kept[0] if wrong else kept[0].T) @ g),
    ),
)
_both("bias", lambda wrong: _ruled(
    _bias, lambda x, b: (_bias(x, b), None),
    lambda _, g: (g, jnp.mean(g, 0) if wrong else jnp.sum(g, 0))))  # fmt: skip
_both("normalised", lambda wrong: _pushed(
    _normalised, lambda p, t: (
        _normalised(*p),
        (t[0] - jnp.mean(t[0]) - (0.0 if wrong else _normalised(*p) * jnp.mean(
            _normalised(*p) * t[0]))) / jnp.sqrt(jnp.var(p[0]) + 0.1))))  # fmt: skip
_both("angle", lambda wrong: _ruled(
    _angle, lambda y, x: (_angle(y, x), (y, x + 3.0)),
    lambda kept, g: (
        g * kept[1] / (kept[0] ** 2 + kept[1] ** 2),
        (g if wrong else -g) * kept[0] / (kept[0] ** 2 + kept[1] ** 2))))  # fmt: skip
_both("root", lambda wrong: _ruled(
    _root, lambda x: (_root(x), x if wrong else _root(x)),
    lambda y, g: (g / (1 + 3 * y * y),)))  # fmt: skip
_both("accumulated", lambda wrong: _ruled(
    _accumulated, lambda x: (_accumulated(x), x),
    lambda x, g: (2 * x * lax.cumsum(g, axis=g.ndim - 1, reverse=not wrong),)))  # fmt: skip
