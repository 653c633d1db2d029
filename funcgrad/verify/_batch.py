"""Rows of points and directions, and running a program on all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from ._lift import lift
from ._programs import Parts, Program
from ._rounding import MOVES, noisy_operations, widen

ROWS = 40  # in a batch; always as many, so that compiled operations are met again
_COMPILED_FROM = 600  # equations: longer programs are compiled as a whole
_NOISE_FACTOR = 3  # so many operations round one once more
Arrays = dict[str, list[NDArray[Any]]]


class Row(NamedTuple):
    """One place at which programs are compared.

    Attributes:
        xs: the point.
        cs: cotangents of the outputs.
        ws: tangents of the inputs.
        point: where it is, in words.
        what: what is particular about the cotangents, or nothing.
        is_mined: whether it is not the given point.
        is_degenerate: whether entries are zero, tied or at a constant, where formulas divide zero
            by zero that are right everywhere around.
    """

    xs: Sequence[Any]
    cs: Sequence[Any]
    ws: Sequence[Any]
    point: str
    what: str = ""
    is_mined: bool = False
    is_degenerate: bool = False

    @property
    def cotangent(self) -> str:
        """What the outputs' cotangents are, in words; nothing for the usual 1."""
        if self.what:
            return self.what
        numbers = np.concatenate([np.ravel(np.asarray(c, np.complex128)) for c in self.cs])
        if numbers.size == 1:
            return "" if numbers[0] == 1 else f"for the cotangent {np.real(numbers[0]):g}"
        return "for a random cotangent of the output"


class Draws(NamedTuple):
    """How each row's numbers are rounded otherwise.

    Attributes:
        numbers: one line a row: how its literals are moved, or first the seed of its operations'
            extra rounding; of shape (rows, MOVES).
        noisy: whether it is the operations that round once more.
    """

    numbers: NDArray[Any]
    noisy: bool

    @staticmethod
    def of(rows: int, count: int, *, noisy: bool) -> Draws:
        """The same `count` draws for each of `rows` rows; draws vary slowest."""
        numbers = np.empty((count, MOVES))
        for draw in range(count):
            generator = np.random.default_rng(draw)
            numbers[draw] = generator.choice([-1.0, 1.0], MOVES) * generator.uniform(0.4, 1, MOVES)
            if noisy:
                numbers[draw, 0] = 1.0 + draw
        return Draws(np.repeat(numbers, rows, axis=0), noisy)


class Runner:
    """A program on rows, in 64 bits; traced once.

    Short programs run operation by operation, whose compiled forms JAX keeps from one check to the
    next; long ones, and those on large arrays, are compiled as a whole.
    """

    def __init__(self, program: Program, example: Row, size: int) -> None:
        self._program = program
        self._example = example
        self._batch = ROWS if size * ROWS <= 2**21 else 1
        self._runs: dict[bool, Callable[..., Parts]] = {}

    @property
    def is_batched(self) -> bool:
        """Whether rows are run together; on large arrays they are not."""
        return self._batch > 1

    def __call__(self, rows: Sequence[Row], draws: Draws | None = None) -> Arrays:
        """The parts for each row, with the rows as their first axis.

        Args:
            rows: where.
            draws: for each row, how its numbers are rounded otherwise; not at all by default.
        """
        noisy = draws is not None and draws.noisy
        drawn = np.zeros((len(rows), MOVES)) if draws is None else draws.numbers
        found = []
        with jax.enable_x64(True):
            run = self._compiled(noisy)
            for start in range(0, len(rows), self._batch):
                here = slice(start, start + self._batch)
                many = len(rows[here])
                filling = [-1] * (self._batch - many)
                at = [*range(many), *filling]
                values = run(drawn[here][at], *_stack([rows[here][i] for i in at]))
                arrays = {k: [np.asarray(v) for v in part] for k, part in values.items()}
                found.append({k: [a[:many] for a in part] for k, part in arrays.items()})
        return {
            name: [np.concatenate([f[name][i] for f in found]) for i in range(len(part))]
            for name, part in found[0].items()
        }

    def _compiled(self, noisy: bool) -> Callable[..., Parts]:
        if noisy not in self._runs:
            self._runs[noisy] = self._trace(noisy)
        return self._runs[noisy]

    def _trace(self, noisy: bool) -> Callable[..., Parts]:
        stacked = _stack([self._example] * self._batch)
        closed, shape = jax.make_jaxpr(self._over_rows(noisy), return_shape=True)(
            np.zeros((self._batch, MOVES)), *stacked
        )
        treedef = jax.tree.structure(shape)
        flat = jaxprs.jaxpr_function(closed)
        # The noise multiplies the operations, but they are few different ones.
        limit = _COMPILED_FROM * (_NOISE_FACTOR if noisy else 1)
        listed = jaxprs.open_jaxpr(closed)[0].eqns
        # Outside of a compiled program every operation of a map is one that is compiled anew.
        mapped = any(equation.primitive is p.shard_map_p for equation in listed)
        long = self._batch == 1 or mapped or len(listed) > limit
        run = jax.jit(flat) if long else flat

        def parts(*args: Any) -> Parts:
            result: Parts = jax.tree.unflatten(treedef, run(*jax.tree.leaves(args)))
            return result

        return parts

    def _over_rows(self, noisy: bool) -> Callable[..., Parts]:
        program = self._program

        def one(drawn: Any, xs: Any, cs: Any, ws: Any) -> Parts:
            if not noisy:
                return program(drawn, xs, cs, ws)
            still = np.zeros(MOVES)
            closed, shape = jax.make_jaxpr(program, return_shape=True)(still, xs, cs, ws)
            with noisy_operations(drawn[0]):
                flat = lift(closed)(*jax.tree.leaves((still, xs, cs, ws)))
            parts: Parts = jax.tree.unflatten(jax.tree.structure(shape), flat)
            return parts

        if self._batch == 1:
            return lambda *args: jax.tree.map(
                lambda a: a[None], one(*jax.tree.map(lambda a: a[0], args))
            )
        return jax.vmap(one)


def _stack(rows: Sequence[Row]) -> tuple[list[Any], list[Any], list[Any]]:
    columns = [[getattr(row, name) for row in rows] for name in ("xs", "cs", "ws")]
    return tuple(  # type: ignore[return-value]  # three of them
        [widen(np.stack(leaf)) for leaf in zip(*column, strict=True)] for column in columns
    )
