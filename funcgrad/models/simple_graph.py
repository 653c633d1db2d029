"""SimpleGraph: one neuron, `tanh(x w + b)`, with its squared error and the gradients by hand."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from funcgrad._errors import TreeError

Number = jax.Array | float


def simple_graph(params: Mapping[str, Number], x: Number) -> jax.Array:
    """Return the prediction `tanh(x * w + b)`.

    Args:
        params: `{"w": weight, "b": bias}`, scalars.
        x: the input, a scalar; an array gives one prediction an entry.

    Returns:
        The prediction, shaped like `x`.

    Raises:
        TreeError: `params` has other keys than `"w"` and `"b"`.

    >>> float(simple_graph({"w": -0.5, "b": 0.5}, 1.0))
    0.0
    """
    if set(params) != {"w", "b"}:
        raise TreeError(
            f"simple_graph needs exactly the parameters 'w' and 'b', got {sorted(params)}; "
            f"pass a dict such as {{'w': -0.5, 'b': 0.5}}"
        )
    return jnp.tanh(x * params["w"] + params["b"])


def simple_graph_loss(params: Mapping[str, Number], x: Number, y: Number) -> jax.Array:
    """Return the squared error `(y - simple_graph(params, x))**2`.

    Args:
        params: `{"w": weight, "b": bias}`, scalars.
        x: the input, a scalar or an array.
        y: the target, shaped like `x`.

    Returns:
        The loss, shaped like `x`.

    Raises:
        TreeError: `params` has other keys than `"w"` and `"b"`.

    >>> float(simple_graph_loss({"w": -0.5, "b": 0.5}, 1.0, 7.0))
    49.0
    """
    return (y - simple_graph(params, x)) ** 2


def simple_graph_gradients_by_hand(
    params: Mapping[str, Number], x: Number, y: Number
) -> dict[str, jax.Array]:
    """Return the gradients of `simple_graph_loss` by the formulas, derived on paper.

    With s = x w + b, yhat = tanh s and L = (y - yhat)^2 the chain rule multiplies the edges:
    dL/dyhat = -2 (y - yhat), dyhat/ds = 1 - yhat^2, ds/db = 1 and ds/dw = x. So

        dL/db = -2 (y - yhat) (1 - yhat^2)
        dL/dw = -2 x (y - yhat) (1 - yhat^2)

    Args:
        params: `{"w": weight, "b": bias}`, scalars.
        x: the input, a scalar; an array gives one gradient an entry.
        y: the target, shaped like `x`.

    Returns:
        `{"w": dL/dw, "b": dL/db}`, each shaped like `x`.

    Raises:
        TreeError: `params` has other keys than `"w"` and `"b"`.

    >>> gradients = simple_graph_gradients_by_hand({"w": -0.5, "b": 0.5}, 1.0, 7.0)
    >>> float(gradients["w"]), float(gradients["b"])
    (-14.0, -14.0)
    """
    yhat = simple_graph(params, x)
    by_bias = -2 * (y - yhat) * (1 - yhat**2)
    return {"w": x * by_bias, "b": by_bias}
