"""Control flow and nested transforms, with bodies that are drawn in turn."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._choices import Choices
from .._domains import MARGIN, any_shape, broadcasting, ranked, real
from .._kinds import BodyKind, Operation, Params, Shape, Values

LOOPS, CALLS = "loops", "calls"


def same(*shapes: Shape) -> list[Shape | None]:
    return [shapes[0]]


def whatever(*_: Shape) -> list[Shape | None]:
    return [None]


def given(*values: Any) -> list[Any]:
    return list(values)


def first_given(*values: Any) -> list[Any]:
    return [values[0]]


def last_given(*values: Any) -> list[Any]:
    return [values[-1]]


def carry_and_row(carry: Any, rows: Any) -> list[Any]:
    return [carry, rows[0]]


def first_row(rows: Any, *_: Any) -> list[Any]:
    return [rows[0]]


def two_rows(first: Any, second: Any) -> list[Any]:
    return [first[0], second[0]]


def column_and_all(first: Any, second: Any) -> list[Any]:
    return [first[..., 0], second]


def length(choices: Choices, *_: Shape) -> Params:
    return {"length": str(choices.integer(1, 4)), "number": choices.choice(("0.5", "-0.25", "0.1"))}


def reverse(choices: Choices, *_: Shape) -> Params:
    return {"reverse": str(choices.boolean()), "unroll": choices.choice(("1", "2"))}


def threshold(choices: Choices, *_: Shape) -> Params:
    return {"number": choices.choice(("0.0", "1.0", "-1.5"))}


def number(choices: Choices, *_: Shape) -> Params:
    return {"branch": str(choices.integer(0, 3))}


def same_rows(shape: Shape, *before: Shape) -> bool:
    return len(shape) >= 1 and shape[0] == before[0][0]


def sum_off_threshold(params: Params, *values: Values) -> bool:
    return bool(np.abs(values[0].sum() - float(params["number"])) >= MARGIN)


LOOP = BodyKind(first_given, same, loops=True)
PAIR_LOOP = BodyKind(given, lambda a, b: [a, b], loops=True)
BRANCH = BodyKind(last_given, same)
OTHER_BRANCH = BRANCH._replace(results=lambda *shapes: [shapes[1]])  # of the second operand
CALL = BodyKind(given, whatever)
RULED = """
def with_own_rule(function):
    ruled = jax.custom_vjp(function)
    ruled.defvjp(lambda *xs: jax.vjp(function, *xs), lambda pullback, g: pullback(g))
    return ruled
"""
FREE, ROWS = real(), real(ranked(1))
BATCH = BodyKind(first_row, whatever, loops=True)
OPERATIONS = (
    Operation("jit", CALLS, "jax.jit({body0})({0})", (FREE,), bodies=(CALL,)),
    Operation(
        "jit_of_two",
        CALLS,
        "jax.jit({body0})({0}, {1})",
        (FREE, real(broadcasting)),
        bodies=(CALL,),
    ),
    Operation(
        "jit_of_pair",
        CALLS,
        "jax.jit({body0})({0}, {1})",
        (FREE, FREE),
        bodies=(BodyKind(given, lambda *_: [None, None], closing="{0}, {1}"),),
        results=2,
    ),
    Operation("jit_inline", CALLS, "jax.jit({body0}, inline=True)({0})", (FREE,), bodies=(CALL,)),
    Operation("checkpoint", CALLS, "jax.checkpoint({body0})({0})", (FREE,), bodies=(CALL,)),
    Operation(
        "checkpoint_policy",
        CALLS,
        "jax.checkpoint({body0}, policy=jax.checkpoint_policies.dots_saveable)({0}, {1})",
        (FREE, FREE),
        bodies=(CALL,),
    ),
    Operation(
        "own_rule",
        CALLS,
        "with_own_rule({body0})({0})",
        (FREE,),
        definitions=RULED,
        bodies=(CALL._replace(closes=False),),
    ),
    Operation("vmap", CALLS, "jax.vmap({body0})({0})", (ROWS,), bodies=(BATCH,)),
    Operation(
        "vmap_of_two",
        CALLS,
        "jax.vmap({body0})({0}, {1})",
        (ROWS, real(same_rows)),
        bodies=(BATCH._replace(parameters=two_rows),),
    ),
    Operation(
        "vmap_of_column",
        CALLS,
        "jax.vmap({body0}, in_axes=(-1, None), out_axes=-1)({0}, {1})",
        (ROWS, real(any_shape)),
        bodies=(BATCH._replace(parameters=column_and_all),),
    ),
    Operation(
        "vmap_of_vmap",
        CALLS,
        "jax.vmap(jax.vmap({body0}), out_axes=1)({0})",
        (real(ranked(2, 3)),),
        bodies=(BATCH._replace(parameters=lambda rows: [rows[0, 0]]),),
    ),
    Operation(
        "cond",
        LOOPS,
        "lax.cond(jnp.sum({0}) > {number}, {body0}, {body1}, {1})",
        (FREE, FREE),
        threshold,
        sum_off_threshold,
        bodies=(OTHER_BRANCH,) * 2,
    ),
    Operation(
        "cond_of_itself",
        LOOPS,
        "lax.cond(jnp.sum({0}) > {number}, {body0}, {body1}, {0})",
        (FREE,),
        threshold,
        sum_off_threshold,
        bodies=(BRANCH,) * 2,
    ),
    Operation(
        "switch",
        LOOPS,
        "lax.switch({branch}, [{body0}, {body1}, {body2}], {0})",
        (FREE,),
        number,
        bodies=(BRANCH,) * 3,
    ),
    Operation(
        "switch_traced",
        LOOPS,
        "lax.switch(jnp.argmax({0}) % 2, [{body0}, {body1}], {1})",
        (real(ranked(1, 1)), FREE),
        apart=lambda _, v, __: bool(v.size == 1 or np.diff(np.sort(v))[-1] > MARGIN),
        bodies=(OTHER_BRANCH,) * 2,
    ),
    Operation(
        "scan",
        LOOPS,
        "lax.scan({body0}, {0}, {1}, reverse={reverse}, unroll={unroll})",
        (FREE, ROWS),
        reverse,
        results=2,
        bodies=(
            BodyKind(carry_and_row, lambda carry, _: [carry, None], closing="{0}, {1}", loops=True),
        ),
    ),
    Operation(
        "scan_carry",
        LOOPS,
        "lax.scan({body0}, {0}, None, length={length})[0]",
        (FREE,),
        length,
        bodies=(LOOP._replace(signature="{0}, _", closing="{0}, None"),),
    ),
    Operation(
        "scan_of_pair",
        LOOPS,
        "lax.scan({body0}, ({0}, {1}), None, length={length})[0]",
        (FREE, FREE),
        length,
        results=2,
        bodies=(
            PAIR_LOOP._replace(
                signature="carry, _", opening="{0}, {1} = carry", closing="({0}, {1}), None"
            ),
        ),
    ),
    Operation(
        "scan_rows",
        LOOPS,
        "lax.scan({body0}, None, {0})[1]",
        (ROWS,),
        bodies=(BATCH._replace(signature="_, {0}", closing="None, {0}"),),
    ),
    Operation("map", LOOPS, "lax.map({body0}, {0})", (ROWS,), bodies=(BATCH,)),
    Operation(
        "fori_loop",
        LOOPS,
        "lax.fori_loop(0, {length}, {body0}, {0})",
        (FREE,),
        length,
        bodies=(LOOP._replace(signature="i, {0}", closing="{0} + 0.125 * i"),),
    ),
    Operation(
        "while",
        LOOPS,
        "lax.while_loop(lambda state: state[0] < {length}, {body0}, (0, {0}))[1]",
        (FREE,),
        length,
        bodies=(
            LOOP._replace(signature="state", opening="i, {0} = state", closing="(i + 1, {0})"),
        ),
        reverse=False,
    ),
    Operation(
        "while_of_two",
        LOOPS,
        "lax.while_loop(lambda state: state[0] < {length}, {body0}, (0, {0}, {1}))[1:]",
        (FREE, FREE),
        length,
        results=2,
        bodies=(
            PAIR_LOOP._replace(
                signature="state", opening="i, {0}, {1} = state", closing="(i + 1, {0}, {1})"
            ),
        ),
        reverse=False,
    ),
)
