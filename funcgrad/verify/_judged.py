"""One report for many drawn examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ._calls import Call, fingerprint
from ._findings import INCONCLUSIVE, KINK, RIGHT, WRONG, Finding, Report
from ._judge import GIVEN
from ._problem import name_of
from ._reproducer import reproducer


class Judged(NamedTuple):
    """A call, and what `check` said of it."""

    call: Call
    report: Report


def failure(fun: Any, worst: Call, judged: list[Judged], options: dict[str, Any]) -> Report:
    mark = fingerprint(worst)
    report = next(j.report for j in judged if fingerprint(j.call) == mark)
    drawn = 1 + next(i for i, j in enumerate(judged) if j.report.verdict == WRONG)
    words = f"the simplest found, from drawn example {drawn} in {len(judged) - drawn} more checks"
    text = reproducer(fun, worst.args, worst.kwargs, shown(options))
    first, *rest = report.points or (GIVEN,)
    return replace(report, points=(f"{first}: {words}", *rest), call=text)


def summary(fun: Any, judged: list[Judged], seed: int) -> Report:
    """One report for examples of which none is wrong."""
    name = name_of(fun)
    reports = [j.report for j in judged]
    skipped = [report for report in reports if report.verdict == INCONCLUSIVE]
    kinks = [report for report in reports if report.verdict == KINK]
    notes = _skipped(skipped, len(reports))
    if len(skipped) == len(reports):
        reasons = skipped[0].findings if skipped else ()
        verdict, findings = INCONCLUSIVE, (*notes, *reasons)
    else:
        verdict = KINK if kinks else RIGHT
        findings = (*(kinks[0].findings if kinks else ()), *notes)
    first = reports[0] if reports else Report(name, verdict)
    return replace(
        first,
        verdict=verdict,
        findings=findings,
        points=_counted(len(reports), len(skipped), len(kinks)),
        witnesses=tuple(dict.fromkeys(w for report in reports for w in report.witnesses)),
        seed=seed,
        call="",
    )


def _counted(total: int, skipped: int, kinks: int) -> tuple[str, ...]:
    words = [f"{total} drawn example{'' if total == 1 else 's'}"]
    words += [f"{kinks} of them on a kink"] if kinks else []
    words += [f"{skipped} of them passed over as inconclusive"] if skipped else []
    return tuple(words)


def _skipped(skipped: list[Report], total: int) -> tuple[Finding, ...]:
    """The remark on examples that could not be judged."""
    if total == 0:
        message = "no example could be drawn: the strategy rejects all that it makes"
        return (Finding("primal", INCONCLUSIVE, message),)
    if not skipped:
        return ()
    why = next((f.message for report in skipped for f in report.findings), "no reason was given")
    alone = len(skipped) == total
    message = f"{len(skipped)} of {total} drawn examples could not be judged; the first: {why}"
    return (Finding("primal" if alone else "note", INCONCLUSIVE if alone else RIGHT, message),)


def message(report: Report) -> str:
    """The report as a failing test shows it, its program as it stands."""
    text = str(replace(report, call=""))
    return f"{text}\n\nThis repeats it:\n\n{report.call}\n" if report.call else text


def shown(options: dict[str, Any]) -> dict[str, Any]:
    """The options that a user would write: not those which are the default of `check`."""
    return {name: value for name, value in options.items() if (name, value) != ("seed", 0)}
