"""How far the gradients, and the losses, are from those that others compute."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from funcgrad._transform import grad
from funcgrad._trees import PyTree

Loss = Callable[..., Any]


class GradientDifference(NamedTuple):
    """The largest difference between two gradients.

    Attributes:
        absolute: the largest absolute difference over all entries of all leaves.
        ulp: the same in units in the last place of the largest entry.
    """

    absolute: float
    ulp: float


class LossDifference(NamedTuple):
    """How two runs differ, each difference relative to the larger of the two losses.

    Attributes:
        largest: the largest of `per_step`.
        step: the number of its step, from 1.
        per_step: the difference at each step.
    """

    largest: float
    step: int
    per_step: NDArray[np.float64]


def gradient_difference(loss: Loss, params: PyTree, *batch: Any) -> GradientDifference:
    """Compare the gradient of this package with that of `jax.grad`, each compiled by itself.

    Args:
        loss: `loss(params, *batch)`, a real scalar; compiled once for each function and shape.
        params: where; a pytree of floating arrays.
        *batch: further arguments of the loss.

    >>> gradient_difference(lambda w: w**2, 3.0)
    GradientDifference(absolute=0.0, ulp=0.0)
    """
    ours, theirs = (_flat(tree(loss, params, batch)) for tree in (_our_gradient, _jax_gradient))
    largest = np.maximum(np.abs(ours).max(), np.abs(theirs).max())
    absolute = np.abs(ours.astype(np.float64) - theirs).max()
    return GradientDifference(float(absolute), float(absolute / np.spacing(largest)))


@partial(jax.jit, static_argnums=0)
def _our_gradient(loss: Loss, params: PyTree, batch: tuple[Any, ...]) -> PyTree:
    return grad(loss)(params, *batch)


@partial(jax.jit, static_argnums=0)
def _jax_gradient(loss: Loss, params: PyTree, batch: tuple[Any, ...]) -> PyTree:
    return jax.grad(loss)(params, *batch)


def _flat(tree: PyTree) -> NDArray[np.floating[Any]]:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def loss_difference(
    losses: NDArray[np.float32], reference: NDArray[np.float32]
) -> LossDifference | None:
    """Compare two records of losses of the same length, step for step; None if they are empty.

    >>> loss_difference(np.float32([1, 2, 4]), np.float32([1, 4, 4]))
    LossDifference(largest=0.5, step=2, per_step=array([0. , 0.5, 0. ]))
    """
    if not len(losses):
        return None
    ours, theirs = losses.astype(np.float64), reference.astype(np.float64)
    larger = np.maximum(np.abs(ours), np.abs(theirs))
    per_step = np.abs(ours - theirs) / np.where(larger > 0, larger, 1.0)
    step = int(np.argmax(per_step))  # a NaN counts as the largest
    return LossDifference(float(per_step[step]), step + 1, per_step)
