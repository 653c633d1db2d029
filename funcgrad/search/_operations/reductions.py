"""Reductions along axes."""

from __future__ import annotations

import numpy as np

from .._choices import Choices
from .._domains import (
    DISTINCT,
    EVERYWHERE,
    between,
    beyond,
    both,
    ranked,
    real,
)
from .._kinds import Adapter, Domain, Operation, Params, Shape


def axes(choices: Choices, shape: Shape) -> Params:
    """One axis, or all of them; kept or not."""
    axis = choices.choice(["None", *map(str, range(-1, len(shape) - 1))])
    return {"axis": axis, "keepdims": str(choices.boolean(0.3))}


def one_axis(choices: Choices, shape: Shape) -> Params:
    return {"axis": str(choices.integer(0, len(shape) - 1))}


def reduction(
    name: str, function: str, domain: Domain = EVERYWHERE, complex_: bool = False
) -> Operation:
    slot = (both if complex_ else real)(ranked(1), domain)
    template = f"{function}({{0}}, axis={{axis}}, keepdims={{keepdims}})"
    return Operation(name, "reduction", template, (slot,), axes)


OF_SOME_SPREAD = Domain(
    "of some spread",
    lambda values: bool(
        values.ndim and (np.std(values, axis=-1) > 0.2).all() and np.std(values) > 0.2
    ),
    tuple(Adapter("spread", {"number": n}) for n in ("1.3", "-2.7", "5.3")),
)
OPERATIONS = (
    reduction("sum", "jnp.sum", complex_=True),
    reduction("mean", "jnp.mean", complex_=True),
    reduction("prod", "jnp.prod", between(-3, 3), complex_=True),
    reduction("max", "jnp.max", DISTINCT),
    reduction("min", "jnp.min", DISTINCT),
    reduction("logsumexp", "jax.nn.logsumexp", between(-20, 20)),
    reduction("variance", "jnp.var"),
    Operation("deviation", "reduction", "jnp.std({0})", (real(ranked(1), OF_SOME_SPREAD),)),
    Operation("norm", "reduction", "jnp.linalg.norm({0})", (both(ranked(1, 2), beyond(0.1)),)),
    Operation(
        "norm_of_rows",
        "reduction",
        "jnp.linalg.norm({0}, axis=-1)",
        (real(ranked(2), beyond(0.1)),),
    ),
    Operation(
        "norm_3", "reduction", "jnp.linalg.norm({0}.ravel(), 3)", (real(ranked(1), beyond(0.1)),)
    ),
    Operation(
        "norm_largest",
        "reduction",
        "jnp.max(jnp.abs({0}))",
        (real(ranked(1), between(0.1, 20)),),
        apart=lambda _, v: bool(v.size == 1 or np.diff(np.sort(np.abs(v).ravel()))[-1] > 0.03),
    ),
    Operation(
        "lax_reduce_sum",
        "reduction",
        "lax.reduce({0}, jnp.zeros((), {0}.dtype), lax.add, ({axis},))",
        (real(ranked(1)),),
        one_axis,
    ),
    Operation(
        "lax_reduce_prod",
        "reduction",
        "lax.reduce({0}, jnp.ones((), {0}.dtype), lax.mul, ({axis},))",
        (real(ranked(1), beyond(0.1)),),
        one_axis,
    ),
    Operation(
        "average",
        "reduction",
        "jnp.average({0}, axis={axis}, weights=jnp.square({0}))",
        (real(ranked(1), beyond(0.1)),),
        one_axis,
    ),
    Operation(
        "ptp",
        "reduction",
        "jnp.ptp({0}, axis={axis})",
        (real(ranked(1), DISTINCT),),
        one_axis,
        apart=lambda _, v: min(v.shape) > 1,
    ),
    Operation("trace", "reduction", "jnp.trace({0})", (both(ranked(2, 2)),)),
    Operation(
        "reduce_pairs",
        "reduction",
        "lax.reduce({0}, jnp.zeros((), {0}.dtype), soft_sum, ({axis},))",
        (real(ranked(1), between(-5, 5)),),
        one_axis,
        reverse=False,
        order=1,
        definitions="def soft_sum(a, b):\n    return a + b + 0.125 * a * b\n",
    ),
)
