"""Right functions on a corner, a tie or a jump, and close to one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tests.verify.corpus.cases import Case
from tests.verify.corpus.hazards_tools import ALL, case, exactly, normal, signed, uniform

ON, NEAR = "on a kink", "near a kink"


def huber(x: Any) -> Any:
    size = jnp.abs(x)
    return jnp.sum(jnp.where(size <= 1, x * x / 2, size - 0.5))


def hinge(x: Any) -> Any:
    return jnp.mean(jnp.maximum(0, 1 - x))


def triangle_wave(x: Any) -> Any:
    return jnp.abs(x - jnp.round(x))


def pinball(x: Any) -> Any:
    return jnp.sum(jnp.maximum(0.9 * x, -0.1 * x))


def max_pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID")


def soft_threshold(x: Any) -> Any:
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - 0.5, 0)


def total_variation(x: Any) -> Any:
    return jnp.sum(jnp.abs(jnp.diff(x)))


def top_two(x: Any) -> Any:
    return jnp.sum(lax.top_k(x, 2)[0] ** 2)


WEIGHTS = jnp.arange(1, 6)


def weighted_order(x: Any) -> Any:
    return jnp.sum(jnp.sort(x) * WEIGHTS.astype(x.dtype))


TIES = exactly(1.0, 1.0, 2.0, 2.0, 0.5)
EXACT: tuple[Case, ...] = tuple(
    case(f"{name}_on", ON, f, draw, smooth=False, dtypes=ALL)
    for name, f, draw in (
        ("relu", jax.nn.relu, exactly(0.0, 1.0, -2.0, 0.0)),
        ("relu6", jax.nn.relu6, exactly(0.0, 6.0, 3.0, -1.0)),
        ("leaky_relu", jax.nn.leaky_relu, exactly(0.0, 1.0, -2.0)),
        ("abs", lambda x: jnp.sum(jnp.abs(x)), exactly(0.0, 1.5, -0.5)),
        ("maximum", lambda x: jnp.maximum(x, 1), exactly(1.0, 0.0, 2.0)),
        ("max_of_ties", jnp.max, exactly(2.0, 2.0, 1.0, 2.0)),
        ("min_of_ties", jnp.min, exactly(2.0, 2.0, 3.0)),
        ("clip", lambda x: jnp.clip(x, -1, 1) ** 3, exactly(-1.0, 1.0, 0.3, 2.0)),
        ("clamp", lambda x: lax.clamp(jnp.zeros_like(x), x, jnp.ones_like(x)), exactly(0.0, 1.0)),
        ("huber", huber, exactly(1.0, -1.0, 0.3, 2.0)),
        ("hinge", hinge, exactly(1.0, 0.0, 2.0)),
        ("pinball", pinball, exactly(0.0, 1.0, -1.0)),
        ("sort", weighted_order, TIES),
        ("median", jnp.median, exactly(1.0, 2.0, 2.0, 3.0, 5.0)),
        ("top_k", top_two, TIES),
        ("max_pool", max_pool, exactly(1.0, 1.0, 1.0, 1.0)),
        ("soft_threshold", soft_threshold, exactly(0.5, -0.5, 2.0)),
        ("total_variation", total_variation, exactly(1.0, 1.0, 1.0, 1.0)),
        ("hard_tanh", jax.nn.hard_tanh, exactly(1.0, -1.0, 0.2)),
        ("round", lambda x: jnp.round(x) * x, exactly(0.5, 1.5, 0.2)),
        ("floor", lambda x: jnp.floor(x) + x, exactly(1.0, 2.0, 0.5)),
        ("sign", lambda x: jnp.sign(x) * 2, exactly(0.0, 1.0)),
        ("power_at_zero", lambda x: jnp.sum(x**2.5), exactly(0.0, 1.0, 4.0)),
        ("celu_like", lambda x: jnp.sum(jnp.where(x > 0, x, 2 * x)), exactly(0.0, 1.0, -1.0)),
    )
)


BY_DISTANCE = tuple(
    case(f"{name}_near_{far:.0e}", NEAR, f, draw, smooth=far > 1e-6)
    for far in (1e-3, 1e-5, 1e-9)
    for name, f, draw in (
        ("relu", jax.nn.relu, exactly(far, -far, 1.0)),
        ("abs", jnp.abs, exactly(far, -2 * far, 0.7)),
        ("swap", lambda x: jnp.maximum(x[0], x[1]) * x[2], exactly(far, 2 * far, 3 * far)),
        ("branches", lambda x: jnp.where(x > 0, x * x, -3 * x), exactly(far, -far, 2.0)),
    )
)
CLOSE = (
    case("huber_near", NEAR, huber, exactly(1.001, 0.999, -1.0005)),
    case("max_near_tie", NEAR, jnp.max, exactly(1.0, 1.0001, 0.5)),
    case("sort_near_tie", NEAR, weighted_order, exactly(1.0, 1.0003, 0.9996, 3.0, 2.0)),
    case("median_near_tie", NEAR, jnp.median, exactly(1.0, 1.0002, 0.9997, 4.0, -4.0)),
    case("clip_near", NEAR, lambda x: jnp.clip(x, -1, 1), exactly(0.9995, 1.0004, -1.0002)),
    case("triangle_wave", NEAR, triangle_wave, exactly(0.499, 0.001, 1.2, -0.5003)),
    case("saw_tooth", NEAR, lambda x: x - jnp.floor(x), exactly(0.999, 1.0005, 3.5)),
    case("modulo", NEAR, lambda x: jnp.mod(x, 1.0) ** 2, exactly(0.999, 1.001, 0.5)),
    case("many_relus", NEAR, lambda x: jnp.sum(jax.nn.relu(x)), normal(2000)),
    case("many_near_zero", NEAR, lambda x: jnp.sum(jnp.abs(x)), signed(1e-5, 1.0, 200)),
    case("quantile", NEAR, lambda x: jnp.quantile(x, 0.3), uniform(0, 1, 9)),
    case("softshrink_near", NEAR, soft_threshold, exactly(0.5004, 0.4993, 2.0)),
)

CASES: tuple[Case, ...] = EXACT + BY_DISTANCE + CLOSE
