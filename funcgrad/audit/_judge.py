"""From numbers to a cell: digits of accuracy, and what they mean.

With eps the rounding unit of the dtype, and kappa by how much more than eps the true result moves
if the input is moved by eps, an error (relative to the leaf's largest entry) is explained by

    ok      error <= kappa sqrt(eps)          half of the dtype's digits are left, or would be if
                                              the problem were well conditioned
    poor    error <= 8 kappa sqrt(eps)
    wrong   beyond that

For float32 the limits are 3.5e-4 and 2.8e-3, for bfloat16 0.09 and 0.7: a wrong sign, a factor 2
and a dropped term exceed them in every dtype, and small relative faults in float64.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WRONG = 8.0  # times the limit of what is poor
Leaves = list[NDArray[Any]]

# The distance from 1 to the next larger number.
EPSILON = {
    "float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10,
    "complex128": 2.0**-52, "complex64": 2.0**-23,
}  # fmt: skip


class Reference(NamedTuple):
    """What a quantity should be.

    Attributes:
        leaves: in 64 bits.
        bounds: for each leaf, how far it may be off itself.
        name: where it comes from.
    """

    leaves: Leaves
    bounds: tuple[float, ...]
    name: str


class Verdict(NamedTuple):
    """Status, digits and a remark."""

    status: str
    digits: float | None
    message: str = ""


def most_digits(epsilon: float) -> float:
    """What a correctly rounded number has: half a unit of the last place."""
    return -math.log10(epsilon / 2)


def judge(
    got: Leaves,
    reference: Reference,
    epsilon: float,
    spreads: tuple[float, ...] = (),
    most: float | None = None,
    beside: float = 0.0,
) -> Verdict:
    """Compare a result with its reference; the worst leaf counts.

    Args:
        got: the leaves, widened to 64 bits.
        reference: what they should be.
        epsilon: the rounding unit of the narrowest numbers in the computation.
        spreads: for each leaf, how far the true result moves if the input is moved by epsilon.
        most: the digits at which the count is capped; by default those of epsilon.
        beside: the size of the numbers that the result was computed from. An error of some of
            their roundings is no fault of a formula, however small the result is: it is poor.
    """
    most = most_digits(epsilon) if most is None else most
    overall = max((largest(leaf) for leaf in reference.leaves), default=0.0)
    spreads = spreads or (0.0,) * len(reference.leaves)
    worst = Verdict("ok", most)
    for number, (leaf, right) in enumerate(zip(got, reference.leaves, strict=True)):
        scale = largest(right) or overall or 1.0
        found = _leaf(leaf, right, scale, reference.bounds[number], spreads[number], epsilon)
        if found.status == "wrong" and found.digits is not None:
            found = _excused(found, largest(leaf - right), WRONG * epsilon * beside)
        where = f"result {number}: " if len(got) > 1 and found.message else ""
        worst = _worse(worst, found._replace(message=where + found.message))
    digits = None if worst.digits is None else min(worst.digits, most)
    return worst._replace(digits=digits)


_RANK = ("ok", "poor", "unchecked", "wrong")


def _worse(left: Verdict, right: Verdict) -> Verdict:
    """The status of the worse one, and the fewer digits."""
    first, second = sorted((left, right), key=lambda v: -_RANK.index(v.status))
    digits = None
    if left.digits is not None and right.digits is not None:
        digits = min(left.digits, right.digits)
    return Verdict(first.status, digits, first.message or second.message)


def _leaf(
    got: NDArray[Any],
    right: NDArray[Any],
    scale: float,
    bound: float,
    spread: float,
    epsilon: float,
) -> Verdict:
    if got.shape != right.shape:
        return Verdict("wrong", None, f"its shape is {got.shape}, expected is {right.shape}")
    if not np.isfinite(right).all():
        return Verdict("unchecked", None, "the reference is not finite")
    if not np.isfinite(got).all():
        count = int((~np.isfinite(got)).sum())
        return Verdict("wrong", None, f"{count} of {got.size} entries not finite: {_first(got)}")
    error = largest(got - right)
    condition = max(1.0, spread / (epsilon * scale)) if math.isfinite(spread) else math.inf
    limit = condition * math.sqrt(epsilon)
    beyond = max(0.0, error - bound) / scale
    digits = digits_of(max(error, bound) / scale)
    if beyond <= limit:
        return Verdict("ok", digits)
    entry = _entry(got, right)
    status = "poor" if beyond <= WRONG * limit else "wrong"
    return Verdict(status, digits, f"off by {beyond:.2g} relatively{entry}")


def _excused(found: Verdict, error: float, allowed: float) -> Verdict:
    if error > allowed:
        return found
    text = f"{found.message}; within some roundings of what it was computed from"
    return found._replace(status="poor", message=text)


def digits_of(error: float) -> float:
    """The decimal digits that a relative error leaves; 0 where none is right."""
    return math.inf if error == 0 else max(0.0, -math.log10(error))


def _entry(got: NDArray[Any], right: NDArray[Any]) -> str:
    """The entry that is off most."""
    at = np.unravel_index(int(np.argmax(np.abs(got - right))), got.shape)
    place = f" at {list(map(int, at))}" if at else ""
    return f": {_number(got[at])} instead of {_number(right[at])}{place}"


def _number(value: Any) -> str:
    return f"{complex(value):.6g}" if np.iscomplexobj(value) else f"{float(value):.6g}"


def _first(got: NDArray[Any]) -> str:
    at = np.unravel_index(int(np.argmin(np.isfinite(got))), got.shape)
    return f"{_number(got[at])} at {list(map(int, at))}" if at else _number(got[at])


def largest(leaf: NDArray[Any]) -> float:
    return float(np.abs(leaf).max(initial=0.0))
