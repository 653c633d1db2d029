"""The score of gradient checkers on the corpora: ``python tests/verify/score.py --draws 5``.

A fault is found if the checker says that it is wrong and passes its corrected twin on the same
draw; a false alarm is a hazard that it calls wrong or fails on. Every draw counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.verify.score_run import outcomes_of
from tests.verify.score_table import Outcome, details, summarize, table
from tests.verify.score_worker import Run

CHECKERS = ("funcgrad", "check_grads1", "check_grads2", "gradcheck")


def options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=5, help="of every case (5)")
    parser.add_argument("--dtype", nargs="+", default=["float32", "float64"])
    parser.add_argument("--checkers", default="funcgrad,check_grads1,check_grads2")
    parser.add_argument("--corpus", nargs="+", default=["faults", "hazards"])
    parser.add_argument("--only", default="", help="cases whose name or kind contains this")
    parser.add_argument("--out", type=Path, help="a file for every outcome, as JSON")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for a case (120)")
    parser.add_argument("--brief", action="store_true", help="the table alone")
    chosen = parser.parse_args(argv)
    chosen.checkers = chosen.checkers.split(",")
    unknown = [name for name in chosen.checkers if name not in CHECKERS]
    if unknown:
        parser.error(f"unknown checker {unknown[0]!r}; choose from {', '.join(CHECKERS)}")
    return chosen


def write(path: Path, outcomes: Sequence[Outcome]) -> None:
    """The rows of the table and every outcome, as JSON."""
    rows = [row._asdict() for row in summarize(outcomes)]
    content = {"summary": rows, "outcomes": [outcome._asdict() for outcome in outcomes]}
    path.write_text(json.dumps(content, indent=1), "utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs every checker in every dtype, each in processes of its own."""
    chosen = options(argv)
    outcomes: list[Outcome] = []
    for dtype in chosen.dtype:
        for checker in chosen.checkers:
            run = Run(checker, dtype, tuple(chosen.corpus), chosen.draws, chosen.only)
            outcomes += outcomes_of(run, chosen.jobs, chosen.limit)
            if chosen.out:
                write(chosen.out, outcomes)
    print(table(summarize(outcomes)))
    if not chosen.brief:
        print(details(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
