"""Workloads: recurrences, a Gaussian process, an embedding, and differential equations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad._transform import grad
from funcgrad.bench._workload import Workload, of_loss

ODE_STEPS, CHECKPOINTS = 1000, 32


def gru() -> Workload:
    """A gated recurrent unit over 256 steps of 16 sequences, by `scan`."""
    size, steps, batch = 64, 256, 16
    keys = jax.random.split(jax.random.key(1), 3)
    inner = jax.random.normal(keys[0], (size, 3 * size)) / size**0.5
    outer = jax.random.normal(keys[1], (size, 3 * size)) / size**0.5
    params = {"inner": inner, "outer": outer, "bias": jnp.zeros(3 * size)}
    xs = jax.random.normal(keys[2], (steps, batch, size))
    return of_loss("GRU 256", _gru_loss, params, xs)


def _gru_loss(params: Any, xs: Any) -> Any:
    def cell(state: Any, x: Any) -> tuple[Any, Any]:
        reset, update, new = jnp.split(x @ params["outer"] + params["bias"], 3, axis=-1)
        r_state, u_state, n_state = jnp.split(state @ params["inner"], 3, axis=-1)
        gate = jax.nn.sigmoid(update + u_state)
        fresh = jnp.tanh(new + jax.nn.sigmoid(reset + r_state) * n_state)
        state = gate * state + (1 - gate) * fresh
        return state, state

    _, states = lax.scan(cell, jnp.zeros_like(xs[0]), xs)
    return jnp.mean(states**2)


def gaussian_process() -> Workload:
    """The negative log likelihood of 256 points under a squared exponential kernel."""
    x = jnp.linspace(-2.0, 2.0, 256)
    y = jnp.sin(3.0 * x)
    params = {"length": jnp.float32(0.3), "scale": jnp.float32(1.0), "noise": jnp.float32(0.3)}
    return of_loss("GP 256", _gp_loss, params, x, y, bound="compute")


def _gp_loss(params: Any, x: Any, y: Any) -> Any:
    distance = (x[:, None] - x[None, :]) / params["length"]
    kernel = params["scale"] ** 2 * jnp.exp(-0.5 * distance**2)
    factor = jnp.linalg.cholesky(kernel + params["noise"] ** 2 * jnp.eye(len(x)))
    white = jax.scipy.linalg.solve_triangular(factor, y, lower=True)
    return 0.5 * jnp.sum(white**2) + jnp.sum(jnp.log(jnp.diagonal(factor)))


def embedding() -> Workload:
    """A table of 50,000 rows, of which 512 are looked up: the gradient is mostly zero."""
    keys = jax.random.split(jax.random.key(2), 2)
    table = jax.random.normal(keys[0], (50_000, 64))
    rows = jax.random.randint(keys[1], (512,), 0, 50_000)

    def loss(table: Any, rows: Any) -> Any:
        return jnp.mean(jnp.tanh(table[rows]) ** 2)

    return of_loss("embedding", loss, table, rows, bound="compute")


def _pendulum(params: Any, state: Any) -> Any:
    angle, speed = state
    half = speed + 0.005 * (-params["g"] * jnp.sin(angle) - params["drag"] * speed)
    return angle + 0.01 * half, half + 0.005 * (-params["g"] * jnp.sin(angle + 0.01 * half))


def _swing() -> tuple[Any, Any]:
    params = {"g": jnp.float32(9.81), "drag": jnp.float32(0.1)}
    return params, (jnp.linspace(0.1, 1.0, 64), jnp.zeros(64))


def ode_fori() -> Workload:
    """64 pendulums over 1,000 steps by `fori_loop`, whose length is known."""
    params, start = _swing()

    def loss(params: Any, start: Any) -> Any:
        end = lax.fori_loop(0, ODE_STEPS, lambda _, state: _pendulum(params, state), start)
        return jnp.mean(end[0] ** 2)

    return of_loss("ODE fori", loss, params, start)


def ode_while() -> Workload:
    """The same by `while_loop`, beside Equinox's loop with as many checkpoints.

    Raises:
        ImportError: Equinox is not installed.
    """
    import equinox.internal as eqxi  # noqa: PLC0415 -- a competitor, no dependency

    params, start = _swing()

    def loss(loop: Any, params: Any, start: Any) -> Any:
        def unfinished(carry: Any) -> Any:
            return carry[0] < 0.01 * (ODE_STEPS - 0.5)

        def step(carry: Any) -> Any:
            return carry[0] + 0.01, _pendulum(params, carry[1])

        return jnp.mean(loop(unfinished, step, (jnp.float32(0.0), start))[1][0] ** 2)

    def equinox_loop(unfinished: Any, step: Any, first: Any) -> Any:
        return eqxi.while_loop(
            unfinished, step, first, kind="checkpointed", checkpoints=CHECKPOINTS
        )

    def ours(params: Any, start: Any) -> Any:
        return loss(lax.while_loop, params, start)

    def theirs(params: Any, start: Any) -> Any:
        return loss(equinox_loop, params, start)

    return Workload(
        "ODE while", ours, (params, start), grad(ours, checkpoints=CHECKPOINTS), jax.grad(theirs),
        "Equinox", trips=ODE_STEPS, wide=False,
    )  # fmt: skip
