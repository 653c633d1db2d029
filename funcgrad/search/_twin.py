"""A program as a flat function of its leaves, and the same program in 64 bits on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from ..verify._differences import Estimate, differentiate
from ..verify._lift import lift
from ..verify._lines import inner
from ..verify._rounding import widen
from ._program import Program, is_body

Values = list[Any]
_STRIDE = 0.1  # of the direction's own length is the scale of the steps along it


class Flat(NamedTuple):
    """A function of floating leaves that returns a scalar, and a point.

    Attributes:
        run: the function.
        leaves: the point.
        closed: its program, where it was traced.
    """

    run: Callable[..., Any]
    leaves: Values
    closed: Any = None


def flatten(program: Program) -> Flat:
    """The function of the leaves that can be differentiated by; the others stay as they are."""
    function, arguments = program.function(), program.arguments()
    leaves, treedef = jax.tree.flatten(arguments)
    moving = [compat.is_inexact(compat.typeof(jnp.asarray(leaf))) for leaf in leaves]

    def run(*values: Any) -> Any:
        given = iter(values)
        whole = [next(given) if moves else leaf for leaf, moves in zip(leaves, moving, strict=True)]
        return function(*jax.tree.unflatten(treedef, whole))

    chosen = [jnp.asarray(leaf) for leaf, moves in zip(leaves, moving, strict=True) if moves]
    traced = jax.make_jaxpr(run)(*chosen)
    closed = jax.make_jaxpr(partial(_inlined, traced))(*chosen)
    # Of the traced program: the functions of `jax.numpy` become the few operations that they
    # share, so that these are compiled once, and not each function for each shape.
    evaluate = jaxprs.jaxpr_function(closed)
    return Flat(lambda *values: evaluate(*values)[0], chosen, closed)


def _inlined(closed: Any, *args: Any) -> list[Any]:
    """A program without the `jit` calls that are not its own, but JAX's."""
    jaxpr, consts = jaxprs.open_jaxpr(closed)
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if jaxprs.is_literal(atom) else known[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        theirs = equation.primitive is p.jit_p and not is_body(equation.params["name"])
        run = partial(_inlined, equation.params["jaxpr"]) if theirs else None
        results = run(*operands) if run else jaxprs.bind_equation(equation, operands)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def largest(flat: Flat) -> tuple[float, float]:
    """The value, and the largest size of any number on the way to it."""
    most = max([float(np.max(np.abs(leaf), initial=0.0)) for leaf in flat.leaves], default=0.0)

    def process(primitive: Any, operands: list[Any], params: Any) -> Any:
        nonlocal most
        results = primitive.bind(*operands, **primitive.get_bind_params(params))
        for value in results if primitive.multiple_results else [results]:
            if compat.is_inexact(compat.typeof(value)):
                sizes = np.abs(np.asarray(value))
                most = max(most, float(np.max(sizes, initial=0.0, where=np.isfinite(sizes))))
        return results

    return float(jaxprs.evaluate(flat.closed, flat.leaves, process)[0]), most


def widened(flat: Flat) -> Flat:
    """The same program with every number in 64 bits; to be used under `wide_numbers`."""
    leaves = [widen(leaf) for leaf in flat.leaves]
    closed = jax.make_jaxpr(lift(flat.closed))(*leaves)
    # Of the traced program, so that loops and calls are compiled once for all points.
    run = jaxprs.jaxpr_function(closed)
    return Flat(lambda *values: run(*values)[0], leaves, closed)


def moved(flat: Flat, generator: np.random.Generator, share: float) -> Values:
    """The leaves with every number up or down by a share of itself."""
    return [
        leaf * (1 + share * generator.choice([-1.0, 1.0], np.shape(leaf))) for leaf in flat.leaves
    ]


def direction(flat: Flat, generator: np.random.Generator) -> Values:
    """A direction in which every number moves, in proportion to its leaf's size."""
    found = []
    for leaf in flat.leaves:
        value = np.asarray(leaf)
        size = float(np.sqrt(np.mean(np.abs(value) ** 2))) if value.size else 1.0
        shape, kind = value.shape, np.iscomplexobj(value)
        numbers = (1 + generator.random(shape)) * generator.choice([-1.0, 1.0], shape)
        other = generator.choice([-1.0, 1.0], shape) * 1j if kind else 0.0
        found.append(jnp.asarray(max(size, 1e-3) * (numbers + other)))
    return found


def slope(flat: Flat, along: Sequence[Any]) -> Estimate:
    """The numerical derivative of a wide program along a direction, with its error bound."""
    return slope_of(flat.run, flat.leaves, along)


def slope_of(function: Callable[..., Any], leaves: Sequence[Any], along: Sequence[Any]) -> Estimate:
    """The numerical derivative of a scalar function of wide leaves."""

    def values(points: Any) -> Any:
        found = [
            function(*(x + _STRIDE * t * w for x, w in zip(leaves, along, strict=True)))
            for t in points.tolist()
        ]
        return np.asarray([float(np.real(v)) for v in found])

    found = differentiate(values)
    return found._replace(value=found.value / _STRIDE, error=found.error / _STRIDE)


def product(left: Sequence[Any], right: Sequence[Any]) -> float:
    """The real inner product of a gradient and a direction."""
    return inner([np.asarray(a) for a in left], [np.asarray(b) for b in right])
