"""A program as a flat function of its leaves, and the same program in 64 bits."""

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
from ..verify._lift import kept_stops, lift
from ..verify._lines import rescaled, root_mean_square
from ..verify._rounding import widen
from ._interpreter import Machine, staged
from ._program import Program, is_body
from ._verdicts import sizes

Values = list[Any]
_STRIDE = 0.1  # of the direction's own length is the scale of the steps along it


class Flat(NamedTuple):
    """A function of floating leaves that returns a scalar, and a point.

    Attributes:
        run: the function, for JAX to trace.
        leaves: the point.
        closed: its program.
    """

    run: Callable[..., Any]
    leaves: Values
    closed: Any

    @property
    def every(self) -> tuple[int, ...]:
        """The numbers of all leaves, which is what is differentiated by."""
        return tuple(range(len(self.leaves)))

    @property
    def value(self) -> Callable[..., Any]:
        """The function, computed by NumPy; its program is prepared once for all points."""
        machine = Machine()
        return lambda *leaves: machine.run(self.closed, [np.asarray(leaf) for leaf in leaves])[0]

    def staged(self, function: Callable[..., Any]) -> Callable[..., Values]:
        """A function of leaves like these, traced for NumPy to run."""
        try:
            return staged(function, self.leaves)
        except jax.errors.TracerArrayConversionError:
            # A linear solve, opened and closed again, has forward derivatives of numbers only.
            return lambda *leaves: [np.asarray(x) for x in jax.tree.leaves(function(*leaves))]

    def gradient(self, transform: Callable[..., Any]) -> Callable[..., Values]:
        """The gradient by one engine's `grad`, traced for NumPy to run."""
        return self.staged(transform(self.run, self.every))


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
    return _of_program(jax.make_jaxpr(partial(_inlined, traced))(*chosen), chosen)


def _of_program(closed: Any, leaves: Values) -> Flat:
    evaluate = jaxprs.jaxpr_function(closed)
    return Flat(lambda *values: evaluate(*values)[0], leaves, closed)


def _inlined(closed: Any, *args: Any) -> list[Any]:
    """A program without the `jit` calls that are not its own, but JAX's."""

    def process(primitive: Any, operands: list[Any], params: Any) -> Any:
        if primitive is p.jit_p and not is_body(params["name"]):
            return _inlined(params["jaxpr"], *operands)
        return primitive.bind(*operands, **primitive.get_bind_params(params))

    return jaxprs.evaluate(closed, args, process)


def largest(flat: Flat) -> tuple[float, float]:
    """The value, and the largest size of any number on the way to it."""
    most = max(sizes(flat.leaves), default=0.0)

    def watch(value: Any) -> None:
        nonlocal most
        if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
            known = np.abs(value)
            most = max(most, float(np.max(known, initial=0.0, where=np.isfinite(known))))

    value = Machine(watch).run(flat.closed, [np.asarray(leaf) for leaf in flat.leaves])[0]
    return float(value), most


def widened(flat: Flat) -> Flat:
    """The same program with every number in 64 bits, which must be switched on."""
    leaves = [widen(leaf) for leaf in flat.leaves]
    with kept_stops():  # JAX's functions say by them what a derivative is, such as sinc's at 1
        return _of_program(jax.make_jaxpr(lift(flat.closed))(*leaves), leaves)


def moved(flat: Flat, generator: np.random.Generator, share: float) -> Values:
    """The leaves with every number up or down by a share of itself."""
    found = [np.asarray(leaf) for leaf in flat.leaves]
    return [x * (1 + share * generator.choice([-1.0, 1.0], x.shape)) for x in found]


def direction(flat: Flat, generator: np.random.Generator) -> Values:
    """A direction in which every number moves, in proportion to its leaf's size."""
    found = []
    for leaf in flat.leaves:
        value = np.asarray(leaf)
        shape, kind = value.shape, np.iscomplexobj(value)
        numbers = (1 + generator.random(shape)) * generator.choice([-1.0, 1.0], shape)
        other = generator.choice([-1.0, 1.0], shape) * 1j if kind else 0.0
        found.append(max(root_mean_square(value) or 1.0, 1e-3) * (numbers + other))
    return found


def slope(flat: Flat, along: Sequence[Any]) -> Estimate:
    """The numerical derivative of a wide program along a direction, with its error bound."""
    return slope_of(flat.value, flat.leaves, along)


def slope_of(function: Callable[..., Any], leaves: Sequence[Any], along: Sequence[Any]) -> Estimate:
    """The numerical derivative of a scalar function of wide leaves.

    Args:
        function: of NumPy's arrays.
        leaves: the point.
        along: the direction.
    """
    start = [np.asarray(x) for x in leaves]

    def values(points: Any) -> Any:
        found = [
            function(*(x + _STRIDE * t * w for x, w in zip(start, along, strict=True)))
            for t in points.tolist()
        ]
        return np.asarray([float(np.real(v)) for v in found])

    return rescaled(differentiate(values), _STRIDE)


def weights(gradient: Sequence[Any], along: Sequence[Any]) -> float:
    """The sum of the sizes of the terms that a derivative along a direction is made of."""
    products = (np.asarray(g) * w for g, w in zip(gradient, along, strict=True))
    return sum(float(np.sum(np.abs(product))) for product in products)
