"""``funcgrad rules`` at work."""

from __future__ import annotations

import argparse
import json
import sys

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from .table import Entry, entries, missing


def run(arguments: argparse.Namespace) -> int:
    """Print the rules, or what is missing; 0 in any case."""
    wanted = arguments.name or ""
    if arguments.missing:
        names = [name for name in missing() if wanted in name]
        text = json.dumps({"missing": names}) if arguments.json else "\n".join(names)
        if text:
            sys.stdout.write(text + "\n")
        return 0
    shown = [entry for entry in entries() if wanted in entry.name]
    if arguments.json:
        sys.stdout.write(json.dumps({"rules": [entry._asdict() for entry in shown]}) + "\n")
    else:
        Console().print(_table(shown))
    return 0


def _table(shown: list[Entry]) -> Table:
    table = Table(box=SIMPLE, caption=f"{len(shown)} primitives")
    table.add_column("primitive", no_wrap=True)
    table.add_column("family", no_wrap=True)
    table.add_column("formula, (ct,) y, operands", overflow="fold")
    for entry in shown:
        table.add_row(entry.name, entry.family, entry.formula)
    return table
