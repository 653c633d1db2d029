"""`funcgrad train`: from parsed arguments to files, a table and an exit code."""

from __future__ import annotations

import argparse
import math
import os
import sys
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import jax
from jax.sharding import Mesh

from funcgrad._errors import ConfigurationError, DivergedError
from funcgrad.models import accuracy, widenet
from funcgrad.models.widenet import WideNetParams
from funcgrad.train import output
from funcgrad.train.compare import LossDifference, gradient_difference, loss_difference
from funcgrad.train.layout import check_fit, describe, make_layout
from funcgrad.train.options import Config, configure
from funcgrad.train.progress import progress
from funcgrad.train.report import Outcome, metrics, show, table
from funcgrad.train.run import Trained, compile_run, make_optimizer, train
from funcgrad.train.task import Task, batch, make_task


class Extras(NamedTuple):
    """The modules that need optional packages; None where these are missing or not asked for."""

    reference: ModuleType | None
    picture: ModuleType | None


def run(options: argparse.Namespace) -> int:
    """Train as the arguments say, write the results and report.

    Args:
        options: what `funcgrad.train.options.add_arguments` parses.

    Returns:
        The exit code 0.

    Raises:
        ConfigurationError, DataError: bad input.
        DivergedError: the loss is no longer finite; the results up to there are written.
        KeyboardInterrupt: Ctrl-C; while training, the results up to there are written, too.

    >>> import tempfile
    >>> from funcgrad.cli import build_parser
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     words = ["train", "--width", "4", "--steps", "2", "--out", folder]
    ...     code = run(build_parser().parse_args(words))  # doctest: +ELLIPSIS
    data                             noisy sine, 32 examples
    optimizer                        momentum, learning rate 0.003
    ...
    >>> code
    0
    """
    config = configure(options)
    _device()
    try:
        mesh = make_layout(config.mesh)
        task = make_task(config)
        check_fit(task, config.width, mesh)
        output.prepare(config.out)
        extras = _load_extras(config)
        outcome = _train(config, task, mesh)
        _write(outcome)
        if outcome.trained.stop == "interrupted":
            raise KeyboardInterrupt(_interrupted(outcome))
        outcome = _finish(outcome, extras)
    except jax.errors.JaxRuntimeError as error:
        raise ConfigurationError(
            f"the device cannot run this ({str(error).splitlines()[0]}); try a smaller --width "
            f"or --batch-size"
        ) from error
    _report(outcome, options.json)
    if outcome.trained.stop == "diverged":
        raise DivergedError(_diverged(outcome))
    return 0


def _device() -> str:
    try:
        device = jax.devices()[0]
    except (RuntimeError, AssertionError) as error:  # which one depends on the missing platform
        detail = f" ({error})" if str(error) else ""
        raise ConfigurationError(
            f"JAX finds no device{detail}; look at the environment variable JAX_PLATFORMS, which "
            f"is {os.environ.get('JAX_PLATFORMS')!r}"
        ) from error
    kind: str = device.device_kind
    return kind if kind == device.platform else f"{device.platform} ({kind})"


def _load_extras(config: Config) -> Extras:
    reference = _optional("funcgrad.train.reference") if config.reference else None
    return Extras(reference, _optional("funcgrad.train.picture"))


def _optional(module: str) -> ModuleType | None:
    try:
        return import_module(module)
    except ConfigurationError as missing:
        print(f"funcgrad: skipped: {missing}", file=sys.stderr, flush=True)
        return None


# --- the run --------------------------------------------------------------------------------------


def _train(config: Config, task: Task, mesh: Mesh | None) -> Outcome:
    device = _device() + describe(mesh)
    optimizer = make_optimizer(config.optimizer, config.learning_rate)
    steps = config.warm_start_steps + config.steps
    compiled = compile_run(task, optimizer, steps, mesh)
    _say(f"compiled for {device} in {compiled.seconds:.2f} s")
    first = gradient_difference(task.loss, task.params, *batch(task, 0))
    with progress("training", steps, sys.stderr) as advance:
        trained = train(compiled, steps, advance)
    trained = _checked(task, trained)
    last = gradient_difference(task.loss, trained.before, *batch(task, trained.last_step))
    test_accuracy, test_loss = _test(task, _kept(trained))
    initial = _initial_loss(task, trained)
    return Outcome(
        config, task, trained, initial, first, last, None, test_accuracy, test_loss, device
    )


def _checked(task: Task, trained: Trained) -> Trained:
    """Look at the loss after the last step, too, which the run itself has no need of."""
    if trained.stop == "complete" and not math.isfinite(_whole_loss(task, trained.params)):
        return trained._replace(stop="diverged")
    return trained


def _initial_loss(task: Task, trained: Trained) -> float:
    if task.batch_size is None and len(trained.losses):
        return float(trained.losses[0])
    return _whole_loss(task, task.params)


def _whole_loss(task: Task, params: WideNetParams) -> float:
    return float(jax.jit(task.loss)(params, task.data.x, task.data.y))


def _kept(trained: Trained) -> WideNetParams:
    """The parameters that a user can go on with."""
    return trained.before if trained.stop == "diverged" else trained.params


def _test(task: Task, params: WideNetParams) -> tuple[float | None, float | None]:
    """The accuracy of a classification, or the loss of a regression, over the test examples."""
    data = task.data
    if data.x_test is None or data.y_test is None:
        return None, None
    if data.kind == "classification":
        return float(accuracy(widenet(params, data.x_test), data.y_test)), None
    return None, float(task.loss(params, data.x_test, data.y_test))


def _finish(outcome: Outcome, extras: Extras) -> Outcome:
    """Do what is not training, after the results of training are safe."""
    if extras.reference is not None and outcome.trained.stop == "complete":
        outcome = outcome._replace(reference=_compare(outcome, extras.reference))
        _write(outcome)
    if extras.picture is not None:
        draw = partial(extras.picture.draw, outcome, _kept(outcome.trained))
        output.write(outcome.config.out / output.PICTURE, draw)
    return outcome


def _compare(outcome: Outcome, reference: ModuleType) -> LossDifference | None:
    config, steps = outcome.config, len(outcome.trained.losses)
    with progress("reference", steps, sys.stderr) as advance:
        losses = reference.reference_losses(
            outcome.task, config.optimizer, config.learning_rate, steps, advance
        )
    return loss_difference(outcome.losses, losses[config.warm_start_steps :])


# --- what is told ---------------------------------------------------------------------------------


def _write(outcome: Outcome) -> None:
    folder = outcome.config.out
    output.write_arrays(folder / output.PARAMETERS, _kept(outcome.trained))
    output.write_text(folder / output.METRICS, output.as_json(metrics(outcome)) + "\n")


def _report(outcome: Outcome, as_json: bool) -> None:
    show(table(outcome), sys.stderr if as_json else sys.stdout)
    if as_json:
        print(output.as_json(metrics(outcome)))
    _say(f"the results are in {outcome.config.out}/")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupted(outcome: Outcome) -> str:
    config = outcome.config
    return (
        f"interrupted after {len(outcome.losses)} of {config.steps} steps; what was done is in "
        f"{config.out}/{output.METRICS} and {output.PARAMETERS}"
    )


def _diverged(outcome: Outcome) -> str:
    config, losses = outcome.config, outcome.trained.losses
    place = len(losses) - config.warm_start_steps
    step = f"step {place} of {config.steps}"
    if place <= 0:
        step = f"step {len(losses)} of the warm start"
    found = f"at {step} the loss is {losses[-1]}"
    if math.isfinite(losses[-1]):
        found = f"after {step} the loss is no longer finite"
    return (
        f"the run diverged: {found}; try a learning rate below {config.learning_rate:g} (what was "
        f"done is in {config.out}/)"
    )
