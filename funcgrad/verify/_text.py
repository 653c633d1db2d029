"""A check's report in words: plain text in 80 columns, and the same words with colours."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.text import Text

if TYPE_CHECKING:
    from ._differences import Estimate
    from ._findings import Finding, Report

WIDTH = 80
SHOWN = 8  # findings; who has more errors than that mends these first
_LISTED = 100  # characters of a list: two lines, with the number of the others

_VERDICTS = {
    "right": "the derivatives are right",
    "kink": "the derivatives are right; at a kink there is no derivative to compare with",
    "inconclusive": "not decided whether the derivatives are right",
    "wrong": "the derivatives are WRONG",
}
_OTHER_VERDICTS = {  # of what is no derivative: an optimiser
    "right": "it is right",
    "inconclusive": "not decided whether it is right",
    "wrong": "it is WRONG",
}
_TITLES = {"right": "remark", "kink": "kink", "inconclusive": "not decided", "wrong": "WRONG"}
STYLES = {"right": "green", "kink": "cyan", "inconclusive": "yellow", "wrong": "red"}
_ROWS = {"expected": "green", "received": "red", "usually": "bold", "source": "dim"}


class Line(NamedTuple):
    """A line of at most 80 columns, and how rich shows it."""

    text: str
    style: str = ""


def text(report: Report, ladder: bool = False) -> str:
    """The report as plain text.

    Args:
        report: what a check found.
        ladder: with the difference quotient at every step, where one was taken.
    """
    return "\n".join(line.text for line in _lines(report, ladder))


def rich_text(report: Report, ladder: bool = False) -> Text:
    """What `text` says, with colours, for a rich console."""
    return Text("\n").join(Text(line.text, line.style) for line in _lines(report, ladder))


def _lines(report: Report, ladder: bool) -> list[Line]:
    style = f"bold {STYLES.get(report.verdict, '')}".strip()
    lines = [Line(line, style) for line in _wrap(headline(report))]
    for number, finding in enumerate(report.findings[:SHOWN], 1):
        lines += [Line(""), *_finding_lines(number, finding)]
        if ladder and finding.estimate is not None:
            lines += [Line(f"      {row}", "dim") for row in ladder_rows(finding)]
    rest = more(report.findings)
    lines += [Line(""), *map(Line, _wrap(rest))] if rest else []
    about = summary(report)
    return [*lines, *([Line("")] if about else []), *_rows(about, "")]


def _finding_lines(number: int, finding: Finding) -> list[Line]:
    first = _wrap(f"{number}. {title(finding)}: {finding.message}", "", "   ")
    style = f"bold {STYLES.get(finding.verdict, '')}".strip()
    return [*(Line(line, style) for line in first), *_rows(facts(finding), "   ")]


def _rows(rows: Sequence[tuple[str, str]], indent: str) -> list[Line]:
    lines = []
    for label, value in rows:
        if label == "again" and ("\n" in value or len(value) > WIDTH - 14):
            # A program or a command, which stays as it is, to be copied.
            lines += [Line(indent + label), Line(""), *_verbatim(value, f"{indent}    ")]
            continue
        wrapped = _wrap(value, f"{indent}{label:<14}", f"{indent}{'':<14}")
        lines += [Line(line, _ROWS.get(label, "")) for line in wrapped]
    return lines


# --- the parts, which the page shares -------------------------------------------------------------


def headline(report: Report) -> str:
    """The verdict in one sentence, with what it rests on."""
    words = _VERDICTS if report.order else _OTHER_VERDICTS
    verdict = words.get(report.verdict, report.verdict)
    about = [*_count(report.points), f"{report.seconds:.3g} s"]
    return f"{report.name}: {verdict} ({', '.join(about)})"


def _count(points: Sequence[str]) -> list[str]:
    """How many points there were; of many the first says itself how many and of what."""
    counted = re.match(r"\d+ (drawn example|step)s?\b", points[0]) if points else None
    if counted:
        return [counted.group()]
    return [f"{len(points)} point{'s' if len(points) != 1 else ''}"] if points else []


def title(finding: Finding) -> str:
    """The weight of a finding and what was examined."""
    word = _TITLES.get(finding.verdict, finding.verdict)
    return word if finding.kind in (word, finding.verdict) else f"{word} ({finding.kind})"


def facts(finding: Finding) -> list[tuple[str, str]]:
    """What is known about a finding, as pairs of a word and its value."""
    expected, received = numbers(finding.expected, finding.received)
    rows = [
        ("where", _where(finding)),
        ("expected", expected),
        ("received", received),
        ("difference", _difference(finding)),
        ("bound", "" if finding.bound is None else f"{finding.bound:.2g}"),
        ("one-sided", _sides(finding)),
        ("usually", finding.meaning),
        ("source", finding.source),
        ("compared with", finding.witness),
    ]
    return [(label, value) for label, value in rows if value]


def element(finding: Finding) -> str:
    """The element of the input, as one would write it: ``x['w'][3, 2]``."""
    index = ", ".join(str(int(i)) for i in finding.index or ())
    return f"{finding.leaf}[{index}]" if index else finding.leaf


def more(findings: Sequence[Finding]) -> str:
    """How many findings of which sort are not shown; empty if all are."""
    groups = Counter(title(finding) for finding in findings[SHOWN:])
    if not groups:
        return ""
    sorts = ", ".join(f"{count} {name}" for name, count in groups.most_common())
    return f"... and {len(findings) - SHOWN} more: {sorts}"


def summary(report: Report) -> list[tuple[str, str]]:
    """What was compared with what, and where."""
    orders = "first order, " if report.order == 1 else f"orders 1 to {report.order}, "
    orders = orders if report.order else ""
    examined = f"{orders}seed {report.seed}; {_listed(report.leaves)}"
    rows = [
        ("witnesses", _listed(report.witnesses)),
        ("points", _listed(report.points)),
        ("examined", examined if report.leaves else ""),
        ("again", report.call),
    ]
    return [(label, value) for label, value in rows if value]


def numbers(expected: complex | None, received: complex | None) -> tuple[str, str]:
    """Two numbers with the digits that show in what they differ; empty for None."""
    digits = _digits(expected, received)
    return number(expected, digits), number(received, digits)


def number(value: complex | None, digits: int = 6) -> str:
    """A real or complex number with so many significant digits; empty for None."""
    if value is None:
        return ""
    if np.iscomplexobj(value):
        return f"{value.real:.{digits}g}{value.imag:+.{digits}g}j"
    return f"{float(np.real(value)):.{digits}g}"


def magnitude(value: complex) -> float:
    """The absolute value; infinite where it is too large."""
    with np.errstate(over="ignore"):
        return float(np.hypot(np.float64(np.real(value)), np.float64(np.imag(value))))


def ladder_rows(finding: Finding) -> list[str]:
    """The table of the numerical derivative: the step, the quotient, how far off it is."""
    estimate = finding.estimate
    if estimate is None:
        return []
    head = f"{'step':>9}  {'difference quotient':>24}"
    received, _ = along(finding)
    if received is None:
        return [head, *(f"{h:>9.2g}  {q:>24.15g}" for h, q in _ladder(estimate))]
    rows = [f"{h:>9.2g}  {q:>24.15g}  {abs(q - received):>11.2g}" for h, q in _ladder(estimate)]
    return [f"{head}  {'to received':>11}", *rows]


def along(finding: Finding) -> tuple[float | None, float | None]:
    """Received and expected as the numerical derivative sees them, which is a real number.

    Of complex ones it is the real or the imaginary part, or that of the conjugate: the one in
    which the expected value agrees with the numerical derivative.
    """
    values = (finding.received, finding.expected)
    if finding.estimate is None or not any(np.iscomplexobj(value) for value in values):
        received, expected = (None if value is None else float(value.real) for value in values)
        return received, expected
    known = finding.expected if finding.expected is not None else finding.received
    apart = [abs(part - finding.estimate.value) for part in _parts(known or 0.0)]
    chosen = int(np.argmin(np.nan_to_num(apart, nan=np.inf)))
    received, expected = (None if value is None else _parts(value)[chosen] for value in values)
    return received, expected


# --- words ----------------------------------------------------------------------------------------


def _parts(value: complex) -> tuple[float, float, float]:
    return float(value.real), float(value.imag), -float(value.imag)


def _ladder(estimate: Estimate) -> list[tuple[float, float]]:
    return [(float(h), float(q)) for h, q in zip(estimate.steps, estimate.central, strict=True)]


def _digits(expected: complex | None, received: complex | None) -> int:
    """Enough digits to show two of the difference, and no fewer than four."""
    if expected is None or received is None:
        return 6
    size = max(magnitude(expected), magnitude(received))
    with np.errstate(all="ignore"):
        apart = magnitude(np.complex128(received) - np.complex128(expected))
    if not 0 < apart < np.inf or not np.isfinite(size):
        return 6
    return int(np.clip(np.ceil(np.log10(size / apart)) + 2, 4, 17))


def _where(finding: Finding) -> str:
    return ", at ".join(part for part in (element(finding), finding.point) if part)


def _difference(finding: Finding) -> str:
    apart = finding.difference
    if apart is None or finding.expected is None:
        return ""
    size = magnitude(finding.expected)
    if not np.isfinite(apart) or not 0 < size < np.inf:
        return f"{apart:.3g}"
    share = apart / size
    relative = f"{share:.2g} of" if share < 1e-3 else f"{100 * share:.3g} % of"
    relative = f"{share:.2g} times" if share >= 10 else relative
    return f"{apart:.3g}, which is {relative} the expected"


def _sides(finding: Finding) -> str:
    estimate = finding.estimate
    if finding.kind != "kink" or estimate is None:
        return ""
    return (
        f"{number(estimate.left)} from the left, {number(estimate.right)} from the right, "
        f"known to {estimate.side_error:.1g}"
    )


def _listed(names: Sequence[str]) -> str:
    """A list in words, of two lines at most."""
    length = 0
    for shown, name in enumerate(names):
        length += len(name) + 2
        if shown and length > _LISTED:
            return f"{'; '.join(names[:shown])}; and {len(names) - shown} more"
    return "; ".join(names)


def _verbatim(program: str, indent: str) -> list[Line]:
    return [Line((indent + _printable(line)).rstrip()) for line in program.strip("\n").split("\n")]


def _printable(words: str) -> str:
    return "".join(char if char.isprintable() else " " for char in words)


def _wrap(words: str, first: str = "", rest: str = "   ") -> list[str]:
    return textwrap.wrap(
        _printable(words), WIDTH, initial_indent=first, subsequent_indent=rest,
        break_on_hyphens=False,
    )  # fmt: skip
