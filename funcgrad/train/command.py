"""`funcgrad train`: from parsed arguments to files, a table and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import NamedTuple, TextIO

import jax
from jax.sharding import Mesh

from funcgrad._errors import ConfigurationError, ProcessLostError
from funcgrad.models import accuracy, widenet
from funcgrad.models.widenet import WideNetParams
from funcgrad.parallel import join_processes
from funcgrad.train import output
from funcgrad.train.compare import LossDifference, gradient_difference, loss_difference
from funcgrad.train.endings import kept, raise_early_end, raise_if_stopped
from funcgrad.train.layout import check_fit, describe, make_layout
from funcgrad.train.options import Config, configure
from funcgrad.train.options_long_runs import RESTORE, SKIP
from funcgrad.train.processes.worker import is_worker, take_up
from funcgrad.train.program import Compiled, compile_run, make_optimizer
from funcgrad.train.progress import progress
from funcgrad.train.report import Outcome, metrics, show, table
from funcgrad.train.run import Pressed, Trained, train
from funcgrad.train.stopping import stopping
from funcgrad.train.task import Task, batch, make_task


class Extras(NamedTuple):
    """The modules that need optional packages; None where these are missing or not asked for."""

    reference: ModuleType | None
    picture: ModuleType | None
    checkpoints: ModuleType | None


def run(options: argparse.Namespace) -> int:
    """Train as the arguments say, write the results and report.

    Args:
        options: what `funcgrad.train.options.add_arguments` parses.

    Returns:
        The exit code 0.

    Raises:
        ConfigurationError, DataError: bad input.
        CheckpointError: a checkpoint cannot be written, or be gone on from.
        DivergedError: the loss is no longer finite; the results up to there are written.
        ProcessLostError: this process can no longer work together with the others.
        RunInterrupted: Ctrl-C or SIGTERM while training; the results up to there are written.

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
    if is_worker():
        _join(options)
    _device()
    try:
        return _run(config, options.json)
    except jax.errors.JaxRuntimeError as error:
        first = str(error).splitlines()[0]
        if jax.process_count() > 1:
            raise ProcessLostError(
                f"the processes can no longer work together ({first})"
            ) from error
        raise ConfigurationError(
            f"the device cannot run this ({first}); try a smaller --width or --batch-size"
        ) from error


def _run(config: Config, as_json: bool) -> int:
    mesh = make_layout(config.mesh)
    task = make_task(config)
    check_fit(task, config.width, mesh)
    output.prepare(config.out)
    extras = _load_extras(config)
    with stopping() as pressed:
        outcome = _train(config, task, mesh, extras.checkpoints, pressed)
        _write(outcome)
        raise_if_stopped(outcome, pressed())
    outcome = _finish(outcome, extras)
    _report(outcome, as_json)
    raise_early_end(outcome)
    return 0


def _join(options: argparse.Namespace) -> None:
    """Meet the other processes of the run; all but the first work in silence."""
    join_processes(**take_up(), timeout=options.timeout)
    if jax.process_index() > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  open as long as the process


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
    checkpoints = None
    if config.checkpoint is not None:  # what keeps the run is not skipped when it is missing
        checkpoints = import_module("funcgrad.train.checkpoints.folder")
    if jax.process_index() > 0:
        return Extras(None, None, checkpoints)
    reference = _optional("funcgrad.train.reference") if config.reference else None
    return Extras(reference, _optional("funcgrad.train.picture"), checkpoints)


def _optional(module: str) -> ModuleType | None:
    try:
        return import_module(module)
    except ConfigurationError as missing:
        print(f"funcgrad: skipped: {missing}", file=sys.stderr, flush=True)
        return None


# --- the run --------------------------------------------------------------------------------------


def _train(
    config: Config,
    task: Task,
    mesh: Mesh | None,
    checkpoints: ModuleType | None,
    pressed: Pressed,
) -> Outcome:
    device = _device() + describe(mesh)
    optimizer = make_optimizer(config.optimizer, config.learning_rate, config.clip_norm)
    steps = config.warm_start_steps + config.steps
    compiled = compile_run(task, optimizer, steps, mesh, skip=config.on_nonfinite == SKIP)
    _say(f"compiled for {device} in {compiled.seconds:.2f} s")
    first = gradient_difference(task.loss, task.params, *batch(task, 0))
    trained = _walk(config, task, compiled, steps, checkpoints, pressed)
    last = gradient_difference(task.loss, trained.before, *batch(task, trained.last_step))
    outcome = Outcome(
        config, task, trained, _initial_loss(task, trained), first, last, None, None, None, device
    )
    outcome = _checked(outcome)
    test_accuracy, test_loss = _test(task, kept(outcome))
    return outcome._replace(accuracy=test_accuracy, test_loss=test_loss)


def _walk(
    config: Config,
    task: Task,
    compiled: Compiled,
    steps: int,
    checkpoints: ModuleType | None,
    pressed: Pressed,
) -> Trained:
    """The steps of a run, kept by checkpoints if there are any."""
    with contextlib.ExitStack() as stack:
        keeper, start = None, None
        if checkpoints is not None:
            keeper = stack.enter_context(checkpoints.opened(config, task, compiled))
            start = keeper.resume(config.resume)
            if start is not None:
                checkpoints.check_steps(start.position.done, steps, config)
                _say(f"goes on from the checkpoint of step {start.position.done}")
        advance = stack.enter_context(progress("training", steps, _watched()))
        return train(
            compiled, steps, advance, start=start, keeper=keeper,
            restore=config.on_nonfinite == RESTORE, pressed=pressed,
        )  # fmt: skip


def _checked(outcome: Outcome) -> Outcome:
    """Look at the loss after the last step, too, which the run itself has no need of."""
    trained = outcome.trained
    if trained.stop != "complete" or math.isfinite(_whole_loss(outcome.task, trained.params)):
        return outcome
    return outcome._replace(trained=trained._replace(stop="diverged"), after_last=True)


def _initial_loss(task: Task, trained: Trained) -> float:
    if task.batch_size is None and len(trained.losses):
        return float(trained.losses[0])
    return _whole_loss(task, task.params)


def _whole_loss(task: Task, params: WideNetParams) -> float:
    return float(jax.jit(task.loss)(params, task.data.x, task.data.y))


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
    if jax.process_index() > 0:
        return outcome
    if extras.reference is not None and outcome.trained.stop == "complete":
        outcome = outcome._replace(reference=_compare(outcome, extras.reference))
        _write(outcome)
    if extras.picture is not None:
        draw = partial(extras.picture.draw, outcome, kept(outcome))
        output.write(outcome.config.out / output.PICTURE, draw)
    return outcome


def _compare(outcome: Outcome, reference: ModuleType) -> LossDifference | None:
    config, steps = outcome.config, len(outcome.trained.losses)
    with progress("reference", steps, sys.stderr) as advance:
        losses = reference.reference_losses(
            outcome.task, config.optimizer, config.learning_rate, steps, advance, config.clip_norm
        )
    return loss_difference(outcome.losses, losses[config.warm_start_steps :])


# --- what is told ---------------------------------------------------------------------------------


def _write(outcome: Outcome) -> None:
    if jax.process_index() == 0:
        folder = outcome.config.out
        output.write_arrays(folder / output.PARAMETERS, kept(outcome))
        output.write_text(folder / output.METRICS, output.as_json(metrics(outcome)) + "\n")


def _report(outcome: Outcome, as_json: bool) -> None:
    show(table(outcome), sys.stderr if as_json else sys.stdout)
    if as_json:
        print(output.as_json(metrics(outcome)))
    _say(f"the results are in {outcome.config.out}/")


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads stderr any more, and the run goes on
        print(line, file=_watched(), flush=True)


def _watched() -> TextIO:
    """Where a run is watched: the stderr of the first process."""
    return sys.stderr if jax.process_index() == 0 else sys.stdout
