"""The figures as a table for the terminal, in Markdown and as JSON."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from rich.box import SIMPLE
from rich.table import Table

from funcgrad.bench._figures import SECONDS, Figure
from funcgrad.bench._roofline import Roofline
from funcgrad.bench._targets import Summary, summaries

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


class Report(NamedTuple):
    """A whole run.

    Attributes:
        figures: all of them.
        peaks: of the device.
        skipped: what could not be measured, a line each.
    """

    figures: list[Figure]
    peaks: Roofline
    skipped: list[str]


def machine(peaks: Roofline) -> dict[str, Any]:
    """What the figures were measured on."""
    device = jax.devices()[0]
    return {
        "device": f"{device.platform} {device.device_kind}",
        "jax": jax.__version__,
        "python": platform.python_version(),
        "peak operations per second": peaks.operations,
        "peak bytes per second": peaks.traffic,
    }


def as_json(report: Report) -> dict[str, Any]:
    """Everything, in plain types; what is not finite is None."""
    rows = [_plain(figure) | _use(figure, report) for figure in report.figures]
    return {
        "machine": machine(report.peaks),
        "figures": rows,
        "summary": [_plain(summary) for summary in summaries(report.figures)],
        "skipped": report.skipped,
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _use(figure: Figure, report: Report) -> dict[str, Any]:
    """How much of the device's peaks a compiled gradient uses."""
    if figure.name != "run":
        return {}
    of = {f.name: f for f in report.figures if f.workload == figure.workload}
    used: dict[str, Any] = {}
    if "operations" in of:
        rate = of["operations"].ours / figure.ours
        used["share of peak operations"] = _plain(rate / report.peaks.operations)
    if "traffic" in of:
        used["share of peak traffic"] = _plain(
            of["traffic"].ours / figure.ours / report.peaks.traffic
        )
    return used


# --- tables ---------------------------------------------------------------------------------------


def amount(value: float, unit: str) -> str:
    """A number in three digits with its unit.

    >>> amount(0.00123, "s"), amount(123456.0, "bytes"), amount(5e-8, "relative")
    ('1.23 ms', '123 k', '5.0e-08')
    """
    if not math.isfinite(value):
        return "-"
    if unit in {"relative", "exponent"}:
        return f"{value:.1e}" if unit == "relative" else f"{value:.3f}"
    if unit == SECONDS:
        size, name = next((s for s in _TIMES if value >= s[0]), _TIMES[-1])
        return f"{_three(value / size)} {name}"
    size, name = next((p for p in _PREFIXES if value >= p[0]), _PREFIXES[-1])
    return f"{_three(value / size)} {name}".rstrip()


def _three(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _cells(figure: Figure) -> tuple[str, ...]:
    narrow = figure.ratio.low == figure.ratio.high
    share = f"{figure.ratio.median:.2f}" if narrow else str(figure.ratio)
    return (
        figure.workload,
        figure.name + (" *" if figure.note == "same optimised program" else ""),
        amount(figure.ours, figure.unit),
        amount(figure.theirs, figure.unit),
        share if math.isfinite(figure.ratio.median) else "-",
        "" if figure.control is None else f"{figure.control.median:.2f}",
        "" if figure.against == "jax.grad" else figure.against,
    )


_COLUMNS = ("workload", "figure", "ours", "theirs", "ratio", "A/A", "against")


def table(report: Report) -> Table:
    """One row for each figure."""
    where = machine(report.peaks)
    drawn = Table(
        box=SIMPLE,
        padding=(0, 1, 0, 0),
        title=f"cost of gradients, {where['device']}, jax {where['jax']}",
        caption="ratio: ours / theirs, median of turns with its 95% interval; theirs is\n"
        "jax.grad unless said; *: both are the same optimised program",
    )
    for name in _COLUMNS:
        left = name in {"workload", "figure", "against"}
        drawn.add_column(name, justify="left" if left else "right", no_wrap=True)
    before = ""
    for figure in report.figures:
        cells = _cells(figure)
        drawn.add_row(cells[0] if cells[0] != before else "", *cells[1:])
        before = cells[0]
    return drawn


def summary_table(report: Report) -> Table:
    """One row for each target."""
    drawn = Table(box=SIMPLE, padding=(0, 1, 0, 0), title="targets")
    for name in ("figure", "mean", "target", "worst", "target", "of", "met"):
        left = name in {"figure", "of", "met"}
        drawn.add_column(name, justify="left" if left else "right", no_wrap=True)
    for summary in summaries(report.figures):
        drawn.add_row(*_summary_cells(summary))
    return drawn


def _summary_cells(summary: Summary) -> tuple[str, ...]:
    target = summary.target
    aims = ["" if aim is None else f"{aim:.2f}" for aim in (target.mean, target.worst)]
    met = "yes" if summary.met else "NO"
    return (
        summary.figure, f"{summary.mean:.2f}", aims[0], f"{summary.worst:.2f}", aims[1],
        summary.of, met,
    )  # fmt: skip


def markdown(report: Report) -> str:
    """Both tables in Markdown."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_cells, report.figures)]
    heads = ("figure", "mean", "target", "worst", "target", "of", "met")
    found = map(_summary_cells, summaries(report.figures))
    return _lines(rows) + "\n\n" + _lines([heads, ("---",) * len(heads), *found])


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
