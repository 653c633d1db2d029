"""Predictions and how they are shown, of plans by hand."""

import io
import json

import pytest

from funcgrad.cli import build_parser
from funcgrad.train.dry_run.communication import Collective
from funcgrad.train.dry_run.machines import Machine, find_machine
from funcgrad.train.dry_run.plan import Memory, Plan
from funcgrad.train.dry_run.report import Report, payload, predict, record, sent, show
from funcgrad.train.options import configure
from funcgrad.train.task import plan_task

SIMPLE = Machine(1e3, 1e3, 1e6, 8, 1e3, 0.0, 1e3, 0.0, 0.0)
MEMORY = Memory(400, 400, 0, 64, 900, 900, 200)


def reduced(payload_bytes: int, members: int, times: float = 1) -> Collective:
    return Collective("all-reduce", 2, payload_bytes, tuple(range(members)), ("data",), times)


def made(devices: int, *found: Collective, memory: Memory = MEMORY) -> Plan:
    axes = {"data": devices} if devices > 1 else {}
    return Plan(axes, devices, 64, found, memory, 64e3 / devices, 32e3 / devices, 0.25)


def report(machine: Machine = SIMPLE, memory: Memory = MEMORY) -> Report:
    config = configure(build_parser().parse_args(["train", "--dry-run"]))
    plans = [made(1), made(4, reduced(8000, 4), memory=memory)]
    return Report(config, plan_task(config), plans[1], plans, plans, machine, ["64 devices: no"])


def shown(done: Report, as_json: bool = False) -> str:
    stream = io.StringIO()
    show(done, stream, as_json)
    return stream.getvalue()


def test_a_step_is_its_work_and_its_communication() -> None:
    own = predict(made(4, reduced(8000, 4), reduced(800, 2, times=3)), SIMPLE)
    assert own.compute == 16  # the operations; half of it for the traffic
    assert own.communication == 2 * 3 / 4 * 8 + 3 * 2 * 1 / 2 * 0.8
    assert own.apart == own.compute + own.communication
    assert own.overlapped == own.compute


def test_communication_can_be_the_longer_one() -> None:
    own = predict(made(4, reduced(80_000, 4)), SIMPLE)
    assert own.overlapped == own.communication == 120


def test_what_happens_three_times_counts_three_times() -> None:
    plan = made(4, reduced(8000, 4), reduced(800, 2, times=3))
    assert payload(plan) == 8000 + 3 * 800
    assert sent(plan) == 12000 + 3 * 800


def test_the_table() -> None:
    lines = shown(report()).splitlines()
    text = "\n".join(lines)
    assert "a step communicates   all-reduce along data (4): 2 arrays, 8,000 bytes" in text
    assert "predicted with 64 examples a step, shared" in text
    assert "predicted with 16 examples a step for every place along data" in text
    assert "left out: 64 devices: no" in text
    rows = [line.split() for line in lines if "data=4 " in line]
    assert [row[-1] for row in rows[-2:]] == ["2.29", "2.29"]  # 64 s of work alone, and 16 + 12
    assert max(map(len, lines)) <= 80


def test_what_is_done_more_than_once_is_told() -> None:
    plan = made(4, reduced(8000, 4, times=3), reduced(800, 2)._replace(axes=(), parts=1))
    text = shown(report()._replace(asked=plan))
    assert "3 x all-reduce along data (4): 2 arrays, 8,000 bytes" in text
    assert "  all-reduce (2): 1 array, 800 bytes" in text
    assert "a step communicates   nothing" in shown(report()._replace(asked=made(1)))


def test_too_much_memory_is_marked() -> None:
    assert "2 kB!" in shown(report(SIMPLE._replace(capacity=1999.0)))
    assert "2 kB!" not in shown(report())


def test_the_record_is_json_and_complete() -> None:
    read = json.loads(shown(report(), as_json=True))
    assert read == json.loads(json.dumps(record(report())))
    assert read["communication_bytes"] == 8000
    assert [row["devices"] for row in read["same_examples"]] == [1, 4]
    assert read["machine"]["island"] == 8
    assert read["step_seconds"] == 28


@pytest.mark.parametrize("name", ["a100", "tpu-v5e"])
def test_every_machine_can_be_shown(name: str) -> None:
    text = shown(report(find_machine(name)))
    assert max(map(len, text.splitlines())) <= 80
