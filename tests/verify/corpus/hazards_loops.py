"""Deep and long right programs: sums, products, chains, stiff loops, branches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tests.verify.corpus.cases import Case, by_vjp
from tests.verify.corpus.hazards_tools import case, exactly, normal, signed, sizes, tree, uniform

SUMS, CHAIN, LOOP, BRANCH = "deep sum", "deep chain", "loop", "branch"


def repeated(f: Any, times: int) -> Any:
    def chain(x: Any) -> Any:
        for _ in range(times):
            x = f(x)
        return x

    return chain


def stiff_decay(y: Any) -> Any:
    """Implicit Euler on y' = -1000 (y - cos t)."""

    def step(y: Any, t: Any) -> Any:
        y = (y + 10 * jnp.cos(t)) / 11
        return y, y

    return lax.scan(step, y, jnp.linspace(0, 1, 100).astype(y.dtype))[1]


def pendulum(state: Any) -> Any:
    def step(_: Any, s: Any) -> Any:
        angle, speed = s
        speed = speed - 0.01 * jnp.sin(angle)
        return angle + 0.01 * speed, speed

    return lax.fori_loop(0, 500, step, (state[0], state[1]))


def lorenz(p: Any) -> Any:
    """Two hundred Euler steps of a chaotic system: errors grow, derivatives are large."""

    def step(s: Any, _: None) -> tuple[Any, None]:
        x, y, z = s
        change = jnp.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 * z / 3])
        return s + 0.005 * change, None

    return lax.scan(step, p, None, length=200)[0]


def logistic_map(r: Any) -> Any:
    return lax.fori_loop(0, 20, lambda _, x: r * x * (1 - x), 0.3 * jnp.ones_like(r))


def recurrent(p: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = jnp.tanh(p["w"] @ h + x)
        return h, h

    return lax.scan(step, jnp.zeros_like(p["x"][0]), p["x"])[1]


def continued_fraction(x: Any) -> Any:
    y = x
    for _ in range(30):
        y = 1 + x / y
    return y


def horner(c: Any) -> Any:
    return lax.scan(lambda y, a: (1.1 * y + a, None), jnp.zeros_like(c[0]), c)[0]


def by_cond(x: Any) -> Any:
    return lax.cond(x[0] > 0, lambda v: v**2, jnp.sin, x)


def by_switch(x: Any, i: Any) -> Any:
    return lax.switch(i, [jnp.sin, jnp.cos, jnp.exp], x)


def nested_where(x: Any) -> Any:
    return jnp.where(x > 1, jnp.log(jnp.maximum(x, 1)), jnp.where(x < -1, x + 1, x**3))


def piecewise(x: Any) -> Any:
    return jnp.piecewise(x, [x < -1, x > 1], [lambda v: v**2, jnp.exp, jnp.sin])


def checkpointed(x: Any) -> Any:
    return jax.checkpoint(repeated(jnp.sin, 8))(x)


def prefix_products(x: Any) -> Any:
    return lax.associative_scan(jnp.multiply, x)


def mean(x: Any) -> Any:
    return jnp.mean(x)


def mean_back(args: Any, ct: Any) -> Any:
    return (jnp.full_like(args[0], ct / args[0].size),)


def tent(x: Any) -> Any:
    """A function with 2**8 corners; the points lie in the middle between two."""
    return repeated(lambda v: 1 - jnp.abs(1 - 2 * v), 8)(x)


SERIES = (
    case("sum_1e4", SUMS, lambda x: jnp.sum(jnp.sin(x)), normal(10_000)),
    case("mean_1e5", SUMS, lambda x: jnp.mean(x**2), normal(100_000)),
    case("sum_1e6", SUMS, lambda x: jnp.sum(jnp.cos(x)), normal(1_000_000)),
    case("sum_1e5_of_one", SUMS, lambda x: jnp.sum(x * jnp.ones(100_000, x.dtype)), normal()),
    case("sum_mixed", SUMS, lambda x: jnp.sum(jnp.sqrt(x)), sizes(1e-6, 1e6, 5_000)),
    case("dot_1e5", SUMS, lambda x, y: x @ y, normal(100_000), normal(100_000)),
    case("mean_rule_1e5", SUMS, by_vjp(mean, mean_back), normal(100_000)),
    case("lse_1e4", SUMS, jax.nn.logsumexp, normal(10_000)),
    case("cumulative_1e4", SUMS, lambda x: jnp.cumsum(x)[-1] ** 2, normal(10_000)),
    case("harmonic", SUMS, lambda x: jnp.sum(x / jnp.arange(1, 10_001).astype(x.dtype)), normal()),
)

CHAINS = (
    case("sine_50_times", CHAIN, repeated(jnp.sin, 50), normal(4)),
    case("tanh_100_times", CHAIN, repeated(jnp.tanh, 100), normal(3)),
    case("root_20_times", CHAIN, repeated(jnp.sqrt, 20), sizes(1e-3, 1e3, 4)),
    case("product_of_100", CHAIN, jnp.prod, signed(0.8, 1.25, 100)),
    case("product_of_small", CHAIN, jnp.prod, uniform(0.1, 0.3, 20)),
    case("product_with_zero", CHAIN, jnp.prod, exactly(0.0, 2.0, 3.0, -1.0)),
    case("cumulative_product", CHAIN, jnp.cumprod, signed(0.5, 2.0, 12)),
    case("prefix_products", CHAIN, prefix_products, signed(0.5, 2.0, 12)),
    case("continued_fraction", CHAIN, continued_fraction, uniform(0.5, 3, 4)),
    case("tower", CHAIN, lambda x: x ** (x**x), uniform(0.5, 1.5, 4)),
    case("exp_of_exp", CHAIN, lambda x: jnp.exp(jnp.exp(x)), uniform(0, 2, 4)),
    case("checkpointed", CHAIN, checkpointed, normal(4)),
    case("tent", CHAIN, tent, exactly(21.5 / 256, 100.375 / 256, 200.625 / 256)),
)

LOOPS = (
    case("stiff_decay", LOOP, stiff_decay, normal()),
    case("pendulum", LOOP, pendulum, normal(2)),
    case("lorenz", LOOP, lorenz, normal(3, offset=5.0)),
    case("logistic_map", LOOP, logistic_map, uniform(2.5, 3.6, 3)),
    case("recurrent", LOOP, recurrent, tree(w=normal(3, 3), x=normal(20, 3))),
    case("horner", LOOP, horner, normal(60)),
)

BRANCHES = (
    case("cond", BRANCH, by_cond, exactly(1.0, -1.0, 0.5)),
    case("switch", BRANCH, by_switch, normal(3), lambda _, g: jnp.int32(g.integers(3))),
    case("nested_where", BRANCH, nested_where, exactly(1.5, 0.5, -0.5, -2.0)),
    case("piecewise", BRANCH, piecewise, exactly(1.5, 0.5, -0.5, -2.0)),
    case("select_n", BRANCH, lambda x: lax.select(x > 0, jnp.exp(x), 1 + x), signed(0.01, 2, 5)),
)

CASES: tuple[Case, ...] = SERIES + CHAINS + LOOPS + BRANCHES
