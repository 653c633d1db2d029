"""What the devices of a run tell each other at every step, read from the compiled program.

Counted is what stands in the body of the loop over the steps, and in what the body calls: the
collectives that XLA's partitioner made, with the bytes of what they combine and the devices that
take part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from funcgrad._errors import DataError
from funcgrad.train.dry_run.hlo import Instruction, Module, body_of, reached, training_loop

KINDS = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "ragged-all-to-all",
    "collective-permute",
    "collective-broadcast",
)
_IOTA = re.compile(r"\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_LISTS = re.compile(r"\{((?:\{[\d,]*\},?)*)\}")
_IDS = r"(?:\[([\d,]+)\](?:T\(([\d,]+)\))?|([\d, ]+))"
_MESH = re.compile(rf"mesh\[([^\]]*)\](?:, device_ids=\({_IDS}\))?\s*\{{([^}}]*)\}}")
_GROUPS = re.compile(r"(replica_groups|source_target_pairs)=")

Groups = tuple[tuple[int, ...], ...]


class Collective(NamedTuple):
    """One collective of a step.

    Attributes:
        kind: one of `KINDS`.
        parts: how many arrays it combines at once.
        payload: bytes of the whole array, or of all of them: what is reduced, gathered or
            scattered, and for an exchange what a device sends in all.
        group: devices that take part together, those of the first group.
        axes: the axes of the mesh along which the group lies; empty where it lies along none.
        times: how often a step does it.
    """

    kind: str
    parts: int
    payload: int
    group: tuple[int, ...]
    axes: tuple[str, ...]
    times: float

    @property
    def sent(self) -> float:
        """Bytes that each device sends for it along a ring, every time.

        >>> group = tuple(range(8))
        >>> Collective("all-reduce", 1, 800, group, ("data",), 1).sent
        1400.0
        >>> Collective("all-gather", 1, 800, group, ("data",), 1).sent
        700.0
        """
        if self.kind in ("collective-permute", "collective-broadcast"):
            return float(self.payload)
        rounds = 2 if self.kind == "all-reduce" else 1
        return rounds * self.payload * (len(self.group) - 1) / len(self.group)


def collectives(module: Module, axes: Mapping[str, int]) -> tuple[Collective, ...]:
    """Return the collectives of one step of a run, in the order of the program.

    Args:
        module: the compiled program.
        axes: the mesh; its devices are numbered in order, as `jax.make_mesh` numbers them.

    Raises:
        DataError: the program is not one loop, or the text has a form that is not known.
    """
    return tuple(_found(module, body_of(training_loop(module)), axes))


def _found(module: Module, body: str, axes: Mapping[str, int]) -> Iterator[Collective]:
    sizes = _results(module)
    for times, instruction in reached(module, body):
        kind = instruction.opcode.removesuffix("-start")
        if kind not in KINDS:
            continue
        if math.isinf(times):
            raise DataError(
                f"a step has {kind} {instruction.name!r} inside a loop whose length is known only "
                "when it runs, so what the step communicates cannot be counted"
            )
        group = _groups(instruction, math.prod(axes.values()))[0]
        arrays, size = sizes(instruction)
        payload = size * len(group) if kind == "reduce-scatter" else size
        yield Collective(kind, arrays, payload, group, _along(group, axes), times)


def _results(module: Module) -> Callable[[Instruction], tuple[int, int]]:
    """How many arrays, and of how many bytes, a collective returns, at its end if it has one."""
    ends = {
        instruction.operands[0]: instruction
        for lines in module.computations.values()
        for instruction in lines
        if instruction.opcode.endswith("-done") and instruction.operands
    }

    def result(instruction: Instruction) -> tuple[int, int]:
        last = instruction
        if instruction.opcode.endswith("-start"):
            last = ends.get(instruction.name, instruction)
        return len(last.arrays), last.size

    return result


# --- who takes part -------------------------------------------------------------------------------


def _groups(instruction: Instruction, devices: int) -> Groups:
    """The devices that take part together, in whichever of the three forms XLA wrote them."""
    found = _GROUPS.search(instruction.attributes)
    if found is None:
        return (tuple(range(devices)),)
    text = instruction.attributes[found.end() :]
    if found.group(1) == "source_target_pairs":
        pairs = _lists(text)
        return (tuple(sorted({device for pair in pairs or () for device in pair})),)
    groups = _from_mesh(text) or _from_iota(text) or _lists(text)
    if groups is None:
        raise DataError(
            f"the groups of {instruction.opcode} {instruction.name!r} are in a form that is not "
            f"known, {text[:60]!r}; please report it"
        )
    return groups or (tuple(range(devices)),)


def _from_mesh(text: str) -> Groups | None:
    """``mesh['a'=4,'b'=2] {'a'}``.

    Instead of an axis there may be the part of one, ``{'a':(2)2}`` for what is left of the 4 behind
    the first 2; and before the brackets the numbers of the devices, if not in order, as a list or
    as in `_from_iota`: ``device_ids=([4,2]T(1,0))``.
    """
    match = _MESH.match(text)
    if match is None:
        return None
    named, sizes, order, listed, taking = match.groups(default="")
    axes = {name: int(size) for name, size in re.findall(r"'([^']*)'=(\d+)", named)}
    chosen = re.findall(r"'([^']*)'(?::\((\d+)\)(\d+))?", taking)
    shape, taken = list[int](), list[int]()
    for name, size in axes.items():
        begin = len(shape)
        parts = sorted((int(before), int(part)) for axis, before, part in chosen
                       if axis == name and part)  # fmt: skip
        if not parts and any(axis == name for axis, *_ in chosen):
            parts = [(1, size)]
        for before, part in parts:
            shape.append(before // math.prod(shape[begin:]))
            taken.append(len(shape))
            shape.append(part)
        shape.append(size // math.prod(shape[begin:]))
    rest = [place for place in range(len(shape)) if place not in taken]
    numbers = _numbers(_integers(sizes) or (math.prod(shape),), _integers(order))
    devices = np.array(_integers(listed)) if listed else numbers
    rows = devices.reshape(shape).transpose([*rest, *taken])
    return _rows(rows.reshape(-1, math.prod(shape[place] for place in taken)))


def _from_iota(text: str) -> Groups | None:
    """``[4,2]<=[2,4]T(1,0)``: the numbers from 0, reshaped, transposed, and reshaped again."""
    match = _IOTA.match(text)
    if match is None:
        return None
    shape, sizes, order = (_integers(part) for part in match.groups(default=""))
    return _rows(_numbers(sizes, order).reshape(-1, shape[-1]))


def _numbers(sizes: tuple[int, ...], order: tuple[int, ...]) -> NDArray[np.int_]:
    numbers = np.arange(math.prod(sizes)).reshape(sizes)
    return numbers.transpose(order) if order else numbers


def _lists(text: str) -> Groups | None:
    """``{{0,1},{2,3}}``; ``{}`` is none, which means all devices."""
    match = _LISTS.match(text)
    if match is None:
        return None
    return tuple(_integers(part) for part in re.findall(r"\{([\d,]*)\}", match.group(1)))


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


def _rows(numbers: NDArray[np.int_]) -> Groups:
    return tuple(tuple(map(int, row)) for row in numbers)


def _along(group: tuple[int, ...], axes: Mapping[str, int]) -> tuple[str, ...]:
    """The axes of a mesh, as few as possible, along which a group lies."""
    places = np.arange(math.prod(axes.values())).reshape(tuple(axes.values()))
    corner = np.argwhere(places == group[0])[0]
    for count in range(len(axes) + 1):
        for names in combinations(axes, count):
            index = tuple(
                slice(None) if name in names else int(place)
                for name, place in zip(axes, corner, strict=True)
            )
            if sorted(group) == sorted(np.ravel(places[index]).tolist()):
                return names
    return ()
