"""Programs over four devices, compared with JAX; prints the largest difference of each as JSON.

A script of its own, because the number of devices is fixed when JAX starts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import funcgrad

X = jnp.arange(8.0) / 8 + 0.1
W = jnp.array([0.3, 0.5])

BODIES: dict[str, Callable[[Any, Any], Any]] = {
    "psum": lambda x, w: x * lax.psum(jnp.sin(x), "i") * w,
    "pmean": lambda x, w: x * lax.pmean(x * w, "i"),
    "all_gather": lambda x, w: lax.all_gather(x * x, "i").sum(0) * w * x,
    "all_gather tiled": lambda x, w: lax.all_gather(x * x, "i", tiled=True)[2:4] * w * x,
    "psum_scatter": lambda x, w: lax.psum_scatter(
        jnp.tile(x * x, 2) * jnp.tile(w, 2), "i", tiled=True
    ),
    "all_to_all": lambda x, w: lax.all_to_all(
        (jnp.tile(x * x, 2) * jnp.tile(w, 2)).reshape(4, 1), "i", 0, 0
    ).ravel(),
    "ppermute": lambda x, w: lax.ppermute(x * x, "i", [(0, 1), (1, 2), (2, 0)]) * w,
    "axis_index": lambda x, w: lax.axis_index("i") * x * w,
    "copied input": lambda x, w: jnp.tanh(jnp.sin(x) * jnp.exp(w)),
}


def mapped(body: Callable[[Any, Any], Any], typed: bool, copied: bool = False) -> Any:
    mesh = jax.make_mesh((4,), ("i",), axis_types=(AxisType.Auto,))
    out = P() if copied else P("i")
    run = jax.shard_map(body, mesh=mesh, in_specs=(P("i"), P()), out_specs=out, check_vma=typed)

    def loss(x: Any, w: Any) -> Any:
        y = run(x, w)
        return y if copied else jnp.sum(jnp.sin(y * jnp.arange(1.0, y.size + 1)))

    return loss


def difference(loss: Any, order: int) -> float:
    """The largest difference between our gradients and JAX's, by the largest entry of JAX's."""

    def gradients(module: Any) -> Any:
        first = module.grad(loss, (0, 1))
        if order == 1:
            compiled: Any = jax.jit(first)
            return compiled(X, W)

        def total(x: Any, w: Any) -> Any:
            return sum(jnp.sum(jnp.sin(g)) for g in first(x, w))

        second: Any = jax.jit(module.grad(total, (0, 1)))
        return second(X, W)

    pairs = zip(gradients(funcgrad), gradients(jax), strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def main() -> None:
    found = {}
    for typed in (True, False):
        kind = "typed" if typed else "untyped"
        for name, body in BODIES.items():
            found[f"{name}, {kind}"] = difference(mapped(body, typed), 1)
        mean = mapped(lambda x, w: lax.pmean(jnp.sum(jnp.sin(x) * w), "i"), typed, copied=True)
        found[f"copied output, {kind}"] = difference(mean, 1)
        found[f"second order, {kind}"] = difference(mapped(BODIES["psum"], typed), 2)
    summed: Any = jax.vmap(lambda x, w: x * lax.psum(jnp.sin(x) * w, "b"), (0, None), axis_name="b")
    found["psum under vmap"] = difference(lambda x, w: jnp.sum(summed(x, jnp.sum(w)) * X), 1)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
