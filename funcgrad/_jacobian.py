"""Transforms built on the pullback: `jacrev`, `hessian` and `hvp`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import _jaxcompat as compat
from ._arguments import check_callable, check_differentiable, choose
from ._eager import push_eagerly
from ._errors import GradientTypeError, GradientValueError
from ._forward_trace import pushed
from ._pullback import CustomRules, Recorded, backward, dense, recording_options
from ._tape import Options, Tape
from ._transform import grad
from ._trees import flatten, leaf_paths


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    custom_rules: CustomRules = "honour",
    strong_zeros: bool = False,
    checkpoints: int = 64,
) -> Callable[..., Any]:
    """A function that computes the Jacobian of `fun`, row by row in reverse mode.

    Args: as for `value_and_grad`, but `fun` may return any pytree of arrays.

    Returns:
        A function of the same arguments that returns the Jacobian: the output's structure, with at
        each leaf the argument's structure, with arrays of shape ``output.shape + argument.shape``.

    Raises:
        GradientTypeError: an argument to differentiate by, or an output, is not of floating dtype.
        ArgumentNumberError: `argnums` points beyond the arguments, or at one of them twice.

    >>> import jax.numpy as jnp
    >>> jacrev(lambda x: x * x)(jnp.array([1.0, 2.0]))
    Array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    check_callable(fun, "jacrev")
    options = recording_options(custom_rules, strong_zeros, checkpoints)

    @functools.wraps(fun)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen = choose(fun, argnums, args, kwargs)
        check_differentiable(chosen.primals, "jacrev", allow_int=allow_int, holomorphic=holomorphic)
        run = Recorded(chosen.fun, chosen.primals, has_aux, options)
        check_differentiable(run.output, "jacrev", holomorphic=holomorphic, role="output")
        rows = [_rows(run.tape, i) for i in range(len(run.outputs))]
        trees = [chosen.gather(run.input_tree(row)) for row in rows]
        jacobian = jax.tree.unflatten(run.out_tree, trees)
        return (jacobian, run.aux) if has_aux else jacobian

    return jacobian_of


def _rows(tape: Tape, output: int) -> list[Any]:
    """The Jacobian of one flat output by every input: the pullback of each unit cotangent."""
    aval = tape.output_types[output]
    units = jnp.eye(aval.size, dtype=aval.dtype).reshape(aval.size, *aval.shape)

    def row(unit: Any) -> list[Any]:
        cotangents = [unit if i == output else None for i in range(len(tape.outputs))]
        return backward(tape, cotangents)

    stacked = jax.vmap(row)(units)
    return [
        compat.matching_weakness(_split_rows(leaf, aval.shape), input_type)
        for leaf, input_type in zip(stacked, tape.input_types, strict=True)
    ]


def _split_rows(leaf: Any, shape: tuple[int, ...]) -> Any:
    if compat.is_float0(leaf):
        return np.zeros(shape + leaf.shape[1:], compat.FLOAT0)
    return leaf.reshape(shape + leaf.shape[1:])


def hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    custom_rules: CustomRules = "honour",
    strong_zeros: bool = False,
    checkpoints: int = 64,
) -> Callable[..., Any]:
    """A function that computes the Hessian of `fun`, as the Jacobian of the Jacobian.

    Args: as for `jacrev`.

    Returns:
        A function of the same arguments; for a scalar `fun` of an array of shape ``s`` the result
        has shape ``s + s``, for pytrees it is a tree of trees.

    >>> hessian(lambda x: x ** 3)(2.0)
    Array(12., dtype=float32, weak_type=True)
    """
    again = partial(
        jacrev, argnums=argnums, has_aux=has_aux, holomorphic=holomorphic,
        custom_rules=custom_rules, strong_zeros=strong_zeros, checkpoints=checkpoints,
    )  # fmt: skip
    return again(again(fun))


def hvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    custom_rules: CustomRules = "honour",
    strong_zeros: bool = False,
    checkpoints: int = 64,
) -> Any:
    """The product of the Hessian of a scalar function with a vector, without the Hessian.

    It is the derivative of the gradient along the vector (Pearlmutter 1994), carried forward beside
    it, through loops and branches too. Where the gradient calls a custom_vjp function, which has no
    forward mode, it is the pullback of the gradient applied to the vector: the same, as the Hessian
    is symmetric. The gradient runs twice then.

    Args:
        fun: a function of one or more pytrees whose output is a real scalar.
        primals: the point, a sequence with one pytree for each argument.
        tangents: the vector, of the same structure, shapes and dtypes as `primals`.
        custom_rules, strong_zeros, checkpoints: see `vjp`.

    Returns:
        A pytree like the argument, or a tuple of them if `fun` has several arguments.

    Raises:
        GradientTypeError: the point or the vector is no sequence, a leaf of the point is not of a
            floating dtype, or they differ in structure or dtypes.
        GradientValueError: they differ in shapes.

    >>> hvp(lambda x: x ** 3, (2.0,), (10.0,))
    Array(120., dtype=float32, weak_type=True)
    """
    _check_vector(fun, primals, tangents)
    gradient = grad(
        fun, tuple(range(len(primals))),
        custom_rules=custom_rules, strong_zeros=strong_zeros, checkpoints=checkpoints,
    )  # fmt: skip
    options = recording_options(custom_rules, strong_zeros, checkpoints)
    vector = [compat.as_array(leaf) for leaf in flatten(tuple(tangents)).leaves]
    product = _along(gradient, tuple(primals), vector, options)
    return product[0] if len(primals) == 1 else product


def _along(
    gradient: Callable[..., Any], primals: tuple[Any, ...], vector: Sequence[Any], options: Options
) -> tuple[Any, ...]:
    """The derivative of a gradient along a vector.

    Forward, it needs fewer operations, holds less, and no cotangent is transposed twice.
    """
    point = flatten(primals)
    types = [compat.typeof(leaf) for leaf in point.leaves]

    def flat(*leaves: Any) -> list[Any]:
        return flatten(gradient(*jax.tree.unflatten(point.treedef, leaves))).leaves

    _, product = pushed(flat, point.leaves, vector, options, push_eagerly)
    if product is None:
        run = Recorded(gradient, primals, False, options)
        return run.input_tree(backward(run.tape, vector))
    whole: tuple[Any, ...] = jax.tree.unflatten(point.treedef, dense(product, types))
    return whole


def _check_vector(fun: Any, primals: Any, tangents: Any) -> None:
    """Raise unless the vector has the point's structure, shapes and dtypes."""
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)) or not given:
            raise GradientTypeError(
                f"hvp: {name} must be a tuple with one pytree for each argument of "
                f"`{getattr(fun, '__name__', fun)}`, but is {given!r:.60}"
            )
    check_differentiable(primals, "hvp", role="primal")
    check_differentiable(tangents, "hvp", allow_int=True, role="tangent")
    here, there = flatten(tuple(primals)).treedef, flatten(tuple(tangents)).treedef
    if here != there:
        raise GradientTypeError(
            f"hvp: tangents have the tree structure {there}, but the primals {here}; give one "
            "tangent for each leaf, in the same containers"
        )
    paths = leaf_paths(tuple(primals))
    for path, x, t in zip(paths, jax.tree.leaves(primals), jax.tree.leaves(tangents), strict=True):
        primal, tangent = compat.typeof(x), compat.typeof(t)
        if primal.shape != tangent.shape:
            raise GradientValueError(
                f"hvp: the tangent leaf tangents{path} has shape {tangent.shape}, but its primal "
                f"has {primal.shape}; give it that shape"
            )
        if primal.dtype != tangent.dtype:
            raise GradientTypeError(
                f"hvp: the tangent leaf tangents{path} has dtype {tangent.dtype}, but its primal "
                f"has {primal.dtype}; convert it"
            )
