"""What a run costs for each of its devices and each step, read off its compiled program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from jax.sharding import NamedSharding

from funcgrad._errors import ConfigurationError
from funcgrad.train.dry_run.communication import Collective, collectives
from funcgrad.train.dry_run.hlo import body_of, parse, training_loop
from funcgrad.train.dry_run.traffic import traffic
from funcgrad.train.layout import check_fit, make_layout
from funcgrad.train.options import Config
from funcgrad.train.options_long_runs import SKIP
from funcgrad.train.program import Compiled, compile_run, make_optimizer
from funcgrad.train.task import Task

_DEAR = 10  # operations that a tanh or an exponential counts for, as in `funcgrad bench`


class Memory(NamedTuple):
    """Bytes on each device.

    Attributes:
        parameters: what is trained.
        kept: the last parameters whose loss is known to be finite.
        state: the optimiser's.
        examples: of all that the program is given at once.
        arguments, results, temporary: what XLA says of the program; `parameters` to `examples` are
            among its arguments.
    """

    parameters: int
    kept: int
    state: int
    examples: int
    arguments: int
    results: int
    temporary: int

    @property
    def total(self) -> int:
        """Everything at once: the results do not take the place of the arguments."""
        return self.arguments + self.results + self.temporary


class Plan(NamedTuple):
    """What one compiled program costs, for each of its devices and each step.

    Attributes:
        axes: the mesh; empty for one device.
        devices: how many.
        examples: that all of them together see in a step.
        collectives: of a step.
        memory: of a device.
        operations: of a device and a step, where a transcendental function counts for ten.
        traffic: bytes that a device reads from and writes to its memory in a step.
        seconds: for tracing, lowering and compiling.
    """

    axes: Mapping[str, int]
    devices: int
    examples: int
    collectives: tuple[Collective, ...]
    memory: Memory
    operations: float
    traffic: float
    seconds: float


def plan(config: Config, task: Task, mesh_text: str | None) -> Plan:
    """Compile the program of a run on a mesh and read off what it costs.

    Args:
        config: the run; of it the optimiser, its rate and the steps.
        task: of `plan_task`, or a real one.
        mesh_text: the devices, as of ``--mesh``.

    Raises:
        ConfigurationError: the mesh does not fit the task or the devices.

    >>> from funcgrad.cli import build_parser
    >>> from funcgrad.train.options import configure
    >>> from funcgrad.train.task import plan_task
    >>> config = configure(build_parser().parse_args(["train", "--width", "1048576"]))
    >>> alone = plan(config, plan_task(config), None)
    >>> alone.collectives, alone.memory.parameters == 4 * (3 * 2**20 + 1)
    ((), True)
    """
    mesh = make_layout(mesh_text)
    check_fit(task, config.width, mesh)
    optimizer = make_optimizer(config.optimizer, config.learning_rate, config.clip_norm)
    steps = config.warm_start_steps + config.steps
    try:
        compiled = compile_run(task, optimizer, steps, mesh, skip=config.on_nonfinite == SKIP)
    except jax.errors.JaxRuntimeError as error:
        raise ConfigurationError(
            f"XLA cannot compile this run ({str(error).splitlines()[0]}); try a smaller --width "
            "or --mesh"
        ) from error
    return _measured(compiled, task.batch_size or len(task.data.x))


# --- one program ----------------------------------------------------------------------------------


def _measured(compiled: Compiled, examples: int) -> Plan:
    program: Any = compiled.program
    axes = {} if compiled.mesh is None else dict(compiled.mesh.shape)
    module = parse(program.as_text())
    costs = program.cost_analysis()
    if isinstance(costs, list):
        (costs,) = costs
    # The loop's body counts once there, and what stands around it only copies.
    operations = costs.get("flops", 0.0) + _DEAR * costs.get("transcendentals", 0.0)
    return Plan(
        axes,
        math.prod(axes.values()),
        examples,
        collectives(module, axes or {"data": 1}),
        _memory(compiled),
        float(operations),
        traffic(module, body_of(training_loop(module))),
        compiled.seconds,
    )


def _memory(compiled: Compiled) -> Memory:
    carry, program = compiled.first, compiled.program
    stats: Any = program.memory_analysis()  # type: ignore[attr-defined]  # a compiled function
    return Memory(
        per_device(carry.params),
        per_device(carry.before),
        per_device(carry.state),
        per_device(compiled.feed(0, 0)),
        stats.argument_size_in_bytes,
        stats.output_size_in_bytes,
        stats.temp_size_in_bytes,
    )


def per_device(tree: Any) -> int:
    """The bytes of a tree's leaves on each device, from their shapes and shardings alone.

    >>> import numpy as np
    >>> per_device({"w": np.ones((3, 2), np.float32), "n": jax.ShapeDtypeStruct((), "int32")})
    28
    """
    return sum(_shard(leaf) for leaf in jax.tree.leaves(tree))


def _shard(leaf: Any) -> int:
    sharding = getattr(leaf, "sharding", None)
    shape = sharding.shard_shape(leaf.shape) if isinstance(sharding, NamedSharding) else leaf.shape
    return int(math.prod(shape) * leaf.dtype.itemsize)
