"""Losses: how far predictions are from their targets, as one number."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad._errors import GradientTypeError, GradientValueError


def mean_squared_error(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return the mean over all entries of `(prediction - target)**2`.

    Args:
        prediction: any shape.
        target: exactly the same shape. Nothing is broadcast: `(n,)` against `(n, 1)` would give
            the mean of n * n differences, a wrong loss that trains without a complaint.

    Returns:
        A scalar array.

    Raises:
        GradientValueError: the shapes differ, or there is no entry.

    >>> float(mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """
    shape, expected = jnp.shape(prediction), jnp.shape(target)
    if shape != expected:
        raise GradientValueError(
            f"mean_squared_error got a prediction of shape {shape} and a target of shape "
            f"{expected}; they must be equal, so reshape one of them, for instance by "
            f"target.reshape(prediction.shape)"
        )
    _require_examples("mean_squared_error", "prediction", shape)
    return jnp.mean(jnp.square(prediction - target))


def softmax_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean over the examples of `-log softmax(logits)[label]`.

    The largest logit is subtracted before any exponential is taken, so that logits of any finite
    size give a finite loss. It is `torch.nn.CrossEntropyLoss` with class indices.

    Args:
        logits: floating, shape `(..., classes)`.
        labels: integer classes from 0 to classes - 1, shape `logits.shape[:-1]`.

    Returns:
        A scalar array. Inside `jax.jit`, where their values are not known, labels outside that
        range make it NaN.

    Raises:
        GradientTypeError: `logits` are not floating or `labels` not integers.
        GradientValueError: the shapes do not fit, there is no example, or a label is no class.

    >>> loss = softmax_cross_entropy(jnp.array([[0.0, 0.0], [1e4, 0.0]]), jnp.array([1, 0]))
    >>> round(float(loss), 6)
    0.346574
    """
    if not jnp.issubdtype(jnp.result_type(logits), jnp.floating):
        raise GradientTypeError(
            f"softmax_cross_entropy needs floating logits, got {jnp.result_type(logits)}; "
            f"convert them by logits.astype(float)"
        )
    labels = _checked_labels("softmax_cross_entropy", logits, labels)
    classes = jnp.shape(logits)[-1]
    # A gather counts a negative index from the end: -1 would silently mean the last class.
    places = jnp.where(labels < 0, classes, labels)[..., None]
    log_probability = jnp.take_along_axis(
        jax.nn.log_softmax(logits), places, axis=-1, mode="fill", fill_value=jnp.nan
    )
    return -jnp.mean(log_probability)


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the share of examples whose largest logit is that of their label.

    Args:
        logits: real, shape `(..., classes)`. Of equal largest logits the first counts.
        labels: integer classes from 0 to classes - 1, shape `logits.shape[:-1]`.

    Returns:
        A scalar array between 0 and 1.

    Raises:
        GradientTypeError: `labels` are not integers.
        GradientValueError: the shapes do not fit, there is no example, or a label is no class.

    >>> float(accuracy(jnp.array([[2.0, 1.0], [3.0, 0.0]]), jnp.array([0, 1])))
    0.5
    """
    labels = _checked_labels("accuracy", logits, labels)
    return jnp.mean(jnp.argmax(logits, axis=-1) == labels)


def _checked_labels(where: str, logits: jax.Array, labels: jax.Array) -> jax.Array:
    dtype, shape, got = jnp.result_type(labels), jnp.shape(logits), jnp.shape(labels)
    if not jnp.issubdtype(dtype, jnp.integer):
        raise GradientTypeError(
            f"{where} needs integer labels, the index of each example's class, got {dtype}; "
            f"convert them by labels.astype(int), or one-hot rows by labels.argmax(-1)"
        )
    if not shape or got != shape[:-1]:
        raise GradientValueError(
            f"{where} got logits of shape {shape} and labels of shape {got}; the labels must have "
            f"the shape of the logits without its last axis, that of the classes"
        )
    _require_examples(where, "logits", shape)
    if not isinstance(labels, jax.core.Tracer) and getattr(labels, "is_fully_addressable", True):
        known = np.asarray(labels)  # by NumPy: inside jit, jnp would stage even known values
        _require_classes(where, shape[-1], int(known.min()), int(known.max()))
    return jnp.asarray(labels).astype(int)  # an int8 could not hold the number of many classes


def _require_classes(where: str, classes: int, least: int, largest: int) -> None:
    if least < 0 or largest >= classes:
        raise GradientValueError(
            f"{where} got labels from {least} to {largest} for {classes} classes; they must lie "
            f"between 0 and {classes - 1}, so renumber the classes or widen the logits"
        )


def _require_examples(where: str, name: str, shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise GradientValueError(
            f"{where} got {name} of shape {shape}: the mean of no entry does not exist; "
            f"pass at least one example"
        )
