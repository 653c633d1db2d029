"""`funcgrad train --dry-run`: what a run would do on many devices, from its compiled program.

The program is the very one that a run with these arguments executes, compiled by XLA for as many
virtual devices as the mesh has. Its arguments are shapes only, so that neither parameters nor data
take room, however large; the devices are threads of the CPU that never run.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import jax

from funcgrad._errors import ConfigurationError
from funcgrad.parallel import parse_mesh
from funcgrad.train.dry_run.machines import find_machine
from funcgrad.train.dry_run.options import DEFAULT_MACHINE
from funcgrad.train.dry_run.plan import Plan, plan
from funcgrad.train.dry_run.report import Report, show
from funcgrad.train.options import Config, configure
from funcgrad.train.task import Task, plan_task

SIZES = (1, 8, 64, 256)  # devices for which a step is predicted, beside those of --mesh
MOST_DEVICES = 2048  # of one process; XLA counts those beyond as another's


def run(options: argparse.Namespace) -> int:
    """Compile, count, predict and report.

    Returns:
        The exit code 0.

    Raises:
        ConfigurationError, DataError: bad input, or more devices than this process can have.
    """
    config = configure(options)
    machine = find_machine(options.machine or DEFAULT_MACHINE)
    axes = {} if config.mesh is None else parse_mesh(config.mesh)
    make_devices(math.prod(axes.values()))
    task = plan_task(config, options.examples)
    _check_examples(task, axes.get("data", 1))
    asked = plan(config, task, config.mesh)
    left_out: list[str] = []
    fixed = list(_others(config, task, asked, axes, left_out, grow=False))
    grown = list(_others(config, task, asked, axes, left_out, grow=True))
    done = Report(config, task, asked, fixed, grown, machine, left_out)
    show(done, sys.stdout, options.json)
    return 0


def make_devices(least: int) -> None:
    """Let the CPU stand in for as many devices as are needed, unless JAX has begun to work already.

    Raises:
        ConfigurationError: JAX has begun, with fewer; or so many are beyond a process.
    """
    if least > MOST_DEVICES:
        raise ConfigurationError(
            f"a dry run can stand in for {MOST_DEVICES} devices, but --mesh has {least}; the "
            "communication of a step hardly changes beyond that"
        )
    try:
        jax.config.update("jax_num_cpu_devices", max(least, *SIZES))
        jax.config.update("jax_platforms", "cpu")
    except RuntimeError:
        if jax.device_count() < least:
            raise ConfigurationError(
                f"a dry run for {least} devices needs as many virtual ones, but JAX has already "
                f"started in this process with {jax.device_count()}; make it the first thing that "
                "the process does, as from a shell"
            ) from None


def _check_examples(task: Task, places: int) -> None:
    """As `check_fit`, but with the way out that a dry run has."""
    examples = task.batch_size or len(task.data.x)
    if examples % places:
        option = "--batch-size" if task.batch_size else "--examples"
        raise ConfigurationError(
            f"the {examples} examples of a step cannot be split evenly over data={places}; a dry "
            f"run can suppose others, for example by {option} {-(-examples // places) * places}"
        )


def _others(
    config: Config,
    task: Task,
    asked: Plan,
    axes: Mapping[str, int],
    left_out: list[str],
    *,
    grow: bool,
) -> Iterator[Plan]:
    """The same run on other numbers of devices; `left_out` learns why some of them cannot have it.

    Args:
        grow: let every device see as many examples as one of `asked` does, instead of sharing as
            many among all devices.
    """
    for size, mesh in _meshes(axes):
        if size == asked.devices:
            yield asked
            continue
        try:
            if size > jax.device_count():
                raise ConfigurationError(f"JAX has already started with {jax.device_count()}")
            parts = math.prod(axes.values()) // axes.get("data", 1)
            places = size // parts, axes.get("data", 1)
            yield plan(*(_grown(config, task, *places) if grow else (config, task)), mesh)
        except ConfigurationError as error:
            reason = f"{size} devices: {error}"
            left_out.extend([] if reason in left_out else [reason])


def _grown(config: Config, task: Task, places: int, before: int) -> tuple[Config, Task]:
    """A run with as many examples a step for each of so many places as each had before."""
    examples = -(-len(task.data.x) * places // before)
    batch = None if config.batch_size is None else config.batch_size * places // before
    grown = replace(config, batch_size=batch)
    return grown, plan_task(grown, examples)


def _meshes(axes: Mapping[str, int]) -> Iterator[tuple[int, str | None]]:
    """Numbers of devices and their meshes: as many along `data` as it takes, the rest as asked.

    >>> list(_meshes({"data": 4, "model": 2}))
    [(8, 'data=4,model=2'), (64, 'data=32,model=2'), (256, 'data=128,model=2')]
    """
    fixed = {name: size for name, size in axes.items() if name != "data"}
    parts = math.prod(fixed.values())
    for size in sorted({*SIZES, math.prod(axes.values())}):
        if size == 1 and not fixed:
            yield 1, None
        elif size % parts == 0:
            shape = {"data": size // parts} | fixed
            yield size, ",".join(f"{name}={count}" for name, count in shape.items())
