"""Right functions at the edge of their domain, guarded functions, and special functions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special, stats

from tests.verify.corpus.cases import Case
from tests.verify.corpus.hazards_tools import case, exactly, normal, signed, sizes, uniform

EDGE, GUARD, SPECIAL = "domain edge", "guarded", "special function"


def guarded_sqrt(x: Any) -> Any:
    safe = jnp.where(x > 0, x, 1)
    return jnp.where(x > 0, jnp.sqrt(safe), 0)


def guarded_log(x: Any) -> Any:
    safe = jnp.where(x > 0, x, 1)
    return jnp.sum(jnp.where(x > 0, jnp.log(safe), 0))


def guarded_ratio(x: Any, y: Any) -> Any:
    inside = jnp.abs(y) > 1e-2
    return jnp.where(inside, x / jnp.where(inside, y, 1), x)


def guarded_norm(x: Any) -> Any:
    squared = jnp.sum(x**2)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1)), 0)


def guarded_sinc(x: Any) -> Any:
    small = jnp.abs(x) < 1e-2
    safe = jnp.where(small, 1, x)
    return jnp.where(small, 1 - x**2 / 6 + x**4 / 120, jnp.sin(safe) / safe)


def epsilon_norm(x: Any) -> Any:
    return jnp.sqrt(jnp.sum(x**2) + 1e-6)


def binary_entropy(p: Any) -> Any:
    return special.entr(p) + special.entr(1 - p)


def mixture(x: Any) -> Any:
    means = jnp.array([-2, 0, 3]).astype(x.dtype)
    return special.logsumexp(stats.norm.logpdf(x[:, None], means, 0.3), axis=1)


EDGES = (
    case("log_1e-6", EDGE, jnp.log, sizes(1e-6, 1e-5, 4)),
    case("sqrt_1e-10", EDGE, jnp.sqrt, sizes(1e-10, 1e-9, 4)),
    case("cube_root_small", EDGE, jnp.cbrt, signed(1e-6, 1e-3, 4)),
    case("arccos_edge", EDGE, lambda d: jnp.arccos(1 - d), sizes(1e-4, 1e-3, 3)),
    case("arccos_at_1-2e-6", EDGE, jnp.arccos, exactly(1 - 2e-6, 0.5, -1 + 2e-6)),
    case("arcsin_edge", EDGE, jnp.arcsin, uniform(0.999, 0.9999, 4)),
    case("arccosh_edge", EDGE, jnp.arccosh, uniform(1.0001, 1.001, 4)),
    case("atanh_edge", EDGE, jnp.arctanh, uniform(0.999, 0.9999, 4)),
    case("root_as_power", EDGE, lambda x: x**0.5, sizes(1e-9, 1e-6, 4)),
    case("small_power", EDGE, lambda x: x**0.1, sizes(1e-6, 1e-3, 4)),
    case("logit_edge", EDGE, special.logit, sizes(1e-6, 1e-4, 4)),
    case("tan_near_pole", EDGE, jnp.tan, uniform(1.55, 1.57, 4)),
    case("log_log", EDGE, lambda x: jnp.log(jnp.log(x)), uniform(1.001, 1.01, 4)),
    case("log1p_edge", EDGE, jnp.log1p, uniform(-0.9999, -0.999, 4)),
    case("entropy_edge", EDGE, binary_entropy, sizes(1e-5, 1e-2, 4)),
    case("xlogx", EDGE, lambda x: jnp.sum(x * jnp.log(x)), sizes(1e-8, 1.0, 5)),
    case("xlogy_zero", EDGE, lambda y: special.xlogy(0.0, y), uniform(0.1, 2, 4)),
    case("power_both", EDGE, lambda x, y: x**y, sizes(1e-4, 1.0, 4), normal(4)),
    case("arctan2_negative_axis", EDGE, jnp.arctan2, signed(1e-3, 1e-2, 4), uniform(-2, -1, 4)),
    case("hypot_small", EDGE, jnp.hypot, signed(1e-5, 1e-4, 4), signed(1e-5, 1e-4, 4)),
)

GUARDED = (
    case("guarded_sqrt", GUARD, guarded_sqrt, exactly(1.0, -1.0, 4.0, -0.5)),
    case("guarded_log", GUARD, guarded_log, exactly(1.0, -1.0, 0.5, -3.0)),
    case("guarded_ratio", GUARD, guarded_ratio, normal(4), exactly(0.0, 0.005, 1.0, -2.0)),
    case("guarded_norm_zero", GUARD, guarded_norm, exactly(0.0, 0.0, 0.0), smooth=False),
    case("guarded_norm", GUARD, guarded_norm, normal(5, scale=1e-3)),
    case("guarded_sinc", GUARD, guarded_sinc, exactly(0.0, 1e-4, 1.0, -2.0)),
    case("epsilon_norm_zero", GUARD, epsilon_norm, exactly(0.0, 0.0, 0.0)),
    case("norm_small", GUARD, jnp.linalg.norm, signed(1e-5, 1e-4, 4)),
    case("norm_rows", GUARD, lambda x: jnp.linalg.norm(x, axis=1), normal(4, 3, scale=1e-4)),
    case("norm_mixed", GUARD, jnp.linalg.norm, signed(1e-6, 1.0, 6)),
    case("unit_vector", GUARD, lambda x: x / jnp.linalg.norm(x), normal(4, scale=1e-3)),
    case("cosine", GUARD, lambda x, y: x @ y / jnp.sqrt(x @ x * (y @ y)), normal(4), normal(4)),
)

UNARY = (
    ("gammaln", special.gammaln, uniform(0.05, 20, 5)),
    ("digamma", special.digamma, uniform(0.5, 20, 5)),
    ("erf", special.erf, normal(5)),
    ("erfc_tail", special.erfc, uniform(2, 5, 4)),
    ("erfinv", special.erfinv, uniform(-0.95, 0.95, 4)),
    ("log_ndtr_tail", special.log_ndtr, uniform(-15, -3, 4)),
    ("ndtr", special.ndtr, normal(5)),
    ("ndtri", special.ndtri, uniform(0.05, 0.95, 4)),
    ("i0e", special.i0e, uniform(0.5, 20, 4)),
    ("i1e", special.i1e, uniform(0.5, 20, 4)),
    ("expi", special.expi, uniform(0.2, 3, 4)),
    ("exp1", special.exp1, uniform(0.2, 3, 4)),
    ("spence", special.spence, uniform(0.2, 0.9, 4)),
    ("logsumexp", special.logsumexp, normal(6, scale=30.0)),
    ("expit_tails", special.expit, uniform(-30, 30, 5)),
    ("zeta", lambda x: special.zeta(2.5, x), uniform(1, 5, 3)),
    ("polygamma", lambda x: special.polygamma(2, x), uniform(1, 5, 3)),
    ("rel_entr", lambda x: special.rel_entr(x, 0.5), uniform(0.01, 1, 4)),
    ("kl_div", lambda x: special.kl_div(0.5, x), uniform(0.01, 1, 4)),
    ("betainc_in_x", lambda x: special.betainc(2.0, 3.0, x), uniform(0.05, 0.95, 4)),
    ("gammainc_in_x", lambda x: special.gammainc(2.5, x), uniform(0.2, 5, 4)),
    ("normal_logpdf", stats.norm.logpdf, normal(5, scale=5.0)),
    ("student_logpdf", lambda x: stats.t.logpdf(x, 3.0), normal(5, scale=5.0)),
    ("beta_logpdf", lambda x: stats.beta.logpdf(x, 0.5, 2.0), sizes(1e-4, 0.9, 4)),
    ("gamma_logpdf", lambda x: stats.gamma.logpdf(x, 3.0), uniform(0.1, 8, 4)),
    ("mixture", mixture, normal(6, scale=2.0)),
    ("mish", jax.nn.mish, normal(5, scale=3.0)),
    ("log_sigmoid_tails", jax.nn.log_sigmoid, uniform(-40, 40, 5)),
    ("squareplus", jax.nn.squareplus, normal(5)),
    ("elu_side", jax.nn.elu, signed(1e-3, 2.0, 5)),
    ("selu_side", jax.nn.selu, signed(1e-3, 2.0, 5)),
    ("softplus_tails", jax.nn.softplus, uniform(-40, 40, 5)),
)

CASES: tuple[Case, ...] = (
    EDGES
    + GUARDED
    + tuple(case(f"special_{name}", SPECIAL, function, draw) for name, function, draw in UNARY)
)
