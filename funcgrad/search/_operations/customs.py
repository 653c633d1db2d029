"""Functions with derivative rules of their own, which are right."""

from __future__ import annotations

from .._domains import any_shape, between, beyond, like, real
from .._kinds import Operation

FAMILY = "custom rules"
WAVE = """
@jax.custom_vjp
def wave(x, k):
    return jnp.sin(k * x)


def wave_forward(x, k):
    return wave(x, k), (x, k)


def wave_backward(kept, g):
    x, k = kept
    return g * k * jnp.cos(k * x), g * x * jnp.cos(k * x)


wave.defvjp(wave_forward, wave_backward)
"""
RULED_POWER = """
def ruled_power(x, n):
    return x**n


ruled_power = jax.custom_vjp(ruled_power, nondiff_argnums=(1,))
ruled_power.defvjp(lambda x, n: (x**n, x), lambda n, x, g: (g * n * x ** (n - 1),))
"""
ROOT = """
@jax.custom_jvp
def ruled_root(x):
    return jnp.sqrt(x)


@ruled_root.defjvp
def ruled_root_jvp(primals, tangents):
    y = ruled_root(primals[0])
    return y, 0.5 * tangents[0] / y
"""
QUOTIENT = """
@jax.custom_jvp
def ruled_quotient(x, y):
    return x / y


ruled_quotient.defjvps(lambda t, z, x, y: t / y, lambda t, z, x, y: -z * t / y)
"""
PAIR = """
@jax.custom_vjp
def ruled_pair(tree):
    return {"sum": tree["a"] + tree["b"], "product": tree["a"] * tree["b"]}


def ruled_pair_backward(tree, g):
    return ({"a": g["sum"] + g["product"] * tree["b"], "b": g["sum"] + g["product"] * tree["a"]},)


ruled_pair.defvjp(lambda tree: (ruled_pair(tree), tree), ruled_pair_backward)
"""
CUSTOM_SOLVE = """
def solve_diagonal(diagonal, b):
    def product(x):
        return diagonal * x

    def solve(_, b):
        return b / diagonal

    return lax.custom_linear_solve(product, b, solve, transpose_solve=solve)
"""
LINEAR_CALL = """
def linear_scaling(x):
    def product(k, x):
        return k * x

    return jax.custom_derivatives.linear_call(product, product, jnp.full_like(x, 2.0), x)
"""
OPERATIONS = (
    Operation(
        "wave", FAMILY, "wave({0}, {1})", (real(), real(like(0), between(-5, 5))), definitions=WAVE
    ),
    Operation(
        "ruled_power",
        FAMILY,
        "ruled_power({0}, 3)",
        (real(any_shape, between(-3, 3)),),
        definitions=RULED_POWER,
    ),
    Operation(
        "ruled_root",
        FAMILY,
        "ruled_root({0})",
        (real(any_shape, between(0.2, 30)),),
        definitions=ROOT,
    ),
    Operation(
        "ruled_quotient",
        FAMILY,
        "ruled_quotient({0}, {1})",
        (real(), real(like(0), beyond(0.3))),
        definitions=QUOTIENT,
    ),
    Operation(
        "ruled_pair",
        FAMILY,
        'ruled_pair({{"a": {0}, "b": {1}}}).values()',
        (real(), real(like(0))),
        results=2,
        definitions=PAIR,
    ),
    Operation(
        "custom_solve",
        FAMILY,
        "solve_diagonal({0}, {1})",
        (real(any_shape, beyond(0.3)), real(like(0))),
        definitions=CUSTOM_SOLVE,
    ),
    Operation("linear_call", FAMILY, "linear_scaling({0})", (real(),), definitions=LINEAR_CALL),
)
