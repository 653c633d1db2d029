"""Derivatives inside a program: JAX's own, whose primitives are differentiated in turn."""

from __future__ import annotations

from .._choices import Choices
from .._domains import DISTINCT, any_shape, between, like, ranked, real
from .._kinds import Operation, Params, Shape

FAMILY = "derivatives"
SMOOTH = ("jnp.tanh", "jnp.sin", "jax.nn.sigmoid", "jnp.arctan", "jnp.square")


def function(choices: Choices, *_: Shape) -> Params:
    return {"function": choices.choice(SMOOTH)}


FIRST = real(any_shape, between(-8, 8))
POOL = "lax.reduce_window(x, -jnp.inf, lax.max, (2,), (1,), 'VALID')"
OPERATIONS = (
    Operation(
        "gradient", FAMILY, "jax.grad(lambda x: jnp.sum({function}(x)))({0})", (FIRST,), function
    ),
    Operation(
        "tangent",
        FAMILY,
        "jax.jvp({function}, ({0},), ({1},))[1]",
        (FIRST, real(like(0))),
        function,
    ),
    Operation(
        "pulled_back",
        FAMILY,
        "jax.vjp({function}, {0})[1]({1})[0]",
        (FIRST, real(like(0))),
        function,
    ),
    Operation(
        "second_derivative",
        FAMILY,
        "jax.jvp(jax.grad(lambda x: jnp.sum({function}(x) ** 2)), ({0},), ({1},))[1]",
        (real(any_shape, between(-4, 4)), real(like(0))),
        function,
    ),
    Operation(
        "pool_gradient",
        FAMILY,
        f"jax.vjp(lambda x: {POOL}, {{0}}.ravel())[1]({{1}}.ravel()[1:])[0]",
        (real(ranked(1), DISTINCT), real(like(0))),
        lambda _, shape, __: {} if max(shape) > 1 else None,
    ),
    Operation(
        "pool_tangent",
        FAMILY,
        f"jax.jvp(lambda x: {POOL}, ({{0}}.ravel(),), ({{1}}.ravel(),))[1]",
        (real(ranked(1), DISTINCT), real(like(0))),
        lambda _, shape, __: {} if max(shape) > 1 else None,
    ),
    Operation(
        "jacobian",
        FAMILY,
        "jax.jacfwd(lambda x: {function}(x) * x[0])({0}.ravel()[:3])",
        (real(ranked(1), between(-8, 8)),),
        function,
    ),
    Operation(
        "linearized",
        FAMILY,
        "jax.linearize({function}, {0})[1]({1})",
        (FIRST, real(like(0))),
        function,
    ),
    Operation(
        "tanh_tangent", FAMILY, "jax.jvp(jnp.tanh, ({0},), ({1},))[1]", (FIRST, real(like(0)))
    ),
)
