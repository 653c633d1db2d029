"""Operations that act on each entry, with broadcasting."""

from __future__ import annotations

import numpy as np

from .._choices import Choices
from .._domains import (
    EVERYWHERE,
    MARGIN,
    any_shape,
    away_from,
    between,
    beyond,
    broadcasting,
    like,
    real,
)
from .._kinds import Adapter, Domain, Operation, Params, Shape, Slot, Values

NUMBERS = ("2.0", "0.5", "-1.0", "1.5", "3.0", "-0.25")
BOTH = "fc"


def unary(
    name: str, template: str, domain: Domain = EVERYWHERE, dtypes: str = "f", **more: object
) -> Operation:
    """A function of each entry."""
    slot = Slot(any_shape, domain, dtypes)
    return Operation(name, "elementwise", template, (slot,), **more)  # type: ignore[arg-type] # of a NamedTuple


def binary(
    name: str,
    template: str,
    first: Domain = EVERYWHERE,
    second: Domain = EVERYWHERE,
    dtypes: str = "f",
    **more: object,
) -> Operation:
    """A function of two arrays that broadcast."""
    slots = (Slot(any_shape, first, dtypes), Slot(broadcasting, second, dtypes))
    return Operation(name, "elementwise", template, slots, **more)  # type: ignore[arg-type] # of a NamedTuple


def number(choices: Choices, *_: Shape) -> Params:
    return {"number": choices.choice(NUMBERS)}


def differ(_: Params, first: Values, second: Values) -> bool:
    """Whether two operands are nowhere equal."""
    return bool((np.abs(first - second) >= MARGIN).all())


def into(choices: Choices, *_: Shape) -> Params:
    return {"middle": choices.choice(("0", "1.5")), "radius": choices.choice(("1", "0.8"))}


def _ramp(choices: Choices, *_: Shape) -> Params:
    return {"number": choices.choice(("1.3", "-2.7", "0.71"))}


def _off_integers(values: Values) -> bool:
    return bool((np.abs(values - np.round(values)) <= 0.5 - MARGIN).all())


POSITIVE = between(0.2, 30)
NONZERO = away_from(0.0)
UNIT = between(-0.9, 0.9)
# What adapters do: "{0} + 0.3" leaves a kink, the ramp resolves ties.
SPREAD = "{0} + {number} * jnp.linspace(-1.0, 1.0, {0}.size, dtype={0}.dtype).reshape({0}.shape)"
OFF_HALVES = Domain(
    "away from halves",
    _off_integers,
    (
        *[Adapter("shift", {"number": n}) for n in ("0.3", "0.75")],
        Adapter("into", {"middle": "1", "radius": "0.4"}),
    ),
    smoothness=True,
)

OPERATIONS = (
    unary("sin", "jnp.sin({0})", dtypes=BOTH),
    unary("cos", "jnp.cos({0})", dtypes=BOTH),
    unary("tanh", "jnp.tanh({0})"),
    unary("neg", "-{0}", dtypes=BOTH),
    unary("scale", "{number} * {0}", dtypes=BOTH, params=number),
    unary("shift", "{0} + {number}", dtypes=BOTH, params=number),
    unary("subtract_from", "{number} - {0}", dtypes=BOTH, params=number),
    unary("into", "{middle} + {radius} * jnp.tanh({0})", params=into),
    unary("into_by_waves", "{middle} + {radius} * jnp.sin({0})", params=into),
    unary("spread", SPREAD, dtypes=BOTH, params=_ramp),
    unary("square", "jnp.square({0})", between(-8, 8), BOTH),
    unary("cube", "{0} ** 3", between(-4, 4), BOTH),
    unary("integer_power", "lax.integer_pow({0}, -2)", beyond(0.5)),
    unary("reciprocal", "1.0 / {0}", beyond(0.3), BOTH),
    unary("exp", "jnp.exp({0})", between(-4, 4), BOTH),
    unary("exp2", "jnp.exp2({0})", between(-4, 4)),
    unary("expm1", "jnp.expm1({0})", between(-4, 4), BOTH),
    unary("log", "jnp.log({0})", POSITIVE),
    unary("log2", "jnp.log2({0})", POSITIVE),
    unary("log10", "jnp.log10({0})", POSITIVE),
    unary("log1p", "jnp.log1p({0})", between(-0.7, 30)),
    unary("sqrt", "jnp.sqrt({0})", POSITIVE),
    unary("rsqrt", "lax.rsqrt({0})", POSITIVE),
    unary("cbrt", "jnp.cbrt({0})", beyond(0.2)),
    unary("tan", "jnp.tan({0})", between(-1.2, 1.2)),
    unary("arcsin", "jnp.arcsin({0})", UNIT),
    unary("arccos", "jnp.arccos({0})", UNIT),
    unary("arctan", "jnp.arctan({0})"),
    unary("sinh", "jnp.sinh({0})", between(-3, 3), BOTH),
    unary("cosh", "jnp.cosh({0})", between(-3, 3), BOTH),
    unary("arcsinh", "jnp.arcsinh({0})"),
    unary("arccosh", "jnp.arccosh({0})", between(1.2, 30)),
    unary("arctanh", "jnp.arctanh({0})", UNIT),
    unary("sinc", "jnp.sinc({0})", beyond(0.2)),
    unary("abs", "jnp.abs({0})", NONZERO),
    unary("sigmoid", "jax.nn.sigmoid({0})"),
    unary("softplus", "jax.nn.softplus({0})", between(-20, 20)),
    unary("relu", "jax.nn.relu({0})", NONZERO),
    unary("leaky_relu", "jax.nn.leaky_relu({0})", NONZERO),
    unary("elu", "jax.nn.elu({0})", NONZERO, order=1),
    unary("gelu", "jax.nn.gelu({0})", between(-20, 20)),
    unary("silu", "jax.nn.silu({0})"),
    unary("sign_times", "{0} * jnp.sign({0})", NONZERO),
    unary("deg2rad", "jnp.deg2rad({0})"),
    unary("softmax", "jax.nn.softmax({0}.ravel())"),
    unary(
        "standardize",
        "jax.nn.standardize({0}.ravel())",
        Domain(
            "of some spread",
            lambda v: v.size > 1 and bool(np.std(v) > 0.2),
            (Adapter("spread", {"number": "1.3"}), Adapter("spread", {"number": "-2.7"})),
        ),
    ),
    unary("remainder", "{0} - lax.stop_gradient(jnp.round({0}))", OFF_HALVES),
    binary("add", "{0} + {1}", dtypes=BOTH),
    binary("sub", "{0} - {1}", dtypes=BOTH),
    binary("mul", "{0} * {1}", dtypes=BOTH),
    binary("div", "{0} / {1}", second=beyond(0.3), dtypes=BOTH),
    binary("power", "{0} ** {1}", between(0.3, 4), between(-3, 3)),
    binary("arctan2", "jnp.arctan2({0}, {1})", beyond(0.2), beyond(0.2)),
    binary("hypot", "jnp.hypot({0}, {1})", beyond(0.2), beyond(0.2)),
    binary(
        "logaddexp", "jnp.logaddexp({0}, {1})", between(-20, 20), between(-20, 20), apart=differ
    ),
    binary("maximum", "jnp.maximum({0}, {1})", apart=differ),
    binary("minimum", "jnp.minimum({0}, {1})", apart=differ),
    binary("squared_difference", "jnp.square({0} - {1})", between(-4, 4), between(-4, 4)),
    unary("fmod", "jnp.fmod({0}, 2.0)", between(0.1, 1.9)),
    binary(
        "rem", "lax.rem(*jnp.broadcast_arrays({0}, {1}))", between(2.2, 2.6), between(0.9, 1.05)
    ),
    Operation(
        "fma", "elementwise", "{0} * {1} + {2}", (real(), real(broadcasting), real(broadcasting))
    ),
    Operation(
        "lerp",
        "elementwise",
        "(1 - {0}) * {1} + {0} * {2}",
        (real(domain=between(-2, 2)), real(broadcasting), real(broadcasting)),
    ),
    Operation(
        "clamped_add",
        "elementwise",
        "lax.add({0}, lax.mul({1}, {1}))",
        (real(), real(like(0), between(-5, 5))),
    ),
)
