"""Search for each planted fault: how long it takes to find, and how small it becomes.

python -m tests.search.hunt [--seconds 60] [--jobs 2] [NAME ...]
"""

from __future__ import annotations

import argparse
import time

from funcgrad.search.fuzz import Search, fuzz
from tests.search.planted import FAULTS


class _Found(Exception):  # noqa: N818 -- it ends a search, and is no error
    pass


def hunt(name: str, seconds: float, jobs: int) -> tuple[float | None, Search | None]:
    """When the first finding came, and the search as it was then."""
    start = time.monotonic()
    last: list[Search] = []

    def progress(so_far: Search) -> None:
        last[:] = [so_far]
        if any(finding.who in ("ours", "undecided") for finding in so_far.findings):
            raise _Found

    try:
        fuzz(seconds=seconds, jobs=jobs, setup=f"tests.search.planted:{name}", progress=progress)
    except _Found:
        return time.monotonic() - start, last[0]
    return None, last[0] if last else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which faults (all)")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    missed = 0
    for name in arguments.names or FAULTS:
        after, search = hunt(name, arguments.seconds, arguments.jobs)
        missed += after is None
        print(f"{name:20} {_line(after, search)}", flush=True)
    return min(missed, 1)


def _line(after: float | None, search: Search | None) -> str:
    programs = search.programs if search else 0
    if after is None or search is None:
        return f"not found in {programs} programs"
    finding = next(f for f in search.findings if f.who in ("ours", "undecided"))
    small = " ".join(finding.operations)
    return f"found after {after:.0f} s, {len(finding.operations)} operations: {small}"


if __name__ == "__main__":
    raise SystemExit(main())
