"""What a gradient costs beside `jax.grad`: compiled, eager, and to trace."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from .. import models
from .._transform import grad
from ._measure import Ratio, in_turns, ratio


class Workload(NamedTuple):
    """A loss with its arguments; the gradient is by the first."""

    name: str
    loss: Callable[..., Any]
    arguments: tuple[Any, ...]


class Row(NamedTuple):
    """One figure of one workload."""

    workload: str
    figure: str
    ours: float  # median seconds
    jax: float
    ratio: Ratio
    control: Ratio  # jax.grad against itself
    note: str


def workloads() -> list[Workload]:
    """The course's two models."""
    sine = models.noisy_sine()
    simple = {"w": jax.numpy.float32(-0.5), "b": jax.numpy.float32(0.5)}
    point = (jax.numpy.float32(1.0), jax.numpy.float32(7.0))
    return [
        Workload("WideNet 512", models.widenet_loss, (models.init_widenet(), sine.x, sine.y)),
        Workload("SimpleGraph", models.simple_graph_loss, (simple, *point)),
    ]


def compare(workload: Workload, turns: int) -> list[Row]:
    """All figures of one workload."""
    return [
        _compiled(workload, turns, "compiled"),
        _compiled(workload, turns, "strong zeros", strong_zeros=True),
        _eager(workload, turns),
        _traced(workload, turns),
    ]


def _row(
    workload: Workload, figure: str, calls: dict[str, Callable[[], Any]], turns: int, note: str = ""
) -> Row:
    times = in_turns(calls, turns)
    return Row(
        workload.name,
        figure,
        statistics.median(times["ours"]),
        statistics.median(times["jax"]),
        ratio(times["ours"], times["jax"]),
        ratio(times["again"], times["jax"]),
        note,
    )


def _compiled(workload: Workload, turns: int, figure: str, strong_zeros: bool = False) -> Row:
    programs = {
        "ours": _compile(grad(workload.loss, strong_zeros=strong_zeros), workload),
        "jax": _compile(jax.grad(workload.loss), workload),
        "again": _compile(jax.grad(workload.loss), workload),
    }
    same = skeleton(programs["ours"].as_text()) == skeleton(programs["jax"].as_text())
    calls = {name: _call(program, workload) for name, program in programs.items()}
    note = "same optimised program" if same else "another optimised program"
    return _row(workload, figure, calls, turns, note)


def _compile(gradient: Callable[..., Any], workload: Workload) -> Any:
    return _fresh(gradient).lower(*workload.arguments).compile()


def _fresh(gradient: Callable[..., Any]) -> Any:
    """A jitted copy that JAX has not met: of a known function it would reuse what it has."""

    def copy(*arguments: Any) -> Any:
        return gradient(*arguments)

    return jax.jit(copy)


def _call(program: Callable[..., Any], workload: Workload) -> Callable[[], Any]:
    return lambda: program(*workload.arguments)


def _eager(workload: Workload, turns: int) -> Row:
    theirs = jax.grad(workload.loss)
    calls = {
        "ours": _call(grad(workload.loss), workload),
        "jax": _call(theirs, workload),
        "again": _call(theirs, workload),
    }
    return _row(workload, "eager", calls, turns)


def _traced(workload: Workload, turns: int) -> Row:
    def tracing(gradient: Callable[..., Any]) -> Callable[[], Any]:
        def trace() -> None:
            _fresh(gradient).trace(*workload.arguments)

        return trace

    theirs = jax.grad(workload.loss)
    calls = {"ours": tracing(grad(workload.loss)), "jax": tracing(theirs), "again": tracing(theirs)}
    return _row(workload, "trace", calls, turns)


def skeleton(program: str) -> list[str]:
    """The operations of a compiled program with their shapes, without names and source lines."""
    operations = []
    for line in program.splitlines():
        found = re.match(r"\s*(?:ROOT )?%?[\w.-]+ = (\S+) ([\w-]+)\(", line)
        if found:
            operations.append(f"{found[2]} {found[1]}")
    return sorted(operations)
