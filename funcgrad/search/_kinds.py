"""What a random program is drawn from: operations, what they take, and where they are smooth.

An operation is a template of Python text with `{0}`, `{1}` ... for its operands and `{name}` for
parameters. Each of its slots says which shapes it takes, where the operation is defined (with a
margin), and where it has kinks. An operand that does not fit is led there by an adapter, which is
an operation of the table like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]
Fits = Callable[..., bool]  # of the operand's shape, then of the shapes of the operands before it
Params = Mapping[str, str]
Drawer = Callable[..., Params | None]  # of the choices and the operands' shapes
Values = np.ndarray[Any, Any]


class Adapter(NamedTuple):
    """An operation that leads into a domain, and with which parameters."""

    operation: str
    params: Params


class Domain(NamedTuple):
    """Which operands an operation takes.

    Attributes:
        name: for people.
        holds: whether the values (float64 or complex128) lie in it, with a margin.
        adapters: what to try, in this order, to get there.
        interval: if it is one, the interval from which new inputs are drawn.
        smoothness: whether outside of it there is only a kink or tie, and not an undefined value.
    """

    name: str
    holds: Callable[[Values], bool]
    adapters: tuple[Adapter, ...] = ()
    interval: tuple[float, float] | None = None
    smoothness: bool = False


class Slot(NamedTuple):
    """One operand of an operation: its shape, its domain, and "f" real, "c" complex or "fc"."""

    fits: Fits
    domain: Domain
    dtypes: str = "f"


class BodyKind(NamedTuple):
    """A function that an operation takes: drawn like a program, of operations of its own.

    Attributes:
        parameters: from the operands' values, sample values of the parameters.
        results: from the operands' shapes, the shapes to return; None for any.
        signature: the text between the parentheses of its `def`, with `{0}` for the first
            parameter; all parameters if empty.
        opening: a line at the beginning, which unpacks.
        closing: what is returned, with `{0}` for the first result.
        loops: whether it runs several times; then its operations are smooth everywhere.
        closes: whether it may read variables from around it.
    """

    parameters: Callable[..., list[Any]]
    results: Callable[..., list[Shape | None]]
    signature: str = ""
    opening: str = ""
    closing: str = "{0}"
    loops: bool = False
    closes: bool = True


class Operation(NamedTuple):
    """One line of a random program.

    Attributes:
        name: unique in the table.
        family: what it is drawn with.
        template: Python text of the right-hand side.
        slots: one for each operand.
        params: draws the parameters; None says that there are none for these shapes.
        apart: of the parameters and the operands' values, whether they are away from kinks that
            depend on several of them.
        results: how many arrays it returns.
        bodies: the functions it takes, `{body0}`, `{body1}` ... in the template.
        definitions: what the source needs once, above the function.
        order: how often its derivative can be taken and compared.
        wide: whether it exists only for numbers of 32 bits and more.
        reverse: whether JAX has a reverse mode of it; else there is its forward mode to compare.
        differences: whether numerical differences show its derivative (not of rejection sampling).
        rounds: whether it rounds to fewer digits on its way.
    """

    name: str
    family: str
    template: str
    slots: tuple[Slot, ...]
    params: Drawer | None = None
    apart: Callable[..., bool] | None = None
    results: int = 1
    bodies: tuple[BodyKind, ...] = ()
    definitions: str = ""
    order: int = 2
    wide: bool = False
    reverse: bool = True
    differences: bool = True
    rounds: bool = False

    @property
    def total(self) -> bool:
        """Whether it is smooth wherever its operands are finite."""
        tame = all(slot.domain.name == "everywhere" for slot in self.slots)
        return tame and self.apart is None and not self.bodies
