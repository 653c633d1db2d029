"""What is trained: the data, the first parameters, the loss, and which examples a step sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from funcgrad._errors import ConfigurationError
from funcgrad.models import (
    Dataset,
    diabetes,
    digits,
    init_widenet,
    noisy_sine,
    read_csv,
    softmax_cross_entropy,
    widenet,
    widenet_loss,
)
from funcgrad.models.widenet import WideNetParams, widenet_shapes
from funcgrad.train.options import Config

Rows = NDArray[np.int32]


class Task(NamedTuple):
    """A problem to train on.

    Attributes:
        data: the examples.
        params: the parameters before the first step.
        loss: `loss(params, x, y)`, a mean over the examples.
        batch_size: examples for a step; None for all of them, in their order.
        seed: decides the mini-batches.
    """

    data: Dataset
    params: WideNetParams
    loss: Callable[..., jax.Array]
    batch_size: int | None
    seed: int


def make_task(config: Config) -> Task:
    """Load the data of a configuration and draw the first parameters.

    Raises:
        ConfigurationError: scikit-learn is missing, or the batches are larger than the data.
        DataError: the CSV file cannot be used.

    >>> from funcgrad.cli import build_parser
    >>> from funcgrad.train.options import configure
    >>> words = ["train", "--width", "4", "--batch-size", "8"]
    >>> task = make_task(configure(build_parser().parse_args(words)))
    >>> task.data, task.params["w1"].shape, task.batch_size
    (Dataset(name='noisy sine', kind='regression', x=(32, 1), y=(32, 1)), (1, 4), 8)
    """
    data = _load(config)
    params = init_widenet(config.seed, config.width, data.x.shape[1], data.classes or 1)
    return _task(config, data, params)


def plan_task(config: Config, examples: int | None = None) -> Task:
    """Return the task of a configuration without its numbers: parameters of any width take no room.

    Args:
        config: as for `make_task`.
        examples: how many training examples to suppose; by default those that the data have.

    Raises:
        ConfigurationError, DataError: as for `make_task`.

    >>> from funcgrad.cli import build_parser
    >>> from funcgrad.train.options import configure
    >>> words = ["train", "--width", "1048576", "--batch-size", "256"]
    >>> task = plan_task(configure(build_parser().parse_args(words)), examples=4096)
    >>> task.data
    Dataset(name='noisy sine', kind='regression', x=(4096, 1), y=(4096, 1))
    >>> task.params["w1"]
    ShapeDtypeStruct(shape=(1, 1048576), dtype=float32)
    """
    data = _load(config)
    rows = len(data.x) if examples is None else examples
    x, y = (_planned((rows, *array.shape[1:]), array.dtype) for array in (data.x, data.y))
    shapes = widenet_shapes(config.width, data.x.shape[1], data.classes or 1)
    params = {name: _planned(shape, "float32") for name, shape in shapes.items()}
    return _task(config, data._replace(x=x, y=y), params)


def _planned(shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


def _task(config: Config, data: Dataset, params: WideNetParams) -> Task:
    examples = len(data.x)
    if config.batch_size is not None and config.batch_size > examples:
        raise ConfigurationError(
            f"--batch-size {config.batch_size} is more than the {examples} training examples of "
            f"{data.name}; give a number from 1 to {examples}"
        )
    loss = widenet_loss if data.classes is None else classification_loss
    batch_size = None if config.batch_size == examples else config.batch_size
    return Task(data, params, loss, batch_size, _unsigned(config.seed))


def _load(config: Config) -> Dataset:
    if config.data == "sine":
        return noisy_sine(config.seed)
    if config.data == "diabetes":
        return diabetes(_unsigned(config.seed))
    if config.data == "digits":
        return digits(_unsigned(config.seed))
    return read_csv(config.data, config.target or "")


def _unsigned(seed: int) -> int:
    """NumPy refuses negative seeds; PyTorch reads them like this, so the models do, too."""
    return int(seed) % 2**64


def classification_loss(params: WideNetParams, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the softmax cross entropy of `widenet` with integer labels `y`, shape `(n,)`.

    >>> params = jax.tree.map(np.zeros_like, init_widenet(0, 4, inputs=2, outputs=3))
    >>> round(float(classification_loss(params, np.ones((5, 2)), np.arange(5) % 3)), 6)  # log 3
    1.098612
    """
    return softmax_cross_entropy(widenet(params, x), y)


def batch_rows(task: Task, start: int, count: int) -> Rows | None:
    """The examples that the steps from `start` on see, a row for each of `count` steps.

    The stream of examples is one permutation after the other, each drawn from the seed and its own
    number, so that any part of it is known without what comes before. A batch may span two
    permutations; so every example is seen equally often, whatever the batch size.

    Returns:
        Shape `(count, batch_size)`; None for a task without mini-batches.

    >>> task = Task(noisy_sine(points=4), init_widenet(), widenet_loss, batch_size=3, seed=0)
    >>> batch_rows(task, 0, 4)
    array([[2, 0, 1],
           [3, 3, 0],
           [2, 1, 2],
           [1, 0, 3]], dtype=int32)
    """
    if task.batch_size is None:
        return None
    examples = len(task.data.x)
    begin, end = start * task.batch_size, (start + count) * task.batch_size
    epochs = range(begin // examples, -(-end // examples))
    orders = [np.random.default_rng([task.seed, epoch]).permutation(examples) for epoch in epochs]
    begin, end = (place - epochs.start * examples for place in (begin, end))
    stream = np.concatenate([np.empty(0, np.intp), *orders])
    return stream[begin:end].reshape(count, task.batch_size).astype(np.int32)


def batch(task: Task, step: int) -> tuple[jax.Array, jax.Array]:
    """The examples of one step, as the arguments of the loss after the parameters.

    >>> task = Task(noisy_sine(points=4), init_widenet(), widenet_loss, batch_size=3, seed=0)
    >>> x, y = batch(task, 5)
    >>> x.shape, y.shape
    ((3, 1), (3, 1))
    """
    rows = batch_rows(task, step, 1)
    x, y = task.data.x, task.data.y
    return (x, y) if rows is None else (x[rows[0]], y[rows[0]])
