"""Sums, products and extremes along an axis, step by step."""

from __future__ import annotations

from .._choices import Choices
from .._domains import DISTINCT, EVERYWHERE, between, both, ranked, real
from .._kinds import Domain, Operation, Params, Shape


def along(choices: Choices, shape: Shape) -> Params:
    axis = str(choices.integer(0, len(shape) - 1))
    return {"axis": axis, "reverse": str(choices.boolean())}


def cumulative(name: str, domain: Domain = EVERYWHERE, complex_: bool = False) -> Operation:
    slot = (both if complex_ else real)(ranked(1), domain)
    template = f"lax.{name}({{0}}, axis={{axis}}, reverse={{reverse}})"
    return Operation(name, "cumulative", template, (slot,), along)


ASSOCIATIVE = "lax.associative_scan({function}, {{0}}, axis={{axis}}, reverse={{reverse}})"
OPERATIONS = (
    cumulative("cumsum", complex_=True),
    cumulative("cumprod", between(-3, 3), complex_=True),
    cumulative("cummax", DISTINCT),
    cumulative("cummin", DISTINCT),
    cumulative("cumlogsumexp", between(-20, 20)),
    Operation(
        "associative_sum",
        "cumulative",
        ASSOCIATIVE.format(function="jnp.add"),
        (real(ranked(1)),),
        along,
    ),
    Operation(
        "associative_product",
        "cumulative",
        ASSOCIATIVE.format(function="jnp.multiply"),
        (real(ranked(1), between(-3, 3)),),
        along,
    ),
    Operation(
        "trapezoid",
        "cumulative",
        "jnp.trapezoid({0}, dx=0.5, axis={axis})",
        (real(ranked(1)),),
        lambda choices, shape: along(choices, shape) if min(shape) > 1 else None,
    ),
    Operation(
        "convolve",
        "cumulative",
        "jnp.convolve({0}.ravel()[:6], {1}.ravel()[:4], mode='same')",
        (real(ranked(1)), real(ranked(1))),
    ),
)
