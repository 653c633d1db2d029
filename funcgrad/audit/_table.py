"""An audit on the terminal: one line for each primitive and dtype, the worst case of each column.

Every cell has a mark beside its digits, so that nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from ._baseline import Change, Comparison, change_text
from ._records import JAX, OURS, PAIRS, STATUSES, Audit, Cell, Row

# Of a status: the mark, and the style.
MARKS = {
    "ok": ("", "green"),
    "unchecked": ("?", "cyan"),
    "unsupported": ("-", "dim"),
    "poor": ("!", "yellow"),
    "raises": ("E", "red"),
    "timed out": ("T", "red"),
    "crashed": ("C", "red"),
    "wrong": ("X", "bold red"),
}
_HEADS = ("val", "rev", "fwd", "r/r", "f/r", "val", "rev", "r/r", "f/r")
_DTYPES = {
    "float64": "f64", "float32": "f32", "bfloat16": "bf16", "float16": "f16",
    "complex128": "c128", "complex64": "c64",
}  # fmt: skip
_LISTED = 20  # changes of each kind, and failures, beyond which only a count is shown
_NAME_WIDTH = 22


def worst(cells: Iterable[Cell]) -> Cell:
    """The cell with the worst status, and of these the fewest digits."""
    return min(cells, key=lambda c: (-STATUSES.index(c.status), _digits(c)))


def _digits(cell: Cell) -> float:
    return float("inf") if cell.digits is None else cell.digits


def table(audit: Audit) -> Table:
    """The table of an audit, at most 80 columns wide."""
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column("JAX | ours", no_wrap=True, overflow="ellipsis", max_width=_NAME_WIDTH)
    made.add_column("", no_wrap=True)
    for (engine, _), head in zip(PAIRS, _HEADS, strict=True):
        made.add_column(head, justify="right", no_wrap=True, style="" if engine == JAX else "bold")
    for (name, dtype), rows in groupby(_sorted(audit.rows), key=lambda r: (r.primitive, r.dtype)):
        listed = list(rows)
        cells = [worst(row.cell(*pair) for row in listed) for pair in PAIRS]
        worse = [any(row.cell(*pair).worse for row in listed) for pair in PAIRS]
        made.add_row(
            name, _DTYPES[dtype], *(_text(c, w) for c, w in zip(cells, worse, strict=True))
        )
    return made


def _sorted(rows: Sequence[Row]) -> list[Row]:
    order = list(_DTYPES)
    return sorted(rows, key=lambda r: (r.primitive, order.index(r.dtype)))


def _text(cell: Cell, worse: bool) -> Text:
    mark, style = MARKS[cell.status]
    digits = "" if cell.digits is None else f"{cell.digits:.1f}"
    return Text(f"{'<' if worse else ''}{mark}{digits}", style=style)


def summary(audit: Audit) -> str:
    """One line: what was measured, and how it went."""
    count = {
        engine: {
            status: sum(c.status == status for _, c in audit.cells() if c.engine == engine)
            for status in STATUSES
        }
        for engine in (JAX, OURS)
    }
    parts = [
        f"{label}: {_counted(count[engine])}" for engine, label in ((JAX, "JAX"), (OURS, "ours"))
    ]
    worse = sum(cell.worse for _, cell in audit.cells())
    names = len({row.primitive for row in audit.rows})
    head = f"{names} primitives, {len(audit.rows)} rows on {audit.header.platform}"
    return f"{head}; {'; '.join(parts)}; ours worse than JAX's by more than a digit: {worse}"


def _counted(count: dict[str, int]) -> str:
    return (
        ", ".join(f"{number} {status}" for status, number in count.items() if number) or "nothing"
    )


def failures(audit: Audit) -> list[str]:
    """The cells of ours that failed, as lines."""
    failed = audit.failed
    lines = [
        f"{cell.status}: {row.primitive} case {row.case} {row.dtype}, {cell.column}: {cell.message}"
        for row, cell in failed[:_LISTED]
    ]
    return [*lines, f"... and {len(failed) - _LISTED} more"] if len(failed) > _LISTED else lines


def comparison(found: Comparison) -> list[str]:
    """A comparison with a baseline, as lines."""
    lines = list(found.circumstances)
    kinds = (
        ("worse", found.worse), ("better", found.better), ("gone", found.gone), ("new", found.new)
    )  # fmt: skip
    for kind, changes in kinds:
        lines.append(f"{kind}: {len(changes)}")
        lines += _listed(changes) if kind in ("worse", "better") else []
    return lines


def _listed(changes: Sequence[Change]) -> list[str]:
    lines = [f"  {change_text(change)}" for change in changes[:_LISTED]]
    return [*lines, f"  ... and {len(changes) - _LISTED} more"] if len(changes) > _LISTED else lines
