"""The derivative rule: the steps reversed from checkpoints of the carry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .. import _jaxcompat as compat
from .._transform import vjp
from ..rules._schedule import reverse_steps


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3, 4))
def run(
    body: Callable[..., Any], count: int, reverse: bool, unroll: int, places: int,
    consts: list[Any], init: list[Any], xs: list[Any],
) -> Any:  # fmt: skip
    del places

    def step(carry: Any, x: Any) -> Any:
        return body(consts, carry, x)

    return lax.scan(step, init, xs, count, reverse, unroll)


def _forward(
    body: Callable[..., Any], count: int, reverse: bool, unroll: int, places: int,
    consts: list[Any], init: list[Any], xs: list[Any],
) -> Any:  # fmt: skip
    return run(body, count, reverse, unroll, places, consts, init, xs), (consts, init, xs)


def _backward(
    body: Callable[..., Any], count: int, reverse: bool, _unroll: int, places: int,
    kept: Any, arriving: Any,
) -> Any:  # fmt: skip
    consts, init, xs = kept
    last, to_ys = arriving

    def place(step: Any) -> Any:
        return count - 1 - step if reverse else step

    def entry(stacked: list[Any], step: Any) -> list[Any]:
        return [
            leaf if compat.is_float0(leaf)
            else lax.dynamic_index_in_dim(leaf, place(step), 0, keepdims=False)
            for leaf in stacked
        ]  # fmt: skip

    def advance(carry: list[Any], step: Any) -> list[Any]:
        after: list[Any] = body(consts, carry, entry(xs, step))[0]
        return after

    def pull(carry: list[Any], step: Any, gathered: Any) -> Any:
        flow, sums, slots = gathered
        at = entry(to_ys, step)
        x = entry(xs, step)
        outputs, pullback = vjp(body, consts, carry, x)
        to_consts, to_carry, to_x = pullback(_completed(outputs, (flow, at)))
        added = [a if a is None else lax.add(a, b) for a, b in zip(sums, to_consts, strict=True)]
        put = [
            slot if slot is None
            else lax.dynamic_update_index_in_dim(slot, value, place(step), 0)
            for slot, value in zip(slots, to_x, strict=True)
        ]  # fmt: skip
        return _floats(to_carry), added, put

    gathered = (_floats(last), _zeros(consts), _zeros(xs))
    found = reverse_steps(count, init, gathered, checkpoints=places, advance=advance, reverse=pull)
    flow, sums, slots = found
    return _whole(consts, sums), _whole(init, flow), _whole(xs, slots)


run.defvjp(_forward, _backward)


def _carries(leaf: Any) -> bool:
    return compat.is_inexact(compat.typeof(leaf))


def _floats(cotangents: list[Any]) -> list[Any]:
    """Cotangents with None where they hold nothing."""
    return [None if compat.is_float0(ct) else ct for ct in cotangents]


def _zeros(primals: list[Any]) -> list[Any]:
    return [
        compat.zeros(compat.cotangent_type(compat.typeof(x))) if _carries(x) else None
        for x in primals
    ]


def _nothing(primal: Any) -> Any:
    """The cotangent of an integer."""
    return np.zeros(jnp.shape(primal), compat.FLOAT0)


def _whole(primals: list[Any], cotangents: list[Any]) -> list[Any]:
    pairs = zip(primals, cotangents, strict=True)
    return [_nothing(x) if ct is None else ct for x, ct in pairs]


def _completed(outputs: Any, cotangents: Any) -> Any:
    """Cotangents for all outputs of a step, those of integers included."""
    return tuple(
        [ct if _carries(out) else _nothing(out) for out, ct in zip(outs, cts, strict=True)]
        for outs, cts in zip(outputs, cotangents, strict=True)
    )
