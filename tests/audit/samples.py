"""Audits made up by hand."""

from __future__ import annotations

from typing import Any

from funcgrad.audit import Audit, Cell, Header, Row
from funcgrad.audit._records import PAIRS

HEADER = Header("cpu", "Some <chip>", "1.0", "0.12.0", "0.12.0", "3.13.1", "Linux x", 0, ("tie",))


def row(name: str = "sin", dtype: str = "float32", case: int = 0, **changes: Any) -> Row:
    """A row whose cells are ok with 7 digits, but those of `changes`: by column, of ours."""
    cells = tuple(
        changes.get(column.replace(" ", "_"), Cell(engine, column, "ok", 7.0, "differences"))
        if engine == "funcgrad"
        else Cell(engine, column, "ok", 7.0, "differences")
        for engine, column in PAIRS
    )
    return Row(name, "elementwise", "elementwise", case, dtype, "</script>", "2x3", "[1.]", cells)


def audit_of(*rows: Row) -> Audit:
    return Audit(HEADER, rows)


def ours(column: str, status: str, digits: float | None = None, **more: Any) -> Cell:
    return Cell("funcgrad", column, status, digits, **more)
