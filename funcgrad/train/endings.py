"""What is told when a run ends early, and where its numbers stopped being finite."""

from __future__ import annotations

import math
import signal

from funcgrad._diagnosis import diagnose
from funcgrad._errors import DivergedError, FuncgradError, RunInterrupted
from funcgrad.models.widenet import WideNetParams
from funcgrad.train import output
from funcgrad.train.options_long_runs import RESTORE, SKIP
from funcgrad.train.program import MOST_SKIPPED
from funcgrad.train.report import Outcome
from funcgrad.train.task import batch

_LARGEST_DIAGNOSED = 2**20  # parameters; a diagnosis runs the loss operation by operation


def raise_early_end(outcome: Outcome) -> None:
    """Raise what ended a run before its last step, if anything did.

    Raises:
        CheckpointError: a checkpoint could not be written.
        RunInterrupted: a signal came.
        DivergedError: a loss or a gradient is not finite.
    """
    trained = outcome.trained
    if trained.failure is not None:
        raise trained.failure
    if trained.stop == "interrupted":
        assert trained.signal is not None
        raise RunInterrupted(_interrupted(outcome), trained.signal)
    if trained.stop == "diverged":
        raise DivergedError(_diverged(outcome))


def raise_if_stopped(outcome: Outcome, pressed: int | None) -> None:
    """Raise what keeps a run from being finished: a signal, or a checkpoint that failed.

    Args:
        outcome: whose results are written.
        pressed: a signal that may have come only after the last step.

    Raises:
        CheckpointError, RunInterrupted: see `raise_early_end`.
    """
    trained = outcome.trained
    if trained.stop == "interrupted" or trained.failure is not None:
        raise_early_end(outcome)
    if pressed is not None:
        raise RunInterrupted(
            f"{word_for(pressed)} after the last step; the results are in {outcome.config.out}/, "
            "without a picture",
            pressed,
        )


def word_for(number: int) -> str:
    """What a signal does to a run.

    >>> word_for(signal.SIGINT), word_for(signal.SIGTERM)
    ('interrupted', 'terminated')
    """
    return "interrupted" if number == signal.SIGINT else "terminated"


def kept(outcome: Outcome) -> WideNetParams:
    """The parameters that a user can go on with."""
    trained = outcome.trained
    return trained.before if trained.stop == "diverged" else trained.params


def _interrupted(outcome: Outcome) -> str:
    config, trained = outcome.config, outcome.trained
    assert trained.signal is not None
    name = word_for(trained.signal)
    go_on = "" if config.checkpoint is None else "; the same command with a bare --resume goes on"
    return (
        f"{name} after {len(outcome.losses)} of {config.steps} steps; what was done is in "
        f"{config.out}/{output.METRICS} and {output.PARAMETERS}{go_on}"
    )


def _diverged(outcome: Outcome) -> str:
    config, losses = outcome.config, outcome.trained.losses
    place = len(losses) - config.warm_start_steps
    step = f"step {place} of {config.steps}"
    if place <= 0:
        step = f"step {len(losses)} of the warm start"
    return (
        f"the run diverged: {_what(outcome, step)}; {_where(outcome)}try a learning rate below "
        f"{config.learning_rate:g} (what was done is in {config.out}/)"
    )


def _what(outcome: Outcome, step: str) -> str:
    trained, config = outcome.trained, outcome.config
    if outcome.after_last:
        return f"after {step} the loss is no longer finite"
    loss = trained.losses[-1]
    found = f"the loss is {loss}" if not math.isfinite(loss) else "the gradient is not finite"
    more = ""
    if config.on_nonfinite == SKIP:
        more = f", as at the {MOST_SKIPPED - 1} steps before it"
    elif config.on_nonfinite == RESTORE:
        times = len(trained.restored)
        more = f", and no earlier checkpoint is left ({times} restored)"
    return f"at {step} {found}{more}"


def _where(outcome: Outcome) -> str:
    """Where the number that is not finite comes from, if a diagnosis finds it."""
    task, trained = outcome.task, outcome.trained
    if sum(leaf.size for leaf in trained.params.values()) > _LARGEST_DIAGNOSED:
        return ""
    step = max(0, len(trained.losses) - (0 if outcome.after_last else 1))
    try:
        found = diagnose(task.loss, trained.params, *batch(task, step)).findings
    except (FuncgradError, FloatingPointError):
        return ""
    first = next((finding for finding in found if finding.kind in {"nan", "inf"}), None)
    if first is None:
        return ""
    kind = {"nan": "NaN", "inf": "infinity"}[first.kind]
    return f"{kind} appears in `{first.primitive}`, {first.phase} ({first.source}); "
