"""A program run equation by equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ... import _jaxcompat as compat
from ... import _jaxprs as jaxprs
from ._rule import Array, NotHereError, Rule
from ._table import RULES

Watch = Callable[[Array], None]
_SHORT = ("bfloat16", "float16")


class _Instruction(NamedTuple):
    """An equation with its variables as places of a list."""

    equation: Any
    rule: Rule | None
    reads: list[int]
    writes: list[int]
    dtypes: list[Any]


class _Prepared(NamedTuple):
    jaxpr: Any  # kept, so that its identity is not used again
    inputs: list[int]
    fixed: list[tuple[int, Array]]  # constants, with their places
    instructions: list[_Instruction]
    outputs: list[int]
    size: int


class Machine:
    """Runs programs with NumPy; primitives that it does not know, one by one with JAX on the CPU.

    Args:
        watch: called with every result on the way.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch
        self._prepared: dict[int, _Prepared] = {}

    def run(self, closed: Any, args: Sequence[Array]) -> list[Array]:
        """The results of a program.

        Args:
            closed: a jaxpr, closed or without constants.
            args: its operands.
        """
        program = self._prepare(closed)
        known: list[Any] = [None] * program.size
        for place, value in program.fixed:
            known[place] = value
        for place, value in zip(program.inputs, args, strict=True):
            known[place] = value
        with np.errstate(all="ignore"):
            for instruction in program.instructions:
                results = self._apply(instruction, [known[i] for i in instruction.reads])
                for place, value in zip(instruction.writes, results, strict=True):
                    known[place] = value
        return [known[place] for place in program.outputs]

    def _apply(self, instruction: _Instruction, operands: list[Array]) -> list[Array]:
        equation, rule = instruction.equation, instruction.rule
        if rule is None or (not rule.carries and any(isinstance(o, jax.Array) for o in operands)):
            results = foreign(equation, operands)
        else:
            given = [_widened(o) for o in operands] if rule.widens else operands
            try:
                results = rule.apply(self, equation.params, given)
            except NotHereError:
                results = foreign(equation, operands)
            else:
                results = results if equation.primitive.multiple_results else [results]
        cast = [_cast(r, dtype) for r, dtype in zip(results, instruction.dtypes, strict=True)]
        if self._watch is not None:
            for value in cast:
                self._watch(value)
        return cast

    def _prepare(self, closed: Any) -> _Prepared:
        jaxpr, consts = jaxprs.open_jaxpr(closed)
        found = self._prepared.get(id(closed))
        if found is None:
            found = self._prepared[id(closed)] = _prepared(closed, jaxpr, consts)
        return found


def _prepared(closed: Any, jaxpr: Any, consts: Sequence[Any]) -> _Prepared:
    places: dict[Any, int] = {}
    fixed: list[tuple[int, Array]] = []
    count = 0

    def place(variable: Any) -> int:
        nonlocal count
        if jaxprs.is_literal(variable):
            fixed.append((count, _literal(variable)))
        elif variable in places:
            return places[variable]
        else:
            places[variable] = count
        count += 1
        return count - 1

    fixed += [(place(v), host(c)) for v, c in zip(jaxpr.constvars, consts, strict=True)]
    inputs = [place(v) for v in jaxpr.invars]
    instructions = [
        _Instruction(
            equation, RULES.get(equation.primitive.name), [place(v) for v in equation.invars],
            [place(v) for v in equation.outvars], [_dtype(v.aval) for v in equation.outvars],
        )
        for equation in jaxpr.eqns
    ]  # fmt: skip
    return _Prepared(closed, inputs, fixed, instructions, [place(v) for v in jaxpr.outvars], count)


def _literal(atom: Any) -> Array:
    return np.asarray(atom.val, _dtype(atom.aval)) if hasattr(atom.aval, "dtype") else atom.val


def _dtype(aval: Any) -> Any:
    """What results are cast to; None for keys of random generators, and for tokens."""
    dtype = getattr(aval, "dtype", None)
    return None if dtype is None or compat.is_extended(dtype) else dtype


def _cast(value: Array, dtype: Any) -> Array:
    return value if dtype is None else np.asarray(value, dtype)


def _widened(value: Array) -> Array:
    short = getattr(value, "dtype", None) is not None and value.dtype.name in _SHORT
    return np.asarray(value, np.float32) if short else value


def host(value: Any) -> Array:
    """A value as NumPy's, but for keys of random generators."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value
    is_key = hasattr(value, "dtype") and compat.is_extended(value.dtype)
    return value if is_key or not hasattr(value, "dtype") else np.asarray(value)


def foreign(equation: Any, operands: Sequence[Array]) -> list[Array]:
    """The results of an equation by JAX, on the CPU."""
    with jax.default_device(jax.devices("cpu")[0]):
        given = [jnp.asarray(o) if isinstance(o, np.ndarray) else o for o in operands]
        return [host(result) for result in jaxprs.bind_equation(equation, given)]
