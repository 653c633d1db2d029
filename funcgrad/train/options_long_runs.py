"""The arguments of `funcgrad train` for runs that are to survive: checkpoints and guards."""

from __future__ import annotations

import argparse

from funcgrad._errors import ConfigurationError
from funcgrad.train.options_types import folder, positive_number, whole_number

KEEP = 3
LATEST = -1
STOP, SKIP, RESTORE = "stop", "skip", "restore"


def add_long_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group("long runs")
    add = group.add_argument
    add(
        "--checkpoint",
        type=folder,
        metavar="DIR",
        help="folder for checkpoints, written while the run goes on (extra: checkpoint)",
    )
    add(
        "--every",
        type=whole_number(1),
        metavar="N",
        help="steps between two checkpoints (default: a tenth of the run)",
    )
    add(
        "--keep",
        type=whole_number(1),
        default=KEEP,
        metavar="K",
        help=f"how many checkpoints stay (default: {KEEP})",
    )
    add(
        "--resume",
        type=whole_number(0),
        nargs="?",
        const=LATEST,
        metavar="STEP",
        help="go on from the last checkpoint, or from that of a step; begin if there is none",
    )
    add(
        "--on-nonfinite",
        choices=(STOP, SKIP, RESTORE),
        default=STOP,
        help="when a loss or a gradient is not finite: end the run, take no step there, or go\n"
        "back to the parameters of the last checkpoint (default: stop)",
    )
    add(
        "--clip-norm",
        type=positive_number,
        metavar="NORM",
        help="scale a gradient of a larger norm down to it (default: no limit)",
    )


def check_long_run(options: argparse.Namespace) -> None:
    """Raise if an argument needs ``--checkpoint``, which is not given.

    Raises:
        ConfigurationError: it does.
    """
    if options.checkpoint is not None:
        return
    asked = {
        "--every": options.every is not None,
        "--resume": options.resume is not None,
        "--on-nonfinite restore": options.on_nonfinite == RESTORE,
    }
    if missing := [name for name, given in asked.items() if given]:
        raise ConfigurationError(f"{missing[0]} needs --checkpoint DIR, the folder of checkpoints")
