"""One program of a search: drawn, examined, and made small where oracles disagree.

It runs in a process of its own (`funcgrad._workers`), which may die of what it meets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import _workers as workers
from . import _coverage as coverage
from ._draw import draw_program
from ._oracles import Effort, Examined, examine
from ._program import Program
from ._saved import file_text
from ._shrink import shrink
from ._verdicts import UNDECIDED, Disagreement

_SHRINKING = 20.0  # seconds
# How often each oracle is asked; those on the device, which compile, rarely on a CPU.
_RATES = {"second": 0.5, "zeros": 0.25, "native": 0.4, "mapped": 0.1}
_ON_CPU = {"compiled": 0.03, "eager": 0.01}
_ON_OTHERS = {"compiled": 0.5, "eager": 0.1}


class Task(NamedTuple):
    """Which program to examine.

    Attributes:
        seed, number: which one of which search.
        operations: the least and greatest number of them.
        families: from which to draw; all if None.
        dtypes: one of these, the first more often than the others together.
        setup: ``"module:function"`` to call once in every process; or nothing.
        known: labels of findings with their operations: seen again, they are only counted.
        everything: whether every oracle is asked about every program.
        include: functions of the user's own to draw.
    """

    seed: int
    number: int
    operations: tuple[int, int]
    families: tuple[str, ...] | None
    dtypes: tuple[str, ...]
    setup: str = ""
    known: tuple[tuple[tuple[str, str, str], tuple[str, ...]], ...] = ()
    everything: bool = False
    include: tuple[str, ...] = ()


class Sighting(NamedTuple):
    """A disagreement as it is kept.

    Attributes:
        label: who, kind and what.
        text: what was seen.
        operations: the names of those in the small program.
        source: the small program.
        test: it as a pytest file.
        drawn: how many operations the program had before.
        number: which program of the search it was.
    """

    label: tuple[str, str, str]
    text: str
    operations: tuple[str, ...]
    source: str
    test: str
    drawn: int
    number: int


class Report(NamedTuple):
    """What became of one program.

    Attributes:
        operations: how many it had.
        met: what it covers, by kind.
        sightings: new ones.
        again: labels of those that are known.
    """

    operations: int
    met: dict[str, list[str]]
    sightings: list[Sighting]
    again: list[tuple[tuple[str, str, str], tuple[str, ...]]]


def work(task: Task, note: Callable[[Any], None]) -> Report:
    """Draw a program, examine it, and shrink what is found."""
    if task.setup:
        _set_up(task.setup)
    generator = np.random.default_rng([task.seed, task.number])
    dtype = task.dtypes[0 if generator.random() < 0.7 else generator.integers(len(task.dtypes))]
    effort = _effort(generator, task.everything)
    note((f"a program in {dtype}, which was being drawn", dtype))
    with jax.enable_x64(dtype == "float64"):
        try:
            program = draw_program(
                generator,
                operations=task.operations,
                families=task.families,
                dtype=dtype,
                include=task.include,
            )
            note((program.source(), dtype))
            return _examined(task, program, effort)
        finally:
            jax.config.update("jax_enable_x64", False)  # which a program's source switches on


@functools.cache
def _set_up(place: str) -> None:
    try:
        module, name = place.split(":")
        getattr(import_module(module), name)()
    except Exception as error:  # without it, no program is what it should be
        raise workers.Unusable(f"the setup {place} raises {error!r}") from error


def _effort(generator: np.random.Generator, everything: bool) -> Effort:
    device = _ON_CPU if jax.default_backend() == "cpu" else _ON_OTHERS
    rates = {**_RATES, **device}
    asked = {name: bool(generator.random() < rate) for name, rate in rates.items()}
    return Effort() if everything else Effort(**asked)


def _examined(task: Task, program: Program, effort: Effort) -> Report:
    found = examine(program, effort, task.number)
    sightings, again = list[Sighting](), list[Any]()
    operations = set(program.operations)
    for one in found.disagreements[:1]:  # what follows may follow from it
        known = [key for key in task.known if key[0] == one.label and set(key[1]) <= operations]
        if known:
            again.append(known[0])
        else:
            sightings.append(_shrunk(task, program, one, effort))
    return Report(len(program), _met(program, found, effort), sightings, again)


def _met(program: Program, found: Examined, effort: Effort) -> dict[str, list[str]]:
    names, pairs = coverage.primitives(found.closed) if found.closed else (set(), set())
    asked = [name for name, is_asked in effort._asdict().items() if is_asked]
    return {
        "primitives": sorted(names),
        "pairs": sorted(pairs),
        "families": sorted(program.families),
        "dtypes": [program.dtype],
        "orders": ["1", "2"] if effort.second and program.order > 1 else ["1"],
        "oracles": asked,
        "unheard": [remark.partition(":")[0] for remark in found.remarks],
    }


def _shrunk(task: Task, program: Program, one: Disagreement, effort: Effort) -> Sighting:
    """The smallest program found that shows the same, and what it shows."""
    needed = _needed(one, effort)

    def same(candidate: Program) -> Disagreement | None:
        seen = examine(candidate, needed, task.number).disagreements
        return next((d for d in seen if _alike(d, one)), None)

    small = shrink(program, lambda candidate: same(candidate) is not None, seconds=_SHRINKING)
    last = same(small) or one
    source = small.source()
    return Sighting(
        last.label, last.text, tuple(sorted(small.operations)), source,
        file_text(source, last, task.seed, task.number, program.dtype), len(program), task.number,
    )  # fmt: skip


def _needed(one: Disagreement, effort: Effort) -> Effort:
    """The oracles without which a disagreement does not show."""
    return Effort(
        second=effort.second and ("second" in one.what or "over" in one.what or "symm" in one.what),
        zeros=effort.zeros and "strong" in one.what,
        native=effort.native,  # which also says that a shape or dtype is wrong
        mapped=effort.mapped and "vmap" in one.what,
        compiled=effort.compiled and "jit" in one.what,
        eager=effort.eager and "eager" in one.what,
    )


def _alike(seen: Disagreement, one: Disagreement) -> bool:
    same_who = seen.who == one.who or UNDECIDED in (seen.who, one.who)
    return same_who and (seen.kind, seen.what) == (one.kind, one.what)
