"""What a primitive's implementation looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Array = Any  # np.ndarray, or a scalar of NumPy's; keys of random generators are arrays of JAX's
Params = Mapping[str, Any]


class Runs(Protocol):
    """What carries out the programs inside of equations."""

    def run(self, closed: Any, args: Sequence[Array]) -> list[Array]:
        """The results of a program."""
        ...


class Rule(NamedTuple):
    """One primitive in NumPy.

    Attributes:
        apply: from the machine, the parameters and the operands to the result, or to a list of
            results where the primitive has several. What it returns is cast to the dtype that the
            program says.
        carries: whether keys of random generators, which are arrays of JAX, may be among the
            operands; otherwise JAX runs an equation that has them.
        widens: whether numbers of 16 bits come as ones of 32, as hardware computes with them.
    """

    apply: Callable[[Runs, Params, Sequence[Array]], Any]
    widens: bool = True
    carries: bool = False


def plain(function: Callable[..., Any], *, widens: bool = True) -> Rule:
    """The rule of a function of operands alone."""
    return Rule(lambda _machine, _params, operands: function(*operands), widens)


def shaped(function: Callable[..., Any], *, widens: bool = True) -> Rule:
    """The rule of a function of parameters and operands."""
    return Rule(lambda _machine, params, operands: function(params, *operands), widens)


class NotHereError(Exception):
    """A case that the rule of a primitive leaves to JAX."""
