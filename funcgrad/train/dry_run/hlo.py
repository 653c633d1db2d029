"""The text of a compiled program as data: its computations, what they call, and their loop.

`compiled.as_text()` is what XLA runs on each device. Read are the parts that say what a step costs:
names, shapes, operations, operands, and which computation calls which.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from funcgrad._errors import DataError

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_COMMENT = re.compile(r"/\*.*?\*/")
_HEADER = re.compile(r"(ENTRY\s+)?%?([\w.\-]+)(?:\s*\(.*\)\s*->.*)?\s*\{$")
_LINE = re.compile(r"(?:ROOT\s+)?%?([\w.\-]+) = (.*)$")
_ARRAY = re.compile(r"\b(pred|token|opaque|[a-z]+?\d+(?:e\d+m\d+[a-z0-9]*)?)\[([\d,<=]*)\]")
_NAME = re.compile(r"%?([\w.\-]+)\s*$")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_ONE_CALLED = re.compile(
    r"\b(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.\-]+)"
)
_MORE_CALLED = re.compile(r"\b(?:branch_computations|called_computations|calls)=\{([^}]*)\}")


class Array(NamedTuple):
    """The type of one array: `f32` and `(2, 3)` for ``f32[2,3]``."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Its bytes.

        >>> Array("f32", (2, 3)).size, Array("pred", ()).size, Array("bf16", (5,)).size
        (24, 1, 10)
        """
        digits = re.search(r"\d+", self.dtype)
        bits = int(digits.group()) if digits else 8 * (self.dtype == "pred")
        return -(-bits * math.prod(self.shape) // 8)


class Instruction(NamedTuple):
    """One line of a computation.

    Attributes:
        arrays: what it returns; several for a tuple.
        attributes: what stands behind the operands, without the text between quotation marks.
        called: the computations that it names.
        trips: how often the body of a loop runs, where XLA knows it.
        root: whether this is the computation's result.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[str, ...]
    attributes: str
    called: tuple[str, ...]
    trips: int | None
    root: bool

    @property
    def size(self) -> int:
        """The bytes of what it returns."""
        return sum(array.size for array in self.arrays)


class Module(NamedTuple):
    """A compiled program: its computations by name, and the name of the one that begins."""

    computations: Mapping[str, tuple[Instruction, ...]]
    entry: str


def parse(text: str) -> Module:
    """Read the text of a compiled program.

    Raises:
        DataError: the text is not that of a program.

    >>> module = parse('''HloModule twice
    ... ENTRY %main (x: f32[8]) -> f32[8] {
    ...   %x = f32[8]{0} parameter(0)
    ...   ROOT %sum = f32[8]{0} add(%x, f32[8]{0} %x), metadata={op_name="a(b)=c"}
    ... }''')
    >>> module.computations[module.entry][1].operands
    ('x', 'x')
    """
    computations: dict[str, tuple[Instruction, ...]] = {}
    name, entry, lines = "", "", list[Instruction]()
    for line in map(str.strip, text.splitlines()):
        if header := None if " = " in line.split("(")[0] else _HEADER.match(line):
            name, lines = header.group(2), []
            entry = name if header.group(1) else entry
        elif line == "}":
            computations[name] = tuple(lines)
        elif match := _LINE.match(line):
            lines.append(_instruction(match.group(1), match.group(2), line.startswith("ROOT")))
    if entry not in computations:
        raise DataError("the text of the compiled program has no ENTRY; give compiled.as_text()")
    return Module(computations, entry)


def training_loop(module: Module) -> Instruction:
    """Return the one loop of a run's program, whose body is a step.

    Raises:
        DataError: the program has no loop, or several, outside of loops.
    """
    found = [
        instruction
        for _, instruction in reached(module, module.entry, into_loops=False)
        if instruction.opcode == "while"
    ]
    if len(found) != 1:
        raise DataError(
            f"a run is one loop over its steps, but the compiled program has {len(found)}; what a "
            "step costs cannot be told from it"
        )
    return found[0]


def body_of(loop: Instruction) -> str:
    """The name of the computation that a loop repeats."""
    match = re.search(r"\bbody=%?([\w.\-]+)", loop.attributes)
    assert match is not None
    return match.group(1)


def reached(
    module: Module, name: str, *, into_loops: bool = True, times: float = 1
) -> Iterator[tuple[float, Instruction]]:
    """Yield every instruction that a computation runs, and how often, with what it calls.

    A loop whose trips XLA does not know has infinitely many.
    """
    for instruction in module.computations[name]:
        yield times, instruction
        if instruction.opcode.endswith(("-done", "-update")):
            continue  # its start has named the same computation
        if instruction.opcode == "while":
            if not into_loops:
                continue
            inside = times * (math.inf if instruction.trips is None else instruction.trips)
        else:
            inside = times
        for called in instruction.called:
            yield from reached(module, called, into_loops=into_loops, times=inside)


# --- one line -------------------------------------------------------------------------------------


def _instruction(name: str, text: str, root: bool) -> Instruction:
    trips = _TRIPS.search(text)
    text = _COMMENT.sub("", _QUOTED.sub('""', text))
    end = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    result, rest = text[:end], text[end:].lstrip()
    begin = rest.index("(")
    stop = _closing(rest, begin)
    attributes = rest[stop + 1 :]
    return Instruction(
        name,
        rest[:begin],
        _arrays(result),
        _names(rest[begin + 1 : stop]),
        attributes,
        _called(attributes),
        int(trips.group(1)) if trips else None,
        root,
    )


def _closing(text: str, begin: int) -> int:
    """Where the bracket that opens at a place closes."""
    depth = 0
    for place in range(begin, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place
    raise DataError(f"a line of the compiled program is cut off: {text[:60]!r}")


def _arrays(text: str) -> tuple[Array, ...]:
    return tuple(
        Array(dtype, tuple(int(number.strip("<=")) for number in shape.split(",") if number))
        for dtype, shape in _ARRAY.findall(text)
    )


def _names(operands: str) -> tuple[str, ...]:
    """The names of operands, which one version of XLA writes alone, another behind their types."""
    depth, begin, parts = 0, 0, list[str]()
    for place, character in enumerate(operands):
        depth += (character in "({[") - (character in ")}]")
        if character == "," and depth == 0:
            parts.append(operands[begin:place])
            begin = place + 1
    names = (_NAME.search(part) for part in [*parts, operands[begin:]])
    return tuple(name.group(1) for name in names if name)


def _called(attributes: str) -> tuple[str, ...]:
    several = (part for group in _MORE_CALLED.findall(attributes) for part in group.split(","))
    return (
        *_ONE_CALLED.findall(attributes),
        *(part.strip().lstrip("%") for part in several if part.strip()),
    )
