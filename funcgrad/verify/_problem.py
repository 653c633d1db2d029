"""A function and its arguments as a function of flat floating arrays, and a derivative to test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._arguments import argument_names, check_callable
from .._errors import GradientTypeError
from .._trees import is_float_leaf, leaf_paths
from ._devices import Devices

Flat = Callable[..., list[Any]]


class StructureError(Exception):
    """A gradient function's result that does not fit the arguments; the message is for the user."""


class Problem(NamedTuple):
    """What is checked, with pytrees taken apart.

    Attributes:
        name: of the function.
        function: takes the active leaves and returns the floating outputs, flat.
        leaves: the active leaves: floating and complex arrays, in their own precision.
        names: how one would write each active leaf.
        gradient: takes the active leaves and returns the gradient by each; None where JAX's own
            derivative is tested.
        passive: the other arrays (integers, keys), which `jax.vjp` is given too.
        values: the floating outputs at the given point.
        uncovered: the active leaves which a gradient function leaves out.
        whole: takes active and passive leaves, for `jax.vjp`.
        devices: what is known about the devices that take part.
    """

    name: str
    function: Flat
    leaves: list[jax.Array]
    names: list[str]
    gradient: Flat | None
    passive: list[Any]
    values: list[Any]
    uncovered: list[str]
    whole: Callable[[list[Any], list[Any]], list[Any]]
    devices: Devices = Devices()

    @property
    def entries(self) -> int:
        """How many numbers the derivative has."""
        return sum(leaf.size for leaf in self.leaves)

    @property
    def outputs(self) -> list[Any]:
        """The dtypes of the floating outputs."""
        return [jnp.asarray(value).dtype for value in self.values]


def pose(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    gradient: Callable[..., Any] | None,
) -> Problem:
    """Take a call apart.

    Raises:
        GradientTypeError: `fun` or `gradient` is not callable, none of the arguments is floating,
            or a gradient is given of what is no scalar.
    """
    check_callable(fun, "check")
    _require_gradient(fun, gradient)
    leaves, treedef = jax.tree.flatten((args, kwargs))
    active = [i for i, leaf in enumerate(leaves) if is_float_leaf(leaf)]
    arrays = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
    passive = [i for i in arrays if i not in active]
    paths = _paths(fun, args, kwargs)
    name = name_of(fun)
    if not active:
        kinds = ", ".join(_kinds(leaves)) or "there are none"
        raise GradientTypeError(
            f"check({name}): none of the arguments ({kinds}) is a floating or complex "
            "array; a derivative needs at least one"
        )

    def whole(xs: Sequence[Any], others: Sequence[Any]) -> list[Any]:
        full = list(leaves)
        for place, value in zip((*active, *passive), (*xs, *others), strict=True):
            full[place] = value
        given, named = jax.tree.unflatten(treedef, full)
        return [leaf for leaf in jax.tree.leaves(fun(*given, **named)) if is_float_leaf(leaf)]

    others = [leaves[i] for i in passive]
    chosen = [jnp.asarray(leaves[i]) for i in active]
    values = whole(chosen, others)
    tested = None
    covered = list(range(len(active)))
    if gradient is not None:
        _require_scalar(name, values)
        tested, covered = _foreign(gradient, _Call(args, kwargs, leaves, treedef, active))
    return _restrict(
        Problem(
            name, lambda *xs: whole(xs, others), chosen, [paths[i] for i in active], tested,
            others, values, [], whole,
        ),
        covered,
    )  # fmt: skip


def name_of(fun: Any) -> str:
    """What a function is called in a report."""
    return str(getattr(fun, "__name__", type(fun).__name__))


def is_plain_tuple(value: Any) -> bool:
    """Whether a tuple stands for several arguments; one with named fields is one argument."""
    return isinstance(value, tuple) and not hasattr(value, "_fields")


def _restrict(problem: Problem, covered: Sequence[int]) -> Problem:
    """The problem with only some of its leaves, where a gradient covers only those."""
    if len(covered) == len(problem.leaves):
        return problem
    full = problem.leaves

    def spread(xs: Sequence[Any]) -> list[Any]:
        given = list(full)
        for place, value in zip(covered, xs, strict=True):
            given[place] = value
        return given

    gradient = problem.gradient
    return problem._replace(
        function=lambda *xs: problem.function(*spread(xs)),
        leaves=[full[i] for i in covered],
        names=[problem.names[i] for i in covered],
        uncovered=[name for i, name in enumerate(problem.names) if i not in covered],
        gradient=None if gradient is None else lambda *xs: gradient(*spread(xs)),
        whole=lambda xs, others: problem.whole(spread(xs), list(others)),
    )


def _paths(fun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    pairs = zip(args, argument_names(fun, args), strict=True)
    paths = [path for value, name in pairs for path in leaf_paths(value, name)]
    return paths + [path for name in sorted(kwargs) for path in leaf_paths(kwargs[name], name)]


def _kinds(leaves: Sequence[Any]) -> list[str]:
    return [str(getattr(leaf, "dtype", type(leaf).__name__)) for leaf in leaves]


# --- gradients of other makes ---------------------------------------------------------------------


class _Call(NamedTuple):
    """A call, and its arguments taken apart: leaves, and which of them are active."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    leaves: list[Any]
    treedef: Any
    places: list[int]


def _require_gradient(fun: Any, gradient: Any) -> None:
    if gradient is None or callable(gradient):
        return
    name = name_of(fun)
    is_array = isinstance(gradient, (jax.Array, np.ndarray))
    shown = _described(gradient) if is_array else f"{gradient!r:.60}"
    raise GradientTypeError(
        f"gradient must be a function of the arguments of {name} that returns its gradient, but is "
        f"{shown} of type {type(gradient).__name__}; of a gradient that is known at this "
        'point only, give a function that returns it and points="given": '
        f'check({name}, ..., gradient=lambda *args: value, points="given")'
    )


def _require_scalar(name: str, values: Sequence[Any]) -> None:
    """Of several outputs there is a Jacobian; that a gradient is the one of their sum is a guess
    which would let a gradient pass that is none."""
    shapes = [jnp.shape(value) for value in values]
    if not values or shapes == [()]:  # what returns no float at all is said later
        return
    called = name if name.isidentifier() else "f"
    kinds = ", ".join(f"{jnp.result_type(v)}{list(s)}" for v, s in zip(values, shapes, strict=True))
    raise GradientTypeError(
        f"gradient= is the gradient of a function with one floating scalar output, but {name} "
        f"returns {kinds}; give the scalar that it is the gradient of, such as check(lambda *args: "
        f"jnp.sum({called}(*args)), ...), or check the derivative of {called} without gradient="
    )


def _foreign(gradient: Callable[..., Any], call: _Call) -> tuple[Flat, list[int]]:
    """A gradient function as one of the active leaves, and which of them it covers.

    It is called once, to see what it returns: the gradient by the first argument alone, by all, or
    by those that are floating.
    """
    args, places = call.args, call.places
    result = gradient(*args, **call.kwargs)
    shape = next((s for s in _forms(args) if _fits(result, s.select(args))), None)
    if shape is None:
        raise StructureError(_misfit(result, args))
    counts = [len(jax.tree.leaves(arg)) for arg in args]
    starts = [sum(counts[:i]) for i in range(len(args))]
    chosen = [i for n in shape.arguments for i in range(starts[n], starts[n] + counts[n])]
    covered = [places.index(i) for i in chosen if i in places]

    def flat(*xs: Any) -> list[Any]:
        full = list(call.leaves)
        for place, value in zip(places, xs, strict=True):
            full[place] = value
        given, named = jax.tree.unflatten(call.treedef, full)
        parts = _parts(gradient(*given, **named), shape.select(args))
        return [part for place, part in zip(chosen, parts, strict=True) if place in places]

    return flat, covered


def _misfit(result: Any, args: tuple[Any, ...]) -> str:
    """What a gradient function returned, beside what would fit."""
    first = _described(args[0] if args else ())
    wanted = first if len(args) == 1 else f"{first}, or a tuple with one entry for each argument"
    return f"the gradient function returned {_described(result)}; expected: {wanted}"


def _described(tree: Any) -> str:
    """A tree with its leaves' dtypes and shapes in their places."""
    return str(jax.tree.map(lambda x: _Name(f"{jnp.result_type(x)}{list(jnp.shape(x))}"), tree))


class _Name(str):
    """A text that shows without quotes."""

    def __repr__(self) -> str:
        return str(self)


class _Form(NamedTuple):
    arguments: tuple[int, ...]
    bare: bool  # not inside a tuple

    def select(self, args: Sequence[Any]) -> Any:
        chosen = tuple(args[i] for i in self.arguments)
        return chosen[0] if self.bare else chosen


def _forms(args: tuple[Any, ...]) -> Iterator[_Form]:
    """The forms in which gradients by arguments come, the most complete first."""
    floating = tuple(i for i, a in enumerate(args) if any(map(is_float_leaf, jax.tree.leaves(a))))
    yield _Form(tuple(range(len(args))), False)
    yield _Form(floating, False)
    if len(floating) == 1:
        yield _Form(floating, True)
    yield _Form((0,), True)
    yield _Form((0,), False)


def _fits(result: Any, form: Any) -> bool:
    try:
        parts = _parts(result, form)
    except (ValueError, TypeError):
        return False
    wanted = jax.tree.leaves(form)
    pairs = zip(parts, wanted, strict=True)
    return all(_shape(p) == jnp.shape(w) for p, w in pairs if is_float_leaf(w))


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of an array or a number; None for a container."""
    is_leaf = hasattr(value, "shape") or isinstance(value, (int, float, complex))
    return tuple(np.shape(value)) if is_leaf else None


def _parts(result: Any, form: Any) -> list[Any]:
    result = tuple(result) if isinstance(form, tuple) and isinstance(result, list) else result
    treedef: Any = jax.tree.structure(form)  # whose methods have no types
    parts: list[Any] = treedef.flatten_up_to(result)
    return parts
