"""From the outcomes of checks to the figures of the score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

PASSED = ("right", "kink")
ALARM = ("wrong", "crash")


class Outcome(NamedTuple):
    """One draw of one case, judged by one checker.

    Attributes:
        checker, dtype: who judged, and in which precision.
        corpus: "faults" or "hazards".
        case, kind, smooth: of the case.
        draw: its number, from 0.
        verdict: "right", "kink", "inconclusive", "wrong", "crash" or "time-out".
        twin: that of the corrected problem; empty for a hazard.
        first: seconds of the check, if it was the first of the case; None of a later draw.
        warm: seconds of the same check repeated; None where it was not.
        note: the first line of what was said.
    """

    checker: str
    dtype: str
    corpus: str
    case: str
    kind: str
    smooth: bool
    draw: int
    verdict: str
    twin: str = ""
    first: float | None = None
    warm: float | None = None
    note: str = ""


class Row(NamedTuple):
    """The figures of a checker in a dtype; a share is in percent, None where nothing was run."""

    checker: str
    dtype: str
    faults: int
    found: float | None
    hazards: int
    false_alarms: float | None
    inconclusive: float | None
    warm: float | None
    first: float | None
    time_outs: int


def found(outcome: Outcome) -> bool:
    """Whether the fault was seen, and not merely everything called wrong."""
    return outcome.verdict == "wrong" and outcome.twin in PASSED


def alarmed(outcome: Outcome) -> bool:
    """Whether a right function was refused."""
    return outcome.verdict in ALARM


def timed_out(outcome: Outcome) -> bool:
    """Whether the check, or that of the twin, ran into the time limit."""
    return "time-out" in (outcome.verdict, outcome.twin)


def summarize(outcomes: Iterable[Outcome]) -> list[Row]:
    """A row for every checker and dtype, in the order of their appearance."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.checker, outcome.dtype), []).append(outcome)
    return [_row(*names, group) for names, group in groups.items()]


def _row(checker: str, dtype: str, group: Sequence[Outcome]) -> Row:
    faults = [o for o in group if o.corpus == "faults"]
    hazards = [o for o in group if o.corpus == "hazards"]
    unsure = [o.verdict == "inconclusive" for o in hazards if o.smooth]
    return Row(
        checker,
        dtype,
        len(faults),
        _percent([found(o) for o in faults]),
        len(hazards),
        _percent([alarmed(o) for o in hazards]),
        _percent(unsure),
        _middle([o.warm for o in group]),
        _middle([o.first for o in group]),
        sum(timed_out(o) for o in group),
    )


def _percent(hits: Sequence[bool]) -> float | None:
    return 100 * sum(hits) / len(hits) if hits else None


def _middle(seconds: Iterable[float | None]) -> float | None:
    known = [s for s in seconds if s is not None]
    return median(known) if known else None


HEADER = (
    "| checker | dtype | faults found | false alarms | inconclusive, smooth | s warm | s first "
    "| time-outs |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        f"| {r.checker} | {r.dtype} | {_share(r.found, r.faults)} "
        f"| {_share(r.false_alarms, r.hazards)} | {_share(r.inconclusive)} "
        f"| {_seconds(r.warm)} | {_seconds(r.first)} | {r.time_outs} |"
        for r in rows
    ]
    return "\n".join([HEADER, *lines])


def _share(percent: float | None, count: int | None = None) -> str:
    if percent is None:
        return "-"
    return f"{percent:.1f}%" + (f" of {count}" if count is not None else "")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def details(outcomes: Iterable[Outcome]) -> str:
    """Every miss, false alarm and time-out, and what was inconclusive, by case and draw."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        trouble = _trouble(outcome)
        if trouble:
            key = (outcome.checker, outcome.dtype, trouble, outcome.kind, outcome.case)
            groups.setdefault(key, []).append(outcome)
    return "\n".join(_detail(key, group) for key, group in sorted(groups.items()))


def _trouble(outcome: Outcome) -> str:
    if timed_out(outcome):
        return "time-out"
    if outcome.corpus == "faults" and not found(outcome):
        return "missed"
    if outcome.corpus == "hazards" and alarmed(outcome):
        return "false alarm"
    return "inconclusive" if outcome.verdict == "inconclusive" and outcome.smooth else ""


def _detail(key: Sequence[str], group: Sequence[Outcome]) -> str:
    checker, dtype, trouble, kind, name = key
    draws = ",".join(str(o.draw) for o in group)
    said = group[0].verdict + (f", twin {group[0].twin}" if group[0].twin else "")
    return f"{checker} {dtype} {trouble}: [{kind}] {name}, draws {draws}: {said}: {group[0].note}"
