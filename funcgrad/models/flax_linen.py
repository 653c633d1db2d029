"""WideNet as a Flax Linen module, the same numbers in another form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from funcgrad._errors import ConfigurationError, TreeError
from funcgrad.models.widenet import WideNetParams, require_widenet_params

try:
    from flax import linen as nn
except ImportError as error:
    raise ConfigurationError(
        f"funcgrad.models.flax_linen needs Flax, which cannot be imported ({error}); "
        f'install it by pip install "funcgrad[flax]"'
    ) from error

Variables = dict[str, dict[str, dict[str, jax.Array]]]


class WideNet(nn.Module):  # type: ignore[misc]  # flax is not followed, so its classes are Any
    """Dense, tanh, Dense.

    Attributes:
        width: the number of hidden units.
        outputs: the number of outputs.

    `WideNet().init(key, x)` draws the parameters by Flax's own initialisers. For those of PyTorch
    use `to_linen(init_widenet(seed))`.

    >>> import jax.numpy as jnp
    >>> from funcgrad.models.widenet import init_widenet
    >>> WideNet().apply(to_linen(init_widenet(seed=2021)), jnp.zeros((32, 1))).shape
    (32, 1)
    """

    width: int = 512
    outputs: int = 1

    def setup(self) -> None:
        """Declare the two layers."""
        self.hidden = nn.Dense(self.width)
        self.output = nn.Dense(self.outputs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the prediction for `x`, shape `(..., inputs)`, as `(..., outputs)`."""
        prediction: jax.Array = self.output(nn.tanh(self.hidden(x)))
        return prediction


def to_linen(params: Mapping[str, jax.Array]) -> Variables:
    """Return the parameters of `widenet` as the variables of the Linen module.

    Args:
        params: `{"w1": (inputs, width), "b1": (width,), "w2": (width, outputs), "b2": (outputs,)}`.

    Returns:
        `{"params": {"hidden": {"kernel", "bias"}, "output": {"kernel", "bias"}}}`; with them
        `WideNet(width, outputs).apply(variables, x)` computes what `widenet(params, x)` computes.

    Raises:
        TreeError: `params` has other keys than these four.

    >>> from funcgrad.models.widenet import init_widenet
    >>> to_linen(init_widenet(seed=2021))["params"]["hidden"]["kernel"].shape
    (1, 512)
    """
    require_widenet_params(params)
    hidden = {"kernel": params["w1"], "bias": params["b1"]}
    output = {"kernel": params["w2"], "bias": params["b2"]}
    return {"params": {"hidden": hidden, "output": output}}


def from_linen(variables: Mapping[str, Any]) -> WideNetParams:
    """Return the variables of the Linen module as the parameters of `widenet`.

    Args:
        variables: what `WideNet().init(key, x)` or `to_linen(params)` returned.

    Returns:
        `{"w1": (inputs, width), "b1": (width,), "w2": (width, outputs), "b2": (outputs,)}`.

    Raises:
        TreeError: a layer or one of its parameters is missing.

    >>> from funcgrad.models.widenet import init_widenet
    >>> sorted(from_linen(to_linen(init_widenet(seed=2021))))
    ['b1', 'b2', 'w1', 'w2']
    """
    try:
        hidden, output = variables["params"]["hidden"], variables["params"]["output"]
        return {
            "w1": hidden["kernel"],
            "b1": hidden["bias"],
            "w2": output["kernel"],
            "b2": output["bias"],
        }
    except (KeyError, TypeError):
        raise TreeError(
            f"from_linen needs the variables of WideNet, params/hidden and params/output, each "
            f"with kernel and bias, got {jax.tree.structure(variables)}; "
            f"pass what WideNet().init(key, x) returned"
        ) from None
