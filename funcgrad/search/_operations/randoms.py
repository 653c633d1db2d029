"""Random numbers of a fixed key inside a function."""

from __future__ import annotations

from .._choices import Choices
from .._domains import any_shape, between, real
from .._kinds import Operation, Params, Shape


def key(choices: Choices, *_: Shape) -> Params:
    return {"seed": str(choices.integer(0, 3))}


NORMAL = "jax.random.normal(jax.random.key({seed}), {0}.shape, {0}.dtype)"
KEPT = "jax.random.bernoulli(jax.random.key({seed}), 0.7, {0}.shape)"
OPERATIONS = (
    Operation("noise", "random", "{0} + 0.5 * " + NORMAL, (real(),), key),
    Operation("dropout", "random", "jnp.where(" + KEPT + ", {0} / 0.7, 0.0)", (real(),), key),
    Operation(
        "uniform_scaled",
        "random",
        "{0} * jax.random.uniform(jax.random.key({seed}), {0}.shape, {0}.dtype, 0.5, 1.5)",
        (real(),),
        key,
    ),
    Operation(
        "gamma",
        "random",
        "jax.random.gamma(jax.random.key({seed}), {0})",
        (real(any_shape, between(0.8, 5)),),
        key,
        wide=True,
        order=1,
        differences=False,
    ),
    Operation(
        "permutation",
        "random",
        "jax.random.permutation(jax.random.key({seed}), {0}.ravel())",
        (real(),),
        key,
    ),
)
