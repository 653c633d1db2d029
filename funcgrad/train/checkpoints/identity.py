"""What makes two runs the same one, so that the second may go on where the first was."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from funcgrad.train.options import Config
from funcgrad.train.task import Task

# How many steps, where, and what is told may differ; these may not.
_DECISIVE = (
    "data", "target", "optimizer", "learning_rate", "seed", "batch_size", "width",
    "warm_start_steps", "clip_norm",
)  # fmt: skip


def identity(config: Config, task: Task) -> dict[str, Any]:
    """Return what a run depends on as plain data: options, and a fingerprint of the examples.

    >>> from funcgrad.cli import build_parser
    >>> from funcgrad.train.options import configure
    >>> from funcgrad.train.task import make_task
    >>> config = configure(build_parser().parse_args(["train", "--width", "4"]))
    >>> identity(config, make_task(config))["learning_rate"]
    0.003
    """
    run = {name: getattr(config, name) for name in _DECISIVE}
    fingerprint = hashlib.sha256()
    for array in (task.data.x, task.data.y):
        fingerprint.update(np.ascontiguousarray(array).tobytes())
    return run | {"examples": fingerprint.hexdigest()[:16]}


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Say how a run that was saved differs from this one.

    >>> differences({"seed": 1, "width": 4}, {"seed": 1, "width": 8})
    ['--width 4 there, 8 here']
    """
    return [
        f"{_word(name)} {_value(there.get(name))} there, {_value(here.get(name))} here"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]


def _value(value: Any) -> Any:
    return "not given" if value is None else value


def _word(name: str) -> str:
    return name if name == "examples" else f"--{name.replace('_', '-')}"
