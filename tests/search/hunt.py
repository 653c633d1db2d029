"""Search for each planted fault: how long it takes to find, and how small it becomes.

python -m tests.search.hunt [--seconds 60] [--jobs 2] [NAME ...]

Faults are planted in the engine's rules (tests/search/planted.py), and in the derivative rules of
functions that a search includes (tests/search/users.py), whose right twins are searched, too.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from funcgrad.search.fuzz import Search, fuzz
from tests.search.planted import FAULTS
from tests.search.users import NAMES

_TWIN_SHARE = 4  # a right twin is searched for this share of the time


class _Found(Exception):  # noqa: N818 -- it ends a search, and is no error
    pass


def hunt(
    blamed: tuple[str, ...], seconds: float, jobs: int, **options: Any
) -> tuple[float | None, Search | None]:
    """When the first finding came that blames one of these, and the search as it was then."""
    start = time.monotonic()
    last: list[Search] = []

    def progress(so_far: Search) -> None:
        last[:] = [so_far]
        if any(finding.who in blamed for finding in so_far.findings):
            raise _Found

    try:
        fuzz(seconds=seconds, jobs=jobs, progress=progress, **options)
    except _Found:
        return time.monotonic() - start, last[0]
    return None, last[0] if last else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which faults (all)")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    wrong = 0
    for name in arguments.names or (*FAULTS, *NAMES):
        one = _user if name in NAMES else _engine
        wrong += one(name, arguments.seconds, arguments.jobs)
    return min(wrong, 1)


def _engine(name: str, seconds: float, jobs: int) -> bool:
    """Whether a fault of the engine was missed."""
    blamed = ("ours", "undecided")
    after, search = hunt(blamed, seconds, jobs, setup=f"tests.search.planted:{name}")
    print(f"{name:20} {_line(blamed, after, search)}", flush=True)
    return after is None


def _user(name: str, seconds: float, jobs: int) -> bool:
    """Whether a fault of a user's rule was missed, or its right twin blamed."""
    everyone = ("ours", "undecided", "both", "jax", "value", "search")
    place = f"tests.search.users:{name}"
    after, search = hunt(("both",), seconds, jobs, include=[f"{place}_wrong"])
    print(f"{name + '_wrong':20} {_line(('both',), after, search)}", flush=True)
    alarm, twin = hunt(everyone, seconds / _TWIN_SHARE, jobs, include=[place])
    print(f"{name:20} {_line(everyone, alarm, twin)}", flush=True)
    return after is None or alarm is not None


def _line(blamed: tuple[str, ...], after: float | None, search: Search | None) -> str:
    programs = search.programs if search else 0
    if after is None or search is None:
        return f"nothing found in {programs} programs"
    finding = next(f for f in search.findings if f.who in blamed)
    small = " ".join(finding.operations)
    return f"found after {after:.0f} s, {len(finding.operations)} operations: {small}"


if __name__ == "__main__":
    raise SystemExit(main())
