"""What the transforms check of their arguments, and how they pick those to differentiate by."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from . import _jaxcompat as compat
from ._errors import ArgumentNumberError, GradientTypeError, GradientValueError
from ._trees import leaf_paths


class Chosen(NamedTuple):
    """A function of only those arguments that are differentiated."""

    fun: Callable[..., Any]
    primals: tuple[Any, ...]
    single: bool

    def gather(self, per_argument: tuple[Any, ...]) -> Any:
        """Results in the form of argnums: one for an integer, a tuple for a sequence."""
        return per_argument[0] if self.single else per_argument


def choose(
    fun: Callable[..., Any],
    argnums: int | Sequence[int],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Chosen:
    """Close a function over all arguments but those that `argnums` names."""
    several = argnums if isinstance(argnums, (tuple, list)) else None
    wanted = [_position(n, args, fun) for n in ([argnums] if several is None else several)]
    if len(set(wanted)) < len(wanted):
        raise ArgumentNumberError(
            f"argnums={argnums} names an argument of {_name(fun)} twice; name each one once"
        )

    def reduced(*given: Any) -> Any:
        full = list(args)
        for position, value in zip(wanted, given, strict=True):
            full[position] = value
        return called(fun, full, kwargs)

    reduced.__name__ = getattr(fun, "__name__", "fun")
    return Chosen(reduced, tuple(args[position] for position in wanted), several is None)


def _position(number: Any, args: tuple[Any, ...], fun: Any) -> int:
    try:
        position = operator.index(number)
    except TypeError as error:
        raise GradientTypeError(
            f"argnums must be an integer or a sequence of integers, but holds {number!r}"
        ) from error
    if not -len(args) <= position < len(args):
        raise ArgumentNumberError(
            f"argnums={number} points beyond the {len(args)} positional argument(s) that "
            f"{_name(fun)} was called with; arguments to differentiate by are passed by position"
        )
    return position % len(args)


def argument_names(fun: Any, args: Sequence[Any]) -> list[str]:
    """The name of each positional argument: the parameter's, or `args[2]` where it has none."""
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    single = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [parameter.name for parameter in parameters if parameter.kind in single]
    rest = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), "args")
    start = len(named) if named else 0
    return [*named[: len(args)], *(f"{rest}[{i - start}]" for i in range(start, len(args)))]


def called(fun: Any, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """What a function returns; `GradientTypeError` if it does not take such arguments."""
    try:
        return fun(*args, **keywords)
    except TypeError as error:
        unfit = misfit(fun, args, keywords)
        if unfit is None:
            raise
        named = f" and by keyword {', '.join(keywords)}" if keywords else ""
        raise GradientTypeError(
            f"{_name(fun)} cannot be called with {len(args)} positional argument(s){named}: "
            f"{unfit}; give it the arguments that its signature has"
        ) from error


def misfit(
    fun: Any, args: Sequence[Any], keywords: Mapping[str, Any] | None = None
) -> TypeError | None:
    """Why a function cannot be called with these arguments; None if it can, or cannot be asked."""
    try:
        inspect.signature(fun).bind(*args, **(keywords or {}))
    except TypeError as error:
        return error
    except ValueError:  # a builtin without a signature
        pass
    return None


def _name(fun: Any) -> str:
    return f"`{getattr(fun, '__name__', fun)}`"


def check_callable(fun: Any, transform: str) -> None:
    """Raise `GradientTypeError` unless the first argument of a transform is a function."""
    if not callable(fun):
        raise GradientTypeError(
            f"{transform} takes a function first, but received {fun!r:.60} of type "
            f"{type(fun).__name__}"
        )


def check_returned(leaves: Sequence[Any], fun: Any) -> None:
    """Raise `GradientTypeError` for something that a function returned and that is no array."""
    for leaf in leaves:
        try:
            compat.typeof(leaf)
        except TypeError as error:
            raise GradientTypeError(
                f"{_name(fun)} returned {leaf!r:.60} of type {type(leaf).__name__}; an array or a "
                "number was expected: leave it out of what is returned"
            ) from error


def split_aux(result: Any, fun: Any) -> tuple[Any, Any]:
    """The two halves of what a function with `has_aux=True` returned."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise GradientTypeError(
            f"with has_aux=True, {_name(fun)} must return a pair (output, aux), but returned "
            f"{type(result).__name__} {result!r:.80}"
        )
    return result[0], result[1]


def check_differentiable(
    tree: Any,
    transform: str,
    *,
    allow_int: bool = False,
    holomorphic: bool = False,
    role: str = "input",
) -> None:
    """Raise `GradientTypeError` for a leaf that the transform cannot differentiate by."""
    for number, leaf in enumerate(jax.tree.leaves(tree)):
        problem = _problem(leaf, allow_int, holomorphic, role)
        if problem:
            path = leaf_paths(tree)[number]
            raise GradientTypeError(f"{transform}: the {role} leaf {role}s{path} {problem}")


_REMEDIES = {  # by the role of an integer leaf
    "input": "convert it, leave it out of argnums, or pass allow_int=True if its gradient is of no "
    "interest",
    "primal": "convert it, or close over it instead of passing it",
    "output": "convert it",
}


def _problem(leaf: Any, allow_int: bool, holomorphic: bool, role: str) -> str | None:
    try:
        aval = compat.typeof(leaf)
    except TypeError:
        return (
            f"is {leaf!r:.60} of type {type(leaf).__name__}; an array or a number was expected: "
            "close over it instead of passing it"
        )
    if holomorphic and not compat.is_complex(aval.dtype):
        return f"is of dtype {aval.dtype}; with holomorphic=True a complex dtype was expected"
    if not compat.is_inexact(aval) and not allow_int:
        remedy = _REMEDIES.get(role, _REMEDIES["input"])
        return f"is of dtype {aval.dtype}; a floating dtype was expected: {remedy}"
    if role == "output" and not holomorphic and compat.is_complex(aval.dtype):
        return (
            f"is of dtype {aval.dtype}; a real dtype was expected: pass holomorphic=True for a "
            "holomorphic function, or use vjp"
        )
    return None


_LEAF = jax.tree.structure(0)


def check_scalar(run: Any, holomorphic: bool) -> None:
    """Raise `GradientTypeError` unless a function has the one scalar output that `grad` needs."""
    types = run.tape.output_types
    if len(types) != 1 or run.out_tree != _LEAF:
        raise GradientTypeError(
            f"grad needs a function with one scalar output, but `{run.name}` returned a tree of "
            f"{len(types)} leaves: {run.out_tree}; use vjp or jacrev, or has_aux=True"
        )
    (aval,) = types
    if aval.shape != ():
        raise GradientTypeError(
            f"grad needs a function with a scalar output, but `{run.name}` returned an array of "
            f"shape {aval.shape}; sum it, or use vjp or jacrev"
        )
    check_differentiable(run.outputs[0], "grad", holomorphic=holomorphic, role="output")


def check_cotangent(
    cotangents: Any, out_tree: Any, output_types: Sequence[Any], name: str
) -> list[Any]:
    """The leaves of a cotangent, with None for those of float0; an error unless they fit."""
    leaves, tree = jax.tree.flatten(cotangents)
    if tree != out_tree:
        raise GradientValueError(
            f"the cotangent for `{name}` has the tree structure {tree}, but the output has "
            f"{out_tree}; give one cotangent for each output leaf, in the same containers"
        )
    return [
        _fitting(leaf, compat.cotangent_type(aval), name)
        for leaf, aval in zip(leaves, output_types, strict=True)
    ]


def _fitting(leaf: Any, expected: Any, name: str) -> Any:
    try:
        received = compat.typeof(leaf)
    except TypeError as error:
        raise GradientTypeError(
            f"the cotangent for `{name}` holds {leaf!r:.60} of type {type(leaf).__name__}; an "
            "array was expected"
        ) from error
    if received.shape != expected.shape:
        raise GradientValueError(
            f"the cotangent for `{name}` has shape {received.shape}, but the output has shape "
            f"{expected.shape}; give it the output's shape"
        )
    if received.dtype != expected.dtype:
        raise GradientValueError(
            f"the cotangent for `{name}` has dtype {received.dtype}, but an output of its type has "
            f"a cotangent of dtype {_dtype_name(expected.dtype)}; convert it"
        )
    if expected.dtype == compat.FLOAT0:
        return None
    return leaf if compat.is_tracer(leaf) else jnp.asarray(leaf)


def _dtype_name(dtype: Any) -> str:
    return "float0 (it carries no gradient)" if dtype == compat.FLOAT0 else str(dtype)
