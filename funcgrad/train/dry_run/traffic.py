"""How many bytes a step of a compiled program reads and writes in the device's memory.

Every instruction outside of a fusion reads its operands and writes its result; what happens inside
a fusion stays in registers. Where a fusion reads only slices of an operand, or writes one into it,
the slices count. Naming, grouping and reinterpreting arrays is free.
"""

from __future__ import annotations

from collections.abc import Mapping

from funcgrad.train.dry_run.hlo import Instruction, Module

_FREE = frozenset({
    "parameter", "constant", "get-tuple-element", "tuple", "bitcast", "after-all", "domain",
    "partition-id", "replica-id", "optimization-barrier", "add-dependency",
})  # fmt: skip
_SLICES = ("dynamic-slice", "slice", "gather")

Lines = tuple[Instruction, ...]


def traffic(module: Module, name: str) -> float:
    """Return the bytes that a computation reads and writes, every inner loop's body counted once.

    >>> from funcgrad.train.dry_run.hlo import parse
    >>> module = parse('''
    ... %scaled (p: f32[100], q: s32[]) -> f32[10] {
    ...   %p = f32[100]{0} parameter(0)
    ...   %q = s32[] parameter(1)
    ...   %some = f32[10]{0} dynamic-slice(%p, %q), dynamic_slice_sizes={10}
    ...   ROOT %out = f32[10]{0} negate(%some)
    ... }
    ... ENTRY %main (x: f32[100], i: s32[]) -> f32[10] {
    ...   %x = f32[100]{0} parameter(0)
    ...   %i = s32[] parameter(1)
    ...   ROOT %f = f32[10]{0} fusion(%x, %i), kind=kLoop, calls=%scaled
    ... }''')
    >>> traffic(module, "main")  # 10 floats and an integer read, 10 floats written
    84.0
    """
    lines = module.computations[name]
    known = {line.name: line for line in lines}
    total = 0.0
    for line in lines:
        if line.opcode in ("while", "call"):
            total += sum(traffic(module, called) for called in line.called)
        elif line.opcode == "conditional":
            total += max(traffic(module, branch) for branch in line.called)
        elif line.opcode not in _FREE and not line.opcode.endswith("-done"):
            total += _read(module, line, known) + _written(module, line, known)
    return total


def _read(module: Module, line: Instruction, known: Mapping[str, Instruction]) -> float:
    sizes = [known[operand].size if operand in known else 0 for operand in line.operands]
    if line.opcode in _SLICES:
        return float(line.size + sum(sizes[1:]))
    if line.opcode == "dynamic-update-slice":
        return float(sum(sizes[1:]))
    if line.opcode != "fusion":
        return float(sum(sizes))
    body = module.computations[line.called[0]]
    return float(sum(_used(body, place, size) for place, size in enumerate(sizes)))


def _written(module: Module, line: Instruction, known: Mapping[str, Instruction]) -> float:
    if line.opcode == "fusion":
        body = module.computations[line.called[0]]
        known, line = {inner.name: inner for inner in body}, _through(body, body[-1])
    if line.opcode == "dynamic-update-slice" and line.operands[1] in known:
        return float(known[line.operands[1]].size)
    return float(line.size)


def _used(body: Lines, place: int, size: int) -> int:
    """How many bytes of a parameter a fusion reads."""
    parameter = next(
        (line for line in body if line.opcode == "parameter" and _number(line) == place), None
    )
    if parameter is None:
        return size
    names = {parameter.name}
    for line in body:  # a bitcast of the parameter is the parameter
        if line.opcode == "bitcast" and line.operands[0] in names:
            names.add(line.name)
    users = [
        line for line in body if line.opcode != "bitcast" and names.intersection(line.operands)
    ]
    if not all(_slices(line, names) for line in users):
        return size
    return min(size, sum(line.size for line in users if line.opcode in _SLICES))


def _slices(line: Instruction, names: set[str]) -> bool:
    """Whether an instruction reads only a part of its first operand, or only writes into it."""
    reads = line.opcode in (*_SLICES, "dynamic-update-slice")
    return reads and line.operands[0] in names and not names.intersection(line.operands[1:])


def _number(parameter: Instruction) -> int:
    return int(parameter.operands[0])


def _through(body: Lines, line: Instruction) -> Instruction:
    """The instruction whose result a bitcast only shows in another way."""
    known = {inner.name: inner for inner in body}
    while line.opcode == "bitcast" and line.operands[0] in known:
        line = known[line.operands[0]]
    return line
