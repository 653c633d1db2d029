"""The worker's side of an audit: a process that measures one case after another.

Nothing here imports JAX before a task comes: the process that hands out the tasks does without it,
and a worker's environment is set first.
"""

from __future__ import annotations

import functools
import importlib
import platform
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from ._records import Header, Row

_CLEARED_AFTER = 10  # cases: else compiled programs pile up


class Setting(NamedTuple):
    """What a worker is started with.

    Attributes:
        device: "cpu", "gpu" or "tpu".
        seed: of the points.
        imports: modules that declare rules of one's own.
    """

    device: str
    seed: int
    imports: tuple[str, ...] = ()


class Offer(NamedTuple):
    """A case that can be measured."""

    primitive: str
    family: str
    topic: str
    case: int
    dtypes: tuple[str, ...]
    note: str
    shapes: str


class Job(NamedTuple):
    """A case to measure.

    Attributes:
        offer: the case.
        dtypes: in which.
        broken: by dtype and part, with what status and message it broke before.
    """

    offer: Offer
    dtypes: tuple[str, ...]
    broken: tuple[tuple[str, str, str, str], ...] = ()


class Ready(NamedTuple):
    """What a worker can do."""

    header: Header
    offers: tuple[Offer, ...]


class State(NamedTuple):
    """What a worker notes before each part of a row; if it dies, that is what killed it.

    Attributes:
        rows: of the case, so far.
        dtype: of the row that it turns to.
        part: "jax", "funcgrad" or "reference".
    """

    rows: tuple[Row, ...]
    dtype: str
    part: str


class Failed(NamedTuple):
    """A worker cannot start; the message is for the user."""

    message: str


class Introduction(NamedTuple):
    """The task to say what there is to measure."""

    setting: Setting


class Order(NamedTuple):
    """The task to measure a case."""

    setting: Setting
    job: Job


def work(
    task: Introduction | Order, note: Callable[[State], None]
) -> Ready | Failed | tuple[Row, ...]:
    """Do a task: say what there is to measure, or measure the rows of a case."""
    if isinstance(task, Introduction):
        try:
            return _load(task.setting)[0]
        except Exception as error:
            return Failed(f"{type(error).__name__}: {error}")
    rows: tuple[Row, ...] = ()
    for dtype in task.job.dtypes:
        note(State(rows, dtype, "reference"))
        row = _load(task.setting)[1](
            task.job, dtype, lambda part, r=rows, d=dtype: note(State(r, d, part))
        )
        rows = (*rows, row)
    return rows


@functools.lru_cache(maxsize=1)  # a process has one setting
def _load(setting: Setting) -> tuple[Ready, Any]:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    try:
        device = jax.local_devices(backend=setting.device)[0]
    except RuntimeError as error:
        text = " ".join(str(error).split())
        raise RuntimeError(f"there is no device of the kind {setting.device} ({text})") from None
    for name in setting.imports:
        importlib.import_module(name)
    cases = importlib.import_module("funcgrad.audit._cases")
    measuring = importlib.import_module("funcgrad.audit._measure")
    examples = {(e.name, e.number): e for e in cases.examples()}
    header = _header(setting, device, tuple(cases.uncovered()))
    ready = Ready(header, tuple(_offer(example) for example in examples.values()))
    return ready, _measurer(examples, measuring, setting.seed, device)


def _offer(example: Any) -> Offer:
    return Offer(
        example.name, example.rule.family, example.topic, example.number, example.dtypes,
        example.case.note, example.shapes_text,
    )  # fmt: skip


def _header(setting: Setting, device: Any, uncovered: tuple[str, ...]) -> Header:
    versions = {name: importlib.import_module(name).__version__ for name in ("jax", "jaxlib")}
    return Header(
        device=setting.device,
        platform=str(device.device_kind),
        funcgrad=importlib.import_module("funcgrad").__version__,
        jax=versions["jax"],
        jaxlib=versions["jaxlib"],
        python=".".join(map(str, sys.version_info[:3])),
        machine=f"{platform.system()} {platform.machine()}",
        seed=setting.seed,
        uncovered=uncovered,
    )


def _measurer(examples: dict[Any, Any], measuring: Any, seed: int, device: Any) -> Any:
    """Measures a dtype of a job; the witness of a case serves all of its dtypes."""
    last: list[Any] = [None, None, 0]

    def measure(job: Job, dtype: str, began: Any) -> Row:
        key = job.offer.primitive, job.offer.case
        if last[0] != key:
            last[:] = [key, measuring.Witness(examples[key]), last[2] + 1]
            if last[2] % _CLEARED_AFTER == 0:
                importlib.import_module("jax").clear_caches()
        skip = {part: (status, text) for d, part, status, text in job.broken if d == dtype}
        task = measuring.Task(examples[key], dtype, seed, skip)
        row: Row = measuring.measure(task, last[1], device, began)
        return row

    return measure
