"""Programs as a graph of values, in which equal values are one; and where to cut it.

A value is equal to another if the same primitive made both of equal operands. So a forward program
and the backward program of the same body share what both compute, and a value of one iteration of a
loop can be recognised in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from . import _jaxcompat as compat
from . import _jaxprs as jaxprs
from ._exact import exactly
from ._jaxcompat import primitives as p

Value = int

# What costs no more to compute again than to load; all else is kept rather than repeated.
_NAMES = """
neg add add_any sub mul div max min abs sign square integer_pow one_minus_square clamp select_n eq
ne lt le gt ge and or xor not is_finite floor ceil round real imag complex conj copy copy_p
convert_element_type broadcast_in_dim reshape squeeze expand_dims transpose slice rev pad iota
stop_gradient pvary
"""
_CHEAP = frozenset(_NAMES.split())
_RANDOM = frozenset({"rng_uniform"})  # equal operands, and other results each time


class Maker(NamedTuple):
    """What makes a value: an equation, the values that it takes, and the first that it makes."""

    equation: Any
    operands: tuple[Value, ...]
    first: Value


class Dataflow:
    """The values of one or more programs; it grows while programs are added, and then is read."""

    def __init__(self) -> None:
        self.makers: list[Maker | None] = []  # of each value; None: an input or a constant
        self.types: list[Any] = []
        self.constants: dict[Value, Any] = {}
        self.known: dict[Any, Value] = {}

    def enter(self, aval: Any) -> Value:
        """A new value that comes from outside."""
        self.makers.append(None)
        self.types.append(aval)
        return len(self.makers) - 1

    def add(self, closed: Any, inputs: Sequence[Value]) -> list[Value]:
        """Add a program that is applied to some values; the bodies of jitted functions are opened.

        Returns:
            The values of its outputs.
        """
        jaxpr, consts = jaxprs.open_jaxpr(closed)
        found = dict(zip(jaxpr.invars, inputs, strict=True))
        found.update(
            (var, self._constant(c)) for var, c in zip(jaxpr.constvars, consts, strict=True)
        )
        for equation in jaxpr.eqns:
            operands = tuple(self._read(found, atom) for atom in equation.invars)
            found.update(zip(equation.outvars, self._apply(equation, operands), strict=True))
        return [self._read(found, atom) for atom in jaxpr.outvars]

    def _read(self, found: Mapping[Any, Value], atom: Any) -> Value:
        return self._constant(atom.val) if jaxprs.is_literal(atom) else found[atom]

    def _constant(self, value: Any) -> Value:
        aval = compat.typeof(value)
        number = aval.shape == () and not isinstance(value, jax.Array)
        content = np.asarray(value).tobytes() if number else id(value)
        key = ("constant", content, aval)
        if key not in self.known:
            self.known[key] = self.enter(aval)
            self.constants[self.known[key]] = value
        return self.known[key]

    def _apply(self, equation: Any, operands: tuple[Value, ...]) -> Sequence[Value]:
        if equation.primitive is p.jit_p and not _is_closed(equation.params):
            return self.add(equation.params["jaxpr"], operands)
        key = _key(equation, operands)
        first = None if key is None else self.known.get(key)
        if first is None:
            first = len(self.makers)
            for var in equation.outvars:
                self.makers.append(Maker(equation, operands, first))
                self.types.append(var.aval)
            if key is not None:
                self.known[key] = first
        return range(first, first + len(equation.outvars))

    # --- asking ---

    def operands(self, value: Value) -> tuple[Value, ...]:
        maker = self.makers[value]
        return () if maker is None else maker.operands

    def depends_on(self, sources: Iterable[Value]) -> list[bool]:
        """For each value, whether it depends on one of the sources."""
        reached = [False] * len(self.makers)
        for source in sources:
            reached[source] = True
        for value, maker in enumerate(self.makers):
            if maker is not None and any(reached[operand] for operand in maker.operands):
                reached[value] = True
        return reached

    def needed(self, wanted: Iterable[Value], given: Iterable[Value]) -> set[Value]:
        """All that is evaluated or read to compute some values where others are given."""
        stop, seen, waiting = set(given), set[Value](), list(wanted)
        while waiting:
            value = waiting.pop()
            if value not in seen:
                seen.add(value)
                maker = self.makers[value]
                if maker is not None and value not in stop:
                    waiting.extend(maker.operands)
        return seen

    def inputs_of(self, wanted: Iterable[Value], given: Iterable[Value]) -> set[Value]:
        """Which values from outside, or given, are read to compute some values."""
        stop = set(given)
        needed = self.needed(wanted, stop)
        return {v for v in needed if v in stop or self.makers[v] is None} - self.constants.keys()

    def moved(self, onto: Mapping[Value, Value]) -> list[Value | None]:
        """For each value the one that is computed likewise from other inputs, if there is one."""
        found: list[Value | None] = [None] * len(self.makers)
        for value, maker in enumerate(self.makers):
            if value in onto or value in self.constants:
                found[value] = onto.get(value, value)
            elif maker is not None:
                operands = tuple([found[operand] for operand in maker.operands])
                key = None if None in operands else _key(maker.equation, operands)
                first = None if key is None else self.known.get(key)
                found[value] = None if first is None else first + value - maker.first
        return found

    def evaluate(self, wanted: Sequence[Value], given: Mapping[Value, Any]) -> list[Any]:
        """Compute values from given ones."""
        found = {**self.constants, **given}
        for value in sorted(self.needed(wanted, found)):
            maker = self.makers[value]
            if value not in found:
                assert maker is not None, f"value {value} is neither given nor made"
                operands = [found[operand] for operand in maker.operands]
                with maker.equation.ctx.manager:
                    results = jaxprs.bind_equation(maker.equation, operands)
                found.update({maker.first + i: result for i, result in enumerate(results)})
        return [found[value] for value in wanted]

    def is_cheap(self, value: Value) -> bool:
        maker = self.makers[value]
        return maker is not None and maker.equation.primitive.name in _CHEAP


def _is_closed(params: Mapping[str, Any]) -> bool:
    """Whether a jitted body is to stay as it is: it is placed, or compiled in a way of its own.

    `keep_unused` marks the programs that compute again what was not to be kept, see `rules.remat`.
    """
    places = (*params["in_shardings"], *params["out_shardings"])
    placed = any(place is not compat.UNSPECIFIED for place in places)
    return bool(placed or params["keep_unused"] or params["compiler_options_kvs"])


def _key(equation: Any, operands: tuple[Value | None, ...]) -> Any:
    """What two equations have in common whose results are equal; None where that is not known."""
    if equation.effects or equation.primitive.name in _RANDOM:
        return None
    params = tuple([(name, exactly(value)) for name, value in equation.params.items()])
    key = (equation.primitive, params, equation.ctx, operands)
    try:
        hash(key)
    except TypeError:
        return None
    return key
