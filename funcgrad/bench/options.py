"""What ``funcgrad bench`` accepts."""

from __future__ import annotations

import argparse
from pathlib import Path

# The names stand here, because a command declares its arguments without importing JAX.
WORKLOADS = (
    "simple", "widenet", "wider", "chain", "deep", "scanned", "hvp", "gru", "gp", "embedding",
    "fori", "while", "conv", "transformer",
)  # fmt: skip
EXTRAS = ("training", "wide", "growth", "autograd", "torch")

_EPILOG = f"""workloads:
  {", ".join(WORKLOADS[:9])},
  {", ".join(WORKLOADS[9:])}
further comparisons:
  {", ".join(EXTRAS)}

exit code:
  0  measured
  2  wrong usage
  130  interrupted; what was measured is printed

examples:
  funcgrad bench --quick
  funcgrad bench --only widenet conv gru --json
  funcgrad bench --markdown --picture bench.svg
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``funcgrad bench``."""
    parser.description = (
        "Measure what our gradients cost beside jax.grad and others, in turns within one\n"
        "process. Every ratio is a median with its 95% interval, beside an A/A ratio."
    )
    parser.epilog = _EPILOG
    add = parser.add_argument
    add(
        "--only",
        action="extend",
        nargs="+",
        choices=WORKLOADS + EXTRAS,
        metavar="NAME",
        help="measure these only; may be repeated (all of those below)",
    )
    add(
        "--quick",
        action="store_true",
        help="a minute for all on two cores: fewer turns, down to one of what is long; no A/A\n"
        "ratio; a chain of 1,000 operations instead of 10,000",
    )
    add("--device", choices=("cpu", "gpu", "tpu"), help="where to run (JAX's own choice)")
    add("--json", action="store_true", help="print one JSON object, everything else on stderr")
    add("--markdown", action="store_true", help="print the table in Markdown")
    add("--picture", type=Path, metavar="FILE", help="draw the ratios, as .png or .svg")
