"""Special functions."""

from __future__ import annotations

from .._domains import any_shape, between, beyond, broadcasting, like, real
from .._kinds import Domain, Operation

UNIT = between(-0.8, 0.8)
POSITIVE = between(0.4, 6)


def unary(name: str, template: str, domain: Domain, order: int = 2) -> Operation:
    return Operation(name, "special", template, (real(any_shape, domain),), order=order, wide=True)


def binary(name: str, template: str, first: Domain, second: Domain, order: int = 2) -> Operation:
    slots = (real(any_shape, first), real(broadcasting, second))
    return Operation(name, "special", template, slots, order=order, wide=True)


OPERATIONS = (
    unary("erf", "lax.erf({0})", between(-3, 3)),
    unary("erfc", "lax.erfc({0})", between(-3, 3)),
    unary("erf_inv", "lax.erf_inv({0})", UNIT),
    unary("lgamma", "lax.lgamma({0})", POSITIVE),
    unary("digamma", "lax.digamma({0})", POSITIVE),
    unary("polygamma", "jax.scipy.special.polygamma(1, {0})", POSITIVE),
    unary("zeta", "jax.scipy.special.zeta(2.5, {0})", POSITIVE),
    unary("ndtri", "jax.scipy.special.ndtri({0})", between(0.1, 0.9)),
    unary("log_ndtr", "jax.scipy.special.log_ndtr({0})", between(-4, 4)),
    unary("logit", "jax.scipy.special.logit({0})", between(0.1, 0.9)),
    unary("bessel_i0e", "lax.bessel_i0e({0})", beyond(0.2)),
    unary("bessel_i1e", "lax.bessel_i1e({0})", beyond(0.2)),
    unary("entr", "jax.scipy.special.entr({0})", between(0.2, 5)),
    binary("igamma", "lax.igamma(*jnp.broadcast_arrays({0}, {1}))", POSITIVE, POSITIVE, order=1),
    binary("igammac", "lax.igammac(*jnp.broadcast_arrays({0}, {1}))", POSITIVE, POSITIVE, order=1),
    binary("betaln", "jax.scipy.special.betaln({0}, {1})", POSITIVE, POSITIVE),
    binary("xlogy", "jax.scipy.special.xlogy({0}, {1})", beyond(0.2), POSITIVE),
    binary("xlog1py", "jax.scipy.special.xlog1py({0}, {1})", beyond(0.2), between(-0.6, 6)),
    Operation(
        "betainc",
        "special",
        "jax.scipy.special.betainc(1.5, 2.5, {0})",
        (real(any_shape, between(0.1, 0.9)),),
        wide=True,
    ),
    Operation(
        "polynomial_of_roots",
        "special",
        "jnp.polyval(jnp.stack([{0}, {1}]), {2})",
        (real(any_shape), real(like(0)), real(like(0), between(-3, 3))),
        wide=True,
    ),
)
