"""Other widths and back; values that are rounded on the way."""

from __future__ import annotations

from .._domains import both, ranked, real
from .._kinds import Operation

FAMILY = "casts"
OPERATIONS = (
    Operation(
        "through_bfloat16",
        FAMILY,
        "jnp.sin({0}.astype(jnp.bfloat16)).astype({0}.dtype)",
        (real(),),
        rounds=True,
    ),
    Operation(
        "through_float16",
        FAMILY,
        "({0}.astype(jnp.float16) * 0.5).astype({0}.dtype)",
        (real(),),
        rounds=True,
    ),
    Operation(
        "through_float32",
        FAMILY,
        "jnp.cos({0}.astype(jnp.float32)).astype({0}.dtype)",
        (real(),),
        rounds=True,
    ),
    Operation(
        "reduce_precision",
        FAMILY,
        "lax.reduce_precision({0}, 8, 7)",
        (real(),),
        rounds=True,
        order=1,
    ),
    Operation("divided_by_length", FAMILY, "{0} / {0}.shape[0]", (both(ranked(1)),)),
    Operation(
        "times_integers",
        FAMILY,
        "{0} * jnp.arange(1, {0}.size + 1).reshape({0}.shape).astype({0}.dtype)",
        (both(),),
    ),
    Operation(
        "sum_in_bfloat16",
        FAMILY,
        "lax.convert_element_type(jnp.sum({0}.astype(jnp.bfloat16)), {0}.dtype)",
        (real(ranked(1)),),
        rounds=True,
    ),
    Operation("copy", FAMILY, "jnp.array({0}, copy=True)", (both(),)),
    Operation(
        "named",
        FAMILY,
        "checkpoint_name({0}, 'kept')",
        (both(),),
        definitions="from jax.ad_checkpoint import checkpoint_name\n",
    ),
    Operation("barrier", FAMILY, "lax.optimization_barrier({0})", (both(),)),
    Operation("on_device", FAMILY, "jax.device_put({0}, jax.devices()[0])", (both(),)),
)
