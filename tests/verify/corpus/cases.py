"""What a case of the corpus is, and how its inputs are drawn.

A function of 64 bits needs ``jax.enable_x64(True)`` around both `make` and the check; every other
width is drawn alike with and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

Array = Any  # a JAX array, or what a transformation passes in its stead
Maker = Callable[[np.dtype[Any], np.random.Generator], "Problem"]
FLOATS = ("float32", "float64")
WIDTHS = (*FLOATS, "bfloat16", "float16")


class Problem(NamedTuple):
    """What is given to the checker.

    Attributes:
        function: to be differentiated with respect to every argument of a floating dtype.
        args: its positional arguments.
        gradient: written by hand, called like the function; None if JAX differentiates.
        kwargs: its keyword arguments.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    gradient: Callable[..., Any] | None = None
    kwargs: dict[str, Any] = {}


class Case(NamedTuple):
    """A problem of which the verdict is known.

    Attributes:
        name: unique in its corpus.
        kind: the class that the score is kept by.
        make: draws the problem, with state of its own.
        twin: the corrected problem, with the same arguments for a generator of the same seed.
        smooth: whether the function has no kink at or near the point.
        dtypes: the names of the dtypes that it makes sense for.
    """

    name: str
    kind: str
    make: Maker
    twin: Maker | None = None
    smooth: bool = True
    dtypes: tuple[str, ...] = FLOATS


class Build(Protocol):
    """A function that draws the faulty problem, or with wrong=False the corrected one."""

    __name__: str

    def __call__(
        self, dtype: np.dtype[Any], rng: np.random.Generator, *, wrong: bool
    ) -> Problem: ...


def fault(
    kind: str, *, smooth: bool = True, dtypes: tuple[str, ...] = FLOATS
) -> Callable[[Build], Case]:
    """Turns the function under it into a case, named like the function."""

    def named(build: Build) -> Case:
        name = build.__name__.replace("_", " ")
        make, twin = partial(build, wrong=True), partial(build, wrong=False)
        return Case(name, kind, make, twin, smooth, dtypes)

    return named


def collected(values: Iterable[object]) -> tuple[Case, ...]:
    """The cases among a module's values, in the order of their definition."""
    return tuple(value for value in values if isinstance(value, Case))


# --- drawing --------------------------------------------------------------------------------------


def normal(rng: np.random.Generator, dtype: np.dtype[Any], *shape: int, scale: float = 1.0) -> Any:
    """Normal entries; complex ones for a complex dtype."""
    drawn = rng.normal(size=shape) * scale
    if np.issubdtype(dtype, np.complexfloating):
        drawn = drawn + 1j * rng.normal(size=shape) * scale
    return jnp.asarray(drawn, dtype)


def uniform(
    rng: np.random.Generator, dtype: np.dtype[Any], low: float, high: float, *shape: int
) -> Any:
    """Entries between two bounds."""
    return jnp.asarray(rng.uniform(low, high, shape), dtype)


def complex_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The complex dtype whose parts have the given one."""
    return np.dtype(np.complex128 if dtype == np.float64 else np.complex64)


# --- rules ----------------------------------------------------------------------------------------


def _of_positions(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without its defaults, which JAX would pass on to the rule."""

    def positional(*args: Any) -> Any:
        return function(*args)

    positional.__name__ = getattr(function, "__name__", "function")
    return positional


def by_vjp(
    function: Callable[..., Any], backward: Callable[[tuple[Any, ...], Any], tuple[Any, ...]]
) -> Callable[..., Any]:
    """A function whose reverse rule gets its arguments and the cotangent."""
    ruled = jax.custom_vjp(_of_positions(function))
    ruled.defvjp(lambda *args: (function(*args), args), backward)
    return ruled


def by_jvp(
    function: Callable[..., Any], tangent: Callable[[tuple[Any, ...], tuple[Any, ...]], Any]
) -> Callable[..., Any]:
    """A function whose forward rule gets its arguments and their tangents."""
    ruled = jax.custom_jvp(_of_positions(function))
    ruled.defjvp(lambda args, tangents: (ruled(*args), tangent(args, tangents)))
    return ruled
