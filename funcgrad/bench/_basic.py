"""Workloads: the course's models, a chain of scalars, perceptrons, and a second derivative."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import models
from funcgrad._jacobian import hvp
from funcgrad.bench._workload import Workload, of_loss

_DEPTH, _WIDTH = 64, 64


def simple_graph() -> Workload:
    """The course's first graph: dispatch alone."""
    params = {"w": jnp.float32(-0.5), "b": jnp.float32(0.5)}
    point = (jnp.float32(1.0), jnp.float32(7.0))
    return of_loss("SimpleGraph", models.simple_graph_loss, params, *point)


def widenet() -> Workload:
    """WideNet as the course trains it."""
    return _widenet("WideNet 512", 512, 32)


def wider_net() -> Workload:
    """WideNet of width 65,536, where memory and arithmetic count."""
    return _widenet("WideNet 65536", 2**16, 256)


def _widenet(name: str, width: int, points: int) -> Workload:
    sine = models.noisy_sine(points=points)
    params = models.init_widenet(2021, width)
    bound: Any = "compute" if width > 4096 else "dispatch"
    return of_loss(name, models.widenet_loss, params, sine.x, sine.y, bound=bound)


def chain_of(length: int) -> Any:
    """A function of so many scalar operations, one after the other."""

    def chain(x: Any) -> Any:
        for _ in range(length // 2):
            x = jnp.sin(x) * 1.01
        return x

    return chain


def chain(length: int = 10_000) -> Workload:
    """A chain of scalar operations."""
    return of_loss(f"chain {length}", chain_of(length), jnp.float32(0.5))


def _layers() -> tuple[Any, Any, Any]:
    keys = jax.random.split(jax.random.key(0), 2)
    weights = jax.random.normal(keys[0], (_DEPTH, _WIDTH, _WIDTH)) / _WIDTH**0.5
    biases = jnp.zeros((_DEPTH, _WIDTH))
    return weights, biases, jax.random.normal(keys[1], (32, _WIDTH))


def _scanned(params: Any, x: Any) -> Any:
    def layer(x: Any, params: Any) -> tuple[Any, None]:
        return jnp.tanh(x @ params[0] + params[1]), None

    return jnp.mean(lax.scan(layer, x, params)[0] ** 2)


def deep() -> Workload:
    """A perceptron of 64 layers, written out; each layer is a leaf of its own."""
    weights, biases, x = _layers()
    whole = zip(np.asarray(weights), np.asarray(biases), strict=True)
    leaves = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in whole]

    def loss(params: Any, x: Any) -> Any:
        for weight, bias in params:
            x = jnp.tanh(x @ weight + bias)
        return jnp.mean(x**2)

    return of_loss("MLP unrolled", loss, leaves, x)


def deep_scanned() -> Workload:
    """The same perceptron as a loop over stacked layers."""
    weights, biases, x = _layers()
    return of_loss("MLP scanned", _scanned, (weights, biases), x)


def hessian_vector() -> Workload:
    """The Hessian of a WideNet's loss times a vector, beside forward over reverse of JAX."""
    sine = models.noisy_sine()
    params = models.init_widenet()
    vector = jax.tree.map(jnp.ones_like, params)

    def loss(params: Any) -> Any:
        return models.widenet_loss(params, sine.x, sine.y)

    def first(params: Any, _vector: Any) -> Any:
        return jax.grad(loss)(params)

    def ours(params: Any, vector: Any) -> Any:
        return hvp(loss, (params,), (vector,))

    def theirs(params: Any, vector: Any) -> Any:
        return jax.jvp(jax.grad(loss), (params,), (vector,))[1]

    return Workload("HVP", first, (params, vector), ours, theirs, "jax.jvp of grad")
