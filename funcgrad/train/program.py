"""The program of a run: any number of steps in one call, up to the first number that is not finite.

The number of steps is an argument of the program, so that pieces of every length are one program,
whose loss at every step is bit for bit that of `funcgrad.minimize` over the whole run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh

from funcgrad._steps import gradient_descent, optimizer_step
from funcgrad.models.widenet import WideNetParams
from funcgrad.train.feed import Feed, Feeder, longest_piece, make_feeder, values_per_step
from funcgrad.train.layout import place_params, place_rest, place_state, shardings
from funcgrad.train.optimizers import find_rule
from funcgrad.train.task import Task

MOST_SKIPPED = 100  # steps in a row; what is not finite for so long will not be by itself
Program = Callable[..., "Carry"]


class Carry(NamedTuple):
    """What the compiled loop carries from step to step.

    Attributes:
        taken: the steps of this piece.
        params: after the last step.
        state: the optimiser's.
        before: the last parameters whose loss and gradient are known and finite.
        losses: room for the longest piece.
        skipped: steps without effect, because their loss or gradient was not finite.
        in_row: how many of them were the last ones.
        healthy: whether the run goes on.
    """

    taken: jax.Array
    params: WideNetParams
    state: Any
    before: WideNetParams
    losses: jax.Array
    skipped: jax.Array
    in_row: jax.Array
    healthy: jax.Array


class Compiled(NamedTuple):
    """A compiled program with what it is called with.

    Attributes:
        first: the carry before the first step.
        feed: says what the steps of a piece see.
        mesh: the devices; None for one.
        seconds: for tracing and compiling.
    """

    program: Program
    first: Carry
    feed: Feeder
    mesh: Mesh | None
    seconds: float


def make_optimizer(
    name: str, learning_rate: float, clip_norm: float | None = None
) -> optax.GradientTransformation:
    """Return the optimiser of a name: ours where we have one, else the one of Optax.

    Args:
        name: a key of `RULES`.
        learning_rate: the step size.
        clip_norm: the largest norm of the gradient, beyond which it is scaled down to it.

    Raises:
        ConfigurationError: the name is unknown.
        GradientValueError: the learning rate is negative or not finite.

    >>> rule = make_optimizer("momentum", 0.5)
    >>> updates, _ = rule.update({"w": jnp.array(4.0)}, rule.init({"w": jnp.array(1.0)}))
    >>> float(updates["w"])
    -2.0
    """
    rule = find_rule(name)
    made = (
        gradient_descent(learning_rate)
        if rule.own
        else getattr(optax, rule.factory)(learning_rate, **rule.settings)
    )
    return made if clip_norm is None else optax.chain(optax.clip_by_global_norm(clip_norm), made)


def compile_run(
    task: Task,
    optimizer: optax.GradientTransformation,
    steps: int,
    mesh: Mesh | None = None,
    *,
    skip: bool = False,
) -> Compiled:
    """Compile the program of a run of so many steps, those of the warm start included.

    Args:
        task: what to train. Of one that is only planned, with `jax.ShapeDtypeStruct`s for its
            parameters and data, the same program is compiled, but cannot be run.
        optimizer: any of Optax.
        steps: of the whole run.
        mesh: splits the examples of a step over its axis `data`, and the hidden units over `model`
            if it has one.
        skip: a step whose loss or gradient is not finite has no effect, and the run goes on;
            without it the run ends there.

    Returns:
        An argument of `funcgrad.train.run.train`, where there is an example.
    """
    watched = _watched(optimizer)
    longest = longest_piece(steps, values_per_step(task, mesh))
    first, feed = _first(task, watched, longest, mesh), make_feeder(task, longest, mesh)
    begin = time.perf_counter()
    # The program is called with its own results, so these have to lie where its arguments do.
    jitted = jax.jit(_program(task.loss, watched, skip), out_shardings=shardings(first, mesh))
    compiled = jitted.lower(first, feed(0, 0), np.int32(0)).compile()
    return Compiled(compiled, first, feed, mesh, time.perf_counter() - begin)


def _first(
    task: Task, optimizer: optax.GradientTransformation, longest: int, mesh: Mesh | None
) -> Carry:
    params = place_params(task.params, mesh)
    carry = Carry(
        taken=jnp.int32(0),
        params=params,
        state=place_state(optimizer, params, mesh),
        before=params,
        losses=jnp.zeros(longest, jnp.float32),
        skipped=jnp.int32(0),
        in_row=jnp.int32(0),
        healthy=jnp.bool(True),
    )
    placed: Carry = place_rest(carry, mesh)
    return placed


class _Watched(NamedTuple):
    """The state of an optimiser, and whether the gradient that it saw last was finite."""

    state: Any
    finite: jax.Array


def _watched(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    def init(params: Any) -> _Watched:
        return _Watched(optimizer.init(params), jnp.bool(True))

    def update(gradient: Any, watched: _Watched, params: Any = None) -> Any:
        leaves = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient)]
        updates, state = optimizer.update(gradient, watched.state, params)
        return updates, _Watched(state, jnp.all(jnp.stack(leaves)))

    return optax.GradientTransformation(init, update)


def _first_of_two(new: jax.Array, old: jax.Array) -> jax.Array:
    del old
    return new


def _program(
    loss: Callable[..., jax.Array], optimizer: optax.GradientTransformation, skip: bool
) -> Program:
    """The function that is compiled: `count` steps, or up to the first that is not finite."""

    def piece(carry: Carry, feed: Feed, count: jax.Array) -> Carry:
        def unfinished(carry: Carry) -> jax.Array:
            return (carry.taken < count) & carry.healthy

        def step(carry: Carry) -> Carry:
            seen = feed.at(carry.taken)
            stepped = optimizer_step(loss, optimizer, carry.params, carry.state, seen)
            good = jnp.isfinite(stepped.loss) & stepped.state.finite
            chosen = partial(jnp.where, good)
            # A run that ends here needs no choice, which would be made beside every step.
            taken = chosen if skip else _first_of_two
            in_row = jnp.where(good, 0, carry.in_row + 1)
            return Carry(
                taken=carry.taken + 1,
                params=jax.tree.map(taken, stepped.params, carry.params),
                state=jax.tree.map(taken, stepped.state, carry.state),
                before=jax.tree.map(chosen, carry.params, carry.before),
                losses=carry.losses.at[carry.taken].set(stepped.loss.astype(jnp.float32)),
                skipped=carry.skipped + ~good,
                in_row=in_row,
                healthy=in_row < MOST_SKIPPED if skip else good,
            )

        return lax.while_loop(unfinished, step, carry._replace(taken=jnp.int32(0)))

    return piece
