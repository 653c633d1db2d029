"""WideNet as a Flax NNX module, the same numbers in another form."""

from __future__ import annotations

from collections.abc import Mapping

import jax

from funcgrad._errors import ConfigurationError, GradientTypeError
from funcgrad.models.widenet import WideNetParams, require_widenet_params

try:
    from flax import nnx
except ImportError as error:
    raise ConfigurationError(
        f"funcgrad.models.flax_nnx needs Flax, which cannot be imported ({error}); "
        f'install it by pip install "funcgrad[flax]"'
    ) from error


class WideNet(nnx.Module):  # type: ignore[misc]  # flax is not followed, so its classes are Any
    """Linear, tanh, Linear.

    Args:
        width: the number of hidden units.
        inputs: the number of inputs.
        outputs: the number of outputs.
        rngs: Flax's random streams; the parameters are drawn by Flax's own initialisers. For those
            of PyTorch use `to_nnx(init_widenet(seed))`.

    >>> import jax.numpy as jnp
    >>> WideNet(rngs=nnx.Rngs(0))(jnp.zeros((32, 1))).shape
    (32, 1)
    """

    def __init__(
        self, width: int = 512, inputs: int = 1, outputs: int = 1, *, rngs: nnx.Rngs
    ) -> None:
        self.hidden = nnx.Linear(inputs, width, rngs=rngs)
        self.output = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the prediction for `x`, shape `(..., inputs)`, as `(..., outputs)`."""
        prediction: jax.Array = self.output(nnx.tanh(self.hidden(x)))
        return prediction


def to_nnx(params: Mapping[str, jax.Array]) -> WideNet:
    """Make an NNX model that holds the parameters of `widenet`.

    Args:
        params: `{"w1": (inputs, width), "b1": (width,), "w2": (width, outputs), "b2": (outputs,)}`.

    Returns:
        The model; it computes what `widenet(params, x)` computes.

    Raises:
        TreeError: `params` has other keys than these four.

    >>> from funcgrad.models.widenet import init_widenet
    >>> to_nnx(init_widenet(seed=2021)).hidden.bias.shape
    (512,)
    """
    require_widenet_params(params)
    inputs, width = params["w1"].shape
    model = WideNet(width, inputs, params["w2"].shape[1], rngs=nnx.Rngs(0))
    model.hidden.kernel, model.hidden.bias = nnx.Param(params["w1"]), nnx.Param(params["b1"])
    model.output.kernel, model.output.bias = nnx.Param(params["w2"]), nnx.Param(params["b2"])
    return model


def from_nnx(model: WideNet) -> WideNetParams:
    """Return the parameters of an NNX model in the form that `widenet` takes.

    Args:
        model: a `WideNet` of this module.

    Returns:
        `{"w1": (inputs, width), "b1": (width,), "w2": (width, outputs), "b2": (outputs,)}`.

    Raises:
        GradientTypeError: `model` is something else.

    >>> from funcgrad.models.widenet import init_widenet
    >>> sorted(from_nnx(to_nnx(init_widenet(seed=2021))))
    ['b1', 'b2', 'w1', 'w2']
    """
    if not isinstance(model, WideNet):
        raise GradientTypeError(
            f"from_nnx needs a funcgrad.models.flax_nnx.WideNet, got {type(model).__name__}; "
            f"make one by to_nnx(params) or WideNet(rngs=nnx.Rngs(0))"
        )
    return {
        "w1": model.hidden.kernel[...],
        "b1": model.hidden.bias[...],
        "w2": model.output.kernel[...],
        "b2": model.output.bias[...],
    }
