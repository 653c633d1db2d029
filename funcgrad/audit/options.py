"""The arguments of ``funcgrad audit``; imports nothing of JAX."""

from __future__ import annotations

import argparse

_EPILOG = """each cell of the table: correct decimal digits, and a mark
  !  poor: more than half of the dtype's digits are lost beyond what the conditioning explains
  X  wrong: an error that rounding cannot explain, or NaN
  E  raises     C  crashed     T  timed out
  -  JAX does not offer it     ?  nothing independent to compare with
  <  ours has more than a digit less than JAX

exit code:
  0    nothing of ours is wrong
  1    ours is wrong, raises, crashes or does not end; or a cell is worse than in the baseline
  2    wrong usage
  130  interrupted; what was measured is in the file of --out

examples:
  funcgrad audit --jobs 2 --out audit.json --html audit.html
  funcgrad audit --only decompositions sort --dtype float32
  funcgrad audit --out gpu.json --device gpu --baseline cpu.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``funcgrad audit``."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME|FAMILY",
        help="primitives, families (elementwise, linear, ...) or modules of rules (sorting, ...)",
    )
    parser.add_argument(
        "--dtype",
        nargs="+",
        action="extend",
        default=[],
        metavar="DTYPE",
        help="all, or some of float64, float32, bfloat16, float16, complex128, complex64 "
        "(float64 float32 bfloat16 complex64)",
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu", "tpu"), default="cpu", help="what is audited (cpu)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the points (0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="worker processes (1)")
    parser.add_argument(
        "--time-limit",
        type=float,
        default=180.0,
        metavar="SECONDS",
        help="after which a part of a row counts as timed out (180)",
    )
    parser.add_argument(
        "--out", metavar="FILE.json", help="keep every row here, during the run; replaces the file"
    )
    parser.add_argument(
        "--resume", action="store_true", help="keep the rows of --out, and measure the rest"
    )
    parser.add_argument(
        "--baseline", metavar="FILE.json", help="compare with an earlier audit's --out"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with filters, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
