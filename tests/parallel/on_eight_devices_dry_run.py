"""Dry runs against real ones over eight devices: run by `test_devices.py` in such a process."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.cli import build_parser
from funcgrad.models import widenet, widenet_loss
from funcgrad.train.dry_run.command import make_devices
from funcgrad.train.dry_run.communication import Collective, collectives
from funcgrad.train.dry_run.hlo import parse
from funcgrad.train.dry_run.plan import per_device, plan
from funcgrad.train.dry_run.traffic import traffic
from funcgrad.train.layout import make_layout
from funcgrad.train.optimizers import RULES
from funcgrad.train.options import Config, configure
from funcgrad.train.program import Compiled, compile_run, make_optimizer
from funcgrad.train.task import Task, make_task, plan_task

MESHES = ("data=8", "data=4,model=2", "data=2,model=4", "model=8")


def config(*words: str) -> Config:
    return configure(build_parser().parse_args(["train", *words]))


def compiled(run: Config, task: Task, mesh: str | None) -> Compiled:
    optimizer = make_optimizer(run.optimizer, run.learning_rate)
    return compile_run(task, optimizer, run.warm_start_steps + run.steps, make_layout(mesh))


def text(program: Any) -> str:
    found: str = program.as_text()
    return found


def communication(run: Config, task: Task, mesh: str) -> tuple[Collective, ...]:
    layout = make_layout(mesh)
    assert layout is not None
    return collectives(parse(text(compiled(run, task, mesh).program)), dict(layout.shape))


# --- one all-reduce of the size of the parameters -------------------------------------------------


@pytest.mark.parametrize("devices", [2, 4, 8])
@pytest.mark.parametrize("words", [(), ("--batch-size", "8"), ("--width", "48")], ids=str)
def test_a_data_parallel_step_is_one_all_reduce(words: tuple[str, ...], devices: int) -> None:
    """Of a real run: every gradient and the loss, at once, and nothing else."""
    run = config(*words)
    task = make_task(run)
    (one,) = communication(run, task, f"data={devices}")
    parameters = sum(leaf.nbytes for leaf in task.params.values())
    assert (one.kind, one.axes, one.group) == ("all-reduce", ("data",), tuple(range(devices)))
    assert one.payload == parameters + 4
    assert (one.parts, one.times) == (len(task.params) + 1, 1)
    assert one.sent == 2 * (devices - 1) / devices * (parameters + 4)


@pytest.mark.parametrize("name", RULES)
def test_so_it_is_with_every_optimizer(name: str) -> None:
    run = config("--optimizer", name, "--width", "128")
    task = plan_task(run)
    (one,) = communication(run, task, "data=8")
    assert one.payload == 4 * (3 * 128 + 1) + 4


def test_a_loss_that_needs_more_communicates_more() -> None:
    """The twin: the largest of all errors has to be known before any gradient is."""

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        worst = jnp.max(jnp.abs(widenet(params, x) - y))
        return widenet_loss(params, x, y) / jax.lax.stop_gradient(worst)

    run = config("--width", "48")
    found = communication(run, make_task(run)._replace(loss=loss), "data=8")
    assert len(found) > 1
    assert sum(one.payload for one in found) > 4 * (3 * 48 + 1) + 4


@pytest.mark.parametrize(("data", "model"), [(4, 2), (2, 4)])
def test_along_both_axes(data: int, model: int) -> None:
    run = config("--width", "64")
    across, along, finite = communication(run, make_task(run), f"data={data},model={model}")
    assert (across.axes, across.payload) == (("model",), 4 * 32 // data)
    assert (along.axes, along.payload) == (("data",), 4 * (3 * 64 // model + 1) + 4)
    assert (finite.axes, finite.payload) == (("model",), 3)  # of the gradients that are split


# --- the dry run is of the run --------------------------------------------------------------------


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("words", [(), ("--batch-size", "8")], ids=str)
def test_the_program_is_that_of_a_run(words: tuple[str, ...], mesh: str) -> None:
    run = config("--width", "48", *words)
    real, planned = (compiled(run, task, mesh) for task in (make_task(run), plan_task(run)))
    assert text(real.program) == text(planned.program)
    other = config("--width", "56", *words)
    assert text(compiled(other, plan_task(other), mesh).program) != text(real.program)


@pytest.mark.parametrize("mesh", [None, *MESHES[:2]])
@pytest.mark.parametrize("name", ["gd", "momentum", "adam", "adafactor", "lamb", "novograd"])
def test_what_is_planned_lies_where_it_will(name: str, mesh: str | None) -> None:
    """Shapes, types and shardings of all that the program is given, with states of every kind."""
    run = config("--optimizer", name, "--width", "16", "--batch-size", "8", "--steps", "5")
    real, planned = (arguments(run, task, mesh) for task in (make_task(run), plan_task(run)))
    jax.tree.map(assert_alike, real, planned)  # which refuses trees that differ


def assert_alike(real: Any, planned: Any) -> None:
    assert (real.shape, real.dtype) == (planned.shape, planned.dtype)
    if isinstance(real, jax.Array):
        assert real.weak_type == planned.weak_type
        if planned.sharding is not None:  # as it is on one device
            assert real.sharding == planned.sharding
        else:
            assert len(real.devices()) == 1


def arguments(run: Config, task: Task, mesh: str | None) -> Any:
    made = compiled(run, task, mesh)
    return made.first, made.feed(0, 0)


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("words", [("--optimizer", "adam"), ("--batch-size", "16")], ids=str)
def test_the_bytes_of_a_device_are_those_of_its_arrays(words: tuple[str, ...], mesh: str) -> None:
    run = config("--width", "64", "--steps", "99", *words)
    memory = plan(run, plan_task(run), mesh).memory
    real = compiled(run, make_task(run), mesh)
    carry = real.first
    parts = [carry.params, carry.before, carry.state, real.feed(0, 0)]
    assert list(memory[:4]) == [held(part) for part in parts]
    assert per_device(parts) == held(parts)
    flags = (carry.losses, carry.skipped, carry.in_row, carry.healthy)
    rest = sum(leaf.nbytes for leaf in flags) + 4  # and the count of steps
    assert memory.arguments == sum(memory[:4]) + rest


def held(tree: Any) -> int:
    """What the first device really holds."""
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("mesh", [None, *MESHES[:2]])
@pytest.mark.parametrize("words", [(), ("--batch-size", "8"), ("--optimizer", "adam")], ids=str)
def test_the_traffic_is_what_xla_counts(words: tuple[str, ...], mesh: str | None) -> None:
    """Of the whole program, for only that does XLA count."""
    run = config("--width", "4096", *words)
    program: Any = compiled(run, plan_task(run), mesh).program
    module = parse(program.as_text())
    counted = program.cost_analysis()["bytes accessed"]
    np.testing.assert_allclose(traffic(module, module.entry), counted, rtol=0.06)


def test_more_devices_than_jax_has_started_with() -> None:
    make_devices(8)
    with pytest.raises(ConfigurationError, match="already started in this process with 8; make"):
        make_devices(16)
