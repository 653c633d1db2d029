"""What a run is told by: the record for `metrics.json` and the table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import jax
import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from funcgrad import __version__
from funcgrad.train.compare import GradientDifference, LossDifference
from funcgrad.train.options import Config
from funcgrad.train.options_long_runs import LATEST, SKIP
from funcgrad.train.progress import on_terminal
from funcgrad.train.run import Trained
from funcgrad.train.task import Task

ROWS_OF_LOSSES = (1, 100, 1000)


class Outcome(NamedTuple):
    """Everything that is known about a run.

    Attributes:
        initial_loss: the loss before any step, the warm start included.
        first, last: the gradient against that of `jax.grad` where the first and the last step were
            taken.
        reference: the recorded losses against those of Flax and Optax; None without them.
        accuracy: the share of test examples that are classified correctly; None for a regression.
        test_loss: the loss of a regression over its test examples; None without a test.
        device: where the run took place.
        after_last: the run diverged, but only the loss after the last step tells.
    """

    config: Config
    task: Task
    trained: Trained
    initial_loss: float
    first: GradientDifference
    last: GradientDifference
    reference: LossDifference | None
    accuracy: float | None
    test_loss: float | None
    device: str
    after_last: bool = False

    @property
    def losses(self) -> NDArray[np.float32]:
        """The recorded losses: those after the warm start."""
        return self.trained.losses[self.config.warm_start_steps :]


def metrics(outcome: Outcome) -> dict[str, Any]:
    """Return the record of a run, ready for JSON but for numbers that are not finite."""
    trained, reference = outcome.trained, outcome.reference
    record = {
        "initial_loss": _shortest(outcome.initial_loss),
        "losses": [_shortest(loss) for loss in outcome.losses],
        "gradient_difference": {
            "first": outcome.first.absolute,
            "last": outcome.last.absolute,
            "first_ulp": outcome.first.ulp,
            "last_ulp": outcome.last.ulp,
        },
        "reference_difference": None
        if reference is None
        else {
            "largest": reference.largest,
            "step": reference.step,
            "per_step": reference.per_step.tolist(),
        },
        "compile_seconds": round(trained.compile_seconds, 6),
        "train_seconds": round(trained.train_seconds, 6),
        "device": outcome.device,
        "parameters": _count(outcome.task),
        "steps": len(outcome.losses),
        "skipped_steps": trained.skipped,
        "restored_checkpoints": list(trained.restored),
        "configuration": _plain(asdict(outcome.config)),
        "versions": {"funcgrad": __version__, "jax": jax.__version__},
    }
    if outcome.task.data.kind == "classification":
        record["accuracy"] = outcome.accuracy
    return record


def _plain(configuration: dict[str, Any]) -> dict[str, Any]:
    plain = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in configuration.items()
    }
    return plain | {"resume": "latest"} if plain["resume"] == LATEST else plain


def _shortest(value: float | np.float32) -> float:
    """The shortest decimal number that is the same float32."""
    return float(str(np.float32(value)))


def _count(task: Task) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(task.params))


def table(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the rows of the table: what it is, and its value."""
    config, data, trained = outcome.config, outcome.task.data, outcome.trained
    rows = [
        ("data", f"{clipped(data.name)}, {len(data.x)} examples"),
        ("optimizer", f"{config.optimizer}, learning rate {config.learning_rate:g}"),
        ("device", outcome.device),
        ("parameters", f"{_count(outcome.task)}"),
        ("initial loss", number(outcome.initial_loss)),
        *_losses(outcome.losses),
        ("gradient - jax.grad, first step", _difference(outcome.first)),
        ("gradient - jax.grad, last step", _difference(outcome.last)),
        ("loss against Flax and Optax", _reference(outcome)),
        ("seconds for compilation", f"{trained.compile_seconds:.3f}"),
        ("seconds for training", f"{trained.train_seconds:.3f}"),
    ]
    if config.on_nonfinite == SKIP and trained.skipped:
        rows.append(("steps without effect", f"{trained.skipped}, for they were not finite"))
    if trained.restored:
        rows.append(("restored checkpoints", ", ".join(map(str, trained.restored))))
    if outcome.accuracy is not None:
        rows.append(("test accuracy", number(outcome.accuracy)))
    if outcome.test_loss is not None:
        rows.append(("test loss", number(outcome.test_loss)))
    return rows


def number(value: float) -> str:
    """Return a number with 7 significant digits.

    >>> number(0.5)
    '0.5000000'
    """
    return f"{value:#.7g}"


def ordinal(place: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, ...

    >>> [ordinal(place) for place in (1, 2, 3, 11, 102, 1847)]
    ['1st', '2nd', '3rd', '11th', '102nd', '1847th']
    """
    teens = place % 100 in (11, 12, 13)
    return f"{place}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(place % 10, 'th')}"


def clipped(name: str, width: int = 24) -> str:
    """Return a name, or the beginning of a long one.

    >>> clipped("diabetes"), clipped("measurements_of_the_year.csv")
    ('diabetes', 'measurements_of_the_y...')
    """
    return name if len(name) <= width else f"{name[: width - 3]}..."


def _losses(losses: NDArray[np.float32]) -> list[tuple[str, str]]:
    rows = [(place, "loss") for place in ROWS_OF_LOSSES if place < len(losses)]
    if len(losses):
        rows.append((len(losses), "and last loss"))
    return [(f"{ordinal(place)} {what}", number(losses[place - 1])) for place, what in rows]


def _difference(difference: GradientDifference) -> str:
    return f"{number(difference.absolute)} ({difference.ulp:.3g} ulp)"


def _reference(outcome: Outcome) -> str:
    if outcome.reference is not None:
        largest, step, _ = outcome.reference
        return f"{number(largest)} relative (step {step})"
    return "not available" if outcome.config.reference else "not asked for (--reference)"


def show(rows: Sequence[tuple[str, str]], stream: TextIO) -> None:
    """Print the table: drawn on a terminal, plain lines of at most 80 columns anywhere else."""
    rows = [(label, _encodable(value, stream)) for label, value in rows]
    if not on_terminal(stream):
        width = max(len(label) for label, _ in rows)
        for label, value in rows:
            print(f"{label:<{width}}  {value}", file=stream)
        return
    drawn = Table(box=box.SIMPLE_HEAVY, show_header=False)
    for label, value in rows:
        drawn.add_row(Text(label), Text(value, style="bold"))  # Text: no markup in a file's name
    Console(file=stream, force_terminal=True).print(drawn)


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
