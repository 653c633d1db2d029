"""A chain of steps reversed from a few checkpoints, inside a compiled program.

The schedule is that of `_binomial`. It is a loop over a stack of checkpoints, since a compiled
program has no recursion, and the number of steps may be known only at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from ._binomial import binomial_table, split

State = list[Any]
Advance = Callable[[State, Any], State]  # a state and the number of its step, to the next state
Reverse = Callable[[State, Any, Any], Any]  # a state, its step, and what reversing has gathered


class Position(NamedTuple):
    """The state of the schedule. The steps [0, end) are still to be reversed."""

    end: Any
    top: Any  # the index of the last checkpoint on the stack
    at: Any  # the step before which each checkpoint was taken
    states: Any  # for each checkpoint its state; every leaf has a leading axis; one place is spare
    gathered: Any


def reverse_steps(
    count: Any,
    init: Sequence[Any],
    gathered: Any,
    *,
    checkpoints: int,
    advance: Advance,
    reverse: Reverse,
) -> Any:
    """Reverse the steps of a chain, the last one first, and return what was gathered.

    Args:
        count: how many steps; may be traced.
        init: the leaves of the state before the first step.
        gathered: what `reverse` begins with; a pytree of arrays.
        checkpoints: how many states are held at a time.
        advance: computes the state after a step.
        reverse: called once for each step with the state before it.
    """
    table = binomial_table(checkpoints)
    # One place more, so that a state may be written before it is known whether it stays.
    states = [lax.broadcast(leaf, (checkpoints + 1,)) for leaf in init]
    at = jnp.zeros(checkpoints + 1, jnp.int32)
    first = Position(jnp.int32(count), jnp.int32(0), at, states, gathered)

    def step(now: Position) -> Position:
        # No conditional holds the stack of states: a compiler would copy it.
        now, state = _approached(advance, now, lambda *where: _target(table, checkpoints, *where))
        gathered = reverse(state, now.end - 1, now.gathered)
        spent = (now.at[now.top] == now.end - 1) & (now.top > 0)
        return now._replace(
            end=now.end - 1, top=jnp.where(spent, now.top - 1, now.top), gathered=gathered
        )

    return lax.while_loop(lambda now: now.end > 0, step, first).gathered


def _target(table: Any, checkpoints: int, base: Any, top: Any, end: Any) -> Any:
    """How far to advance from the last checkpoint; to the last step where no place is free."""
    free = checkpoints - 1 - top
    return jnp.where(free > 0, base + split(table, end - base, free + 1), end - 1)


def _approached(
    advance: Advance, now: Position, target: Callable[..., Any]
) -> tuple[Position, State]:
    """Advance to the last step, and leave checkpoints on the way; return the state before it."""

    def going(inner: Any) -> Any:
        return inner[0] < now.end - 1

    def leg(inner: Any) -> Any:
        base, top, at, states, state = inner
        goal = target(base, top, now.end)
        state = _advanced(advance, state, base, goal)
        states = [
            lax.dynamic_update_index_in_dim(leaf, value, top + 1, 0)
            for leaf, value in zip(states, state, strict=True)
        ]
        stays = goal < now.end - 1  # else it is reversed at once
        return goal, top + stays.astype(jnp.int32), at.at[top + 1].set(goal), states, state

    first = (now.at[now.top], now.top, now.at, now.states, _load(now.states, now.top))
    _, top, at, states, state = lax.while_loop(going, leg, first)
    return now._replace(top=top, at=at, states=states), state


def _load(states: Sequence[Any], index: Any) -> State:
    return [lax.dynamic_index_in_dim(leaf, index, 0, keepdims=False) for leaf in states]


def _advanced(advance: Advance, state: State, begin: Any, end: Any) -> State:
    """The state some steps later; their number is known only at run time."""

    def step(inner: Any) -> Any:
        return inner[0] + 1, advance(inner[1], inner[0])

    final: State = lax.while_loop(lambda inner: inner[0] < end, step, (begin, state))[1]
    return final
