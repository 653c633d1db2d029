"""Random programs as a Hypothesis strategy.

Needs ``pip install "funcgrad[verify]"``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..verify._hypothesis import st
from ._draw import check_options, draw, menu_of
from ._included import included
from ._program import Program

__all__ = ["programs"]

T = TypeVar("T")
_LIKELY = 100  # what Hypothesis draws of a probability: shrunk decisions are False


class DrawnChoices:
    """Decisions that Hypothesis makes, and can make simpler."""

    def __init__(self, drawing: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = drawing

    def integer(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))

    def integers(self, count: int, low: int, high: int) -> list[int]:
        numbers = st.integers(low, high)
        return list(self._draw(st.lists(numbers, min_size=count, max_size=count)))

    def choice(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)]

    def boolean(self, probability: float = 0.5) -> bool:
        return self.integer(0, _LIKELY - 1) >= _LIKELY * (1 - probability)


def programs(
    *,
    operations: tuple[int, int] = (1, 12),
    families: Sequence[str] | None = None,
    dtype: str = "float32",
    kinks: bool = False,
    include: Sequence[str] = (),
) -> st.SearchStrategy[Program]:
    """Random differentiable JAX programs: a function of pytrees with a point, as Python source.

    A program is well typed, its values are finite and of moderate size, and its point lies where
    every operation is smooth, with a margin, unless `kinks` says otherwise. It shrinks to few
    operations and small round numbers. ``program.function()`` and ``program.arguments()`` are what
    the source defines, and a failing test prints the source.

    Args:
        operations: the least and the greatest number of operations, those in bodies included.
        families: from which families of operations to draw, such as "elementwise" or "fft"; what
            leads operands into a domain may be of others. All if None.
        dtype: "float32", "float64" (if JAX has 64-bit numbers switched on), "bfloat16", "float16".
        kinks: whether points may lie at kinks and ties.
        include: ``"module:function"`` of functions of your own, of which each program has one at
            least: functions of arrays, with whatever derivative rules.

    Returns:
        A strategy for programs.

    Raises:
        GradientTypeError: `operations` is no pair of integers, or `families` no sequence.
        GradientValueError: `operations` is no range, or there is no such family or dtype.
        ConfigurationError: 64-bit numbers are switched off, or a function cannot be included.

    >>> import hypothesis
    >>> settings = hypothesis.settings(database=None, derandomize=True)
    >>> waves = programs(families=["elementwise"], operations=(1, 3))
    >>> def has_cosine(program):
    ...     return "cos" in program.operations
    >>> found = hypothesis.find(waves, has_cosine, settings=settings)
    >>> len(found)
    1
    >>> [line.strip() for line in found.source().splitlines() if "cos" in line]
    ['v1 = jnp.cos(x)']
    """
    least, most = check_options(operations, families, dtype)
    menu, wanted = menu_of(families, dtype), tuple(map(included, include))

    @st.composite
    def drawn(drawing: Callable[[st.SearchStrategy[Any]], Any]) -> Program:
        return draw(DrawnChoices(drawing), (least, most), menu, dtype, kinks, wanted)

    return drawn()
