"""PyTorch on the course's run and gradient; imported only where it is installed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch

from funcgrad.bench import _training as run
from funcgrad.bench._basic import widenet
from funcgrad.bench._figures import SECONDS, Figure
from funcgrad.bench._measure import ratio, timed


def figures(seconds: float) -> Iterator[Figure]:
    """The course's run as an eager loop, and one gradient of WideNet, eagerly."""
    yield run.beside_eager("PyTorch", _loop, repeats=3 if seconds >= 1 else 1)
    yield _gradient(seconds)


def _problem() -> tuple[list[torch.Tensor], Callable[[list[torch.Tensor]], torch.Tensor]]:
    params, x, y = run.arrays()
    leaves = [torch.tensor(params[n], requires_grad=True) for n in ("w1", "b1", "w2", "b2")]
    inputs, targets = torch.tensor(x), torch.tensor(y)

    def loss(leaves: list[torch.Tensor]) -> torch.Tensor:
        w1, b1, w2, b2 = leaves
        return torch.mean((torch.tanh(inputs @ w1 + b1) @ w2 + b2 - targets) ** 2)

    return leaves, loss


def _loop() -> float:
    leaves, loss = _problem()
    optimizer = torch.optim.SGD(leaves, lr=run.RATE, momentum=run.MOMENTUM)
    for _ in range(run.STEPS):
        optimizer.zero_grad()
        value = loss(leaves)
        value.backward()
        optimizer.step()
    return float(value.detach())


def _gradient(seconds: float) -> Figure:
    leaves, loss = _problem()
    workload = widenet()
    calls: dict[str, Callable[[], Any]] = {
        "ours": lambda: workload.ours(*workload.arguments),
        "theirs": lambda: torch.autograd.grad(loss(leaves), leaves),
    }
    times = timed(calls, seconds)
    return Figure(
        workload.name, "eager, peer", SECONDS, statistics.median(times["ours"]),
        statistics.median(times["theirs"]), "PyTorch", ratio(times["ours"], times["theirs"]),
        turns=len(times["ours"]),
    )  # fmt: skip
