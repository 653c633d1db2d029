"""Right functions of huge, tiny and mixed magnitudes, with cancellation, waves and steep slopes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tests.verify.corpus.cases import Case
from tests.verify.corpus.hazards_tools import (
    ALL,
    case,
    normal,
    signed,
    sizes,
    tree,
    uniform,
)

SIZE, CANCEL, WAVE, STEEP = "magnitude", "cancellation", "high frequency", "steep"
OFFSET = "large offset"


def mixed_tree(p: Any) -> Any:
    return jnp.sum(jnp.log(p["big"])) + jnp.sum(jnp.sqrt(p["small"]))


def ratio(x: Any) -> Any:
    return x[:-1] / x[1:]


def geometric_mean(x: Any) -> Any:
    return jnp.exp(jnp.mean(jnp.log(x)))


def moments_variance(x: Any) -> Any:
    return jnp.mean(x**2) - jnp.mean(x) ** 2


def quadratic_root(p: Any) -> Any:
    b, c = p[0], p[1]
    return -b + jnp.sqrt(b * b - c)


def distance_on_earth(p: Any) -> Any:
    """Haversine."""
    half = jnp.sin((p[1:] - p[:-1]) / 2)
    return 2 * jnp.arcsin(jnp.sqrt(jnp.sum(half**2)))


def rosenbrock(x: Any) -> Any:
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def chirp(x: Any) -> Any:
    return jnp.sin(1 / x)


def fourier(x: Any) -> Any:
    k = jnp.arange(1, 65).astype(x.dtype)
    return jnp.sum(jnp.sin(k * x[:, None]) / k, axis=1)


def smooth_step(x: Any) -> Any:
    return 1 / (1 + jnp.exp(-100 * x))


def barrier(x: Any) -> Any:
    return -1e-3 * jnp.sum(jnp.log(x))


MAGNITUDES = (
    case("square_huge", SIZE, lambda x: x**2, signed(1e7, 1e8, 5)),
    case("square_tiny", SIZE, lambda x: x**2, signed(1e-8, 1e-7, 5)),
    case("square_mixed", SIZE, lambda x: x**2, signed(1e-8, 1e8, 8)),
    case("sum_of_squares_mixed", SIZE, lambda x: jnp.sum(x**2), signed(1e-8, 1e8, 8)),
    case("cube_sum_tiny", SIZE, lambda x: jnp.sum(x**3), signed(1e-6, 1e-5, 5)),
    case("log_mixed", SIZE, lambda x: jnp.sum(jnp.log(x)), sizes(1e-8, 1e8, 8)),
    case("tree_mixed", SIZE, mixed_tree, tree(big=sizes(1e6, 1e8, 3), small=sizes(1e-8, 1e-6, 3))),
    case("product_mixed", SIZE, lambda a, b: a * b, sizes(1e6, 1e8, 3), sizes(1e-8, 1e-6, 3)),
    case("ratios_mixed", SIZE, ratio, sizes(1e-6, 1e6, 6)),
    case("geometric_mean", SIZE, geometric_mean, sizes(1e-8, 1e8, 10)),
    case("scaled_up", SIZE, lambda x: 1e8 * jnp.tanh(x), normal(4)),
    case("scaled_down", SIZE, lambda x: 1e-8 * jnp.tanh(x), normal(4)),
    case("outputs_apart", SIZE, lambda x: (1e8 * jnp.sin(x), 1e-8 * jnp.cos(x)), normal(4)),
    case("exp_large", SIZE, jnp.exp, uniform(15, 25, 3)),
    case("exp_tails", SIZE, lambda x: jnp.exp(-x), uniform(10, 40, 5)),
    case("power_seventh", SIZE, lambda x: jnp.sum(x**7), signed(0.01, 100.0, 6)),
    case("rosenbrock", SIZE, rosenbrock, normal(6, scale=3.0)),
    case("reciprocal_small", SIZE, lambda x: 1 / x, signed(1e-4, 1e-2, 5)),
)

CANCELLING = (
    case("one_minus_cos", CANCEL, lambda x: (1 - jnp.cos(x)) / x**2, signed(0.3, 1.0, 4)),
    case("exp_minus_one", CANCEL, lambda x: (jnp.exp(x) - 1) / x, signed(0.1, 1.0, 4)),
    case("log_of_one_plus", CANCEL, lambda x: jnp.log(1 + x), signed(1e-3, 1e-2, 4)),
    case("expm1_tiny", CANCEL, jnp.expm1, signed(1e-7, 1e-3, 4)),
    case("log1p_tiny", CANCEL, jnp.log1p, signed(1e-7, 1e-3, 4)),
    case("moments_variance", CANCEL, moments_variance, normal(50, offset=10.0)),
    case("variance_offset", CANCEL, jnp.var, normal(50, offset=1000.0)),
    case("standard_deviation", CANCEL, jnp.std, normal(50, offset=100.0)),
    case("root_difference", CANCEL, lambda x: jnp.sqrt(x + 1) - jnp.sqrt(x), uniform(10, 100, 4)),
    case("quadratic_root", CANCEL, quadratic_root, uniform(1, 2, 2)),
    case("haversine", CANCEL, distance_on_earth, uniform(0, 0.5, 3)),
    case("sinc", CANCEL, lambda x: jnp.sin(x) / x, signed(0.1, 2.0, 5)),
    case("telescope", CANCEL, lambda x: jnp.sum(jnp.diff(x) ** 2), normal(30, offset=50.0)),
    case("plus_offset", OFFSET, lambda x: jnp.sum(1e8 + x**2), normal(3)),
    case("offset_kept", OFFSET, lambda x: 1e4 + jnp.sin(x), normal(4)),
    case("offset_argument", OFFSET, lambda x: (x - 1e4) ** 2, normal(4, offset=1e4)),
    case("offset_scaled", OFFSET, lambda x: 1e6 + 1e-3 * jnp.sum(x**2), normal(4)),
    case("near_one", OFFSET, lambda x: jnp.log(x) * 1e3, normal(4, offset=1.0, scale=1e-3)),
)

FREQUENT = (
    case("sine_1e3", WAVE, lambda x: jnp.sin(1e3 * x), uniform(-1, 1, 4)),
    case("sine_1e5", WAVE, lambda x: jnp.sin(1e5 * x), uniform(-0.03, 0.03, 4)),
    case("sum_sine_1e3", WAVE, lambda x: jnp.sum(jnp.sin(1e3 * x)), uniform(-1, 1, 20)),
    case("small_ripple", WAVE, lambda x: x + 1e-3 * jnp.sin(1e3 * x), uniform(-1, 1, 4)),
    case("beats", WAVE, lambda x: jnp.sin(500 * x) * jnp.sin(505 * x), uniform(-1, 1, 3)),
    case("chirp", WAVE, chirp, signed(0.01, 0.1, 4)),
    case("fourier", WAVE, fourier, uniform(0.3, 3, 5)),
    case("positional", WAVE, lambda x: jnp.cos(x * 2.0 ** jnp.arange(10)), uniform(0, 1, 1)),
    case("chebyshev", WAVE, lambda x: jnp.cos(50 * jnp.arccos(x)), uniform(-0.9, 0.9, 4)),
)

SLOPES = (
    case("sigmoid_1e2", STEEP, smooth_step, uniform(-0.1, 0.1, 5)),
    case("sigmoid_1e4", STEEP, lambda x: jax.nn.sigmoid(1e4 * x), uniform(-1e-3, 1e-3, 5)),
    case("sigmoid_1e6", STEEP, lambda x: jax.nn.sigmoid(1e6 * x), uniform(-1e-5, 1e-5, 5)),
    case("sigmoid_saturated", STEEP, lambda x: jax.nn.sigmoid(1e3 * x), signed(0.1, 1.0, 5)),
    case("tanh_1e3", STEEP, lambda x: jnp.tanh(1e3 * x), uniform(-3e-3, 3e-3, 5)),
    case("softplus_1e4", STEEP, lambda x: jax.nn.softplus(1e4 * x) / 1e4, uniform(-1e-3, 1e-3, 5)),
    case("soft_max_sharp", STEEP, lambda x: jax.nn.softmax(300 * x), uniform(0, 0.02, 5)),
    case("lse_sharp", STEEP, lambda x: jax.nn.logsumexp(1e3 * x) / 1e3, uniform(0, 0.01, 6)),
    case("gauss_narrow", STEEP, lambda x: jnp.exp(-((x / 1e-3) ** 2)), uniform(-2e-3, 2e-3, 5)),
    case("arctan_1e5", STEEP, lambda x: jnp.arctan(1e5 * x), uniform(-1e-4, 1e-4, 4)),
    case("lorentz_narrow", STEEP, lambda x: 1e-6 / (x**2 + 1e-6), uniform(-3e-3, 3e-3, 4)),
    case("log_barrier", STEEP, barrier, sizes(1e-6, 1.0, 6)),
)

HALVES = tuple(
    case(name, "half precision", f, draw, dtypes=ALL)
    for name, f, draw in (
        ("tanh", jnp.tanh, normal(5)),
        ("gelu", jax.nn.gelu, normal(5)),
        ("softmax", jax.nn.softmax, normal(6)),
        ("log_softmax", jax.nn.log_softmax, normal(6)),
        ("mean_of_squares", lambda x: jnp.mean(x**2), normal(100)),
        ("product_sine", lambda x: jnp.sin(x) * jnp.exp(-x * x), normal(5)),
        ("polynomial", lambda x: 1 + x * (0.5 - x * (0.25 + x)), normal(5)),
        ("square_root", jnp.sqrt, uniform(0.1, 4, 5)),
        ("standardize", lambda x: jax.nn.standardize(x, epsilon=1e-3), normal(8)),
    )
)

CASES: tuple[Case, ...] = MAGNITUDES + CANCELLING + FREQUENT + SLOPES + HALVES
