"""Selections by a predicate, and limits."""

from __future__ import annotations

import numpy as np

from .._choices import Choices
from .._domains import MARGIN, any_shape, broadcasting, like, real
from .._kinds import Operation, Params, Shape, Values

NUMBERS = ("0.0", "0.5", "-0.75", "1.0")


def number(choices: Choices, *_: Shape) -> Params:
    return {"number": choices.choice(NUMBERS)}


def limits(choices: Choices, *_: Shape) -> Params:
    return {"low": choices.choice(("-1.0", "-0.25", "0.0")), "high": choices.choice(("1.0", "0.5"))}


def off_number(params: Params, value: Values, *_: Values) -> bool:
    return bool((np.abs(value - float(params["number"])) >= MARGIN).all())


def off_limits(params: Params, value: Values) -> bool:
    ends = [float(params[name]) for name in ("low", "high")]
    inside = bool(((value > ends[0]) & (value < ends[1])).any())
    return inside and all(bool((np.abs(value - end) >= MARGIN).all()) for end in ends)


FREE, BESIDE = real(any_shape), real(broadcasting)
OPERATIONS = (
    Operation(
        "where",
        "selection",
        "jnp.where({0} > {number}, {1}, {2})",
        (FREE, BESIDE, BESIDE),
        number,
        off_number,
    ),
    Operation(
        "where_itself",
        "selection",
        "jnp.where({0} > {number}, jnp.sin({0}), 0.5 * {0})",
        (FREE,),
        number,
        off_number,
    ),
    Operation(
        "guarded_log",
        "selection",
        "jnp.log(jnp.where({0} > {number}, {0} + 1.0, 2.0))",
        (FREE,),
        number,
        off_number,
    ),
    Operation(
        "select_n",
        "selection",
        "lax.select_n({0} > {number}, {1}, {2})",
        (FREE, real(like(0)), real(like(0))),
        number,
        off_number,
    ),
    Operation(
        "select_n_of_three",
        "selection",
        "lax.select_n(jnp.arange({0}.size).reshape({0}.shape) % 3, {0}, {1}, {2})",
        (FREE, real(like(0)), real(like(0))),
    ),
    Operation("clip", "selection", "jnp.clip({0}, {low}, {high})", (FREE,), limits, off_limits),
    Operation(
        "clamp",
        "selection",
        "lax.clamp({0} - 1.0, {1}, {0} + 1.0)",
        (FREE, real(like(0))),
        apart=lambda _, a, x: bool((np.abs(np.abs(x - a) - 1) >= MARGIN).all()),
    ),
    Operation(
        "clamp_by_scalars",
        "selection",
        "lax.clamp({low}, 1.5 * {0}, {high})",
        (FREE,),
        limits,
        lambda params, value: off_limits(params, 1.5 * value),
    ),
    Operation(
        "piecewise",
        "selection",
        "jnp.piecewise({0}, [{0} < {number}], [lambda x: 0.5 * x, jnp.tanh])",
        (FREE,),
        number,
        off_number,
    ),
    Operation(
        "hard_tanh",
        "selection",
        "jax.nn.hard_tanh({0})",
        (FREE,),
        apart=lambda _, value: off_limits({"low": "-1", "high": "1"}, value),
    ),
    Operation(
        "choose",
        "selection",
        "jnp.select([{0} > {number}, {1} > {0}], [{0}, {1}], 0.5 * {0})",
        (FREE, real(like(0))),
        number,
        lambda params, a, b: off_number(params, a) and bool((np.abs(a - b) >= MARGIN).all()),
    ),
)
