"""The figures as a table for the terminal, in Markdown and as JSON."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from rich.box import SIMPLE
from rich.table import Table

from funcgrad.bench._figures import SECONDS, Figure
from funcgrad.bench._roofline import Roofline, device
from funcgrad.bench._targets import Summary, summaries
from funcgrad.bench._usage import use

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


class Report(NamedTuple):
    """A whole run.

    Attributes:
        figures: all of them.
        peaks: of the device.
        skipped: what could not be measured, a line each.
        interrupted: whether the user ended it before all was measured.
    """

    figures: list[Figure]
    peaks: Roofline
    skipped: list[str]
    interrupted: bool = False


def machine(peaks: Roofline) -> dict[str, Any]:
    """What the figures were measured on."""
    where = device()
    return {
        "device": f"{where.platform} {where.device_kind}",
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
    """What the device does, where it is known what a program has to do."""
    if figure.work is None:
        return {}
    found = use(figure.ours, figure.work, report.peaks)
    return {
        "use": {
            "operations per second": _plain(found.operations),
            "bytes per second": _plain(found.traffic),
            "share of the roofline": _plain(found.share),
            "bound by": found.bound,
            "bytes and share are lower bounds": found.at_least,
        }
    }


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
    share += " (1 turn)" if figure.turns == 1 else ""
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
        "jax.grad unless said; *: both are the same optimised program. Under six turns the\n"
        "interval is all that was seen",
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


_USE = ("workload", "time", "operations/s", "bytes/s", "of the roofline", "bound by")


def use_table(report: Report) -> Table:
    """One row for each program whose work is known: rates, and the share of the roofline."""
    drawn = Table(
        box=SIMPLE,
        padding=(0, 1, 0, 0),
        title="what the device does in our programs",
        caption=f"roofline, measured: {_peaks(report.peaks)};\n"
        ">: at least, for XLA counts the bytes of a loop's body once; overhead: less than a\n"
        "tenth of the roofline, so neither operations nor bytes take the time; above 100%: the\n"
        "arrays stay in a cache, or XLA counts a scatter as a pass over its whole operand",
    )
    for name in _USE:
        left = name in {"workload", "bound by"}
        drawn.add_column(name, justify="left" if left else "right", no_wrap=True)
    for row in _use_rows(report):
        drawn.add_row(*row)
    return drawn


def _peaks(peaks: Roofline) -> str:
    operations, traffic = (amount(peak, "a second") for peak in peaks)
    return f"{operations} operations/s (matrix product), {traffic} bytes/s (copy)"


def _use_rows(report: Report) -> Iterator[tuple[str, ...]]:
    for figure in report.figures:
        if figure.work is None:
            continue
        found = use(figure.ours, figure.work, report.peaks)
        least = ">" if found.at_least else ""
        yield (
            figure.workload if figure.name == "run" else f"{figure.workload}, {figure.name}",
            amount(figure.ours, SECONDS),
            amount(found.operations, "a second"),
            least + amount(found.traffic, "a second"),
            f"{least}{100 * found.share:.1f}%",
            found.bound,
        )


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
    """The tables in Markdown."""
    heads = ("figure", "mean", "target", "worst", "target", "of", "met")
    found = map(_summary_cells, summaries(report.figures))
    return "\n\n".join(
        [
            _lines(_COLUMNS, map(_cells, report.figures)),
            f"Roofline, measured: {_peaks(report.peaks)}.",
            _lines(_USE, _use_rows(report)),
            _lines(heads, found),
        ]
    )


def _lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)
