"""A program while it is drawn: every step is run as it is added, so that its values are known.

A sketch is mutable and lives inside one call of `draw_program`; what leaves it is a `Program`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ._choices import Choices
from ._interpreter import staged
from ._kinds import Domain, Operation, Shape, Values
from ._operations import BY_NAME, namespace_for
from ._program import Body, Step

LARGEST = 50.0  # values beyond this are scaled down, so that rounding stays what it is
SMALLEST = 1e-3  # and a result with no entry above this is scaled up
_REJECTED = 1e4  # what is larger, or smaller than its inverse, is not worth scaling
_MOST_ENTRIES = 64
_MOST_RANK = 4


class Variable(NamedTuple):
    """A name with the array that it stands for at the point."""

    name: str
    value: Any

    @property
    def shape(self) -> Shape:
        return tuple(self.value.shape)

    @property
    def is_complex(self) -> bool:
        return bool(self.value.dtype.kind == "c")


class Mark(NamedTuple):
    """How far a sketch had come."""

    variables: int
    steps: int
    inputs: int
    unused: frozenset[str]
    operations: int


class Sketch:
    """The variables and steps so far, of a program or of one of its bodies."""

    def __init__(
        self,
        choices: Choices,
        dtype: str,
        kinks: bool,
        menu: Sequence[Operation],
        outer: Sketch | None = None,
        closes: bool = True,
    ) -> None:
        self.choices = choices
        self.dtype = dtype
        self.kinks = kinks
        self.menu = menu
        self.depth: int = 0 if outer is None else outer.depth + 1
        self.namespace: dict[str, Any] = outer.namespace if outer else namespace_for(menu)
        self.variables: list[Variable] = list(outer.variables) if outer and closes else []
        self.around = len(self.variables)  # those that belong to an outer sketch
        self.steps: list[Step] = []
        self.inputs: dict[str, Values] = {}
        self.unused: set[str] = set()
        self.count = 0

    def mark(self) -> Mark:
        sizes = len(self.variables), len(self.steps), len(self.inputs)
        return Mark(*sizes, frozenset(self.unused), self.count)

    def restore(self, mark: Mark) -> None:
        """Forget what was added after a mark."""
        del self.variables[mark.variables :]
        del self.steps[mark.steps :]
        for name in list(self.inputs)[mark.inputs :]:
            del self.inputs[name]
        self.unused = set(mark.unused)
        self.count = mark.operations

    def fresh(self) -> str:
        number = self.namespace["_names"] = self.namespace.get("_names", 0) + 1
        return f"v{number}"

    def add(self, name: str, value: Any) -> Variable:
        variable = Variable(name, value)
        self.namespace[name] = value
        self.variables.append(variable)
        self.unused.add(name)
        return variable

    def new_input(self, shape: Shape, domain: Domain) -> Variable:
        """An argument with values of two decimals in a domain's interval."""
        low, high = domain.interval or (-2.0, 2.0)
        size = int(np.prod(shape))
        if self.kinks and domain.interval is None:
            numbers = np.array(self.choices.integers(size, -2, 2)) / 2
        else:
            first, last = int(np.ceil(100 * low)), int(np.floor(100 * high))
            numbers = np.array(self.choices.integers(size, first, last)) / 100
        value = numbers.reshape(shape).astype(jnp.dtype(self.dtype))
        name = self.fresh()
        self.inputs[name] = value
        return self.add(name, value)

    def apply(
        self,
        operation: Operation,
        operands: Sequence[Variable],
        params: Mapping[str, str],
        bodies: tuple[Body, ...] = (),
    ) -> list[Variable] | None:
        """Add a step, if it runs, and what it returns is finite and of moderate size."""
        names = tuple(self.fresh() for _ in range(operation.results))
        step = Step(operation, tuple(v.name for v in operands), names, params, bodies)
        try:
            evaluate(step, self.namespace)
        except Exception:  # JAX refuses some combinations, a `vmap` of a `linear_call` for one
            return None
        values = [self.namespace[name] for name in names]
        if not all(is_moderate(value) for value in values):
            return None
        self.steps.append(step)
        self.count += sum(1 for _ in step.inner())
        read = step.reads()
        self.unused -= read
        return [self.add(name, value) for name, value in zip(names, values, strict=True)]

    def adapt(self, variable: Variable, domain: Domain) -> Variable | None:
        """The variable, or what the first adapter that leads into the domain makes of it."""
        if domain.holds(host(variable.value)) or (self.kinks and domain.smoothness):
            return variable
        count = len(domain.adapters)
        first = self.choices.integer(0, count - 1) if count else 0
        for i in range(count):
            name, params = domain.adapters[(first + i) % count]
            mark = self.mark()
            added = self.apply(BY_NAME[name], [variable], params)
            if added is not None and domain.holds(host(added[0].value)):
                return added[0]
            self.restore(mark)
        return None


def evaluate(step: Step, namespace: dict[str, Any]) -> None:
    """Run the step's own text: traced, and the trace run by NumPy, which compiles nothing."""
    code = compile("\n".join(step.lines()), "<step>", "exec")
    names = sorted(name for name in step.reads() if name in namespace)

    def traced(*values: Any) -> list[Any]:
        around = {**namespace, **dict(zip(names, values, strict=True))}
        exec(code, around)
        return [around[name] for name in step.results]

    operands = [namespace[name] for name in names]
    results = staged(traced, operands)(*operands)
    namespace.update(zip(step.results, results, strict=True))


def host(value: Any) -> Values:
    """The values in double precision."""
    array = np.asarray(value)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def is_moderate(value: Any) -> bool:
    """Whether a result is small enough to go on with, finite, and not zero all over."""
    if value.ndim > _MOST_RANK or not 0 < value.size <= _MOST_ENTRIES:
        return False
    sizes = np.abs(host(value))
    largest = sizes.max()
    return bool(np.isfinite(largest) and 1 / _REJECTED < largest < _REJECTED)
