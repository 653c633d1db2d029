"""Programs inside of programs: calls, loops, branches, custom rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ..._jaxprs import open_jaxpr, scan_counts
from ._rule import Array, NotHereError, Params, Rule, Runs, plain, shaped


def _called(key: str) -> Rule:
    return Rule(lambda machine, params, operands: machine.run(params[key], operands), carries=True)


def _scan(machine: Runs, params: Params, operands: Sequence[Array]) -> list[Array]:
    consts, carried = scan_counts(dict(params))
    fixed, carry = list(operands[:consts]), list(operands[consts : consts + carried])
    rows = operands[consts + carried :]
    stacked: list[list[Array]] = []
    order = range(params["length"])
    for i in reversed(order) if params["reverse"] else order:
        results = machine.run(params["jaxpr"], [*fixed, *carry, *(row[i] for row in rows)])
        carry = results[:carried]
        stacked.append(results[carried:])
    if params["reverse"]:
        stacked.reverse()
    body, _ = open_jaxpr(params["jaxpr"])
    avals = [v.aval for v in body.outvars[carried:]]
    return [*carry, *(_stack([s[k] for s in stacked], aval) for k, aval in enumerate(avals))]


def _stack(values: list[Array], aval: Any) -> Array:
    return np.stack(values) if values else np.zeros((0, *aval.shape), aval.dtype)


def _while(machine: Runs, params: Params, operands: Sequence[Array]) -> list[Array]:
    first = params["cond_nconsts"]
    second = first + params["body_nconsts"]
    asked, fixed, carry = operands[:first], operands[first:second], list(operands[second:])
    while np.any(going := machine.run(params["cond_jaxpr"], [*asked, *carry])[0]):
        after = machine.run(params["body_jaxpr"], [*fixed, *carry])
        # Under `vmap` each row goes on as long as its own condition holds.
        carry = [_chosen(going, *pair) for pair in zip(after, carry, strict=True)]
    return carry


def _chosen(going: Array, after: Array, before: Array) -> Array:
    if np.all(going):
        return after
    if isinstance(after, jax.Array):  # keys
        raise NotHereError
    rows = np.reshape(going, np.shape(going) + (1,) * (np.ndim(after) - np.ndim(going)))
    return np.where(rows, after, before)


def _cond(machine: Runs, params: Params, operands: Sequence[Array]) -> list[Array]:
    branches = params["branches"]
    index = min(max(int(operands[0]), 0), len(branches) - 1)
    return machine.run(branches[index], operands[1:])


def _solve(machine: Runs, params: Params, operands: Sequence[Array]) -> list[Array]:
    """A linear solve by its own solver, which comes with its constants."""
    lengths = params["const_lengths"]
    before = lengths.matvec + lengths.vecmat
    consts = operands[before : before + lengths.solve]
    return machine.run(params["jaxprs"].solve, [*consts, *operands[sum(lengths) :]])


def _platform(params: Params) -> Array:
    """Which branch is that of the CPU; the one for any other platform comes last."""
    platforms = params["platforms"]
    named = [i for i, names in enumerate(platforms) if names and "cpu" in names]
    return np.int32(named[0] if named else len(platforms) - 1)


def _passed(*operands: Array) -> list[Array]:
    return list(operands)


def _observe(params: Params, *operands: Array) -> list[Array]:
    params["callback"](*operands)
    return []


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("jit", "pjit", "remat2", "checkpoint"), _called("jaxpr")),
    **dict.fromkeys(
        ("custom_jvp_call", "custom_vjp_call", "closed_call", "core_call", "custom_lin"),
        _called("call_jaxpr"),
    ),
    "scan": Rule(_scan, carries=True),
    "while": Rule(_while, carries=True),
    "cond": Rule(_cond, carries=True),
    "custom_linear_solve": Rule(_solve, carries=True),
    "platform_index": shaped(_platform),
    "optimization_barrier": plain(_passed)._replace(carries=True),
    "device_put": plain(_passed)._replace(carries=True),
    "debug_callback": shaped(_observe),
}
