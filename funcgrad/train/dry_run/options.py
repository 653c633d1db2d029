"""The arguments of `funcgrad train` that are for a dry run."""

from __future__ import annotations

import argparse

from funcgrad._errors import ConfigurationError
from funcgrad.train.dry_run.machines import MACHINES
from funcgrad.train.options_types import whole_number

DEFAULT_MACHINE = "h200"
_ONLY_REAL = {  # what a dry run has no use for, and why
    "reference": "compares losses, but a dry run has none",
    "processes": "starts processes, but a dry run takes place in one",
    "coordinator": "joins processes, but a dry run takes place in one",
    "checkpoint": "keeps what is trained, but a dry run trains nothing",
}


def add_dry_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument_group("dry run").add_argument
    add(
        "--dry-run",
        action="store_true",
        help="compile the run for the devices of --mesh, for which the CPU stands in, and say\n"
        "what a step communicates, keeps and costs; nothing is trained or written",
    )
    add(
        "--examples",
        type=whole_number(1),
        metavar="N",
        help="suppose so many training examples (default: those of the data)",
    )
    add(
        "--machine",
        metavar="NAME",
        help=f"predict the time of a step on {', '.join(MACHINES)}, or with other\n"
        f"numbers, as {DEFAULT_MACHINE},network=25e9 (default: {DEFAULT_MACHINE})",
    )


def wants_dry_run(options: argparse.Namespace) -> bool:
    """Whether a dry run is asked for.

    Raises:
        ConfigurationError: an argument of a dry run is given to a real one, or the reverse.

    >>> from funcgrad.cli import build_parser
    >>> wants_dry_run(build_parser().parse_args(["train", "--dry-run", "--mesh", "data=256"]))
    True
    """
    if not options.dry_run:
        for name in ("examples", "machine"):
            if getattr(options, name) is not None:
                raise ConfigurationError(
                    f"--{name} is for a dry run, and this one trains; add --dry-run or leave it out"
                )
        return False
    for name, reason in _ONLY_REAL.items():
        if getattr(options, name) not in (None, False):
            raise ConfigurationError(f"--{name} {reason}; leave one of the two out")
    return True
