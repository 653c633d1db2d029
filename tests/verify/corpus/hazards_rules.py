"""Right custom rules of elementwise and small functions, written differently from the body."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tests.verify.corpus.cases import Case, by_jvp, by_vjp
from tests.verify.corpus.hazards_tools import (
    ALL,
    case,
    exactly,
    normal,
    signed,
    sizes,
    tree,
    uniform,
)

RULE, SUBGRADIENT, HAND = "right rule", "subgradient", "hand-written gradient"


def elementwise(function: Any, slope: Any) -> Any:
    """The function with a reverse rule: the cotangent times the slope."""
    return by_vjp(function, lambda args, ct: (ct * slope(args[0]),))


def forward(function: Any, slope: Any) -> Any:
    """The function with a forward rule: the slope times the tangent."""
    return by_jvp(function, lambda args, tangents: slope(args[0]) * tangents[0])


def log_sum_exp(x: Any) -> Any:
    top = jax.lax.stop_gradient(jnp.max(x))
    return top + jnp.log(jnp.sum(jnp.exp(x - top)))


def soft_max(x: Any) -> Any:
    e = jnp.exp(x - jax.lax.stop_gradient(jnp.max(x)))
    return e / jnp.sum(e)


def soft_max_back(args: Any, ct: Any) -> Any:
    y = soft_max(args[0])
    return (y * (ct - jnp.sum(ct * y)),)


def sigmoid(x: Any) -> Any:
    return jnp.where(x >= 0, 1 / (1 + jnp.exp(-jnp.abs(x))), 1 - 1 / (1 + jnp.exp(-jnp.abs(x))))


def soft_plus(x: Any) -> Any:
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def cross_entropy(x: Any, t: Any) -> Any:
    return jnp.sum(soft_plus(x) - x * t)


def cross_entropy_back(args: Any, ct: Any) -> Any:
    x, t = args
    return ct * (jax.nn.sigmoid(x) - t), -ct * x


def damped_wave(x: Any) -> Any:
    safe = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, 0, x * jnp.sin(1 / safe))


def damped_wave_slope(x: Any) -> Any:
    return jnp.sin(1 / x) - jnp.cos(1 / x) / x


def erf_series(x: Any) -> Any:
    """The Taylor series of erf, to 40 terms."""
    term, total = x, x
    for n in range(1, 40):
        term = term * (-x * x) / n
        total = total + term / (2 * n + 1)
    return total * (2 / jnp.pi**0.5)


def gauss_slope(x: Any) -> Any:
    return jnp.exp(-x * x) * (2 / jnp.pi**0.5)


def safe_norm(x: Any) -> Any:
    squared = jnp.sum(x * x)
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)


def safe_norm_back(args: Any, ct: Any) -> Any:
    (x,) = args
    length = safe_norm(x)
    return (jnp.where(length > 0, ct * x / jnp.where(length > 0, length, 1), 0),)


def layer_norm(x: Any) -> Any:
    centred = x - jnp.mean(x)
    return centred / jnp.sqrt(jnp.mean(centred**2) + 1e-5)


def layer_norm_back(args: Any, ct: Any) -> Any:
    (x,) = args
    y = layer_norm(x)
    scale = jnp.sqrt(jnp.var(x) + 1e-5)
    return ((ct - jnp.mean(ct) - y * jnp.mean(ct * y)) / scale,)


def distances_back(args: Any, ct: Any) -> Any:
    x, y = args
    d = distances(x, y)
    unit = (x[:, None] - y[None]) / d[..., None] * ct[..., None]
    return unit.sum(1), -unit.sum(0)


def distances(x: Any, y: Any) -> Any:
    return jnp.sqrt(jnp.sum((x[:, None] - y[None]) ** 2, -1))


def product(x: Any) -> Any:
    return jnp.prod(x)


def product_back(args: Any, ct: Any) -> Any:
    (x,) = args
    return (ct * jnp.prod(x) / x,)


def cumulative(x: Any) -> Any:
    return jnp.cumsum(x)


def cumulative_back(args: Any, ct: Any) -> Any:
    (x,) = args
    return (jnp.flip(jnp.cumsum(jnp.flip(ct))) * jnp.ones_like(x),)


def maximum(x: Any) -> Any:
    return jnp.max(x)


def first_maximum_back(args: Any, ct: Any) -> Any:
    (x,) = args
    return (jnp.zeros_like(x).at[jnp.argmax(x)].set(ct),)


def outer(x: Any, y: Any) -> Any:
    return x[:, None] * y


def logistic_loss(p: Any) -> Any:
    return jnp.sum(jax.nn.softplus(POINTS.astype(p["w"].dtype) @ p["w"] + p["b"]))


def logistic_gradient(p: Any) -> Any:
    points = POINTS.astype(p["w"].dtype)
    rate = jax.nn.sigmoid(points @ p["w"] + p["b"])
    return {"w": points.T @ rate, "b": jnp.sum(rate)}


def entropy_gradient(x: Any) -> Any:
    y = soft_max(x)
    return -y * (jnp.log(y) - jnp.sum(y * jnp.log(y)))


def entropy(x: Any) -> Any:
    y = soft_max(x)
    return -jnp.sum(y * jnp.log(y))


def logistic_slope(x: Any) -> Any:
    return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


def circulant(x: Any) -> Any:
    return jnp.sum(x * jnp.roll(x, 1))


POINTS = jnp.array([[1, 2, -1], [0, 1, 1], [-2, 0, 1], [3, -1, 0]])

SMOOTH = (
    ("lse", by_vjp(log_sum_exp, lambda a, ct: (ct * soft_max(a[0]),)), normal(6, scale=5.0)),
    ("lse_forward", by_jvp(log_sum_exp, lambda a, t: soft_max(a[0]) @ t[0]), normal(6)),
    ("soft_max", by_vjp(soft_max, soft_max_back), normal(6, scale=3.0)),
    ("sigmoid", elementwise(sigmoid, logistic_slope), signed(1e-4, 30.0, 6)),
    ("sigmoid_at_zero", elementwise(sigmoid, logistic_slope), exactly(0.0, 1.0, -1.0)),
    ("soft_plus", elementwise(soft_plus, jax.nn.sigmoid), signed(1e-4, 30.0, 6)),
    ("soft_plus_at_zero", elementwise(soft_plus, jax.nn.sigmoid), exactly(0.0, 1.0, -1.0)),
    ("tanh", elementwise(jnp.tanh, lambda x: 1 / jnp.cosh(x) ** 2), normal(5)),
    ("tan", forward(jnp.tan, lambda x: 1 + jnp.tan(x) ** 2), uniform(-1.4, 1.4, 5)),
    ("damped_wave", elementwise(damped_wave, damped_wave_slope), signed(0.02, 0.3, 4)),
    ("erf_series", elementwise(erf_series, gauss_slope), uniform(-1.5, 1.5, 5)),
    ("erf_series_forward", forward(erf_series, gauss_slope), uniform(-1.5, 1.5, 5)),
    ("safe_norm", by_vjp(safe_norm, safe_norm_back), normal(5, scale=1e-2)),
    ("layer_norm", by_vjp(layer_norm, layer_norm_back), normal(8, offset=3.0)),
    ("prod", by_vjp(product, product_back), signed(0.5, 2.0, 8)),
    ("cumsum", by_vjp(cumulative, cumulative_back), normal(9)),
    ("sqrt", elementwise(jnp.sqrt, lambda x: 0.5 / jnp.sqrt(x)), sizes(1e-6, 1e6, 5)),
    ("cbrt", elementwise(jnp.cbrt, lambda x: 1 / (3 * jnp.cbrt(x) ** 2)), signed(1e-3, 10.0, 5)),
    ("log1p", forward(jnp.log1p, lambda x: 1 / (1 + x)), uniform(-0.9, 5, 5)),
    ("arctan", elementwise(jnp.arctan, lambda x: 1 / (1 + x * x)), normal(5, scale=4.0)),
    ("square", elementwise(lambda x: x * x, lambda x: x + x), signed(1e-6, 1e6, 6)),
    ("logistic_sine", forward(lambda x: jnp.sin(2 * x), lambda x: 2 * jnp.cos(2 * x)), normal(5)),
    ("high_wave", elementwise(lambda x: jnp.sin(1e3 * x), lambda x: 1e3 * jnp.cos(1e3 * x)),
     uniform(-1, 1, 4)),
    ("steep", elementwise(lambda x: jax.nn.sigmoid(1e3 * x),
                          lambda x: 1e3 * logistic_slope(1e3 * x)), uniform(-5e-3, 5e-3, 5)),
)  # fmt: skip

MIXED = (
    case("rule_cross_entropy", RULE, by_vjp(cross_entropy, cross_entropy_back),
         normal(5, scale=4.0), uniform(0, 1, 5)),
    case("rule_distances", RULE, by_vjp(distances, distances_back), normal(3, 2), normal(4, 2)),
    case("rule_matmul", RULE, by_vjp(lambda x, y: x @ y, lambda a, ct: (ct @ a[1].T, a[0].T @ ct)),
         normal(3, 4), normal(4, 2)),
    case("rule_outer", RULE, by_vjp(outer, lambda a, ct: (ct @ a[1], a[0] @ ct)),
         signed(1e-4, 1e4, 4), normal(3)),
    case("rule_power", RULE, by_vjp(jnp.power, lambda a, ct: (
        ct * a[1] * a[0] ** (a[1] - 1), ct * a[0] ** a[1] * jnp.log(a[0]))),
         sizes(0.1, 10, 4), normal(4)),
    case("rule_hypot", RULE, by_jvp(jnp.hypot, lambda a, t: (
        a[0] * t[0] + a[1] * t[1]) / jnp.hypot(*a)), normal(4), normal(4)),
)  # fmt: skip

CORNERS = tuple(
    case(f"subgradient_{name}", SUBGRADIENT, function, draw, smooth=False, dtypes=dtypes)
    for name, function, draw, dtypes in (
        ("relu_one", elementwise(jax.nn.relu, lambda x: jnp.where(x >= 0, 1, 0).astype(x.dtype)),
         exactly(0.0, 1.0, -1.0), ALL),
        ("relu_half", elementwise(jax.nn.relu, lambda x: jnp.heaviside(x, 0.5)),
         exactly(0.0, 1.0, -1.0), ALL),
        ("abs_one", elementwise(jnp.abs, lambda x: jnp.where(x >= 0, 1, -1).astype(x.dtype)),
         exactly(0.0, 2.0, -1.0), ALL),
        ("abs_third", forward(jnp.abs, lambda x: jnp.where(x == 0, 0.3, jnp.sign(x))),
         exactly(0.0, 2.0, -1.0), ALL),
        ("first_maximum", by_vjp(maximum, first_maximum_back), exactly(1.0, 1.0, 0.5, 1.0), ALL),
        ("safe_norm_zero", by_vjp(safe_norm, safe_norm_back), exactly(0.0, 0.0, 0.0), ALL),
        ("clip_open", elementwise(lambda x: jnp.clip(x, -1, 1),
                                  lambda x: (jnp.abs(x) < 1).astype(x.dtype)),
         exactly(1.0, -1.0, 0.5, 3.0), ALL),
        ("clip_closed", elementwise(lambda x: jnp.clip(x, -1, 1),
                                    lambda x: (jnp.abs(x) <= 1).astype(x.dtype)),
         exactly(1.0, -1.0, 0.5, 3.0), ALL),
        ("hinge", elementwise(lambda x: jnp.maximum(0, 1 - x),
                              lambda x: -(x <= 1).astype(x.dtype)), exactly(1.0, 0.0, 2.0), ALL),
    )
)  # fmt: skip

BY_HAND = (
    case("hand_logistic", HAND, logistic_loss, tree(w=normal(3), b=normal()),
         gradient=logistic_gradient),
    case("hand_entropy", HAND, entropy, normal(5), gradient=entropy_gradient),
    case("hand_quadratic", HAND, lambda x: jnp.sum(x**2) / 2, signed(1e-6, 1e6, 7),
         gradient=lambda x: x),
    case("hand_circulant", HAND, circulant, normal(6),
         gradient=lambda x: jnp.roll(x, 1) + jnp.roll(x, -1)),
    case("hand_one_sided", HAND, lambda x: jnp.sum(jnp.abs(x)), exactly(0.0, 1.0, -1.0),
         gradient=lambda x: jnp.where(x > 0, 1, -1).astype(x.dtype), smooth=False),
    case("hand_log_det", HAND, lambda x: jnp.sum(jnp.log(x)) * 2, sizes(1e-6, 1e6, 5),
         gradient=lambda x: 2 / x),
)  # fmt: skip

CASES: tuple[Case, ...] = (
    tuple(case(f"rule_{name}", RULE, function, draw) for name, function, draw in SMOOTH)
    + MIXED
    + CORNERS
    + BY_HAND
)
