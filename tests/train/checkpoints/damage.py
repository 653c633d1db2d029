"""Damage every file of a checkpoint in every way, and see that it is refused or does no harm.

python -m tests.train.checkpoints.damage --flips 20
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from funcgrad._errors import CheckpointError
from funcgrad.models import init_widenet, noisy_sine, widenet_loss
from funcgrad.train.checkpoints.store import Checkpoints
from funcgrad.train.options_long_runs import LATEST
from funcgrad.train.program import Compiled, compile_run, make_optimizer
from funcgrad.train.run import Record, train
from funcgrad.train.task import Task

STEPS, EVERY = 40, 20
RUN = {"optimizer": "adam", "seed": 2021}
Damage = Callable[[bytes], bytes | None]


class Outcome(NamedTuple):
    """How many damaged files were refused, how many did no harm, and what went wrong."""

    refused: int
    harmless: int
    wrong: list[str]


def program() -> Compiled:
    """A small run."""
    task = Task(noisy_sine(), init_widenet(2021, 8), widenet_loss, 4, 2021)
    return compile_run(task, make_optimizer("adam", 0.01), STEPS)


def written(folder: Path, compiled: Compiled) -> Record:
    """Write the checkpoints of a run; what is read back from the last one."""
    store = Checkpoints(folder, EVERY, 3, RUN, compiled)
    trained = train(compiled, STEPS, lambda *_: None, keeper=store)
    assert trained.failure is None
    assert store.steps() == [EVERY, STEPS]
    record = store.resume(LATEST)
    store.close()
    assert record is not None
    np.testing.assert_array_equal(record.losses, trained.losses)
    return record


def damages(draw: random.Random, flips: int) -> Iterator[tuple[str, Damage]]:
    """Ways to damage the content of a file; None deletes it."""
    yield "deleted", lambda _: None
    yield "emptied", lambda _: b""
    yield "cut in half", lambda content: content[: len(content) // 2]
    yield "cut by a byte", lambda content: content[:-1]
    yield "of zeros", lambda content: bytes(len(content))
    yield "with more at its end", lambda content: content + b"\0more"
    yield "of another kind", lambda _: b"\x80\x04\x95cposix\nsystem\n."  # a pickle
    for _ in range(flips):
        place, bit = draw.random(), 1 << draw.randrange(8)
        yield (
            f"with bit {bit} flipped at {place:.2f}",
            partial(_flipped, place, bit),
        )


def _flipped(place: float, bit: int, content: bytes) -> bytes:
    if not content:
        return b"\0"
    at = int(place * len(content))
    return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]


def survey(flips: int, seed: int = 0) -> Outcome:
    """Damage every file of the last checkpoint of a run, one at a time."""
    draw, compiled = random.Random(seed), program()
    refused, harmless, wrong = 0, 0, []
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        expected = written(whole, compiled)
        last = whole / f"checkpoint_{STEPS}"
        for path in sorted(path for path in last.rglob("*") if path.is_file()):
            for name, damage in damages(draw, flips):
                folder = Path(place) / "damaged"
                shutil.copytree(whole, folder)
                _apply(folder / path.relative_to(whole), damage)
                verdict = _verdict(folder, compiled, expected)
                shutil.rmtree(folder)
                refused += verdict == "refused"
                harmless += verdict == "harmless"
                if verdict not in ("refused", "harmless"):
                    wrong.append(f"{path.relative_to(last)} {name}: {verdict}")
    return Outcome(refused, harmless, wrong)


def _apply(path: Path, damage: Damage) -> None:
    content = damage(path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def _verdict(folder: Path, compiled: Compiled, expected: Record) -> str:
    store = Checkpoints(folder, EVERY, 3, RUN, compiled)
    try:
        record = store.resume(LATEST)
    except CheckpointError as error:
        offered = f"of step {EVERY}, is whole: go on from it by --resume {EVERY}" in str(error)
        return "refused" if offered else f"nothing is offered: {error}"
    except BaseException as error:
        return f"raised {error!r}"
    finally:
        store.close()
    assert record is not None
    return "harmless" if _same(record, expected) else "accepted, and other than it was"


def _same(one: Record, other: Record) -> bool:
    pairs = zip(_leaves(one), _leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def _leaves(record: Record) -> list[Any]:
    return jax.tree.leaves(record)


def command() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flips", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    outcome = survey(options.flips, options.seed)
    total = outcome.refused + outcome.harmless + len(outcome.wrong)
    print(
        f"{total} damaged files: {outcome.refused} refused, {outcome.harmless} without harm, "
        f"{len(outcome.wrong)} wrong"
    )
    print(*outcome.wrong, sep="\n")
    sys.exit(bool(outcome.wrong))


if __name__ == "__main__":
    command()
