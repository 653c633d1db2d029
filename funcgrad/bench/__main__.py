"""``python -m funcgrad.bench``: gradients side by side with `jax.grad` on this machine."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from typing import Any

import jax
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from .gradient import Row, compare, workloads


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m funcgrad.bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=41, help="measurements of each competitor")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.turns < 5:
        parser.error(f"--turns must be at least 5, but is {options.turns}")
    rows = [row for workload in workloads() for row in compare(workload, options.turns)]
    if options.json:
        json.dump({"machine": _machine(), "rows": [_plain(row) for row in rows]}, sys.stdout)
        sys.stdout.write("\n")
    else:
        Console().print(_table(rows))
    return 0


def _machine() -> dict[str, str]:
    device = jax.devices()[0]
    return {
        "device": f"{device.platform} {device.device_kind}",
        "jax": jax.__version__,
        "python": platform.python_version(),
    }


def _plain(row: Row) -> dict[str, Any]:
    fields = row._asdict()
    return fields | {"ratio": row.ratio._asdict(), "control": row.control._asdict()}


def _table(rows: Sequence[Row]) -> Table:
    machine = _machine()
    table = Table(
        box=SIMPLE,
        padding=(0, 1, 0, 0),
        title=f"gradient cost, {machine['device']}, jax {machine['jax']}",
        caption="ratio: ours / jax.grad, median of paired turns with its 95% interval;\n"
        "A/A: jax.grad / jax.grad; *: both have the same optimised program",
    )
    for name in ("workload", "figure", "ours us", "jax us", "ratio", "A/A"):
        left = name in {"workload", "figure"}
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.workload,
            row.figure + (" *" if row.note.startswith("same") else ""),
            f"{row.ours * 1e6:.1f}",
            f"{row.jax * 1e6:.1f}",
            str(row.ratio),
            str(row.control),
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
