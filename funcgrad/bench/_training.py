"""The course's run of 1,848 steps, beside the loops that other libraries' users write."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import jax
import numpy as np
import optax
from numpy.typing import NDArray

from funcgrad import models
from funcgrad._descent import minimize
from funcgrad._steps import optimizer_step
from funcgrad.bench._count import operations
from funcgrad.bench._figures import SECONDS, Figure
from funcgrad.bench._measure import control_of, has_control, ratio, timed
from funcgrad.bench._usage import Work, work_of

STEPS, RATE, MOMENTUM = 1848, 0.003, 0.9
_NAME = "course run"


def training(seconds: float) -> Iterator[Figure]:
    """Compiled, beside Optax with a jitted step in a Python loop; and first calls included."""
    ours, theirs = _ours(), _optax_loop()
    calls = {"ours": ours, "theirs": theirs, "streamed": _streamed()}
    if has_control(seconds):
        calls["again"] = theirs
    times = timed(calls, seconds)
    middle = {name: statistics.median(of) for name, of in times.items()}
    control = control_of(times)
    yield Figure(
        _NAME, "training", SECONDS, middle["ours"], middle["theirs"], "Optax loop",
        ratio(times["ours"], times["theirs"]), control,
        f"{STEPS / middle['ours']:.0f} steps a second", len(times["ours"]),
    )  # fmt: skip
    params, data, optimizer = _problem()
    yield Figure(
        _NAME, "step", SECONDS, middle["ours"] / STEPS, middle["streamed"] / STEPS, "streamed",
        ratio(times["ours"], times["streamed"]), control,
        f"{STEPS / middle['ours']:.0f} steps a second in one program, "
        f"{STEPS / middle['streamed']:.0f} over batches", len(times["ours"]),
        work_of_step(models.widenet_loss, optimizer, params, data),
    )  # fmt: skip


def work_of_step(loss: Any, optimizer: Any, params: Any, data: Any) -> Work:
    """What one step has to do, of a program of that step alone."""

    def step(params: Any, state: Any, data: Any) -> Any:
        return optimizer_step(loss, optimizer, params, state, data)

    arguments = (params, optimizer.init(params), data)
    counted = operations(jax.make_jaxpr(step)(*arguments))
    return work_of(jax.jit(step).lower(*arguments).compile(), counted)


def _problem() -> tuple[Any, Any, optax.GradientTransformation]:
    sine = models.noisy_sine()
    return models.init_widenet(), (sine.x, sine.y), optax.sgd(RATE, MOMENTUM)


def _ours() -> Callable[[], Any]:
    params, data, optimizer = _problem()

    def loss(params: Any, x: Any, y: Any) -> Any:
        return models.widenet_loss(params, x, y)

    return lambda: minimize(loss, params, optimizer, *data, steps=STEPS).losses


def _streamed() -> Callable[[], Any]:
    params, data, optimizer = _problem()

    def loss(params: Any, x: Any, y: Any) -> Any:
        return models.widenet_loss(params, x, y)

    return lambda: minimize(loss, params, optimizer, batches=repeat(data, STEPS)).losses


def _optax_loop() -> Callable[[], Any]:
    first, data, optimizer = _problem()

    @jax.jit
    def step(params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        value, gradient = jax.value_and_grad(models.widenet_loss)(params, x, y)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    def loop() -> Any:
        params, state, losses = first, optimizer.init(first), []
        for _ in range(STEPS):
            params, state, value = step(params, state, *data)
            losses.append(value)
        return params, losses[-1]

    return loop


def first_run() -> float:
    """Seconds of our run the first time: tracing, compiling and training."""
    begin = time.perf_counter()
    jax.block_until_ready(_ours()())  # a fresh loss, so that nothing of it is compiled yet
    return time.perf_counter() - begin


def beside_eager(name: str, loop: Callable[[], float], repeats: int) -> Figure:
    """Our run, compiling included, beside an eager loop of another framework."""
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(first_run())
        begin = time.perf_counter()
        loop()
        theirs.append(time.perf_counter() - begin)
    return Figure(
        _NAME, "training, first call", SECONDS, statistics.median(ours),
        statistics.median(theirs), name, ratio(ours, theirs), turns=repeats,
    )  # fmt: skip


def arrays() -> tuple[dict[str, NDArray[Any]], NDArray[Any], NDArray[Any]]:
    """The problem as NumPy arrays, for frameworks that are not JAX."""
    params, (x, y), _ = _problem()
    return {name: np.asarray(leaf) for name, leaf in params.items()}, np.asarray(x), np.asarray(y)
