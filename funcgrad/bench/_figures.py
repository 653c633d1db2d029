"""The figures of one workload: what its gradient costs to make and to run, and how right it is."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from funcgrad.bench._count import equations, operations
from funcgrad.bench._measure import Ratio, control_of, has_control, ratio, rotated, timed
from funcgrad.bench._usage import Work, work_of
from funcgrad.bench._workload import UNOPTIMISED, Workload

Gradient = Callable[..., Any]
SECONDS = "s"


class Figure(NamedTuple):
    """One figure of one workload.

    Attributes:
        workload, name: of what; the name is a row of the table of targets.
        unit: "s", "bytes", "operations", …
        ours, theirs: medians, or exact numbers.
        against: the competitor.
        ratio: ours over theirs with its interval, which has no width for exact numbers.
        control: the competitor against itself; None for exact numbers.
        note: what else is known.
        turns: how often a time was measured; 0 for exact numbers.
        work: what the program has to do whose time this is.
    """

    workload: str
    name: str
    unit: str
    ours: float
    theirs: float
    against: str
    ratio: Ratio
    control: Ratio | None = None
    note: str = ""
    turns: int = 0
    work: Work | None = None


def figures(workload: Workload, seconds: float) -> Iterator[Figure]:
    """Measure one workload, each timed figure for about so many seconds."""
    first = _FirstCalls(workload, seconds)
    counts = _Counts(workload)
    yield from first.figures()
    yield _run(workload, first, seconds)._replace(
        work=work_of(first.programs["ours"], counts.operations["ours"])
    )
    yield _eager(workload, seconds)
    yield from _sizes(workload, first)
    yield from counts.figures()
    if workload.wide:
        yield _error(workload, first)


# --- the first call -------------------------------------------------------------------------------


class _FirstCalls:
    """Traces, lowers and compiles fresh copies in turns, and keeps a program of each."""

    def __init__(self, workload: Workload, seconds: float) -> None:
        self.workload = workload
        self.times: dict[tuple[str, str], list[float]] = {}
        self.programs: dict[str, Any] = {}
        gradients = {"ours": workload.ours, "theirs": workload.theirs}
        if has_control(seconds):
            gradients["again"] = workload.theirs
        for gradient in (workload.ours, workload.theirs):  # warms what JAX keeps of inner functions
            fresh(gradient).trace(*workload.arguments)
        begin, turn, names = time.monotonic(), 0, list(gradients)
        while turn < _turns(time.monotonic() - begin, turn, seconds):
            for name in rotated(names, turn):
                self._first_call(name, gradients[name])
            turn += 1

    def _first_call(self, name: str, gradient: Gradient) -> None:
        clock = [time.perf_counter()]
        traced = fresh(gradient).trace(*self.workload.arguments)
        clock.append(time.perf_counter())
        lowered = traced.lower()
        clock.append(time.perf_counter())
        self.programs[name] = lowered.compile()
        clock.append(time.perf_counter())
        for part, begin, end in zip(_PARTS, clock, clock[1:], strict=False):
            self.times.setdefault((name, part), []).append(end - begin)

    def figures(self) -> Iterator[Figure]:
        for part in _PARTS:
            times = {name: self.times[name, part] for name in self.programs}
            yield _timed(self.workload, part, times)


def _turns(spent: float, done: int, seconds: float) -> int:
    """How many turns there are to be, after so many: from 3 or 5 to 41, or fewer of long ones."""
    least, most = (5, 10.0) if seconds >= 1 else (3, 0.6)
    if done and spent > most:
        return done
    return 41 if spent < seconds else least


_PARTS = ("trace", "lower", "compile")


def fresh(gradient: Gradient) -> Any:
    """A jitted copy that JAX has not met: of a known function it would reuse what it has."""

    def copy(*arguments: Any) -> Any:
        return gradient(*arguments)

    return jax.jit(copy)


# --- running --------------------------------------------------------------------------------------


def _run(workload: Workload, first: _FirstCalls, seconds: float) -> Figure:
    calls = {name: _call(program, workload) for name, program in first.programs.items()}
    same = skeleton(first.programs["ours"].as_text()) == skeleton(
        first.programs["theirs"].as_text()
    )
    note = "same optimised program" if same else ""
    return _timed(workload, "run", timed(calls, seconds), note)


def _eager(workload: Workload, seconds: float) -> Figure:
    ours, theirs = _call(workload.ours, workload), _call(workload.theirs, workload)
    # What is met for the second time is compiled, and no turn is to hold that.
    jax.block_until_ready(ours())
    calls = {"ours": ours, "theirs": theirs}
    if has_control(seconds):
        calls["again"] = theirs
    return _timed(workload, "eager", timed(calls, seconds), f"{workload.bound} dominates")


def _call(gradient: Gradient, workload: Workload) -> Callable[[], Any]:
    return lambda: gradient(*workload.arguments)


def _timed(workload: Workload, name: str, times: dict[str, list[float]], note: str = "") -> Figure:
    ours, theirs = times["ours"], times["theirs"]
    return Figure(
        workload.name, name, SECONDS, statistics.median(ours), statistics.median(theirs),
        workload.against, ratio(ours, theirs), control_of(times), note, len(ours),
    )  # fmt: skip


# --- exact numbers --------------------------------------------------------------------------------


def exact(workload: Workload, name: str, unit: str, ours: float, theirs: float) -> Figure:
    """A figure without an interval; two zeros have the ratio one."""
    quotient = 1.0 if ours == theirs else ours / theirs if theirs else float("inf")
    return Figure(
        workload.name, name, unit, ours, theirs, workload.against,
        Ratio(quotient, quotient, quotient),
    )  # fmt: skip


def _sizes(workload: Workload, first: _FirstCalls) -> Iterator[Figure]:
    ours, theirs = first.programs["ours"], first.programs["theirs"]

    def sized(name: str, unit: str, measure: Callable[[Any], float]) -> Figure:
        return exact(workload, name, unit, measure(ours), measure(theirs))

    yield sized("memory", "bytes", lambda p: p.memory_analysis().temp_size_in_bytes)
    yield sized("program", "instructions", lambda p: len(skeleton(p.as_text())))
    yield sized("traffic", "bytes", lambda p: p.cost_analysis().get("bytes accessed", 0.0))


class _Counts:
    """The sizes of the jaxprs; and the gradient's operations over the function's own."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        of = {"ours": workload.ours, "theirs": workload.theirs, "own": workload.function}
        jaxprs = {name: jax.make_jaxpr(made)(*workload.arguments) for name, made in of.items()}
        self.equations = {name: equations(jaxpr) for name, jaxpr in jaxprs.items()}
        # The trips of a reversed `while` loop are not written in its program.
        known = {} if workload.trips else jaxprs
        self.operations = dict.fromkeys(of, math.nan) | {
            name: operations(jaxpr) for name, jaxpr in known.items()
        }

    def figures(self) -> Iterator[Figure]:
        workload, counts = self.workload, self.operations
        yield exact(
            workload, "jaxpr", "equations", self.equations["ours"], self.equations["theirs"]
        )
        if not workload.trips:
            own = counts["own"]
            yield exact(workload, "operations", "operations", counts["ours"], own)._replace(
                against="the function", note=f"jax.grad: {counts['theirs'] / own:.2f}"
            )


def _error(workload: Workload, first: _FirstCalls) -> Figure:
    """The error of the compiled gradients, relative to the largest entry, against float64."""
    with jax.enable_x64(True):
        wide = jax.tree.map(_widened, workload.arguments)
        # Not optimised, for that would take longer than all the rest.
        program = jax.jit(workload.theirs).lower(*wide).compile(UNOPTIMISED)
        truth = jax.tree.map(np.asarray, program(*wide))
    errors = [
        _distance(first.programs[name](*workload.arguments), truth) for name in ("ours", "theirs")
    ]
    return exact(workload, "error", "relative", *errors)


def _widened(leaf: Any) -> Any:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype == np.float32 else array


def _distance(found: Any, truth: Any) -> float:
    pairs = list(zip(jax.tree.leaves(found), jax.tree.leaves(truth), strict=True))
    largest = max(float(np.max(np.abs(right))) for _, right in pairs)
    worst = max(float(np.max(np.abs(np.asarray(got, np.float64) - right))) for got, right in pairs)
    return worst / largest if largest else worst


def skeleton(program: str) -> list[str]:
    """The operations of a compiled program with their shapes, without names and source lines."""
    found = re.finditer(r"^\s*(?:ROOT )?%?[\w.-]+ = (\S+|\([^)]*\)) ([\w-]+)\(", program, re.M)
    return sorted(f"{match[2]} {match[1]}" for match in found)
