"""What a dry run prints: a table for people, or one JSON object."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO

import jax

from funcgrad import __version__
from funcgrad.train import report
from funcgrad.train.dry_run.communication import Collective
from funcgrad.train.dry_run.machines import Machine, compute_seconds, ring_seconds
from funcgrad.train.dry_run.plan import Plan
from funcgrad.train.options import Config
from funcgrad.train.output import as_json
from funcgrad.train.task import Task


class Report(NamedTuple):
    """Everything that is known after a dry run.

    Attributes:
        asked: the program for the mesh that was asked for.
        fixed: the programs for several numbers of devices that share the examples of a step.
        grown: those whose devices see as many examples each as those of `asked`.
        left_out: numbers of devices without a program, and why.
    """

    config: Config
    task: Task
    asked: Plan
    fixed: Sequence[Plan]
    grown: Sequence[Plan]
    machine: Machine
    left_out: Sequence[str]


class Prediction(NamedTuple):
    """How long a step takes, in seconds.

    Attributes:
        compute: the devices' own work.
        communication: all collectives, one after the other.
    """

    compute: float
    communication: float

    @property
    def apart(self) -> float:
        """Of a step whose communication begins when its work is done."""
        return self.compute + self.communication

    @property
    def overlapped(self) -> float:
        """Of a step that hides whichever of the two is shorter: no schedule is faster."""
        return max(self.compute, self.communication)


def predict(plan: Plan, machine: Machine) -> Prediction:
    """Apply the model of `funcgrad.train.dry_run.machines` to a compiled program."""
    communication = sum(
        each.times * ring_seconds(machine, each.kind, each.group, each.sent)
        for each in plan.collectives
    )
    return Prediction(compute_seconds(machine, plan.operations, plan.traffic), communication)


def payload(plan: Plan) -> float:
    """Bytes that a step combines or exchanges."""
    return sum(each.times * each.payload for each in plan.collectives)


def sent(plan: Plan) -> float:
    """Bytes that each device sends in a step, along rings."""
    return sum(each.times * each.sent for each in plan.collectives)


def show(done: Report, stream: TextIO, as_record: bool) -> None:
    """Print a dry run."""
    if as_record:
        print(as_json(record(done)), file=stream)
        return
    report.show(_rows(done), stream)
    for line in _scaling(done):
        print(line, file=stream)


# --- for people -----------------------------------------------------------------------------------


def _rows(done: Report) -> list[tuple[str, str]]:
    config, task, asked = done.config, done.task, done.asked
    memory = asked.memory
    own = predict(asked, done.machine)
    return [
        ("devices", f"{asked.devices} as {_mesh(asked)}, virtual: compiled, not run"),
        ("data", f"{report.clipped(task.data.name)}, {asked.examples} examples a step"),
        ("optimizer", config.optimizer),
        ("parameters", f"{_parameters(task):,}"),
        *_communication(asked),
        ("  all together", _bytes(payload(asked))),
        ("  sent by a device", f"{_bytes(sent(asked))}, along rings"),
        ("memory of a device", _bytes(memory.total)),
        ("  parameters", _bytes(memory.parameters)),
        ("  the last good ones", _bytes(memory.kept)),
        ("  optimizer's state", _bytes(memory.state)),
        ("  examples of a call", _bytes(memory.examples)),
        ("  all arguments", _bytes(memory.arguments)),
        ("  results", _bytes(memory.results)),
        ("  temporary", _bytes(memory.temporary)),
        ("work of a device", f"{asked.operations:,.0f} operations a step"),
        ("  memory traffic", f"{_bytes(asked.traffic)} a step"),
        ("predicted step", f"{_time(own.apart)}, or {_time(own.overlapped)} overlapped"),
        ("compile seconds", f"{asked.seconds:.2f}"),
    ]


def _communication(plan: Plan) -> list[tuple[str, str]]:
    title = "a step communicates"
    if not plan.collectives:
        return [(title, "nothing")]
    titles = [title, *[""] * (len(plan.collectives) - 1)]
    return list(zip(titles, map(_in_words, plan.collectives), strict=True))


def _in_words(each: Collective) -> str:
    often = "" if each.times == 1 else f"{each.times:g} x "
    along = f" along {' and '.join(each.axes)}" if each.axes else ""
    arrays = f"{each.parts} array{'s' if each.parts > 1 else ''}"
    return f"{often}{each.kind}{along} ({len(each.group)}): {arrays}, {each.payload:,} bytes"


def _scaling(done: Report) -> list[str]:
    asked = done.asked
    share = asked.examples // asked.axes.get("data", 1)
    each = f"{share} example{'s' if share > 1 else ''}"
    return [
        *_table(done.fixed, done.machine, f"{asked.examples} examples a step, shared"),
        *_table(done.grown, done.machine, f"{each} a step for every place along data"),
        *(line for reason in done.left_out for line in _left_out(reason)),
        *_model(done.machine),
    ]


def _table(plans: Sequence[Plan], machine: Machine, title: str) -> list[str]:
    lines = [
        "",
        f"predicted with {title}",
        f"{'devices':>7}  {'mesh':<16}{'memory':>8}{'sent':>8}{'compute':>8}{'comm.':>8}"
        f"{'step':>8}{'overlap':>8}{'faster':>7}",
    ]
    rates = [plan.examples / predict(plan, machine).apart for plan in plans]
    for plan, rate in zip(plans, rates, strict=True):
        own = predict(plan, machine)
        memory = _short(plan.memory.total) + "!" * (plan.memory.total > machine.capacity)
        times = (own.compute, own.communication, own.apart, own.overlapped)
        cells = (memory, _short(sent(plan)), *map(_time, times))
        numbers = "".join(f"{cell:>8}" for cell in cells)
        lines.append(f"{plan.devices:>7}  {_mesh(plan):<16}{numbers}{rate / rates[0]:>7.2f}")
    return lines


def _left_out(reason: str) -> list[str]:
    return textwrap.wrap(f"left out: {reason}", 80, subsequent_indent="  ")


def _model(machine: Machine) -> list[str]:
    return [
        "",
        "step: compute, then communicate; overlap: the longer of the two, a lower bound",
        "faster: in examples a second, over the first row; !: more than the memory",
        f"device: {machine.operations:.3g} operations/s, {_short(machine.memory)}/s; "
        f"{machine.island} linked by {_short(machine.link)}/s, {_time(machine.link_latency)} a hop",
        f"beyond: {_short(machine.network)}/s for each, {_time(machine.network_latency)} a hop; "
        f"{_time(machine.start)} for a collective to start",
    ]


def _mesh(plan: Plan) -> str:
    return ",".join(f"{name}={size}" for name, size in plan.axes.items()) or "one"


def _parameters(task: Task) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(task.params))


def _bytes(count: float) -> str:
    """A number of bytes, to the byte and in short.

    >>> _bytes(12582920)
    '12,582,920 bytes (12.6 MB)'
    """
    exact = f"{count:,.0f} bytes"
    return exact if count < 1000 else f"{exact} ({_short(count)})"


def _short(count: float) -> str:
    """Three digits and a unit.

    >>> _short(0), _short(999), _short(12582920), _short(4.8e12)
    ('0 B', '999 B', '12.6 MB', '4.8 TB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _time(seconds: float) -> str:
    """Three digits and a unit.

    >>> _time(67.8e-9), _time(3.4e-6), _time(0.00123), _time(75.0)
    ('67.8 ns', '3.4 us', '1.23 ms', '75 s')
    """
    for unit, scale in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


# --- for programs ---------------------------------------------------------------------------------


def record(done: Report) -> dict[str, Any]:
    """Return what a dry run found, ready for JSON."""
    config, task = done.config, done.task
    return {
        **_as_record(done.asked, done.machine),
        "parameters": _parameters(task),
        "data": task.data.name,
        "optimizer": config.optimizer,
        "width": config.width,
        "compiled_for": f"{jax.default_backend()}, {jax.device_count()} virtual devices",
        "machine": done.machine._asdict(),
        "same_examples": [_as_record(plan, done.machine) for plan in done.fixed],
        "same_examples_per_device": [_as_record(plan, done.machine) for plan in done.grown],
        "left_out": list(done.left_out),
        "versions": {"funcgrad": __version__, "jax": jax.__version__},
    }


def _as_record(plan: Plan, machine: Machine) -> dict[str, Any]:
    own = predict(plan, machine)
    return {
        "devices": plan.devices,
        "mesh": dict(plan.axes),
        "examples": plan.examples,
        "collectives": [
            {
                "kind": each.kind,
                "arrays": each.parts,
                "bytes": each.payload,
                "sent_bytes": each.sent,
                "group": len(each.group),
                "axes": list(each.axes),
                "times": each.times,
            }
            for each in plan.collectives
        ],
        "communication_bytes": payload(plan),
        "sent_bytes": sent(plan),
        "memory": plan.memory._asdict() | {"total": plan.memory.total},
        "operations": plan.operations,
        "traffic_bytes": plan.traffic,
        "compute_seconds": own.compute,
        "communication_seconds": own.communication,
        "step_seconds": own.apart,
        "overlapped_step_seconds": own.overlapped,
        "compile_seconds": round(plan.seconds, 6),
    }
