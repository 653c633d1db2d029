"""What oracles disagree about, and when two answers count as different."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from ..verify._rounding import epsilon

OURS, JAX, BOTH, VALUE, UNDECIDED = "ours", "jax", "both", "value", "undecided"
SEARCH = "search"  # an error of the search's own, which is a finding about it
WRONG, NAN, CRASH, SHAPE, DTYPE, UNSTABLE, ABORT, HANG = (
    "wrong", "nan", "crash", "shape", "dtype", "unstable", "abort", "hang"
)  # fmt: skip
SAME = 1e-8  # relative: what two ways to one derivative may differ by in 64 bits
FLOOR = 1e-12  # of the largest number that occurs: some thousand roundings in 64 bits
ROUNDED = 1e4  # roundings of the inputs, as far as they are felt
NATIVE = 32  # the same in a program's own precision, and multiples of its unit
OTHER = 10  # times as far off as the other one may each be


_WHO = {
    OURS: "funcgrad's",
    JAX: "JAX's",
    VALUE: "the",
    BOTH: "JAX's and funcgrad's",
    UNDECIDED: "funcgrad's or JAX's",
    SEARCH: "the search's",
}
_KIND = {
    WRONG: "is wrong",
    NAN: "is not finite",
    CRASH: "raises an error",
    SHAPE: "has a wrong shape",
    DTYPE: "has a wrong dtype",
    UNSTABLE: "varies",
    ABORT: "ends the process",
    HANG: "does not end",
}


def title(who: str, kind: str, what: str) -> str:
    """A disagreement in a line.

    >>> title("ours", "wrong", "second derivative")
    "funcgrad's second derivative is wrong"
    """
    text = f"{_WHO[who]} {what} {_KIND[kind]}"
    return text if who == OURS else text[0].upper() + text[1:]


class Disagreement(NamedTuple):
    """One oracle against the others.

    Attributes:
        who: who is to blame: "ours", "jax", "both" (they agree, the numbers do not), "value",
            "undecided", or "search" (an oracle itself failed).
        kind: "wrong", "nan", "crash", "shape", "dtype", "unstable" (not the same again), "abort"
            (the process died) or "hang".
        what: the quantity.
        text: what was seen, in a line.
        expected: the leaves, or the one number along `along`, that the others agree on.
        along: the direction that the numbers belong to; of second order always.
    """

    who: str
    kind: str
    what: str
    text: str
    expected: Any = None
    along: Any = None

    @property
    def label(self) -> tuple[str, str, str]:
        """What two sightings of one defect have in common."""
        return self.who, self.kind, self.what


class Margin(NamedTuple):
    """How far each leaf's derivative may be off, in 64 bits and in the program's own precision."""

    wide: list[float]
    native: list[float]

    @property
    def is_hopeless(self) -> bool:
        """Whether not even 64 bits tell a derivative from noise."""
        return not np.all(np.isfinite(self.wide))


def sizes(values: Sequence[Any]) -> list[float]:
    """The largest entry of each leaf."""
    with np.errstate(all="ignore"):
        return [float(np.max(np.abs(np.asarray(v)), initial=0.0)) for v in values]


def distances(left: Sequence[Any], right: Sequence[Any]) -> list[float]:
    """How far two lists of leaves are apart, leaf by leaf; infinite where only one is finite."""
    found = []
    for a, b in zip(left, right, strict=True):
        x, y = np.asarray(a, np.complex128), np.asarray(b, np.complex128)
        with np.errstate(all="ignore"):
            apart = np.where(x == y, 0.0, np.abs(x - y))
        apart = np.where(np.isnan(x) & np.isnan(y), 0.0, apart)
        found.append(float(np.max(np.nan_to_num(apart, nan=np.inf), initial=0.0)))
    return found


def margin(
    gradient: Sequence[Any], again: Sequence[Any], share: float, dtype: Any, terms: float = 0.0
) -> Margin:
    """What rounding explains.

    Args:
        gradient: the derivative, leaf by leaf.
        again: the same where the inputs are moved by a share of themselves.
        share: that share.
        dtype: of the program.
        terms: the largest number on the way to the value. A derivative that is zero is a sum of
            such terms, of which roundings are left.
    """
    large = sizes(gradient)
    most = max([*large, terms])
    felt = [d / share for d in distances(gradient, again)]
    unit = epsilon(dtype)
    wide = [
        SAME * size + FLOOR * most + ROUNDED * 2.0**-52 * moves
        for size, moves in zip(large, felt, strict=True)
    ]
    native = [
        NATIVE * unit * (size + 0.1 * most + moves) for size, moves in zip(large, felt, strict=True)
    ]
    return Margin(wide, native)


def exceeds(apart: Sequence[float], allowed: Sequence[float]) -> bool:
    """Whether any leaf is farther off than is allowed."""
    return any(d > a for d, a in zip(apart, allowed, strict=True))


def is_nan(values: Sequence[Any]) -> bool:
    """Whether any entry is no finite number."""
    return not all(np.isfinite(np.asarray(v)).all() for v in values)


def misfits(received: Sequence[Any], expected: Sequence[Any]) -> Disagreement | None:
    """A shape or dtype of ours that is not the argument's."""
    for index, (ours, theirs) in enumerate(zip(received, expected, strict=True)):
        got, want = compat.typeof(jnp.asarray(ours)), compat.typeof(jnp.asarray(theirs))
        for kind, a, b in ((SHAPE, got.shape, want.shape), (DTYPE, got.dtype, want.dtype)):
            if a != b:
                text = f"leaf {index} of the gradient has {kind} {a}, its argument {b}"
                return Disagreement(OURS, kind, "gradient", text)
    return None


def described(received: Sequence[Any], expected: Sequence[Any]) -> str:
    """The entry that is farthest off, in words."""
    apart = distances(received, expected)
    leaf = int(np.argmax(apart))
    x, y = np.asarray(received[leaf]), np.asarray(expected[leaf])
    gap = np.nan_to_num(np.abs(np.subtract(x, y, dtype=np.complex128)), nan=np.inf)
    index = np.unravel_index(int(np.argmax(gap)), gap.shape) if gap.ndim else ()
    place = f"leaf {leaf}" + (f"[{', '.join(map(str, index))}]" if index else "")
    return f"{place}: {x[index]:.6g}, expected {y[index]:.6g}"


def raised(who: str, what: str, error: Exception) -> Disagreement:
    """An error where others have an answer."""
    first = (str(error).splitlines() or [""])[0]
    return Disagreement(who, CRASH, what, f"{type(error).__name__}: {first[:200]}")
