"""Making a failing program small: fewer operations, fewer and rounder numbers, no bodies."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ._admission import Admission, examine
from ._finish import renamed
from ._program import NAMES, Body, Program, Step, leaf_names, live
from ._rewrite import replaced

_MOST_INPUTS = len(NAMES)
_ROUND = (1.0, 0.5, 2.0, -1.0)


def shrink(
    program: Program, still_fails: Callable[[Program], bool], *, seconds: float = 20.0
) -> Program:
    """The smallest program found that still fails.

    Args:
        program: one that fails.
        still_fails: whether a candidate fails in the same way. What it raises is passed on.
        seconds: when to stop; what is found until then is returned.

    Returns:
        A program that fails, well typed, finite, and at a smooth point if the given one was.
    """
    end = time.monotonic() + seconds
    values = examine(program, strict=True)
    strict = values is not None
    if values is None:
        values = examine(program, strict=False)
    if values is None:
        return program
    changed = True
    while changed and time.monotonic() < end:
        changed = False
        for moves in PASSES:
            while time.monotonic() < end:
                smaller = _first(program, moves(program, values), still_fails, strict, end)
                if smaller is None:
                    break
                (program, values), changed = smaller, True
    return program


def _first(
    program: Program,
    candidates: Iterator[Program],
    still_fails: Callable[[Program], bool],
    strict: bool,
    end: float,
) -> tuple[Program, Admission] | None:
    """The first candidate that is smaller, sound, and fails; with the values of its variables."""
    for candidate in candidates:
        if time.monotonic() > end:
            return None
        tidy = tidied(candidate)
        values = examine(tidy, strict) if size(tidy) < size(program) else None
        if values is not None and still_fails(tidy):
            return tidy, values
    return None


def size(program: Program) -> tuple[int, int, int]:
    """What shall become small: operations, numbers, text."""
    leaves = leaf_names(program.inputs).values()
    return len(program), sum(leaf.size for leaf in leaves), len(program.source())


def tidied(program: Program) -> Program:
    """Without steps and (if the arguments are flat) inputs that nothing reads."""
    bare = tuple(name.removesuffix(".real") for name in program.results)
    steps = tuple(_tidied_step(step) for step in live(program.steps, bare))
    read = set(bare).union(*(step.reads() for step in steps))
    leaves = leaf_names(program.inputs)
    if not _is_flat(program):
        return renamed(dataclasses.replace(program, steps=steps), {name: name for name in leaves})
    kept = {name: leaf for name, leaf in leaves.items() if name in read}
    mapping = dict(zip(kept, NAMES, strict=False))
    return renamed(dataclasses.replace(program, inputs=tuple(kept.values()), steps=steps), mapping)


def _is_flat(program: Program) -> bool:
    """Whether the arguments are arrays side by side."""
    return set(leaf_names(program.inputs)) == set(NAMES[: len(program.inputs)])


def _tidied_step(step: Step) -> Step:
    bodies = tuple(_tidied_body(body) for body in step.bodies)
    return dataclasses.replace(step, bodies=bodies)


def _tidied_body(body: Body) -> Body:
    steps = tuple(_tidied_step(step) for step in live(body.steps, body.results))
    return dataclasses.replace(body, steps=steps)


# --- passes: each yields candidates ---------------------------------------------------------------


def flat(program: Program, _: Admission) -> Iterator[Program]:
    """The arguments as arrays side by side."""
    leaves = leaf_names(program.inputs)
    if len(leaves) <= _MOST_INPUTS:
        mapping = dict(zip(leaves, NAMES, strict=False))
        yield renamed(dataclasses.replace(program, inputs=tuple(leaves.values())), mapping)


def one_result(program: Program, values: Admission) -> Iterator[Program]:
    """One variable as the result, the earliest first."""
    for step in program.steps:
        for name in step.results:
            suffix = ".real" if np.iscomplexobj(values[name]) else ""
            yield dataclasses.replace(program, results=(name + suffix,))


def without_a_step(program: Program, values: Admission) -> Iterator[Program]:
    """A step's result replaced by an earlier variable of its type, or by a new input."""
    known = leaf_names(program.inputs)
    for i, step in enumerate(program.steps):
        rest = program.steps[:i] + program.steps[i + 1 :]
        found = [_standing_in(values, name, [*step.operands, *known]) for name in step.results]
        if all(found):
            mapping = {a: b for a, b in zip(step.results, found, strict=True) if b}
            yield replaced(dataclasses.replace(program, steps=rest), mapping)
        yield from _with_new_inputs(program, step, rest, values)
        known |= {name: values[name] for name in step.results}


def _standing_in(values: Admission, name: str, others: list[str]) -> str | None:
    wanted = values[name]
    same = (
        o for o in others if values[o].shape == wanted.shape and values[o].dtype == wanted.dtype
    )
    return next(same, None)


def _with_new_inputs(
    program: Program, step: Step, rest: tuple[Step, ...], values: Admission
) -> Iterator[Program]:
    room = _MOST_INPUTS - len(program.inputs) >= len(step.results)
    real = not any(np.iscomplexobj(values[name]) for name in step.results)
    if not (room and real and _is_flat(program)):
        return
    mapping = dict(zip(step.results, NAMES[len(program.inputs) :], strict=False))
    added = [_rounded(values[name], 2) for name in step.results]
    inputs = (*program.inputs, *added)
    yield replaced(dataclasses.replace(program, inputs=inputs, steps=rest), mapping)


def _rounded(value: Any, digits: int) -> Any:
    array = np.asarray(value)
    return np.round(array.astype(np.float64), digits).astype(array.dtype)


def inlined(program: Program, _: Admission) -> Iterator[Program]:
    """A body in the place of the step that calls it: a branch, or one iteration."""
    for i, step in enumerate(program.steps):
        for body in step.bodies:
            if len(body.results) != len(step.results):
                continue
            for operands in (step.operands, step.operands[-len(body.parameters) :]):
                mapping = dict(zip(body.parameters, operands, strict=False))
                mapping |= dict(zip(step.results, body.results, strict=False))
                steps = program.steps[:i] + body.steps + program.steps[i + 1 :]
                yield replaced(dataclasses.replace(program, steps=steps), mapping)


def simpler_bodies(program: Program, _: Admission) -> Iterator[Program]:
    """A step inside a body replaced by one of its operands."""
    for i, step in enumerate(program.steps):
        for j, body in enumerate(step.bodies):
            for k, inner in enumerate(body.steps):
                for operand in dict.fromkeys([*inner.operands, *body.parameters]):
                    steps = body.steps[:k] + body.steps[k + 1 :]
                    shorter = dataclasses.replace(body, steps=steps)
                    bodies = (*step.bodies[:j], shorter, *step.bodies[j + 1 :])
                    changed = dataclasses.replace(step, bodies=bodies)
                    whole = (*program.steps[:i], changed, *program.steps[i + 1 :])
                    mapping = dict.fromkeys(inner.results, operand)
                    yield replaced(dataclasses.replace(program, steps=whole), mapping)


def smaller_arrays(program: Program, _: Admission) -> Iterator[Program]:
    """Every axis of some length cut to one or two entries; and axes taken away."""
    if not _is_flat(program):
        return
    leaves = leaf_names(program.inputs)
    yield dataclasses.replace(program, inputs=tuple(leaf.ravel()[0] for leaf in leaves.values()))
    for i, leaf in enumerate(program.inputs):
        for smaller in (leaf.ravel()[0], leaf.ravel()[:2]):
            yield _with_input(program, i, np.asarray(smaller))
    lengths = sorted({n for leaf in leaves.values() for n in leaf.shape if n > 1}, reverse=True)
    for n in lengths:
        for m in (1, 2):
            cut = [
                leaf[tuple(slice(m if k == n else k) for k in leaf.shape)]
                for leaf in leaves.values()
            ]
            yield dataclasses.replace(program, inputs=tuple(cut))


def _with_input(program: Program, number: int, value: Any) -> Program:
    inputs = (*program.inputs[:number], value, *program.inputs[number + 1 :])
    return dataclasses.replace(program, inputs=inputs)


def rounder_numbers(program: Program, _: Admission) -> Iterator[Program]:
    """Inputs of one number, or of fewer digits."""
    for i, leaf in enumerate(program.inputs):
        if not isinstance(leaf, np.ndarray | np.generic):
            continue
        array = np.asarray(leaf)
        for number in _ROUND:
            yield _with_input(program, i, np.full_like(array, number))
        for digits in (0, 1, 2):
            yield _with_input(program, i, _rounded(array, digits))


def unweighed(program: Program, _: Admission) -> Iterator[Program]:
    yield dataclasses.replace(program, weighed=False)


PASSES = (
    one_result, flat, without_a_step, inlined, simpler_bodies, smaller_arrays, rounder_numbers,
    unweighed,
)  # fmt: skip
