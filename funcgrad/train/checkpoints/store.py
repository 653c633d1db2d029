"""Checkpoints by Orbax: written in the background, whole or not at all, and checked when read.

A checkpoint is a folder `checkpoint_STEP` of arrays and of one JSON record, which names the run
that it belongs to and holds the arrays' checksums. Nothing is code, and nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from funcgrad import __version__
from funcgrad._errors import CheckpointError, ConfigurationError, ProcessLostError
from funcgrad.train.checkpoints.identity import differences
from funcgrad.train.checkpoints.integrity import checksums, digest
from funcgrad.train.checkpoints.orbax_words import (
    first_line,
    ignore_abandoned_tasks,
    is_of_peers,
    quiet,
)
from funcgrad.train.options_long_runs import LATEST
from funcgrad.train.program import Carry, Compiled
from funcgrad.train.run import Position, Record

try:
    import orbax.checkpoint as ocp
except ImportError as error:
    raise ConfigurationError(
        f"checkpoints need Orbax, which cannot be imported ({error}); install it by "
        f'pip install "funcgrad[checkpoint]"'
    ) from error

FORMAT = 1
_PREFIX, _SET_ASIDE = "checkpoint", "set-aside"
_KEPT_OF_CARRY = ("params", "state", "before", "skipped", "in_row")


class Checkpoints:
    """The checkpoints of one run in a folder; a keeper for `train`.

    Attributes:
        folder: where they are.
        every: how many steps lie between two.
        run: what the run depends on, plain data, see `identity`.
        compiled: the program, whose first arguments say where arrays are to lie.
    """

    def __init__(
        self, folder: Path, every: int, keep: int, run: Mapping[str, Any], compiled: Compiled
    ) -> None:
        self.folder, self.every, self.run, self.compiled = folder, every, run, compiled
        self._below: float = np.inf  # only checkpoints before this step are gone back to
        self._pending: int | None = None
        ignore_abandoned_tasks()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, step_prefix=_PREFIX)
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def steps(self) -> list[int]:
        """The steps of all checkpoints, in order."""
        return sorted(self._manager.all_steps())

    # --- writing ----------------------------------------------------------------------------------

    def save(self, record: Record) -> None:
        """Write a checkpoint, in the background.

        Raises:
            CheckpointError: it cannot be written, or the one before it could not.
        """
        position, losses = record
        self.wait()
        if position.done in self.steps():
            return
        self._pending, self._below = position.done, np.inf
        arrays: dict[str, Any] = {**_named(position.carry), "losses": losses}
        content = {
            "funcgrad": __version__,
            "format": FORMAT,
            "run": self.run,
            "step": position.done,
            "last_step": position.last_step,
            "seconds": position.seconds,
            "checksums": checksums(arrays),
        }
        with self._explained():
            self._manager.save(
                position.done,
                args=ocp.args.Composite(
                    arrays=ocp.args.PyTreeSave(arrays),
                    run=ocp.args.JsonSave(content | {"digest": digest(content)}),
                ),
            )

    def wait(self) -> None:
        """Wait until the checkpoint that is being written is there.

        Raises:
            CheckpointError: it cannot be written.
        """
        with self._explained():
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
        self._pending = None

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Orbax and TensorStore raise what they stumble over
            if jax.process_count() > 1 and is_of_peers(error):
                raise ProcessLostError(f"no checkpoint without the others: {error}") from error
            whole = [step for step in self.steps() if step != self._pending]
            last = f"the last whole one is of step {whole[-1]}" if whole else "there is none yet"
            raise CheckpointError(
                f"the checkpoint of step {self._pending} cannot be written to {self.folder}: "
                f"{first_line(error)}; {last}. When the cause is mended, the same command "
                "with a bare --resume goes on"
            ) from error

    def close(self) -> None:
        """Wait, and let go of the folder."""
        with contextlib.suppress(Exception):  # what went wrong was told by `wait`
            self._manager.close()

    # --- reading ----------------------------------------------------------------------------------

    def resume(self, step: int | None) -> Record | None:
        """Return the run at a checkpoint, `LATEST` for the last; None for no step, or none there.

        Later checkpoints than this one are moved into the folder `set-aside`.

        Raises:
            CheckpointError: the checkpoint is not there, damaged, of another program, of a newer
                one, or of another run; the message offers the one before it that is whole.
        """
        steps = self.steps()
        if step is None or (step == LATEST and not steps):
            return None
        if step not in (LATEST, *steps):
            found = f"only of {', '.join(map(str, steps))}" if steps else "none at all"
            raise CheckpointError(
                f"there is no checkpoint of step {step} in {self.folder}; there is {found}"
            )
        step = steps[-1] if step == LATEST else step
        with self._offering(step):
            content = self._content(step)
        self._require_same(step, content)
        with self._offering(step):
            record = self._record(step, content)
        self._set_aside(steps[steps.index(step) + 1 :])
        return record

    def restore(self, position: Position) -> tuple[int, Position] | None:
        """Return the step of the last checkpoint that is whole, and the run with its parameters.

        The steps are counted on, so that other examples follow. A checkpoint that did not help
        before the next one was written is not taken again, but the one before it.
        """
        self.wait()
        for step in reversed([step for step in self.steps() if step < self._below]):
            self._below = step
            with contextlib.suppress(CheckpointError):
                saved = self._load(step).position
                skipped = position.carry.skipped
                return step, saved._replace(
                    done=position.done,
                    seconds=position.seconds,
                    carry=saved.carry._replace(skipped=skipped),
                )
        return None

    @contextlib.contextmanager
    def _offering(self, step: int) -> Iterator[None]:
        try:
            yield
        except CheckpointError as error:
            raise CheckpointError(f"{error}; {self._offer(step)}") from error

    def _offer(self, step: int) -> str:
        for older in reversed([older for older in self.steps() if older < step]):
            with contextlib.suppress(CheckpointError):
                self._load(older)
                return (
                    f"the one before it, of step {older}, is whole: go on from it by "
                    f"--resume {older}"
                )
        return "there is no whole one before it; choose another folder by --checkpoint DIR"

    def _where(self, step: int) -> str:
        return f"the checkpoint of step {step} in {self.folder}"

    def _load(self, step: int) -> Record:
        content = self._content(step)
        self._require_same(step, content)
        return self._record(step, content)

    def _require_same(self, step: int, content: Mapping[str, Any]) -> None:
        if found := differences(content["run"], self.run):
            raise CheckpointError(
                f"{self._where(step)} is of another run: {'; '.join(found)}. Give the same "
                "options, or another folder by --checkpoint DIR"
            )

    def _record(self, step: int, content: Mapping[str, Any]) -> Record:
        arrays = self._arrays(step, content)
        losses = np.asarray(arrays.pop("losses"))
        first = self.compiled.first
        tree = jax.tree.structure(_kept(first))
        leaves = [arrays[name] for name in _named(first)]
        carry = first._replace(**jax.tree.unflatten(tree, leaves))
        position = Position(content["step"], carry, content["seconds"], content["last_step"])
        return Record(position, losses)

    def _content(self, step: int) -> dict[str, Any]:
        where = self._where(step)
        item = ocp.args.Composite(run=ocp.args.JsonRestore())
        content = self._read(step, item)["run"]
        if not isinstance(content, dict) or not isinstance(content.get("format"), int):
            raise CheckpointError(f"{where} is damaged, or none of funcgrad train")
        if content["format"] > FORMAT:
            raise CheckpointError(
                f"{where} was written by a newer funcgrad ({content.get('funcgrad')}, format "
                f"{content['format']}; this one, {__version__}, reads format {FORMAT}): upgrade"
            )
        if content.pop("digest", None) != digest(content):
            raise CheckpointError(f"{where} is damaged (its record is not what was written)")
        return content

    def _arrays(self, step: int, content: Mapping[str, Any]) -> dict[str, Any]:
        where = self._where(step)
        expected = _named(self.compiled.first)
        wanted: dict[str, Any] = {
            name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
            for name, leaf in expected.items()
        }
        wanted["losses"] = np.empty(content["step"], np.float32)
        places = ocp.checkpoint_utils.construct_restore_args(wanted)
        item = ocp.args.Composite(arrays=ocp.args.PyTreeRestore(wanted, restore_args=places))
        arrays = dict(self._read(step, item)["arrays"])
        if checksums(arrays) != content["checksums"]:
            raise CheckpointError(f"{where} is damaged (its numbers are not what was written)")
        return arrays

    def _read(self, step: int, item: Any) -> Mapping[str, Any]:
        with quiet():
            try:
                found: Mapping[str, Any] = self._manager.restore(step, args=item)
                return found
            except MemoryError:
                raise
            except Exception as error:  # Orbax raises what the damage makes it stumble over
                problem = first_line(error)
        raise CheckpointError(f"{self._where(step)} is damaged ({problem})")

    def _set_aside(self, steps: Sequence[int]) -> None:
        if jax.process_index() == 0:
            for step in steps:
                name = f"{_PREFIX}_{step}"
                place = self.folder / _SET_ASIDE
                place.mkdir(exist_ok=True)
                free = next(n for n in itertools.count() if not (place / f"{name}.{n}").exists())
                (self.folder / name).rename(place / f"{name}.{free}")
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("later checkpoints are set aside")
        self._manager.reload()


def _kept(carry: Carry) -> dict[str, Any]:
    return {name: getattr(carry, name) for name in _KEPT_OF_CARRY}


def _named(carry: Carry) -> dict[str, jax.Array]:
    """The arrays of a carry that a checkpoint holds, by their paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(_kept(carry))
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
