"""Steps of WideNet of width 2^16 on 2^14 points, which should sit at the roofline of a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from funcgrad import models
from funcgrad._descent import minimize
from funcgrad._transform import value_and_grad
from funcgrad.bench._count import operations
from funcgrad.bench._figures import SECONDS, Figure
from funcgrad.bench._measure import control_of, has_control, ratio, rotated
from funcgrad.bench._roofline import device
from funcgrad.bench._usage import Work, work_of

_RATE, _MOMENTUM = 1e-7, 0.9


class Problem(NamedTuple):
    """A run of a WideNet.

    Attributes:
        width, points: its size.
        steps: how many are one program.
        parts: into how many micro-batches a step's points are split.
    """

    width: int
    points: int
    steps: int
    parts: int


# On a CPU the activations of the whole batch take 9 GB, and a step more than a second.
_ELSEWHERE = Problem(2**16, 2**14, steps=50, parts=1)
_CPU = _ELSEWHERE._replace(steps=1, parts=256)


def wide(seconds: float) -> Iterator[Figure]:
    """A step of ours, of a program of many, beside the same program around `jax.grad`."""
    problem = _CPU if device().platform == "cpu" else _ELSEWHERE
    return measured(problem, turns=3 if has_control(seconds) else 1)


def measured(problem: Problem, turns: int) -> Iterator[Figure]:
    """The figure of any size; of one turn it has no control."""
    sine = models.noisy_sine(points=problem.points)
    arguments = (models.init_widenet(2021, problem.width), (sine.x, sine.y))
    makers = {"ours": _ours, "theirs": _theirs} | ({"again": _theirs} if turns > 1 else {})
    programs = {
        name: jax.jit(make(problem)).lower(*arguments).compile() for name, make in makers.items()
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    names = list(programs)
    for turn in range(turns):
        for name in rotated(names, turn):
            begin = time.perf_counter()
            jax.block_until_ready(programs[name](*arguments))
            times[name].append((time.perf_counter() - begin) / problem.steps)
    ours = statistics.median(times["ours"])
    yield Figure(
        f"{problem.width} x {problem.points}", "step", SECONDS, ours,
        statistics.median(times["theirs"]), "jax.grad", ratio(times["ours"], times["theirs"]),
        control_of(times),
        f"{problem.steps} in one program, {problem.parts} micro-batches", turns,
        _work(problem, arguments),
    )  # fmt: skip


def _optimizer() -> optax.GradientTransformation:
    return optax.sgd(_RATE, _MOMENTUM)


def _ours(problem: Problem) -> Callable[..., Any]:
    def run(params: Any, data: Any) -> Any:
        return minimize(
            models.widenet_loss, params, _optimizer(), *data,
            steps=problem.steps, micro_batches=problem.parts, history=None,
        ).params  # fmt: skip

    return run


def _theirs(problem: Problem) -> Callable[..., Any]:
    optimizer = _optimizer()

    def run(params: Any, data: Any) -> Any:
        parts = _split(problem, data)

        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, state = carry

            def add(total: Any, part: Any) -> tuple[Any, None]:
                gradient = jax.grad(models.widenet_loss)(params, *part)
                return jax.tree.map(jnp.add, total, gradient), None

            total, _none = lax.scan(add, jax.tree.map(jnp.zeros_like, params), parts)
            mean = jax.tree.map(lambda leaf: leaf / problem.parts, total)
            updates, state = optimizer.update(mean, state, params)
            return (optax.apply_updates(params, updates), state), None

        return lax.scan(step, (params, optimizer.init(params)), length=problem.steps)[0][0]

    return run


def _split(problem: Problem, data: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.reshape(problem.parts, -1, *leaf.shape[1:]), data)


def _work(problem: Problem, arguments: Any) -> Work:
    """That of a micro-batch's gradient as often as it is taken: a bound, for the updates lack."""
    params, data = arguments
    gradient = value_and_grad(models.widenet_loss)
    part = (params, *jax.tree.map(lambda leaf: leaf[0], _split(problem, data)))
    program = jax.jit(gradient).lower(*part).compile()
    once = work_of(program, operations(jax.make_jaxpr(gradient)(*part)))
    return Work(problem.parts * once.operations, problem.parts * once.traffic, loops=True)
