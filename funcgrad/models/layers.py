"""Layers of a neural network as pure functions of their parameters and an input."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from funcgrad._errors import GradientTypeError, GradientValueError, TreeError
from funcgrad.models._checks import integer_from

LinearParams = dict[str, jax.Array]
Layer = Callable[..., jax.Array]


def linear(params: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    """Apply the affine map `x @ w + b`.

    Args:
        params: `{"w": (inputs, outputs), "b": (outputs,)}`. The weight is the transpose of that
            of `torch.nn.Linear`.
        x: shape `(..., inputs)`.

    Returns:
        An array of shape `(..., outputs)`.

    Raises:
        TreeError: `params` has no `"w"` or no `"b"`.
        GradientValueError: the shapes do not fit each other.

    >>> params = {"w": jnp.array([[1.0, 2.0]]), "b": jnp.array([0.0, 10.0])}
    >>> linear(params, jnp.array([[3.0]])).tolist()
    [[3.0, 16.0]]
    """
    missing = [key for key in ("w", "b") if key not in params]
    if missing:
        raise TreeError(
            f"linear needs the parameters 'w' and 'b', got {sorted(params)}; "
            f"make them with init_linear"
        )
    w, b = params["w"], params["b"]
    _require_fit(jnp.shape(w), jnp.shape(b), jnp.shape(x))
    return jnp.matmul(x, w, out_sharding=_product_sharding(x, w)) + b


def _product_sharding(x: jax.Array, w: jax.Array) -> NamedSharding | None:
    """Where the product lies on a mesh of Explicit axes, if both contracted axes are split there.

    JAX asks for it then: the sum may be left on every device, as here, or be spread over them.
    """
    left, right = jax.typeof(x).sharding, jax.typeof(w).sharding
    if AxisType.Explicit not in right.mesh.axis_types or not (left.spec[-1] and right.spec[0]):
        return None
    return NamedSharding(right.mesh, PartitionSpec(*left.spec[:-1], right.spec[1]))


def init_linear(key: jax.Array, inputs: int, outputs: int) -> LinearParams:
    """Draw the parameters of `linear`, all uniform in +-1/sqrt(inputs).

    Args:
        key: a JAX random key, `jax.random.key(0)` for instance.
        inputs: the number of inputs, 1 or more.
        outputs: the number of outputs, 1 or more.

    Returns:
        `{"w": (inputs, outputs), "b": (outputs,)}` in JAX's default float type.

    Raises:
        GradientTypeError: `inputs` or `outputs` is not an integer.
        GradientValueError: `inputs` or `outputs` is less than 1.

    The bounds are those of `torch.nn.Linear`; the random numbers are JAX's.

    >>> params = init_linear(jax.random.key(0), 4, 3)
    >>> params["w"].shape, params["b"].shape
    ((4, 3), (3,))
    >>> bool(jnp.abs(params["w"]).max() <= 0.5)
    True
    """
    inputs = integer_from("inputs", inputs, least=1)
    outputs = integer_from("outputs", outputs, least=1)
    bound = inputs**-0.5
    w_key, b_key = jax.random.split(key)
    return {
        "w": jax.random.uniform(w_key, (inputs, outputs), minval=-bound, maxval=bound),
        "b": jax.random.uniform(b_key, (outputs,), minval=-bound, maxval=bound),
    }


def relu(x: jax.Array) -> jax.Array:
    """Return the positive part of `x`; its derivative at 0 is 0.

    It is a selection, so that reverse mode meets plain primitives only: `jax.nn.relu` brings a
    rule of its own, and the derivative of `jnp.maximum` at the tie 0 is a half. NaN stays NaN.

    Args:
        x: real numbers, any shape.

    Returns:
        An array like `x`.

    >>> relu(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    >>> float(jax.grad(relu)(0.0))
    0.0
    """
    return jnp.where(x <= 0, 0, x)


def tanh(x: jax.Array) -> jax.Array:
    """Return the hyperbolic tangent of every entry of `x`.

    Args:
        x: numbers, any shape.

    Returns:
        An array like `x`.

    >>> round(float(tanh(jnp.array(1.0))), 6)
    0.761594
    """
    return jnp.tanh(x)


def sequential(*layers: Layer) -> Callable[[Mapping[str, Any], jax.Array], jax.Array]:
    """Chain layers into one function of all parameters and an input.

    Args:
        layers: functions. One that has parameters is called as `layer(params["i"], x)`, where `i`
            is its position; one that has no entry in the parameters is called as `layer(x)`.

    Returns:
        `apply(params, x)`. `params` is a dict keyed by position, `"0"`, `"2"`, as the names of
        `torch.nn.Sequential` are. `apply` raises a TreeError when a key names no layer, when a
        layer that takes parameters has no entry, and when one that takes none has an entry.

    Raises:
        GradientTypeError: a layer is not callable.

    >>> apply = sequential(linear, tanh, linear)
    >>> first, last = jax.random.split(jax.random.key(0))
    >>> params = {"0": init_linear(first, 1, 8), "2": init_linear(last, 8, 1)}
    >>> apply(params, jnp.ones((32, 1))).shape
    (32, 1)
    """
    calls = [_inspect_layer(position, layer) for position, layer in enumerate(layers)]

    def apply(params: Mapping[str, Any], x: jax.Array) -> jax.Array:
        _require_known_keys(params, calls)
        for position, call in enumerate(calls):
            key = str(position)
            _require_callable_with(params, key, call)
            x = call.layer(params[key], x) if key in params else call.layer(x)
        return x

    return apply


class _LayerCall(NamedTuple):
    layer: Layer
    name: str
    with_params: bool
    without_params: bool


def _inspect_layer(position: int, layer: Layer) -> _LayerCall:
    if not callable(layer):
        raise GradientTypeError(
            f"layer {position} of sequential is {layer!r}, which cannot be called; pass functions, "
            f"as in sequential(linear, tanh, linear)"
        )
    name = getattr(layer, "__name__", repr(layer))
    return _LayerCall(layer, name, _takes(layer, 2), _takes(layer, 1))


def _takes(layer: Layer, count: int) -> bool:
    try:
        inspect.signature(layer).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a builtin that tells no signature: let the call itself decide
        return True
    return True


def _require_known_keys(params: Mapping[str, Any], calls: list[_LayerCall]) -> None:
    listing = ", ".join(f"{str(i)!r}: {call.name}" for i, call in enumerate(calls))
    if not isinstance(params, Mapping):
        raise TreeError(
            f"sequential needs a dict of parameters keyed by layer position, got "
            f"{type(params).__name__}; its layers are {{{listing}}}"
        )
    positions = {str(position) for position in range(len(calls))}
    unknown = [key for key in params if key not in positions]
    if unknown:
        raise TreeError(
            f"the parameters have the keys {unknown}, which name no layer; a key is the position "
            f"of a layer as a string, and the layers are {{{listing}}}"
        )


def _require_callable_with(params: Mapping[str, Any], key: str, call: _LayerCall) -> None:
    if key not in params and not call.without_params:
        raise TreeError(
            f"layer {key} ({call.name}) takes parameters, but the parameters have only the keys "
            f"{sorted(params)}; add an entry {key!r}"
        )
    if key in params and not call.with_params:
        raise TreeError(
            f"layer {key} ({call.name}) takes no parameters, but the parameters have an entry "
            f"{key!r}; remove it or move it to the layer it belongs to"
        )


def _require_fit(w: tuple[int, ...], b: tuple[int, ...], x: tuple[int, ...]) -> None:
    if len(w) != 2 or b != w[1:]:
        raise GradientValueError(
            f"linear needs w of shape (inputs, outputs) and b of shape (outputs,), "
            f"got w {w} and b {b}; make them with init_linear"
        )
    if not x or x[-1] != w[0]:
        raise GradientValueError(
            f"linear got x of shape {x} for w of shape {w}: the last axis of x must have the size "
            f"{w[0]}; a vector of examples becomes a column by x[:, None]"
        )
