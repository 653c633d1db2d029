"""`while_loop` in reverse, which JAX cannot do: the number of iterations is known only at run time.

With concrete values the loop runs step by step, and the residuals of every step are kept. Inside a
compiled program memory must not depend on the number of iterations n. The forward pass only counts
them. The backward pass restores the states in reverse order from at most s checkpoints, by the
binomial schedule of Griewank and Walther (Algorithm 799, ACM TOMS 26, 2000), which recomputes
least: with b(s, r) = C(s + r, s) and the r for which b(s, r - 1) < n <= b(s, r), it advances the
body r n - b(s + 1, r - 1) times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._forward_trace import Moved, filled, held, settled
from .._jaxcompat import primitives as p
from .._registry import structured
from .._staging import Staged, once_for, stage
from .._tape import Options
from ._schedule import reverse_steps


@dataclass(eq=False, slots=True)
class Loop:
    """A while loop made ready for reverse mode."""

    staged: Staged
    body: Any
    condition: Any
    condition_consts: int
    consts: int  # of the body
    needed: tuple[bool, ...]  # which inputs of the body are differentiated
    checkpoints: int
    programs: dict[Any, Any] = field(default_factory=dict)

    def keep_going(self, consts: Sequence[Any], carry: Sequence[Any]) -> Any:
        return jaxprs.jaxpr_function(self.condition)(*consts, *carry)[0]

    def advance(self, consts: Sequence[Any], carry: Sequence[Any]) -> list[Any]:
        return jaxprs.jaxpr_function(self.body)(*consts, *carry)


class Run(NamedTuple):
    """What a loop keeps: its constants and first state, and either every step or their number."""

    consts: tuple[Any, ...]
    init: tuple[Any, ...]
    count: Any
    steps: tuple[tuple[Any, ...], ...]
    loop: compat.Opaque


def _prepare(options: Options, needed: tuple[bool, ...], params: dict[str, Any]) -> Loop:
    bodies = params["cond_jaxpr"], params["body_jaxpr"]
    key = ("while", needed, options, params["cond_nconsts"])
    loop: Loop = once_for(bodies, key, lambda: _build(options, needed, params))
    return loop


def _build(options: Options, needed: tuple[bool, ...], params: dict[str, Any]) -> Loop:
    """Stage the body for the fixed point of the differentiated carries."""
    body, consts = params["body_jaxpr"], params["body_nconsts"]
    wanted = needed[params["cond_nconsts"] :]
    while True:
        staged = stage(body, wanted, options)
        carry = [
            there or (staged.reached[i] and compat.is_inexact(aval))
            for i, (there, aval) in enumerate(
                zip(wanted[consts:], body.in_avals[consts:], strict=True)
            )
        ]
        grown = (*wanted[:consts], *carry)
        if grown == wanted:
            break
        wanted = grown
    return Loop(
        staged, jaxprs.twin(body), jaxprs.twin(params["cond_jaxpr"]), params["cond_nconsts"],
        consts, wanted, options.checkpoints,
    )  # fmt: skip


# --- forward --------------------------------------------------------------------------------------


def _while_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Run]:
    loop = _prepare(options, needed, params)
    ends = (loop.condition_consts, loop.condition_consts + loop.consts)
    asked, consts, init = operands[: ends[0]], operands[ends[0] : ends[1]], operands[ends[1] :]
    if not any(map(compat.is_tracer, operands)):
        return _run_concretely(loop, asked, consts, init)
    final, count = _count(loop, asked, consts, init)
    return final, Run(tuple(consts), tuple(init), count, (), compat.Opaque(loop))


def _run_concretely(
    loop: Loop, asked: Sequence[Any], consts: Sequence[Any], init: Sequence[Any]
) -> tuple[list[Any], Run]:
    if "step" not in loop.programs:
        loop.programs["step"] = jax.jit(jaxprs.jaxpr_function(loop.staged.forward))
        loop.programs["test"] = jax.jit(jaxprs.jaxpr_function(loop.condition))
    carry, steps, staged = list(init), [], loop.staged
    while bool(loop.programs["test"](*asked, *carry)[0]):
        everything = loop.programs["step"](*consts, *carry)
        steps.append(tuple(staged.pick(staged.kept(), [*consts, *carry], everything)))
        carry = everything[: len(carry)]
    return carry, Run(tuple(consts), tuple(init), None, tuple(steps), compat.Opaque(loop))


def _count(
    loop: Loop, asked: Sequence[Any], consts: Sequence[Any], init: Sequence[Any]
) -> tuple[list[Any], Any]:
    """The final state and the number of iterations."""

    def going(state: Any) -> Any:
        return loop.keep_going(asked, state[1])

    def step(state: Any) -> Any:
        return state[0] + 1, loop.advance(consts, state[1])

    count, final = lax.while_loop(going, step, (jnp.int32(0), list(init)))
    return final, count


# --- backward -------------------------------------------------------------------------------------


def _while_backward(run: Run, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    loop: Loop = run.loop.value
    types = loop.body.in_avals
    zeros = [
        compat.zeros(compat.cotangent_type(aval)) if wanted else None
        for aval, wanted in zip(types, loop.needed, strict=True)
    ]
    sums = zeros[: loop.consts]
    flow = [
        zero if ct is None or zero is None else ct
        for zero, ct in zip(zeros[loop.consts :], arriving, strict=True)
    ]
    if run.count is None:
        sums, flow = _back_through_steps(loop, run.steps, sums, flow)
    else:
        sums, flow = _back_from_checkpoints(loop, run, sums, flow)
    results = [*[None] * loop.condition_consts, *sums, *flow]
    return [ct if wanted else None for ct, wanted in zip(results, needed, strict=True)]


def _pull_step(
    loop: Loop, values: Sequence[Any], sums: Sequence[Any], flow: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Carry the cotangents of one iteration's end to its beginning."""
    found = dict(zip(loop.staged.kept(), values, strict=True))
    pulled = loop.staged.pull(found.__getitem__, flow)
    to_consts, to_carry = pulled[: loop.consts], pulled[loop.consts :]
    new_sums = [
        total if new is None or total is None else lax.add(total, new)
        for total, new in zip(sums, to_consts, strict=True)
    ]
    new_flow = [
        old if old is None else lax.full_like(old, 0) if new is None else new
        for old, new in zip(flow, to_carry, strict=True)
    ]
    return new_sums, new_flow


def _back_through_steps(
    loop: Loop, steps: Sequence[Any], sums: list[Any], flow: list[Any]
) -> tuple[list[Any], list[Any]]:
    if "back" not in loop.programs:
        loop.programs["back"] = jax.jit(
            lambda values, sums, flow: _pull_step(loop, values, sums, flow)
        )
    for values in reversed(steps):
        sums, flow = loop.programs["back"](values, sums, flow)
    return sums, flow


def _back_from_checkpoints(
    loop: Loop, run: Run, sums: list[Any], flow: list[Any]
) -> tuple[list[Any], list[Any]]:
    def advance(state: list[Any], _: Any) -> list[Any]:
        return loop.advance(run.consts, state)

    def reverse(state: list[Any], _: Any, gathered: Any) -> Any:
        inputs = [*run.consts, *state]
        everything = jaxprs.jaxpr_function(loop.staged.forward)(*inputs)
        values = loop.staged.pick(loop.staged.kept(), inputs, everything)
        return _pull_step(loop, values, *gathered)

    found: tuple[list[Any], list[Any]] = reverse_steps(
        run.count, run.init, (sums, flow),
        checkpoints=loop.checkpoints, advance=advance, reverse=reverse,
    )  # fmt: skip
    return found


# --- with tangents --------------------------------------------------------------------------------


def _while_tangents(
    options: Options, params: dict[str, Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]] | None:
    closed, condition = params["body_jaxpr"], params["cond_jaxpr"]
    asked, consts = params["cond_nconsts"], params["body_nconsts"]
    moving = tuple(tangent is not None for tangent in tangents[asked:])

    def make() -> Any:
        body = settled(closed, moving, (consts, len(moving)), options)
        return body and jax.jit(partial(_run_moved, body, jaxprs.twin(condition), asked, consts))

    run = once_for([closed, condition], ("while moved", moving, options, asked), make)
    found: tuple[list[Any], list[Any]] | None = run and run(list(primals), list(tangents[asked:]))
    return found


def _run_moved(
    body: Moved, condition: Any, asked: int, consts: int,
    primals: Sequence[Any], tangents: Sequence[Any],
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """The loop with tangents beside the values of its carry; the values say when it ends."""
    end = asked + consts
    questions, inputs, init = primals[:asked], primals[asked:end], list(primals[end:])
    moves = filled(body.program.in_avals[: len(tangents)], tangents, body.moving)

    def going(state: Any) -> Any:
        return jaxprs.jaxpr_function(condition)(*questions, *state[0])[0]

    def step(state: Any) -> Any:
        after, leaving = body([*inputs, *state[0]], [*moves[:consts], *state[1]])
        return after, held(state[1], leaving)

    final: tuple[list[Any], list[Any]] = lax.while_loop(going, step, (init, moves[consts:]))
    return final


structured(p.while_p, _while_forward, _while_backward, tangents=_while_tangents)
