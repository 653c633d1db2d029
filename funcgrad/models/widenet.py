"""WideNet: Linear, tanh, Linear; 1,537 parameters in the size that fits the noisy sine."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from funcgrad._errors import TreeError
from funcgrad.models._checks import integer_from
from funcgrad.models._torch_stream import Floats, uniforms, within
from funcgrad.models.layers import linear, tanh
from funcgrad.models.losses import mean_squared_error

WideNetParams = dict[str, jax.Array]


def widenet(params: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    """Return the prediction `tanh(x @ w1 + b1) @ w2 + b2`.

    Args:
        params: `{"w1": (inputs, width), "b1": (width,), "w2": (width, outputs), "b2": (outputs,)}`.
        x: shape `(..., inputs)`.

    Returns:
        An array of shape `(..., outputs)`.

    Raises:
        TreeError: `params` has other keys than these four.
        GradientValueError: the shapes do not fit each other.

    >>> widenet(init_widenet(seed=2021), jnp.zeros((32, 1))).shape
    (32, 1)
    """
    require_widenet_params(params)
    hidden = tanh(linear({"w": params["w1"], "b": params["b1"]}, x))
    return linear({"w": params["w2"], "b": params["b2"]}, hidden)


def widenet_loss(params: Mapping[str, jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the mean squared error of `widenet`.

    Args:
        params: as for `widenet`.
        x: shape `(n, inputs)`.
        y: shape `(n, outputs)`.

    Returns:
        A scalar array.

    Raises:
        TreeError: `params` has other keys than the four of `widenet`.
        GradientValueError: the shapes do not fit each other.

    >>> x = jnp.array([[0.0], [1.0]])
    >>> float(widenet_loss(jax.tree.map(jnp.zeros_like, init_widenet()), x, 2 * x))
    2.0
    """
    return mean_squared_error(widenet(params, x), y)


def init_widenet(
    seed: int = 2021, width: int = 512, inputs: int = 1, outputs: int = 1
) -> WideNetParams:
    """Draw the parameters that PyTorch gives this network after `torch.manual_seed(seed)`.

    The stream is read in the order in which `torch.nn.Sequential(Linear(inputs, width), Tanh(),
    Linear(width, outputs))` reads it, every layer uniform in +-1/sqrt(its inputs). The values are
    PyTorch's to the bit; its weights are the transposes of ours.

    Args:
        seed: an integer from -2**63 to 2**64 - 1.
        width: the number of hidden units, 1 or more.
        inputs: the number of inputs, 1 or more.
        outputs: the number of outputs, 1 or more.

    Returns:
        float32 arrays: `{"w1": (inputs, width), "b1": (width,), "w2": (width, outputs),
        "b2": (outputs,)}`.

    Raises:
        GradientTypeError: an argument is not an integer.
        GradientValueError: an argument is outside its domain.

    >>> params = init_widenet(seed=2021)
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    1537
    >>> params["w1"][0, :3]
    Array([-0.7391219 ,  0.02677405,  0.48511422], dtype=float32)
    """
    width = integer_from("width", width, least=1)
    inputs = integer_from("inputs", inputs, least=1)
    outputs = integer_from("outputs", outputs, least=1)
    sizes = [math.prod(shape) for shape in widenet_shapes(width, inputs, outputs).values()]
    w1, b1, w2, b2 = np.split(uniforms(seed, sum(sizes)), np.cumsum(sizes)[:-1])
    return {
        "w1": _transposed(within(inputs**-0.5, w1), (width, inputs)),
        "b1": jnp.asarray(within(inputs**-0.5, b1)),
        "w2": _transposed(within(width**-0.5, w2), (outputs, width)),
        "b2": jnp.asarray(within(width**-0.5, b2)),
    }


def widenet_shapes(width: int, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters that `init_widenet` draws, in the order of its stream.

    >>> widenet_shapes(512, 1, 1)
    {'w1': (1, 512), 'b1': (512,), 'w2': (512, 1), 'b2': (1,)}
    """
    return {"w1": (inputs, width), "b1": (width,), "w2": (width, outputs), "b2": (outputs,)}


def widenet_specs(axis: str) -> dict[str, PartitionSpec]:
    """Return how the parameters of `widenet` are split along their width over a mesh axis.

    The bias of the output has no width, and is on every device.

    >>> widenet_specs("model")["w1"]
    P(None, 'model')
    """
    split = PartitionSpec(axis)
    return {"w1": PartitionSpec(None, axis), "b1": split, "w2": split, "b2": PartitionSpec()}


def require_widenet_params(params: Mapping[str, jax.Array]) -> None:
    """Raise a TreeError unless the keys are those of `widenet`.

    >>> require_widenet_params(init_widenet(width=2))
    """
    if set(params) != {"w1", "b1", "w2", "b2"}:
        raise TreeError(
            f"widenet needs exactly the parameters 'w1', 'b1', 'w2' and 'b2', got "
            f"{sorted(params)}; make them with init_widenet"
        )


def _transposed(draws: Floats, torch_shape: tuple[int, int]) -> jax.Array:
    return jnp.asarray(draws.reshape(torch_shape).T)
