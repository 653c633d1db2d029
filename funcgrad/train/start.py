"""Where `funcgrad train` begins: in this process, or in several that it starts."""

from __future__ import annotations

import argparse
import os
from importlib import import_module

from funcgrad._errors import ProcessLostError
from funcgrad.train.dry_run.options import wants_dry_run
from funcgrad.train.options import configure
from funcgrad.train.options_devices import AUTO, check_devices, launched_processes
from funcgrad.train.processes.supervise import supervise
from funcgrad.train.processes.worker import LOST, is_worker, leave


def run(options: argparse.Namespace) -> int:
    """Train as the arguments say.

    Args:
        options: what `funcgrad.train.options.add_arguments` parses.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: the arguments do not fit each other, or not a dry run.
        ProcessLostError: one of several processes is lost.
    """
    check_devices(options)
    configure(options)  # what is wrong there is told once, and not by every process
    code: int
    if wants_dry_run(options):
        code = import_module("funcgrad.train.dry_run.command").run(options)
        return code
    if options.processes is None and options.coordinator is None and launched_processes() > 1:
        options.coordinator = AUTO
    if not is_worker() and (options.processes is not None or options.coordinator is not None):
        return supervise(options)
    try:
        code = import_module("funcgrad.train.command").run(options)
    except ProcessLostError as error:
        # JAX would wait for the others, and the supervisor knows better what became of them.
        os.write(2, f"funcgrad: error: {error}\n".encode())
        leave(LOST)
    return code
