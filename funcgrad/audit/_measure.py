"""One case in one dtype, measured: the cells of a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from .._jaxcompat import primitives as p
from ..verify._programs import equations
from ..verify._rounding import epsilon as rounding_unit
from ..verify._rounding import wide as wide_dtype
from ._cases import Example
from ._judge import EPSILON, Reference, Verdict, judge, largest, most_digits
from ._points import Point, draw, draw_arguments, shown
from ._quantities import Refused, first_line, measured, program
from ._records import (
    FORWARD,
    FORWARD_REVERSE,
    JAX,
    OURS,
    PAIRS,
    REVERSE,
    REVERSE_TWICE,
    VALUE,
    Cell,
    Row,
    same_cells,
)
from ._reference import NOTHING, Columns, Witness, Witnesses, agrees

ENOUGH = 0.01  # differences serve as a reference if their bound is below this share of a rounding
_OTHER = {OURS: JAX, JAX: OURS}
_NAMES = {OURS: "our", JAX: "JAX's"}

# Rules of decompositions: their vectors are determined up to a sign, or a phase.
FREE_SIGNS = frozenset({"decompositions", "eigenvectors", "spectra"})


class Task(NamedTuple):
    """What is measured: an example in a dtype, by the parts that are not to be left out.

    Attributes:
        skip: by engine, or "reference", a status and a message: it broke when it was tried.
    """

    example: Example
    dtype: str
    seed: int
    skip: dict[str, tuple[str, str]]


def measure(
    task: Task, witness: Witness, device: Any, began: Callable[[str], None] = lambda _: None
) -> Row:
    """Measure a case.

    Args:
        task: what.
        witness: of the case.
        device: where.
        began: is told which part is next: "jax", "funcgrad" or "reference".
    """
    start = time.perf_counter()
    example, dtype = task.example, task.dtype
    try:
        point = _point(example, dtype, task.seed)
    except Exception as error:  # JAX refuses the dtype
        cells = same_cells("unsupported", first_line(error))
        return _row(task, "", cells, time.perf_counter() - start)
    results: dict[str, Columns | tuple[str, str]] = {}
    for engine in (JAX, OURS):
        began(engine)
        broken = task.skip.get(engine)
        results[engine] = broken or measured(engine, program(example), point, device)
    began("reference")
    witnesses, why = _witnesses(task, witness, point)
    if why:
        task.skip["reference"] = ("failed", why)
    if _has_other_signs(example, results, witnesses):
        witnesses = NOTHING
        task.skip["reference"] = ("is of no use", "it has other signs, which are free here")
    epsilon = coarsest(program(example), point, dtype)
    cells = tuple(_cells(task, results, witnesses, epsilon))
    return _row(task, shown(point.arguments), cells, time.perf_counter() - start)


def _witnesses(task: Task, witness: Witness, point: Point) -> tuple[Witnesses, str]:
    """What is known; and why nothing is, if that is so."""
    if "reference" in task.skip:
        return NOTHING, ""
    try:
        return witness.at(point, task.dtype), ""
    except Exception as error:  # a case without a reference is still measured
        return NOTHING, first_line(error)


def _has_other_signs(
    example: Example, results: dict[str, Columns | tuple[str, str]], witnesses: Witnesses
) -> bool:
    """Whether the value is the reference's up to signs that a decomposition may choose."""
    found, right = results[JAX], witnesses.differences.get(VALUE)
    if isinstance(found, tuple) or right is None or example.topic not in FREE_SIGNS:
        return False
    value = found[VALUE]
    if isinstance(value, Refused):
        return False
    limit = float(np.sqrt(EPSILON["bfloat16"]))
    pairs = list(zip(value, right.leaves, strict=True))
    same = [largest(a - b) <= limit * largest(b) for a, b in pairs]
    close = [largest(np.abs(a) - np.abs(b)) <= limit * largest(b) for a, b in pairs]
    return all(close) and not all(same)


def _point(example: Example, dtype: str, seed: int) -> Point:
    arguments = draw_arguments(example, dtype, seed)
    return draw(example, dtype, seed, jax.eval_shape(program(example), *arguments))


def _row(task: Task, point: str, cells: tuple[Cell, ...], seconds: float) -> Row:
    example = task.example
    return Row(
        example.name, example.rule.family, example.topic, example.number, task.dtype,
        example.case.note, example.shapes_text, point, cells, round(seconds, 3),
    )  # fmt: skip


# --- the cells ------------------------------------------------------------------------------------


def _cells(task: Task, results: dict[str, Any], witnesses: Witnesses, epsilon: float) -> list[Cell]:
    cells: dict[tuple[str, str], Cell] = {}
    value = results[JAX][VALUE] if isinstance(results[JAX], dict) else None
    for engine, column in PAIRS:
        found = results[engine]
        if isinstance(found, tuple):
            cells[engine, column] = Cell(engine, column, found[0], message=found[1])
        elif isinstance(found[column], Refused):
            refused = _blamed(found[column], value)
            cells[engine, column] = Cell(engine, column, refused.status, message=refused.message)
        else:
            cells[engine, column] = _cell(task, engine, column, results, witnesses, epsilon)
    key = OURS, FORWARD_REVERSE
    cells[key] = _absolved(cells[key], cells[OURS, REVERSE_TWICE], cells[JAX, FORWARD])
    return [_compared(cell, cells) for cell in cells.values()]


def _absolved(cell: Cell, twice: Cell, forward: Cell) -> Cell:
    """Ours is not to blame where JAX's forward mode errs, which goes over our gradient."""
    if cell.status not in _BAD or forward.status not in _BAD or twice.status != "ok":
        return cell
    text = f"JAX's forward mode, which goes over our gradient, is {forward.status} here"
    return replace(cell, status="unchecked", message=f"{text}; {cell.message}")


def _blamed(refused: Refused, value: Any) -> Refused:
    """Where JAX has no value, there is nothing that we could differentiate."""
    return value if isinstance(value, Refused) else refused


def _cell(
    task: Task, engine: str, column: str, results: dict[str, Any], witnesses: Witnesses,
    epsilon: float,
) -> Cell:  # fmt: skip
    got = results[engine][column]
    most = most_digits(EPSILON[task.dtype])
    reference = choose(engine, column, witnesses, EPSILON[task.dtype])
    if reference is None or not task.example.has_numbers:
        return _unchecked(task, engine, column, results, most)
    spreads = witnesses.spreads.get(column, ())
    # The input was moved by the unit of its dtype; what rounds inside may be coarser.
    spreads = tuple(s * epsilon / EPSILON[task.dtype] for s in spreads)
    beside = 0.0 if column == VALUE else _size(witnesses, column)
    verdict = judge(got, reference, epsilon, spreads, most, beside)
    return Cell(engine, column, verdict.status, verdict.digits, reference.name, verdict.message)


def _size(witnesses: Witnesses, column: str) -> float:
    """The largest number of the orders below: what is far smaller is what they leave over."""
    lower = (VALUE,) if column in (REVERSE, FORWARD) else (VALUE, REVERSE)
    parts = [c[name] for c in witnesses.engines.values() for name in lower]
    sizes = [largest(leaf) for part in parts if not isinstance(part, Refused) for leaf in part]
    return max([s for s in sizes if np.isfinite(s)], default=0.0)


def _unchecked(task: Task, engine: str, column: str, results: dict[str, Any], most: float) -> Cell:
    """A cell whose only measure is the other engine in the same dtype."""
    other = results[_OTHER[engine]]
    twin = other.get(column) if isinstance(other, dict) else None
    why = "" if task.example.has_numbers else "one point says nothing of the next"
    if "reference" in task.skip:
        why = "the reference {}: {}".format(*task.skip["reference"])
    if twin is None or isinstance(twin, Refused):
        return Cell(engine, column, "unchecked", None, "", why or "no reference is to be had")
    name = f"{_NAMES[_OTHER[engine]]} result in {task.dtype}"
    verdict: Verdict = judge(
        results[engine][column], Reference(twin, (0.0,) * len(twin), name), EPSILON[task.dtype]
    )
    digits = None if verdict.digits is None else min(verdict.digits, most)
    message = "; ".join(part for part in (why, verdict.message) if part)
    return Cell(engine, column, "unchecked", digits, name, message)


def choose(engine: str, column: str, witnesses: Witnesses, epsilon: float) -> Reference | None:
    """The reference for a cell of an engine.

    Numerical differences, where their bound is far below a rounding. Else the other engine in 64
    bits, or this one, if it lies within the bounds of the differences, so that no engine judges
    itself. Where there are no differences, at a kink for example, the other engine alone.
    """
    differences = witnesses.differences.get(column)
    if differences is not None and not np.isfinite(differences.bounds).all():
        differences = None
    if differences is not None and _is_enough(differences, epsilon):
        return differences
    found: dict[bool, list[Reference]] = {True: [], False: []}
    for whose in (_OTHER[engine], engine):
        leaves = witnesses.engines.get(whose, {}).get(column)
        itself = whose == engine and epsilon == EPSILON["float64"]
        if leaves is None or isinstance(leaves, Refused) or itself:
            continue
        proved = (whose, column) in witnesses.proved
        if differences is None or agrees(leaves, differences):
            found[proved].append(_by_engine(leaves, whose, proved))
    others = [] if differences is not None or (engine, column) in witnesses.proved else found[False]
    return next(iter([*found[True], *others[:1]]), differences)


def _by_engine(leaves: Any, whose: str, proved: bool) -> Reference:
    text = f"{_NAMES[whose]} float64 result on the CPU"
    confirmed = ", which differences confirm" if proved else ""
    return Reference(leaves, (0.0,) * len(leaves), text + confirmed)


def _is_enough(differences: Reference, epsilon: float) -> bool:
    pairs = zip(differences.leaves, differences.bounds, strict=True)
    return all(b <= ENOUGH * epsilon * largest(x) for x, b in pairs)


def _compared(cell: Cell, cells: dict[tuple[str, str], Cell]) -> Cell:
    """A cell of ours with the mark of being worse than JAX's."""
    theirs = cells.get((JAX, cell.column))
    if cell.engine == JAX or theirs is None:
        return cell
    pair = (cell.digits, theirs.digits)
    fewer = pair[0] is not None and pair[1] is not None and pair[0] < pair[1] - 1
    worse = fewer or (theirs.status == "ok" and cell.status in _BAD)
    return replace(cell, worse=worse)


_BAD = frozenset({"poor", "wrong", "raises", "crashed", "timed out"})


# --- the numbers inside ---------------------------------------------------------------------------


def coarsest(function: Any, point: Point, dtype: str) -> float:
    """The rounding unit of the coarsest numbers that a program passes through."""
    found = [EPSILON[dtype]]
    for equation in equations(jax.make_jaxpr(function)(*point.arguments)):
        if equation.primitive is p.reduce_precision_p:
            found.append(2.0 ** -equation.params["mantissa_bits"])
        kinds = [v.aval.dtype for v in equation.outvars if hasattr(v.aval, "dtype")]
        found += [rounding_unit(kind) for kind in kinds if wide_dtype(kind) is not None]
    return max(found)
