"""The arguments of `funcgrad train`, and the configuration of a run that they make."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from funcgrad._errors import ConfigurationError
from funcgrad.train.dry_run.options import add_dry_run_arguments
from funcgrad.train.optimizers import RULES, find_rule
from funcgrad.train.options_devices import add_device_arguments
from funcgrad.train.options_long_runs import KEEP, add_long_run_arguments, check_long_run
from funcgrad.train.options_types import folder, positive_number, whole_number

LARGEST_WIDTH = 2**24  # a layer of this width fills a small GPU; beyond lies a typing error


@dataclass(frozen=True)
class Config:
    """What a run depends on, with every default filled in.

    Attributes:
        data: "sine", "diabetes", "digits" or the path of a CSV file.
        target: the column to predict; None for the built-in data.
        optimizer: a key of `RULES`.
        steps: how many steps are recorded.
        learning_rate: the step size.
        seed: decides data, parameters, split and mini-batches.
        batch_size: examples for a step; None for all of them.
        width: hidden units.
        warm_start_steps: unrecorded steps before the recorded ones; the optimiser's state is kept.
        reference: train in Flax and Optax, too, and compare.
        out: the folder for the results.
        mesh: the devices as axes, for example "data=4,model=2"; None for one device.
        clip_norm: the largest norm of a step's gradient; None for any.
        on_nonfinite: "stop", "skip" or "restore".
        checkpoint: the folder for checkpoints; None for none.
        every: steps between two checkpoints.
        keep: how many checkpoints stay.
        resume: the step of the checkpoint to go on from, `LATEST` for the last; None to begin.
    """

    data: str
    target: str | None
    optimizer: str
    steps: int
    learning_rate: float
    seed: int
    batch_size: int | None
    width: int
    warm_start_steps: int
    reference: bool
    out: Path
    mesh: str | None = None
    clip_norm: float | None = None
    on_nonfinite: str = "stop"
    checkpoint: Path | None = None
    every: int = 0
    keep: int = KEEP
    resume: int | None = None


class Defaults(NamedTuple):
    """What a data set suggests where the user says nothing.

    Attributes:
        descent_rate: the learning rate of the rules whose step is proportional to the gradient.
    """

    optimizer: str
    steps: int
    warm_start_steps: int
    descent_rate: float


DATA_SETS: Mapping[str, Defaults] = MappingProxyType(
    {
        "sine": Defaults("momentum", 1847, 1, 0.003),
        "diabetes": Defaults("adam", 100, 0, 0.01),
        "digits": Defaults("adam", 300, 0, 0.1),
    }
)
CSV_FILE = Defaults("adam", 1000, 0, 0.003)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `funcgrad train`."""
    parser.description = (
        "Fit WideNet (linear, tanh, linear) to data with this package's gradients, as one\n"
        "compiled program. Without arguments: the run of the course, in a few seconds."
    )
    parser.epilog = _defaults_in_words()
    add = parser.add_argument
    add(
        "--data",
        default="sine",
        metavar="NAME|FILE.csv",
        help="sine, diabetes, digits, or a CSV file of numbers with a header (default: sine)",
    )
    add("--target", metavar="COLUMN", help="the column of the CSV file to predict")
    add("--optimizer", metavar="NAME", help="gd, momentum, adam, ...; see below")
    add("--steps", type=whole_number(0), metavar="N", help="recorded steps; see below")
    add("--learning-rate", type=positive_number, metavar="RATE", help="the step size; see below")
    add(
        "--seed",
        type=whole_number(-(2**63), 2**64 - 1),
        default=2021,
        metavar="N",
        help="decides noise, parameters, split and mini-batches (default: 2021)",
    )
    add(
        "--batch-size",
        type=whole_number(1),
        metavar="N",
        help="examples for a step, drawn without replacement, epoch by epoch (default: all)",
    )
    add(
        "--width",
        type=whole_number(1, LARGEST_WIDTH),
        default=512,
        metavar="N",
        help="hidden units (default: 512)",
    )
    add(
        "--warm-start-steps",
        type=whole_number(0),
        metavar="N",
        help="steps before the recorded ones, the course's extra first step; see below",
    )
    _add_result_arguments(add)
    add_device_arguments(parser)
    add_long_run_arguments(parser)
    add_dry_run_arguments(parser)


def _add_result_arguments(add: Callable[..., object]) -> None:
    add(
        "--reference",
        action="store_true",
        help="train in Flax and Optax, too, and report the difference at every step",
    )
    add(
        "--out",
        type=folder,
        default=Path("widenet-run"),
        metavar="DIR",
        help="folder for metrics.json, parameters.npz and widenet.png (default: widenet-run/)",
    )
    add("--json", action="store_true",
        help="print what is in metrics.json on stdout, everything else on stderr")  # fmt: skip


def _defaults_in_words() -> str:
    lines = ["defaults       --optimizer  --steps  --learning-rate  --warm-start-steps"]
    for name, default in {**DATA_SETS, "FILE.csv": CSV_FILE}.items():
        rate = default_rate(default.optimizer, default)
        lines.append(
            f"  {name:12} {default.optimizer:12} {default.steps:<8} {rate:<16g} "
            f"{default.warm_start_steps}"
        )
    own = {name: rule.rate for name, rule in RULES.items() if rule.rate is not None}
    scaled = [name for name in RULES if name not in own]
    rates = [f"{default.descent_rate:g} ({name})" for name, default in DATA_SETS.items()]
    lines += [
        "",
        "optimizers and their default learning rates",
        f"  {', '.join(scaled)}:",
        f"    {', '.join(rates)}, {CSV_FILE.descent_rate:g} (FILE.csv)",
    ]
    cells = [f"{name:11}{rate:<8g}" for name, rate in own.items()]
    rows = ("  " + "".join(cells[i : i + 4]).rstrip() for i in range(0, len(cells), 4))
    return "\n".join([*lines, *rows])


def configure(options: argparse.Namespace) -> Config:
    """Turn parsed arguments into a configuration, with the defaults of the data set.

    Raises:
        ConfigurationError: the data or the optimiser is unknown, or the target is missing or
            superfluous.

    >>> parser = argparse.ArgumentParser()
    >>> add_arguments(parser)
    >>> config = configure(parser.parse_args(["--data", "digits"]))
    >>> config.optimizer, config.steps, config.learning_rate
    ('adam', 300, 0.001)
    """
    check_long_run(options)
    default = _defaults_of(options.data, options.target)
    optimizer = default.optimizer if options.optimizer is None else options.optimizer
    rate = default_rate(optimizer, default)
    warm = options.warm_start_steps
    warm = default.warm_start_steps if warm is None else warm
    steps = default.steps if options.steps is None else options.steps
    return Config(
        data=options.data,
        target=options.target,
        optimizer=optimizer,
        steps=steps,
        learning_rate=rate if options.learning_rate is None else options.learning_rate,
        seed=options.seed,
        batch_size=options.batch_size,
        width=options.width,
        warm_start_steps=warm,
        reference=options.reference,
        out=options.out,
        mesh=options.mesh,
        clip_norm=options.clip_norm,
        on_nonfinite=options.on_nonfinite,
        checkpoint=options.checkpoint,
        every=options.every or max(1, -(-(warm + steps) // 10)),
        keep=options.keep,
        resume=options.resume,
    )


def default_rate(optimizer: str, default: Defaults) -> float:
    """Return the learning rate of an optimiser for a data set.

    >>> default_rate("gd", DATA_SETS["sine"]), default_rate("adam", DATA_SETS["sine"])
    (0.003, 0.001)
    """
    rate = find_rule(optimizer).rate
    return default.descent_rate if rate is None else rate


def _defaults_of(data: str, target: str | None) -> Defaults:
    if data in DATA_SETS:
        if target is not None:
            raise ConfigurationError(
                f"--target {target} is for a CSV file, but --data is {data}, whose target is "
                f"fixed; leave --target out"
            )
        return DATA_SETS[data]
    if not data.lower().endswith(".csv") and not Path(data).exists():
        close = difflib.get_close_matches(data.lower(), DATA_SETS, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ConfigurationError(
            f"there is neither a data set nor a file {data!r}{hint}; --data takes "
            f"{', '.join(DATA_SETS)} or the path of a CSV file"
        )
    if target is None:
        raise ConfigurationError(
            f"--data {data} needs --target COLUMN, the name of the column to predict"
        )
    return CSV_FILE
