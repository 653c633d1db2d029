"""What a compiled program makes of its device: rates, and their share of the roofline.

The roofline says that a program of so many operations and bytes takes at least the longer of the
two times that the device needs for them at its measured peaks. Operations are counted in the
jaxpr, bytes by XLA in the optimised program: what every fused kernel reads and writes. XLA counts
the body of a loop once, so that the bytes of a program with loops are a lower bound. A share above
one says that the arrays stayed in a cache, or that XLA counts what is not touched: of a scatter,
which writes in place, the whole operand.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from funcgrad.bench._roofline import Roofline

_LITTLE = 0.1  # a share below which neither peak explains the time


class Work(NamedTuple):
    """What a program has to do.

    Attributes:
        operations: floating point operations; NaN where they are not known.
        traffic: bytes read and written.
        loops: whether the traffic is no more than a lower bound.
    """

    operations: float
    traffic: float
    loops: bool = False


class Use(NamedTuple):
    """What a device achieves on it.

    Attributes:
        operations, traffic: a second.
        share: of the roofline, from 0 to about 1.
        bound: "operations" or "bytes", whichever takes the longer at its peak; "overhead" where
            neither comes near: launches, dispatch, small kernels.
        at_least: whether bytes and share are lower bounds.
    """

    operations: float
    traffic: float
    share: float
    bound: str
    at_least: bool


def work_of(program: Any, operations: float) -> Work:
    """The work of a compiled program, whose operations were counted elsewhere."""
    loops = re.search(r" while\(", program.as_text()) is not None
    return Work(operations, program.cost_analysis().get("bytes accessed", 0.0), loops)


def use(seconds: float, work: Work, peaks: Roofline) -> Use:
    """How much of the peaks a program uses that takes so long.

    >>> use(2.0, Work(operations=6.0, traffic=3.0), Roofline(operations=4.0, traffic=30.0))
    Use(operations=3.0, traffic=1.5, share=0.75, bound='operations', at_least=False)
    """
    computing = work.operations / peaks.operations if work.operations > 0 else 0.0
    moving = work.traffic / peaks.traffic
    share = max(computing, moving) / seconds
    side = "operations" if computing >= moving else "bytes"
    return Use(
        work.operations / seconds, work.traffic / seconds, share,
        side if share >= _LITTLE else "overhead", work.loops,
    )  # fmt: skip
