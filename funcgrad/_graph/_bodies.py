"""Programs inside programs, opened: each as a function of the step's operands, run in Python.

A loop is unrolled into calls of its body, so that each iteration is a node of its own, which can be
opened again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from .._tape import Step

Function = Callable[..., list[Any]]


def body_of(step: Step) -> Function | None:
    """The program that a step carries, as a function of its operands; None where it has none."""
    opener = _OPENERS.get(step.primitive)
    return None if opener is None else opener(step)


def _call(step: Step) -> Function:
    return jaxprs.jaxpr_function(_program(step))


def _program(step: Step) -> Any:
    names = ("jaxpr", "call_jaxpr", "call")
    return jaxprs.close(next(step.params[name] for name in names if name in step.params))


def _branch(step: Step) -> Function:
    branches = step.params["branches"]
    index = min(max(int(step.operands[0]), 0), len(branches) - 1)
    chosen = jaxprs.jaxpr_function(branches[index])
    return lambda _index, *operands: chosen(*operands)


def _named(body: Any, name: str) -> Function:
    """The body as one call, which is one node."""
    function = jaxprs.jaxpr_function(body)

    def call(*operands: Any) -> list[Any]:
        return function(*operands)

    call.__name__ = name
    return jax.jit(call)


def _scan(step: Step) -> Function:
    params = step.params
    consts, carried = jaxprs.scan_counts(dict(params))
    iteration = _named(params["jaxpr"], "iteration")
    order = range(params["length"])

    def unrolled(*operands: Any) -> list[Any]:
        fixed, carry = operands[:consts], list(operands[consts : consts + carried])
        xs = operands[consts + carried :]
        rows: dict[int, list[Any]] = {}
        for i in reversed(order) if params["reverse"] else order:
            # By an index that is a value: one that is a number would be compiled for each.
            entries = [lax.dynamic_index_in_dim(x, jnp.int32(i), 0, False) for x in xs]
            results = iteration(*fixed, *carry, *entries)
            carry, rows[i] = results[:carried], results[carried:]
        return [*carry, *_stacked([rows[i] for i in order], step.outputs[carried:])]

    return unrolled


def _stacked(rows: Sequence[Sequence[Any]], results: Sequence[Any]) -> list[Any]:
    if not rows:
        return [jnp.zeros_like(result) for result in results]
    return [jnp.stack(column) for column in zip(*rows, strict=True)]


def _while(step: Step) -> Function:
    params = step.params
    condition = jaxprs.jaxpr_function(params["cond_jaxpr"])
    iteration = _named(params["body_jaxpr"], "iteration")
    first, second = params["cond_nconsts"], params["body_nconsts"]

    def unrolled(*operands: Any) -> list[Any]:
        asked, fixed = operands[:first], operands[first : first + second]
        carry = list(operands[first + second :])
        while condition(*asked, *carry)[0]:
            carry = iteration(*fixed, *carry)
        return carry

    return unrolled


_OPENERS: dict[Any, Callable[[Step], Function]] = {
    p.jit_p: _call,
    p.remat_p: _call,
    p.eval_jaxpr_p: _call,
    p.closed_call_p: _call,
    p.custom_vmap_p: _call,
    p.cond_p: _branch,
    p.scan_p: _scan,
    p.while_p: _while,
}
