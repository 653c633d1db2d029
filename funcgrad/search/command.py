"""``funcgrad fuzz`` at work."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from .._errors import ConfigurationError
from ._draw import DTYPES
from ._operations import FAMILIES
from .fuzz import Search, fuzz

FOUND, INTERRUPTED = 1, 130  # exit codes
_EVERY = 10.0  # seconds between lines, where no terminal shows them in place


def run(arguments: argparse.Namespace) -> int:
    """Search, and print what was found; 0 if nothing, 1 if something, 130 after Ctrl-C."""
    found = _search(arguments)
    if arguments.json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        _print(found, arguments.out)
    if found.interrupted:
        return INTERRUPTED
    return FOUND if found.findings else 0


def _search(arguments: argparse.Namespace) -> Search:
    families = [_family(name) for name in arguments.only or ()]
    console = Console(stderr=True)
    shown = Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console)

    def search(progress: Callable[[Search], None]) -> Search:
        return fuzz(
            programs=arguments.programs, seconds=arguments.seconds, seed=arguments.seed,
            families=families or None, dtypes=arguments.dtype or DTYPES, jobs=arguments.jobs,
            device=arguments.device, out=arguments.out, resume=arguments.resume,
            setup=arguments.setup, include=arguments.include or (),
            every_oracle=arguments.every_oracle, progress=progress,
        )  # fmt: skip

    if not console.is_terminal:
        return search(_Lines())
    with shown:
        task = shown.add_task("starting")
        return search(lambda so_far: shown.update(task, description=line(so_far)))


class _Lines:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, so_far: Search) -> None:
        if time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            print(line(so_far), file=sys.stderr, flush=True)


def _family(name: str) -> str:
    """The family of that name; words may be joined by a hyphen or an underscore."""
    plain = name.replace("_", " ").replace("-", " ").lower()
    if plain not in FAMILIES:
        raise ConfigurationError(
            f"--only {name}: there is no such family of operations; there are {', '.join(FAMILIES)}"
        )
    return plain


def line(found: Search) -> str:
    """Where a search is."""
    rate = found.programs / max(found.seconds, 1e-9)
    covered = found.coverage
    return (
        f"{_counted(found.programs, 'program')} ({rate:.1f}/s), "
        f"{len(covered['primitives'])} primitives, "
        f"{len(covered['pairs']):,} pairs, {_counted(len(found.findings), 'finding')}"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _print(found: Search, out: str | None) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for number, finding in enumerate(found.findings, 1):
        console.print(
            f"\n{number}. {finding.title} ({_counted(finding.count, 'time')})", style="bold"
        )
        console.print(f"   {finding.text}")
        if finding.drawn:
            small = f"{_counted(len(finding.operations), 'operation')}, shrunk from {finding.drawn}"
            console.print(f"   program {finding.number}: {small}")
        if out is not None:
            console.print(f"   {out}/{finding.file_name}")
        console.print("\n" + "\n".join(f"    {text}" for text in finding.source.splitlines()))
    console.print(("\n" if found.findings else "") + line(found))
    console.print(_summary(found))


def _summary(found: Search) -> str:
    mean = found.operations / max(found.programs, 1)
    orders = found.coverage["orders"]
    dtypes = ", ".join(f"{name} {count:,}" for name, count in found.coverage["dtypes"].items())
    ended = "interrupted after" if found.interrupted else "in"
    return (
        f"{mean:.1f} operations a program; first order {orders['1']:,}, second {orders['2']:,}; "
        f"{dtypes}; {ended} {found.seconds:.0f} s\n{found.environment}"
    )
