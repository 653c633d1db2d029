"""What ``funcgrad fuzz`` accepts."""

from __future__ import annotations

import argparse

_EPILOG = """exit code:
  0  no oracle disagreed
  1  there are findings
  2  wrong usage
  130  interrupted; what was found is printed, and kept in --out

examples:
  funcgrad fuzz --seconds 60 --jobs 2
  funcgrad fuzz --programs 20000 --out found --jobs 2
  funcgrad fuzz --programs 20000 --out found --jobs 2 --resume
  funcgrad fuzz --include mypackage.losses:huber --include kernels.py:attention
  funcgrad fuzz --only linear_algebra --only decompositions --seed 7
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``funcgrad fuzz``."""
    parser.epilog = _EPILOG
    _add_extent(parser)
    parser.add_argument(
        "--device", choices=("cpu", "gpu", "tpu"), default="cpu", help="where programs run (cpu)"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1)")
    parser.add_argument(
        "--out", metavar="DIR", help="a folder for the findings, as pytest files, and the state"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the search in --out")
    parser.add_argument(
        "--include",
        action="append",
        metavar="MODULE:FUNCTION",
        help="a function of yours that programs call, e.g. one with a derivative rule; may be\n"
        "repeated",
    )
    parser.add_argument(
        "--setup",
        default="",
        metavar="MODULE:FUNCTION",
        help="called once in every process, e.g. to register rules",
    )
    parser.add_argument(
        "--every-oracle",
        action="store_true",
        help="ask all oracles about each program; by default the costly ones are sampled",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_extent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="how long to search (30, without --programs)"
    )
    parser.add_argument("--programs", type=int, metavar="N", help="how many to examine")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the search (0)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="FAMILY",
        help="draw from this family of operations; may be repeated",
    )
    parser.add_argument(
        "--dtype",
        action="append",
        choices=("float32", "float64", "bfloat16", "float16"),
        help="of the programs; may be repeated (all)",
    )
