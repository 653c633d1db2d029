"""What the quantities of a case should be: found on the CPU in 64 bits, by independent means."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any, NamedTuple

import jax
import numpy as np

from .._jaxcompat import primitives
from .._jaxprs import open_jaxpr
from ..verify._lift import lift
from ..verify._lines import wide_point
from ._cases import Example
from ._judge import EPSILON, Leaves, Reference, largest
from ._points import Arrays, Point, moved, on, wide
from ._quantities import QUICKLY, Program, Refused, program, quantities, single, together
from ._records import (
    FORWARD,
    FORWARD_REVERSE,
    JAX,
    OURS,
    REVERSE,
    REVERSE_TWICE,
    VALUE,
)
from ._slopes import Slopes, apart, compiled, line_arguments, slopes

_WIDE = (np.dtype(np.float64), np.dtype(np.complex128))
_MOVES = 2  # so many neighbours of a point show how well it is conditioned
Columns = dict[str, Arrays | Refused]


class Witnesses(NamedTuple):
    """What is known of the quantities at one point.

    Attributes:
        differences: by column, from numerical differences, where there are such.
        engines: by engine and column, in 64 bits on the CPU.
        spreads: by column, for each leaf how far it moves with the input; of that what is known.
        proved: the engines and columns that differences confirm, here or in another dtype.
    """

    differences: dict[str, Reference]
    engines: dict[str, Columns]
    spreads: dict[str, tuple[float, ...]]
    proved: frozenset[tuple[str, str]]


NOTHING = Witnesses({}, {}, {}, frozenset())
_PROVABLE = frozenset(
    (OURS, column) for column in (REVERSE, FORWARD, REVERSE_TWICE, FORWARD_REVERSE)
)


class Wide(NamedTuple):
    """A program in 64 bits, and a digest that is equal for equal programs."""

    function: Program
    digest: str


def widen_program(function: Program, point: Point, native: bool = False) -> Wide:
    """The program for arguments of a narrow dtype with all of its numbers in 64 bits.

    Where it has no such form, or if `native`, the function itself is used, which may then be
    another program.
    """
    arguments = wide(point).arguments
    closed = jax.make_jaxpr(function)(*point.arguments)
    if not native and not _reads_bits(closed):
        # Beside `Unliftable` comes what JAX says of operations that were not made for 64 bits.
        with contextlib.suppress(Exception):
            lifted = lift(closed)
            traced = jax.make_jaxpr(lifted)(*arguments)
            # What an operation of another make computes inside stays as narrow as it was.
            if all(np.dtype(aval.dtype) in _WIDE for aval in traced.out_avals):
                return Wide(lifted, _digest(traced))
    return Wide(function, _digest(jax.make_jaxpr(function)(*arguments)))


def _reads_bits(closed: Any) -> bool:
    """Whether a program moves by steps of its own dtype, which differences would see as such."""
    return any(e.primitive is primitives.nextafter_p for e in open_jaxpr(closed)[0].eqns)


def _digest(traced: Any) -> str:
    constants = b"".join(np.asarray(c).tobytes() for c in traced.consts)
    return hashlib.sha256(str(traced).encode() + constants).hexdigest()


class Witness:
    """Finds the witnesses of one case; what it compiled serves every dtype of the case."""

    def __init__(self, example: Example) -> None:
        """Nothing is compiled before it is needed."""
        self._example = example
        self._programs: dict[tuple[str, ...], Any] = {}
        self._proved: dict[str, frozenset[tuple[str, str]]] = {}
        self._device = jax.local_devices(backend="cpu")[0]

    def at(self, point: Point, dtype: str) -> Witnesses:
        """The witnesses at a point."""
        if not self._example.has_numbers:
            return NOTHING
        here = wide(point)
        with jax.default_device(self._device):
            for native in (False, True):
                function, digest = widen_program(program(self._example), point, native)
                engines = {OURS: self._engine(OURS, function, digest, here)}
                proved = self._proved.get(digest, frozenset())
                if proved < _PROVABLE or any(
                    isinstance(v, Refused) for v in engines[OURS].values()
                ):
                    engines[JAX] = self._engine(JAX, function, digest, here)
                if not isinstance(engines[OURS][VALUE], Refused):
                    break
            spreads = self._spreads(function, digest, point, EPSILON[dtype], engines)
            found = self._values(engines)
            if not _present(engines) <= proved:
                # Once a program's derivatives are proved at a point, those beside it are.
                found = self._differences(function, digest, here, engines)
                self._proved[digest] = proved = proved | _proved(engines, found)
        return Witnesses(found, engines, spreads, proved)

    @staticmethod
    def _values(engines: dict[str, Columns]) -> dict[str, Reference]:
        known = [c[VALUE] for c in engines.values()]
        value = next((v for v in known if not isinstance(v, Refused)), None)
        if value is None:
            return {}
        return {VALUE: Reference(value, (0.0,) * len(value), "the program in float64 on the CPU")}

    # --- the engines in 64 bits -------------------------------------------------------------------

    def _engine(self, engine: str, function: Program, digest: str, here: Point) -> Columns:
        run = self._programs.get((digest, engine))
        if run is None:
            run = together(function, quantities(engine), self._device)
        try:
            found = run(*on(here, self._device))
        except Exception:  # one of them is not to be had; each is asked for alone
            self._programs[digest, engine] = _Apart(engine, function, self._device)
            return self._programs[digest, engine](*here)  # type: ignore[no-any-return] # a cache
        self._programs[digest, engine] = run
        return {
            name: leaves if isinstance(leaves, Refused) else wide_point(leaves)
            for name, leaves in found.items()
        }

    def _spreads(
        self, function: Program, digest: str, point: Point, epsilon: float,
        engines: dict[str, Columns],
    ) -> dict[str, tuple[float, ...]]:  # fmt: skip
        """How far each quantity moves when every number of the input does by a rounding unit."""
        found: dict[str, tuple[float, ...]] = {}
        neighbours = [moved(point, epsilon, number) for number in range(_MOVES)]
        for engine in engines:
            missing = [
                c for c in quantities(engine)
                if c not in found and not isinstance(engines[engine][c], Refused)
            ]  # fmt: skip
            if missing:
                others = [self._engine(engine, function, digest, n) for n in neighbours]
                for column in missing:
                    found[column] = _spread(engines[engine][column], [o[column] for o in others])
        return found

    # --- differences ------------------------------------------------------------------------------

    def _differences(
        self, function: Program, digest: str, here: Point, engines: dict[str, Columns]
    ) -> dict[str, Reference]:
        """By column; the second order from a gradient that the first order proves."""
        known = self._values(engines)
        if not known:
            return {}
        value = known[VALUE].leaves
        reach = _reach(self._example, here)
        if reach == 0 or not here.arguments:
            return known
        first = self._slopes(
            lambda _, *x: function(*x), (digest, VALUE), here, value, here.cotangents, reach
        )
        known[FORWARD] = _reference(first.along, first.along_error, value, "differences")
        known[REVERSE] = _reference(first.by_entry, first.by_error, here.arguments, "differences")
        return {**known, **self._second(function, digest, here, engines, known, reach)}

    def _second(
        self, function: Program, digest: str, here: Point, engines: dict[str, Columns],
        known: dict[str, Reference], reach: float,
    ) -> dict[str, Reference]:  # fmt: skip
        for engine, whose in ((OURS, "our"), (JAX, "JAX's")):
            gradient = engines[engine][REVERSE] if engine in engines else Refused("", "")
            if isinstance(gradient, Refused) or not agrees(gradient, known[REVERSE]):
                continue
            part = quantities(engine)[REVERSE]
            name = f"differences of {whose} float64 gradient"
            second = self._slopes(
                lambda u, *x, part=part: part(function, list(x), u, []),
                (digest, engine, REVERSE), here, gradient, here.tangents, reach,
            )  # fmt: skip
            return {
                FORWARD_REVERSE: _reference(second.along, second.along_error, gradient, name),
                REVERSE_TWICE: _reference(second.by_entry, second.by_error, here.arguments, name),
            }
        return {}

    def _slopes(
        self, function: Program, key: Any, here: Point, like: Arrays, weights: Arrays, reach: float
    ) -> Slopes:
        many = self._programs.get(key)
        if many is None:
            many = self._programs[key] = compiled(function, QUICKLY)
        results = many(here.cotangents, line_arguments(here, reach))
        return slopes(results, like, here, weights, reach)


class _Apart:
    """An engine's columns, each compiled for itself and once, because one of them cannot be."""

    def __init__(self, engine: str, function: Program, device: Any) -> None:
        self._device = device
        self._refused: Columns = {}
        self._columns = {
            name: single(engine, name, function, device) for name in quantities(engine)
        }

    def __call__(self, *xuv: Any) -> Columns:
        there = on(Point(*xuv), self._device)
        found: Columns = {n: column(there) for n, column in self._columns.items()}
        # What could not be traced or compiled here cannot be at the points beside it.
        self._refused |= {n: leaves for n, leaves in found.items() if isinstance(leaves, Refused)}
        self._columns = {n: c for n, c in self._columns.items() if n not in self._refused}
        return found | self._refused


def _present(engines: dict[str, Columns]) -> frozenset[tuple[str, str]]:
    """The derivatives that there are."""
    return frozenset(
        (engine, name)
        for engine, columns in engines.items()
        for name, leaves in columns.items()
        if name != VALUE and not isinstance(leaves, Refused)
    )


def _reach(example: Example, here: Point) -> float:
    """How far one may go from a point along a line without leaving the domains."""
    distances = [1.0]
    for x, (low, high) in zip(here.arguments, example.case.domains, strict=True):
        if x.size:
            distances.append(float(np.min(np.minimum(x.real - low, high - x.real))))
    # The longest step of the ladder is an eighth of this.
    return max(0.0, 4 * min(distances))


def _reference(joined: Any, errors: Any, like: Arrays, name: str) -> Reference:
    leaves, bounds = apart(joined, like), apart(errors, like)
    return Reference(leaves, tuple(map(largest, bounds)), name)


def _spread(center: Any, others: list[Any]) -> tuple[float, ...]:
    return tuple(max(largest(other[i] - leaf) for other in others) for i, leaf in enumerate(center))


def _proved(
    engines: dict[str, Columns], differences: dict[str, Reference]
) -> frozenset[tuple[str, str]]:
    return frozenset(
        (engine, column)
        for engine, columns in engines.items()
        for column, leaves in columns.items()
        if column != VALUE and column in differences and not isinstance(leaves, Refused)
        if agrees(leaves, differences[column])
    )


def agrees(leaves: Leaves, reference: Reference) -> bool:
    """Whether results in 64 bits lie within the bounds of a reference that has such."""
    if not np.isfinite(reference.bounds).all():
        return False
    return all(
        largest(a - b) <= 2 * bound + 1e-12 * largest(b)
        for a, b, bound in zip(leaves, reference.leaves, reference.bounds, strict=True)
    )
