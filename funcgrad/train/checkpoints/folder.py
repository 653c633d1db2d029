"""The folder of a run's checkpoints: one run at a time, and none that is overwritten by mistake."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import jax

from funcgrad._errors import CheckpointError
from funcgrad.train.checkpoints.identity import identity
from funcgrad.train.checkpoints.orbax_words import quiet
from funcgrad.train.checkpoints.store import Checkpoints
from funcgrad.train.options import Config
from funcgrad.train.output import prepare
from funcgrad.train.program import Compiled
from funcgrad.train.task import Task

try:
    import fcntl
except ImportError:  # a system without locks of files
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def opened(config: Config, task: Task, compiled: Compiled) -> Iterator[Checkpoints]:
    """The checkpoints of a run, whose folder no other run can write to meanwhile.

    Raises:
        CheckpointError: another run writes there, or one has, and this is none that goes on.
        ConfigurationError: the folder cannot be written.
    """
    assert config.checkpoint is not None
    folder = config.checkpoint
    prepare(folder, "--checkpoint")
    with _locked(folder), quiet():
        if jax.process_index() == 0:  # under the lock: what another run is writing stays
            _remove_unfinished(folder)
        run = identity(config, task)
        made = Checkpoints(folder, config.every, config.keep, run, compiled)
        try:
            if config.resume is None and made.steps():
                raise CheckpointError(
                    f"{folder} holds the checkpoints of a run (the last of step "
                    f"{made.steps()[-1]}); go on from it by --resume, or choose another folder"
                )
            yield made
        finally:
            made.close()


def _remove_unfinished(folder: Path) -> None:
    """Remove what a killed run had begun to write, under the names that Orbax gives it."""
    for path in folder.glob("checkpoint_*.orbax-checkpoint-tmp*"):
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which goes with the process, however that ends."""
    if fcntl is None or jax.process_index() > 0:
        yield
        return
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CheckpointError(
                f"another run writes its checkpoints to {folder}; choose another folder by "
                "--checkpoint DIR"
            ) from error
        yield


def check_steps(done: int, steps: int, config: Config) -> None:
    """Raise if a run is to go on that has already gone further than it is asked to."""
    if done > steps:
        raise CheckpointError(
            f"the checkpoint of step {done} is beyond the {steps} steps of this run "
            f"(--steps {config.steps} and {config.warm_start_steps} of the warm start); ask for "
            "more steps, or resume from an earlier checkpoint"
        )
