"""HIPS autograd on the same small functions; imported only where it is installed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import autograd
import autograd.numpy as np

from funcgrad.bench._basic import simple_graph, widenet
from funcgrad.bench._figures import SECONDS, Figure
from funcgrad.bench._measure import ratio, timed
from funcgrad.bench._workload import Workload


def figures(seconds: float) -> Iterator[Figure]:
    """Our eager gradients of the course's models beside autograd's."""
    yield _beside(simple_graph(), _simple_loss, seconds)
    yield _beside(widenet(), _widenet_loss, seconds)


def _simple_loss(params: Any, x: Any, y: Any) -> Any:
    return (y - np.tanh(x * params["w"] + params["b"])) ** 2


def _widenet_loss(params: Any, x: Any, y: Any) -> Any:
    hidden = np.tanh(np.dot(x, params["w1"]) + params["b1"])
    return np.mean((np.dot(hidden, params["w2"]) + params["b2"] - y) ** 2)


def _beside(workload: Workload, loss: Callable[..., Any], seconds: float) -> Figure:
    params, *rest = workload.arguments
    plain = {name: _plain(leaf) for name, leaf in params.items()}
    others = [_plain(leaf) for leaf in rest]
    theirs = autograd.grad(loss)
    calls: dict[str, Callable[[], Any]] = {
        "ours": lambda: workload.ours(*workload.arguments),
        "theirs": lambda: theirs(plain, *others),
    }
    times = timed(calls, seconds)
    return Figure(
        workload.name, "eager, small", SECONDS, statistics.median(times["ours"]),
        statistics.median(times["theirs"]), "autograd", ratio(times["ours"], times["theirs"]),
        turns=len(times["ours"]),
    )  # fmt: skip


def _plain(leaf: Any) -> Any:
    array = np.asarray(leaf)
    return array.item() if array.ndim == 0 else array
