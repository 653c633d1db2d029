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
    at: Any  # the step before which each checkpoint was taken, shape (checkpoints,)
    states: Any  # for each checkpoint its state; every leaf has a leading axis
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
    states = [lax.broadcast(leaf, (checkpoints,)) for leaf in init]
    at = jnp.zeros(checkpoints, jnp.int32)
    first = Position(jnp.int32(count), jnp.int32(0), at, states, gathered)

    def step(now: Position) -> Position:
        base = now.at[now.top]
        free = checkpoints - 1 - now.top
        left = now.end - base
        target = jnp.where(free > 0, base + split(table, left, free + 1), now.end - 1)
        target = jnp.where(left <= 1, base, target)
        state = _advanced(advance, _load(now.states, now.top), base, target)
        # A state is stored unless it is reversed at once, or is the checkpoint that it came from.
        following: Position = lax.cond(
            target == now.end - 1,
            lambda: _reversed_one(reverse, now, state),
            lambda: _stored(now, state, target),
        )
        return following

    return lax.while_loop(lambda now: now.end > 0, step, first).gathered


def _load(states: Sequence[Any], index: Any) -> State:
    return [lax.dynamic_index_in_dim(leaf, index, 0, keepdims=False) for leaf in states]


def _advanced(advance: Advance, state: State, begin: Any, end: Any) -> State:
    """The state some steps later; their number is known only at run time."""

    def step(inner: Any) -> Any:
        return inner[0] + 1, advance(inner[1], inner[0])

    final: State = lax.while_loop(lambda inner: inner[0] < end, step, (begin, state))[1]
    return final


def _stored(now: Position, state: State, target: Any) -> Position:
    top = now.top + 1
    states = [
        lax.dynamic_update_index_in_dim(leaf, value, top, 0)
        for leaf, value in zip(now.states, state, strict=True)
    ]
    return now._replace(top=top, at=now.at.at[top].set(target), states=states)


def _reversed_one(reverse: Reverse, now: Position, state: State) -> Position:
    """Reverse the last step, and drop its checkpoint if it was the one before it."""
    gathered = reverse(state, now.end - 1, now.gathered)
    spent = (now.at[now.top] == now.end - 1) & (now.top > 0)
    top = jnp.where(spent, now.top - 1, now.top)
    return now._replace(end=now.end - 1, top=top, gathered=gathered)
