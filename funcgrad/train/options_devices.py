"""The arguments of `funcgrad train` about devices and processes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from funcgrad._errors import ConfigurationError
from funcgrad.train.options_types import whole_number

AUTO = "auto"
TIMEOUT = 60
# What a launcher sets: how many processes there are, and which one this is.
_LAUNCHERS = (
    ("SLURM_NTASKS", "SLURM_PROCID"),
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
)


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group("devices and processes")
    add = group.add_argument
    add(
        "--mesh",
        metavar="AXES",
        help="data=8 splits the examples of a step over eight devices, data=4,model=2 over four\n"
        "and the hidden units over two (default: one device; with processes: all, as data)",
    )
    add(
        "--processes",
        type=whole_number(1),
        metavar="N",
        help="start N processes on this machine, which train together",
    )
    add(
        "--coordinator",
        metavar="HOST:PORT",
        help="train together with processes that are started elsewhere: where process 0 listens;\n"
        "auto: as the cluster says (Slurm, Open MPI, Kubernetes, Cloud TPU)",
    )
    add(
        "--process-id",
        type=whole_number(0),
        metavar="I",
        help="with --coordinator: this one, from 0",
    )
    add("--num-processes", type=whole_number(1), metavar="N", help="with --coordinator: how many")
    add(
        "--timeout",
        type=whole_number(5),
        default=TIMEOUT,
        metavar="SECONDS",
        help="how long processes wait for each other, and live without a sign of one that is\n"
        f"lost (default: {TIMEOUT})",
    )


def check_devices(options: argparse.Namespace) -> None:
    """Raise unless the arguments about processes fit each other.

    Raises:
        ConfigurationError: they do not.
    """
    named = (options.process_id, options.num_processes)
    if options.processes is not None and (options.coordinator or named != (None, None)):
        raise ConfigurationError(
            "--processes starts all processes on this machine, and --coordinator joins others; "
            "give one of them"
        )
    if options.coordinator in (None, AUTO):
        if named != (None, None):
            raise ConfigurationError(
                "--process-id and --num-processes need --coordinator HOST:PORT, where process 0 "
                "listens"
            )
        return
    host, _, port = options.coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ConfigurationError(
            f"--coordinator {options.coordinator} is no HOST:PORT; for example 10.0.0.1:4321, or "
            "auto"
        )
    if None in named or options.process_id >= options.num_processes:
        raise ConfigurationError(
            f"--coordinator {options.coordinator} needs --process-id I and --num-processes N with "
            f"I from 0 to N - 1, but has I={named[0]} and N={named[1]}"
        )


def launched_processes(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes a launcher of a cluster, such as `srun` or `mpirun`, has started.

    >>> launched_processes({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}), launched_processes({})
    (4, 1)
    """
    for count, number in _LAUNCHERS:
        if number in environment and environment.get(count, "").isdecimal():
            return int(environment[count])
    return 1
