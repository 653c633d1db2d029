"""The cases that the registry declares, and the points at which the tests evaluate them."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

import funcgrad.rules  # noqa: F401 -- fills the table
from funcgrad import _jaxcompat as compat
from funcgrad._registry import Case, Rule, rules

Shape = tuple[int, ...]

REAL = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
WIDE = ("float64", "complex128")
NARROW = ("float16", "bfloat16")


class Example(NamedTuple):
    """One case of one rule."""

    rule: Rule
    number: int

    @property
    def case(self) -> Case:
        return self.rule.cases[self.number]

    def __str__(self) -> str:
        return f"{self.rule.primitive.name}-{self.number}"

    def declares(self, word: str) -> bool:
        """Whether the note of the case begins with `word`, such as "constant"."""
        return bool(self.case.note.startswith(word))


def exists(primitive: Any) -> bool:
    """Whether this JAX has the primitive; the table also has stand-ins for those of another."""
    return primitive in found_in_jax()


@functools.cache
def found_in_jax() -> frozenset[Any]:
    return frozenset(
        value
        for home in compat.primitive_homes()
        for value in vars(home).values()
        if isinstance(value, compat.Primitive)
    )


def known_rules() -> list[Rule]:
    """The package's rules for the primitives of this JAX (and not those that a user added)."""
    ours = [rule for rule in rules().values() if "/rules/" in rule.where]
    return [rule for rule in ours if exists(rule.primitive)]


RULES = known_rules()
IS_NEWER = jax.__version_info__ >= (0, 12)
EXAMPLES = [
    Example(rule, i)
    for rule in RULES
    for i, case in enumerate(rule.cases)
    if IS_NEWER or not case.note.startswith("newer JAX")
]


def dtypes_of(case: Case) -> list[str]:
    """The dtypes that a case is tried in, which 64-bit ones are if they are enabled."""
    names = (REAL if "f" in case.dtypes else ()) + (COMPLEX if "c" in case.dtypes else ())
    return [name for name in names if name not in WIDE or jax.config.jax_enable_x64]


def by_dtype() -> Iterator[tuple[Example, str]]:
    """Every case in its main dtype; in its others all of them, or by the ci profile a fixed sixth.

    Each pair compiles programs of its own, which is what the time of these tests goes into.
    """
    for example in EXAMPLES:
        for dtype in dtypes_of(example.case):
            if dtype == main_dtype(example.case) or sampled(f"{example} {dtype}", 6):
                yield example, dtype


def sampled(name: str, share: int) -> bool:
    """Whether a test is in the fixed share of them that the ci profile runs; else all are."""
    return is_thorough() or zlib.crc32(name.encode()) % share == 0


def is_thorough() -> bool:
    """Whether the profile asks for a long search."""
    assert settings.default is not None
    return settings.default.max_examples >= 100


def main_dtype(case: Case) -> str:
    """The dtype that the run is about: of the enabled ones the widest, real if possible."""
    names = dtypes_of(case)
    real = [name for name in names if name not in COMPLEX]
    return (real or names)[-1]


def main_shapes(case: Case) -> tuple[Shape, ...]:
    """The largest of a case."""
    return max(case.shapes, key=_entries)


def _entries(shapes: tuple[Shape, ...]) -> int:
    return sum(map(math.prod, shapes))


class Trial(NamedTuple):
    """In which shapes a case is tried, and up to which order."""

    shapes: tuple[Shape, ...]
    order: int


def trials(case: Case, dtype: str) -> list[Trial]:
    """What is tried of a case in one dtype.

    What takes time is compiling, so only the dtype that the run is about sees every shape (but
    those without entries, of which there is nothing but types to compare), and only the largest
    shape sees the second order, which the narrow dtypes do not see at all.
    """
    main = main_shapes(case)
    others = [Trial(shapes, 1) for shapes in case.shapes if shapes != main and _entries(shapes)]
    first = Trial(main, 1 if dtype in NARROW else case.order)
    return [first, *(others if dtype == main_dtype(case) else [])]


# --- values ---------------------------------------------------------------------------------------


class Point(NamedTuple):
    """Where a case is evaluated, and along which directions it is pulled back."""

    arguments: tuple[Any, ...]
    cotangent: Any  # of the output
    directions: tuple[Any, ...]  # cotangents of the arguments' gradients, for the second order
    across: Any  # the cotangent of the cotangent's gradient, likewise


class Kinds(NamedTuple):
    """The types of what enters and leaves a case."""

    arguments: tuple[Any, ...]
    output: Any


def kinds(case: Case, shapes: tuple[Shape, ...], dtype: str, weak: bool = False) -> Kinds:
    structs = tuple(jax.ShapeDtypeStruct(shape, dtype, weak_type=weak) for shape in shapes)
    return Kinds(structs, jax.eval_shape(case.function, *structs))


def point_kinds(types: Kinds) -> Point:
    """The types of a whole point."""
    return Point(types.arguments, types.output, types.arguments, types.output)


def in_kinds(point: Point, types: Kinds) -> Point:
    """The same point as values of other types."""

    def convert(kind: Any, value: Any) -> Any:
        return jnp.asarray(np.asarray(value).astype(kind.dtype))

    return cast(Point, jax.tree.map(convert, point_kinds(types), point))


def point_at_kink(example: Example, kink: float, dtype: str) -> Point:
    """The first argument is at a kink in every other entry; nothing is random."""
    types = kinds(example.case, main_shapes(example.case), dtype)

    def spread(kind: Any, low: float, high: float) -> Any:
        size = math.prod(kind.shape)
        values = low + (high - low) * (np.arange(size) + 1) / (size + 1)
        return values.reshape(kind.shape).astype(kind.dtype)

    arguments = [
        spread(kind, *domain)
        for kind, domain in zip(types.arguments, example.case.domains, strict=True)
    ]
    arguments[0].reshape(-1)[::2] = kink
    cotangent = jax.tree.map(lambda kind: jnp.asarray(spread(kind, 1, 2)), types.output)
    return Point(tuple(map(jnp.asarray, arguments)), cotangent, (), ())


def _within(low: float, high: float) -> st.SearchStrategy[float]:
    """Multiples of 1/64 inside an open interval: few digits, so that failures read well."""
    first, last = math.floor(low * 64) + 1, math.ceil(high * 64) - 1
    return st.integers(first, last).map(lambda n: n / 64)


def _arrays(kind: Any, low: float, high: float) -> st.SearchStrategy[Any]:
    """Arrays of a type. Imaginary parts come from a quarter of the interval, which keeps clear of
    the poles and branch points that real functions have off the real axis."""
    size = math.prod(kind.shape)

    def parts(scale: float) -> st.SearchStrategy[list[float]]:
        return st.lists(_within(scale * low, scale * high), min_size=size, max_size=size)

    def build(real: list[float], imaginary: list[float]) -> Any:
        value = np.asarray(real) + (1j * np.asarray(imaginary) if imaginary else 0)
        return jnp.asarray(value.reshape(kind.shape).astype(kind.dtype))

    is_complex = jnp.issubdtype(kind.dtype, jnp.complexfloating)
    return st.builds(build, parts(1), parts(0.25) if is_complex else st.just([]))


@st.composite
def points(draw: st.DrawFn, case: Case, types: Kinds) -> Point:
    """Points from the domains of a case, with cotangents and directions from (-2, 2)."""

    def cotangents(tree: Any) -> Any:
        return jax.tree.map(lambda kind: draw(_arrays(kind, -2, 2)), tree)

    arguments = tuple(
        draw(_arrays(kind, *domain))
        for kind, domain in zip(types.arguments, case.domains, strict=True)
    )
    return Point(
        arguments, cotangents(types.output), cotangents(types.arguments), cotangents(types.output)
    )
