"""Calls of JAX's library functions, and the comparison of our gradients of them with JAX's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcgrad
from tests.comparing import assert_same

# Few shapes and values: what takes time is compiling, which is done once for each shape. No two
# entries of an array are equal, and none is a kink of a function that takes any number.
X = np.array([0.3, -0.7, 1.2])
Y = np.array([1.1, 0.4, -0.6])
POSITIVE = np.array([0.4, 0.8, 2.3])
LARGE = np.array([3.2, 1.4, 2.1])
UNIT = np.array([0.2, 0.7, 0.45])
M = np.array([[0.3, -0.7, 1.2], [0.9, 0.1, -0.4]])
N = np.array([[1.1, 0.4, -0.6], [-0.2, 0.8, 0.5]])
SQUARE = np.array([[2.0, 0.3, -0.4], [0.5, 1.7, 0.1], [0.2, -0.6, 2.4]])
SYMMETRIC = SQUARE @ SQUARE.T
COMPLEX = np.array([0.3 + 0.5j, -0.7 + 0.1j, 1.2 - 0.4j])
COMPLEX_M = M + 0.5j * N
INTEGERS = np.array([0, 2, 1], np.int32)
FLAGS = np.array([True, False, True])


# For programs that run once.
QUICKLY = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_parallel_codegen_split_count": 1,
}

# What JAX says where it has no gradient.
NO_GRADIENT = r"(?i)differentia|jvp|derivative|gradient|tangent"


class Call(NamedTuple):
    """A call of a library function with arguments at which it can be differentiated.

    Attributes:
        arguments: the positional arguments; those of floating dtype are differentiated.
        options: the keyword arguments.
        cannot: why JAX itself has no gradient here, if it has none.
        until: the version of JAX that has it, if `cannot` holds for older ones only.
        zero: whether every entry of the gradient is zero.
        factor: how much wider than usual the tolerance is.
        adapt: a function to apply in the place of the library's, made from it.
        compiled: whether in one program, or operation by operation; by default as its test says.
        times: how often the result is differentiated.
    """

    arguments: tuple[Any, ...]
    options: dict[str, Any]
    cannot: str = ""
    until: str = ""
    zero: bool = False
    factor: float = 1.0
    adapt: Callable[[Any], Any] | None = None
    compiled: bool | None = None
    times: int = 1


def call(
    *arguments: Any,
    cannot: str = "",
    until: str = "",
    zero: bool = False,
    factor: float = 1.0,
    adapt: Callable[[Any], Any] | None = None,
    compiled: bool | None = None,
    times: int = 1,
    **options: Any,
) -> Call:
    return Call(arguments, options, cannot, until, zero, factor, adapt, compiled, times)


def names(text: str) -> list[str]:
    return text.split()


Table = Mapping[str, Call | tuple[Call, ...]]


def calls_of(table: Table, module: Any) -> list[Any]:
    """Test parameters: the function and a call, for all functions that this JAX has."""
    return [
        pytest.param(find(module, name), one, id=f"{name}-{i}")
        for name, calls in table.items()
        for i, one in enumerate((calls,) if isinstance(calls, Call) else calls)
        if find(module, name) is not None
    ]


def _cannot(one: Call) -> bool:
    """Whether this JAX has no gradient."""
    return bool(one.cannot) and (not one.until or _version(jax.__version__) < _version(one.until))


def find(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def public_functions(module: Any, inside: Iterable[str] = ()) -> set[str]:
    """The names of the functions of a module, and of modules inside it."""
    found = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and not isinstance(value, type)
    }
    for part in inside:
        home = getattr(module, part)
        assert inspect.ismodule(home)
        found |= {f"{part}.{name}" for name in public_functions(home)}
    return found


def assert_complete(table: Table, excluded: Mapping[str, str], functions: set[str]) -> None:
    """Every function is in the table, or is listed with the reason why it has no gradient."""
    listed = {name for text in excluded.values() for name in names(text)}
    assert not listed & set(table), "a function is both called and excluded"
    missing = functions - set(table) - listed
    assert not missing, f"neither called nor excluded: {sorted(missing)}"


# --- comparing ------------------------------------------------------------------------------------


def compare(function: Any, one: Call, compiled: bool = True) -> None:
    """Our cotangents of a call's floating arguments are JAX's; or JAX has none, as it says.

    In one program, or operation by operation: what takes the time is compiling, and operations
    that another test had already are compiled already.
    """
    results, floats = _split(function, one)
    if _cannot(one):
        jax.eval_shape(results, *floats)  # the call itself is no error
        with pytest.raises((NotImplementedError, ValueError, TypeError), match=NO_GRADIENT):
            _cotangents(jax.vjp, results, floats, one.times)
        return

    def both(floats: list[Any]) -> list[Any]:
        return [_cotangents(pull, results, floats, one.times) for pull in (funcgrad.vjp, jax.vjp)]

    compiled = compiled if one.compiled is None else one.compiled
    with jax.disable_jit(not compiled):
        run = jax.jit(both, compiler_options=QUICKLY) if compiled else both
        ours, theirs = run(floats)
    assert_same(ours, theirs, zero=one.zero, factor=one.factor)


def _split(function: Any, one: Call) -> tuple[Callable[..., list[Any]], list[Any]]:
    """The floating results of a call as a function of its floating arguments, and these."""
    flat, structure = jax.tree.flatten(one.arguments)
    flat = [_array(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in flat]
    chosen = [i for i, leaf in enumerate(flat) if _is_inexact(leaf)]
    applied = function if one.adapt is None else one.adapt(function)

    def results(*floats: Any) -> list[Any]:
        leaves = list(flat)
        for i, value in zip(chosen, floats, strict=True):
            leaves[i] = value
        found = applied(*jax.tree.unflatten(structure, leaves), **one.options)
        return [leaf for leaf in jax.tree.leaves(found) if _is_inexact(leaf)]

    return results, [flat[i] for i in chosen]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def _cotangents(pull: Any, results: Any, floats: Any, times: int) -> Any:
    def function(*at: Any) -> Any:
        return results(*at) if times == 1 else list(_cotangents(pull, results, at, times - 1))

    outputs, back = pull(function, *floats)
    assert outputs, "the call has no floating result"
    return back([_weights(output) for output in outputs])


def _weights(output: Any) -> Any:
    """A cotangent without symmetry, in the type of an output."""
    weights = np.sin(1.0 + 0.7 * np.arange(np.size(output))).reshape(np.shape(output))
    if jnp.issubdtype(output.dtype, jnp.complexfloating):
        weights = weights + 0.5j * np.cos(weights)
    return jnp.asarray(weights, output.dtype)


def _array(value: Any) -> Any:
    """As an array of JAX's, of the default precision of its kind."""
    return jnp.asarray(value, jax.dtypes.canonicalize_dtype(value.dtype))


def _is_inexact(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and bool(jnp.issubdtype(leaf.dtype, jnp.inexact))


def perturbed(tree: Any) -> Any:
    """With floating leaves moved a little, so that no parameter is zero or one."""

    def move(leaf: Any) -> Any:
        if not _is_inexact(leaf):
            return leaf
        steps = jnp.sin(1.0 + jnp.arange(leaf.size, dtype=leaf.dtype))
        return leaf + 0.1 * steps.reshape(leaf.shape)

    return jax.tree.map(move, tree)
