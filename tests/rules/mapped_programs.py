"""Programs over four devices, compared with JAX; prints the largest difference of each as JSON.

A script of its own, because the number of devices is fixed when JAX starts, and because it teaches
the CPU those collectives that only accelerators have: by their definitions, in terms of others.
JAX's own gradient of these fails (`pbroadcast`) or is wrong (`ragged_all_to_all`, where slices of
unequal lengths leave rows unwritten), so the gradient of the definition is the reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import mlir
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import funcgrad
from funcgrad._jaxcompat import primitives as p

X = jnp.arange(8.0) / 8 + 0.1
W = jnp.array([0.3, 0.5])

Body = Callable[[Any, Any], Any]
PAIRS = [[0, 3], [1, 2]]

BODIES: dict[str, Body] = {
    "psum": lambda x, w: x * lax.psum(jnp.sin(x), "i") * w,
    "pmean": lambda x, w: x * lax.pmean(x * w, "i"),
    "all_gather": lambda x, w: lax.all_gather(x * x, "i").sum(0) * w * x,
    "all_gather tiled": lambda x, w: lax.all_gather(x * x, "i", tiled=True)[2:4] * w * x,
    "psum_scatter": lambda x, w: lax.psum_scatter(jnp.tile(x * x, 2).reshape(4, 1) * w, "i"),
    "psum_scatter tiled": lambda x, w: lax.psum_scatter(
        jnp.tile(x * x, 2) * jnp.tile(w, 2), "i", tiled=True
    ),
    "all_to_all": lambda x, w: lax.all_to_all(
        (jnp.tile(x * x, 2) * jnp.tile(w, 2)).reshape(4, 1), "i", 0, 0
    ).ravel(),
    "all_to_all tiled": lambda x, w: lax.all_to_all(
        (jnp.tile(x * x, 2) * jnp.tile(w, 2)).reshape(4, 1), "i", 0, 1, tiled=True
    ).ravel(),
    "ppermute": lambda x, w: lax.ppermute(x * x, "i", [(0, 1), (1, 2), (2, 0), (3, 3)]) * w,
    "axis_index": lambda x, w: lax.axis_index("i") * x * w,
}
# What only a shard_map takes: a permutation that leaves one device out, and groups of devices.
SHARDED: dict[str, Body] = {
    "partial ppermute": lambda x, w: lax.ppermute(x * x, "i", [(0, 1), (1, 2), (2, 0)]) * w,
    "copied input": lambda x, w: jnp.tanh(jnp.sin(x) * jnp.exp(w)),
    "grouped all_gather": lambda x, w: (
        lax.all_gather(x * x, "i", axis_index_groups=PAIRS).sum(0) * w * x
    ),
    "grouped all_to_all": lambda x, w: lax.all_to_all(
        x * x * w, "i", 0, 0, axis_index_groups=PAIRS, tiled=True
    ),
    "grouped psum_scatter": lambda x, w: (
        lax.psum_scatter(x * x * w, "i", axis_index_groups=PAIRS, tiled=True) * x
    ),
}
UNTYPED: dict[str, Body] = {
    "grouped psum": lambda x, w: x * lax.psum(jnp.sin(x), "i", axis_index_groups=PAIRS) * w,
    "grouped pmean": lambda x, w: x * lax.pmean(jnp.sin(x), "i", axis_index_groups=PAIRS) * w,
}


def unreduced(value: Any) -> Any:
    """The values of the devices as the summands of one value."""
    return lax.pcast(value, "i", to="unreduced")


# Sums put off, which only the types tell.
TYPED: dict[str, Body] = {
    "unreduced psum": lambda x, w: lax.psum(unreduced(jnp.sin(x) * w), "i") * x,
    "unreduced psum_scatter": lambda x, w: (
        lax.psum_scatter(unreduced(jnp.tile(x * x, 2).reshape(4, 1) * w), "i") * w
    ),
    "unreduced psum_scatter tiled": lambda x, w: lax.psum_scatter(
        unreduced(jnp.tile(x * x, 2) * jnp.tile(w, 2)), "i", tiled=True
    ),
    "reduced": lambda x, w: lax.pcast(w * w, "i", to="reduced") * x,
    "reduced made varying": lambda x, w: (
        lax.pcast(lax.pcast(w * w, "i", to="reduced"), "i", to="varying") * x
    ),
    "reduced all_gather": lambda x, w: (lax.all_gather(x * x, "i", to="reduced") * x).sum(0) * w,
    "reduced all_gather tiled": lambda x, w: (
        (lax.all_gather(x * x, "i", to="reduced", tiled=True) * jnp.tile(x, 4))[2:4] * w
    ),
}


def copied_from(x: Any, *source: Any, axis_name: Any, **known: Any) -> Any:
    """What `pbroadcast` computes, by its documentation."""
    (wanted,) = source or known.values()
    masked = jnp.where(lax.axis_index(axis_name) == wanted, x, jnp.zeros_like(x))
    return lax.psum(masked, axis_name)


def exchanged(
    operand: Any, output: Any, starts: Any, sizes: Any, places: Any, arriving: Any, *,
    axis_name: Any, axis_index_groups: Any,
) -> Any:  # fmt: skip
    """What `ragged_all_to_all` computes, with one slice for each receiver, by its documentation."""
    del arriving  # known from the senders
    all_of = [
        lax.all_gather(each, axis_name, axis_index_groups=axis_index_groups)
        for each in (operand, starts, sizes, places)
    ]
    rows = jnp.arange(output.shape[0])
    devices = all_of[0].shape[0]
    here = lax.axis_index(axis_name) % devices  # groups of neighbours
    for theirs, start, size, place in zip(*all_of, strict=True):
        shift, begin = start[here] - place[here], place[here]
        written = (rows >= begin) & (rows < begin + size[here])
        moved = theirs[jnp.clip(rows + shift, 0, operand.shape[0] - 1)]
        output = jnp.where(written[:, None], moved, output)
    return output


mlir.register_lowering(p.pbroadcast_p, mlir.lower_fun(copied_from, False), platform="cpu")
mlir.register_lowering(p.pbroadcast_dynamic_p, mlir.lower_fun(copied_from, False), platform="cpu")
mlir.register_lowering(p.ragged_all_to_all_p, mlir.lower_fun(exchanged, False), platform="cpu")

# How many rows each of four devices (down) sends to each (across).
SIZES = np.array([[1, 2, 0, 1], [0, 1, 1, 1], [2, 0, 1, 0], [1, 1, 1, 1]])
STARTS = np.cumsum(SIZES, 1) - SIZES + np.arange(4)[:, None] % 2
PLACES = np.cumsum(SIZES, 0) - SIZES + 1


def ragged(exchange: Any, starts: Any, groups: Any = None) -> Body:
    """Rows of `sin(x)` sent over rows of `cos(x)`, as the tables say."""
    count = 4 if groups is None else 2
    tables = [table[:count, :count] for table in (starts, SIZES, PLACES, SIZES.T)]

    def body(x: Any, w: Any) -> Any:
        here = lax.axis_index("i") % count
        mine = [jnp.asarray(table, jnp.int32)[here] for table in tables]
        rows = jnp.outer(x, jnp.linspace(0.5, 1.5, 3)).reshape(6, 1) * w
        sent, before = jnp.sin(rows), jnp.cos(rows)
        return exchange(sent, before, *mine, axis_name="i", axis_index_groups=groups).ravel()

    return body


def broadcast(copy: Any, source: Any) -> Body:
    return lambda x, w: copy(jnp.sin(x) * w, source) * x


def by_definition(x: Any, source: Any) -> Any:
    return copied_from(x, source, axis_name="i")


NEIGHBOURS = [[0, 1], [2, 3]]
# Each with the program that defines it.
DEFINED: dict[str, tuple[Body, Body]] = {
    "pbroadcast": (
        broadcast(lambda x, source: lax.pbroadcast(x, "i", source), 1),
        broadcast(by_definition, 1),
    ),
    "ragged_all_to_all": (
        ragged(lax.ragged_all_to_all, STARTS),
        ragged(exchanged, STARTS),
    ),
    "ragged_all_to_all of shared rows": (
        ragged(lax.ragged_all_to_all, 0 * STARTS),
        ragged(exchanged, 0 * STARTS),
    ),
    "grouped ragged_all_to_all": (
        ragged(lax.ragged_all_to_all, STARTS, NEIGHBOURS),
        ragged(exchanged, STARTS, NEIGHBOURS),
    ),
}
TRACED = (
    broadcast(lambda x, source: lax.pbroadcast(x, "i", jnp.int32(source)), 2),
    broadcast(by_definition, 2),
)
if jax.__version_info__ >= (0, 12):
    DEFINED["pbroadcast of a traced source"] = TRACED


def total(y: Any) -> Any:
    return jnp.sum(jnp.sin(y.ravel() * jnp.linspace(1.0, 4.0, y.size)))


def mapped(body: Body, typed: bool, copied: bool = False) -> Any:
    mesh = jax.make_mesh((4,), ("i",), axis_types=(AxisType.Auto,))
    out = P() if copied else P("i")
    run = jax.shard_map(body, mesh=mesh, in_specs=(P("i"), P()), out_specs=out, check_vma=typed)
    return lambda x, w: run(x, w) if copied else total(run(x, w))


def gradients(module: Any, loss: Any, order: int) -> Any:
    """A function of the gradients, or of those of a function of the gradients."""
    first = module.grad(loss, (0, 1))
    if order == 1:
        return first
    return module.grad(lambda x, w: sum(jnp.sum(jnp.sin(g)) for g in first(x, w)), (0, 1))


def largest(ours: Any, theirs: Any) -> float:
    """The largest difference between gradients, by the largest entry of JAX's."""
    pairs = zip(jax.jit(ours)(X, W), jax.jit(theirs)(X, W), strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def difference(loss: Any, order: int, reference: Any = None) -> float:
    ours = gradients(funcgrad, loss, order)
    return largest(ours, gradients(jax, reference or loss, order))


def under_vmap(body: Body, meaning: Body) -> tuple[float, float]:
    """The gradient of a vmapped program, and the vmapped gradient of a program on one device."""

    def outside(body: Body) -> Any:
        run: Any = jax.vmap(body, (0, None), axis_name="i")
        return lambda x, w: total(run(x.reshape(4, 2), w))

    def inside(module: Any, body: Body) -> Any:
        alone = gradients(module, lambda x, w: total(body(x, w)), 1)
        every: Any = jax.vmap(alone, (0, None), axis_name="i")
        return lambda x, w: every(x.reshape(4, 2), w)

    return (
        difference(outside(body), 1, outside(meaning)),
        largest(inside(funcgrad, body), inside(jax, meaning)),
    )


def mean_of_all(x: Any, w: Any) -> Any:
    return lax.pmean(jnp.sum(jnp.sin(x) * w), "i")


def main() -> None:
    found = {}
    for typed, order in ((True, 1), (False, 1), (True, 2)):
        kind = f"{'typed' if typed else 'untyped'}, order {order}"
        for name, body in (BODIES | SHARDED | (TYPED if typed else UNTYPED)).items():
            found[f"{name}, {kind}"] = difference(mapped(body, typed), order)
        for name, (body, meaning) in DEFINED.items():
            reference = mapped(meaning, typed)
            found[f"{name}, {kind}"] = difference(mapped(body, typed), order, reference)
        copied = mapped(mean_of_all, typed, copied=True)
        found[f"copied output, {kind}"] = difference(copied, order)
    vmapped = {name: (body, body) for name, body in BODIES.items()}
    if jax.__version_info__ >= (0, 12):
        vmapped["pbroadcast of a traced source"] = TRACED
    for name, (body, meaning) in vmapped.items():
        outside, inside = under_vmap(body, meaning)
        found |= {f"{name}, grad of vmap": outside, f"{name}, vmap of grad": inside}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
