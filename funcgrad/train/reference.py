"""The same run in Flax NNX and Optax, with the gradients of JAX.

Nothing but the data, the first parameters and the choice of mini-batches is shared with `run`: the
model, the loss, the gradient, the step and the loop are those of the other libraries.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from numpy.typing import NDArray

from funcgrad._errors import ConfigurationError
from funcgrad.models.data import Kind
from funcgrad.train.feed import longest_piece
from funcgrad.train.optimizers import find_rule
from funcgrad.train.run import Advance
from funcgrad.train.task import Task, batch_rows

try:
    from flax import nnx

    from funcgrad.models.flax_nnx import WideNet, to_nnx
except ImportError as error:
    raise ConfigurationError(
        f"the reference needs Flax, which cannot be imported ({error}); install it by "
        f'pip install "funcgrad[flax]"'
    ) from error


def reference_losses(
    task: Task,
    optimizer: str,
    learning_rate: float,
    steps: int,
    advance: Advance,
    clip_norm: float | None = None,
) -> NDArray[np.float32]:
    """Train in Flax and Optax and return the loss before each step.

    Args:
        task: what to train.
        optimizer: a name of the table of optimisers; all of them are made by Optax.
        learning_rate: the step size.
        steps: how many steps, those of the warm start included.
        advance: told how many steps are done and the latest loss, after every piece.
        clip_norm: the largest norm of the gradient, beyond which it is scaled down to it.

    Raises:
        ConfigurationError: the name is unknown.

    >>> from funcgrad.models import init_widenet, noisy_sine, widenet_loss
    >>> task = Task(noisy_sine(), init_widenet(2021), widenet_loss, batch_size=None, seed=0)
    >>> losses = reference_losses(task, "momentum", 0.003, 2, lambda done, loss: None)
    >>> [round(float(loss), 5) for loss in losses]
    [0.88894, 0.56275]
    """
    rule = find_rule(optimizer)
    transformation = getattr(optax, rule.factory)(learning_rate, **rule.settings)
    if clip_norm is not None:
        transformation = optax.chain(optax.clip_by_global_norm(clip_norm), transformation)
    model = to_nnx(task.params)
    graph, state = nnx.split((model, nnx.Optimizer(model, transformation, wrt=nnx.Param)))
    kind, data = task.data.kind, (task.data.x, task.data.y)
    losses = [np.empty(0, np.float32)]
    for start, count in _pieces(steps, task.batch_size):
        rows = batch_rows(task, start, count)
        state, piece = _take_steps(graph, kind, count, state, data, rows)
        losses.append(np.asarray(piece))
        advance(start + count, float(losses[-1][-1]))
    return np.concatenate(losses)


def _pieces(steps: int, batch_size: int | None) -> Iterator[tuple[int, int]]:
    """Start and length of pieces of at most two lengths, so that two programs are compiled."""
    number = -(-steps // longest_piece(steps, batch_size))
    cuts = [-(-steps * piece // number) for piece in range(number + 1)] if number else [0]
    return ((start, end - start) for start, end in itertools.pairwise(cuts))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _take_steps(
    graph: Any, kind: Kind, count: int, state: Any, data: tuple[jax.Array, ...], rows: Any
) -> tuple[Any, jax.Array]:
    def step(state: Any, chosen: Any) -> tuple[Any, jax.Array]:
        model, optimizer = nnx.merge(graph, state)
        x, y = data if chosen is None else (jnp.take(array, chosen, axis=0) for array in data)
        loss, gradient = nnx.value_and_grad(_LOSSES[kind])(model, x, y)
        optimizer.update(model, gradient)
        return nnx.state((model, optimizer)), loss

    return lax.scan(step, state, rows, length=count)


def _squared_error(model: WideNet, x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(optax.squared_error(model(x), y))


def _cross_entropy(model: WideNet, x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(model(x), y))


_LOSSES = {"regression": _squared_error, "classification": _cross_entropy}
