"""``funcgrad audit`` at work."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from .._errors import ConfigurationError
from ..train.output import write_text
from ..train.progress import on_terminal
from ._baseline import Comparison, compare
from ._file import check_writable, read_audit
from ._html import page
from ._records import Audit
from ._run import Progress, audit
from ._table import comparison, failures, summary, table

FOUND = 1
_WIDTH = 80
_LINES = 20  # of progress where there is no terminal


def run(arguments: argparse.Namespace) -> int:
    """Audit; 0 if nothing of ours failed and nothing got worse, else 1."""
    html = None if arguments.html is None else check_writable(arguments.html, "--html")
    baseline = None if arguments.baseline is None else read_audit(arguments.baseline, "--baseline")
    _distinct(arguments)
    with _shown() as progress:
        audited = _audited(arguments, progress)
    whole = not arguments.only and not arguments.dtype
    compared = None if baseline is None else compare(baseline, audited, whole=whole)
    _print(audited, compared, arguments.json)
    if html is not None:
        write_text(html, page(audited, compared))
    return FOUND if not audited.ok or (compared is not None and compared.worse) else 0


def _distinct(arguments: argparse.Namespace) -> None:
    """A file that is read and one that is written may not be the same."""
    named = [n for n in (arguments.out, arguments.html) if n is not None]
    paths = [Path(name).resolve() for name in named]
    if len(set(paths)) < len(paths):
        raise ConfigurationError(f"--out and --html both name {named[0]}; name two files")
    if arguments.baseline is not None and Path(arguments.baseline).resolve() in paths:
        raise ConfigurationError(
            f"--baseline {arguments.baseline} would be overwritten; name another file by --out"
        )


def _audited(arguments: argparse.Namespace, progress: Callable[[Progress], None]) -> Audit:
    try:
        return audit(
            arguments.only,
            arguments.dtype,
            device=arguments.device,
            seed=arguments.seed,
            jobs=arguments.jobs,
            out=arguments.out,
            resume=arguments.resume,
            time_limit=arguments.time_limit,
            progress=progress,
        )
    except KeyboardInterrupt as stop:
        text = str(stop) or "interrupted"
        kept = f"; they are in {arguments.out}, go on with --resume" if arguments.out else ""
        raise KeyboardInterrupt(text + kept) from stop


# --- what is printed ------------------------------------------------------------------------------


def _print(audited: Audit, compared: Comparison | None, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(_json(audited, compared))
        return
    terminal = sys.stdout.isatty()
    # In a pipe or a file rich would take 80 columns too, but not where COLUMNS says otherwise.
    console = Console(file=sys.stdout, width=None if terminal else _WIDTH, highlight=False)
    console.print(table(audited))
    for line in [*failures(audited), *([] if compared is None else comparison(compared))]:
        console.print(line, markup=False, soft_wrap=True)
    if audited.header.uncovered:
        text = "without a case: " + ", ".join(audited.header.uncovered)
        console.print(text, markup=False, style="dim")
    console.print(summary(audited), markup=False)


def _json(audited: Audit, compared: Comparison | None) -> str:
    record: dict[str, Any] = json.loads(audited.to_json())
    record["ok"] = audited.ok
    if compared is not None:
        record["baseline"] = {
            "circumstances": compared.circumstances,
            **{name: [_change(c) for c in getattr(compared, name)] for name in _KINDS},
        }
    return json.dumps(record) + "\n"


_KINDS = ("worse", "better", "gone", "new")


def _change(change: Any) -> dict[str, Any]:
    row = change.row
    cells = {
        name: None if cell is None else asdict(cell)
        for name, cell in (("before", change.before), ("after", change.after))
    }
    return {"primitive": row.primitive, "case": row.case, "dtype": row.dtype, **cells}


# --- progress -------------------------------------------------------------------------------------


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """Progress on stderr: a bar on a terminal, some lines anywhere else."""
    if not on_terminal(sys.stderr):
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Bar(*columns, console=Console(file=sys.stderr, force_terminal=True)) as bar:
        task = bar.add_task("workers start", total=None)

        def advance(now: Progress) -> None:
            text = f"{now.row.primitive} {now.row.dtype}"
            bar.update(task, completed=now.done, total=now.total, description=f"{text:<30.30}")

        yield advance


def _lines() -> Callable[[Progress], None]:
    shown = [-1]

    def advance(now: Progress) -> None:
        part = now.done * _LINES // max(now.total, 1)
        if part > shown[0]:
            shown[0] = part
            text = f"audit: row {now.done} of {now.total}, {now.row.primitive} {now.row.dtype}"
            print(text, file=sys.stderr, flush=True)

    return advance
