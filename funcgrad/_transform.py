"""The transforms that users call: `vjp`, `grad`, `value_and_grad`, `jacrev`, `hessian`, `hvp`, `tape`.

Their signatures and results are JAX's where JAX has the function, so that one import is all that
changes in a program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from . import _jaxcompat as compat
from . import rules as _rules  # noqa: F401 -- fills the registry
from ._arguments import (
    Chosen,
    check_cotangent,
    check_differentiable,
    check_scalar,
    choose,
    split_aux,
)
from ._errors import GradientValueError
from ._reverse import sweep
from ._tape import Tape
from ._trace import Options, record
from ._trees import PyTree, flatten

CustomRules = Literal["honour", "ignore"]


def _options(custom_rules: str, keep_values: bool = False) -> Options:
    if custom_rules not in {"honour", "ignore"}:
        raise GradientValueError(
            f'custom_rules must be "honour" or "ignore", but is {custom_rules!r}'
        )
    return Options(custom_rules, keep_values)


class Recorded:
    """A function that was run forward: its outputs, its tape and the trees around it."""

    __slots__ = ("aux", "in_tree", "name", "out_tree", "outputs", "tape")

    def __init__(
        self, fun: Callable[..., Any], args: tuple[Any, ...], has_aux: bool, options: Options
    ) -> None:
        inputs = flatten(args)
        held: list[Any] = []

        def flat(*leaves: Any) -> list[Any]:
            result = fun(*jax.tree.unflatten(inputs.treedef, leaves))
            output, aux = split_aux(result, fun) if has_aux else (result, None)
            outputs, auxes = flatten(output), flatten(aux)
            held.extend([outputs.treedef, auxes.treedef, len(outputs.leaves)])
            return [*outputs.leaves, *auxes.leaves]

        results, tape = record(flat, inputs.leaves, options=options)
        self.out_tree, aux_tree, count = held
        self.in_tree = inputs.treedef
        self.name = getattr(fun, "__name__", repr(fun))
        self.outputs = results[:count]
        self.aux = jax.tree.unflatten(aux_tree, results[count:])
        self.tape = Tape(
            tape.steps, tape.inputs, tape.outputs[:count], tape.input_types,
            tape.output_types[:count],
        )  # fmt: skip

    @property
    def output(self) -> PyTree:
        return jax.tree.unflatten(self.out_tree, self.outputs)


class Pullback:
    """The function that `vjp` returns: cotangents of the output to cotangents of the inputs.

    A pytree: it can be returned from a `jit`, mapped over, stored, and applied any number of times.
    """

    __slots__ = ("in_tree", "name", "out_tree", "tape")

    def __init__(self, tape: Tape, in_tree: Any, out_tree: Any, name: str) -> None:
        self.tape, self.in_tree, self.out_tree, self.name = tape, in_tree, out_tree, name

    def __call__(self, cotangents: PyTree) -> Any:
        """The cotangents of the inputs, a tuple with one pytree for each argument."""
        leaves = check_cotangent(cotangents, self.out_tree, self.tape.output_types, self.name)
        return jax.tree.unflatten(self.in_tree, backward(self.tape, leaves))

    def __repr__(self) -> str:
        return f"<pullback of {self.name}: {len(self.tape)} steps, {self.out_tree}>"


jax.tree_util.register_pytree_node(
    Pullback,
    lambda pull: ((pull.tape,), (pull.in_tree, pull.out_tree, pull.name)),
    lambda fixed, tapes: Pullback(tapes[0], *fixed),
)


def backward(tape: Tape, cotangents: Sequence[Any]) -> list[Any]:
    """The cotangent of every input, with zeros where none arrives."""
    arrived = sweep(tape, cotangents)
    return [
        compat.zeros(compat.cotangent_type(aval)) if cotangent is None else cotangent
        for aval, cotangent in zip(tape.input_types, arrived, strict=True)
    ]


def vjp(
    fun: Callable[..., Any],
    *primals: Any,
    has_aux: bool = False,
    custom_rules: CustomRules = "honour",
) -> Any:
    """Run a function and return its value with its pullback (vector-Jacobian product).

    Args:
        fun: a function of pytrees of arrays that returns a pytree of arrays.
        *primals: the point; any pytrees.
        has_aux: `fun` returns a pair, of which only the first is differentiated.
        custom_rules: "honour" uses the custom_jvp and custom_vjp rules of functions that have
            them; "ignore" differentiates their bodies.

    Returns:
        ``(output, pullback)``, or ``(output, pullback, aux)``. The pullback takes a cotangent with
        the structure, shapes and dtypes of the output and returns a tuple of cotangents, one for
        each argument; an integer leaf has a cotangent of dtype float0. It is a pytree.

    Raises:
        GradientTypeError: an argument holds a leaf that is no array, or `has_aux` finds no pair.
        MissingRuleError: a gradient would pass a primitive without a rule.

    >>> import jax.numpy as jnp
    >>> y, pullback = vjp(jnp.sin, 0.0)
    >>> pullback(2.0)
    (Array(2., dtype=float32, weak_type=True),)
    """
    check_differentiable(primals, "vjp", allow_int=True)
    run = Recorded(fun, primals, has_aux, _options(custom_rules))
    pull = Pullback(run.tape, run.in_tree, run.out_tree, run.name)
    return (run.output, pull, run.aux) if has_aux else (run.output, pull)


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    custom_rules: CustomRules = "honour",
) -> Callable[..., tuple[Any, Any]]:
    """A function that computes both the value of `fun` and its gradient.

    Args:
        fun: a function whose output is a real scalar (a complex one with `holomorphic`).
        argnums: the position, or the positions, of the arguments to differentiate by.
        has_aux: `fun` returns a pair, of which only the first is differentiated.
        holomorphic: `fun` is a holomorphic function of complex arguments.
        allow_int: accept integer arguments; their gradient is of dtype float0.
        custom_rules: see `vjp`.

    Returns:
        A function of the same arguments that returns ``(value, gradient)``, or
        ``((value, aux), gradient)``. The gradient has the structure, shapes and dtypes of the
        argument, and is a tuple if `argnums` is a sequence.

    Raises:
        GradientTypeError: an argument to differentiate by is not of floating dtype, or the output
            is not a scalar.
        GradientValueError: `argnums` points beyond the arguments.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (Array(9., dtype=float32, weak_type=True), Array(6., dtype=float32, weak_type=True))
    """
    options = _options(custom_rules)

    @functools.wraps(fun)
    def computed(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        chosen = choose(fun, argnums, args, kwargs)
        check_differentiable(chosen.primals, "grad", allow_int=allow_int, holomorphic=holomorphic)
        run = Recorded(chosen.fun, chosen.primals, has_aux, options)
        check_scalar(run, holomorphic)
        gradients = backward(run.tape, [lax.full_like(run.outputs[0], 1)])
        gradient = _gather(chosen, jax.tree.unflatten(run.in_tree, gradients))
        return ((run.output, run.aux) if has_aux else run.output), gradient

    return computed


def _gather(chosen: Chosen, per_argument: tuple[Any, ...]) -> Any:
    return per_argument[0] if chosen.single else per_argument


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    custom_rules: CustomRules = "honour",
) -> Callable[..., Any]:
    """A function that computes the gradient of `fun`; the arguments are those of `value_and_grad`.

    Returns:
        A function of the same arguments that returns the gradient, or ``(gradient, aux)``.

    Raises:
        GradientTypeError: an argument to differentiate by is not of floating dtype, or the output
            is not a scalar.
        GradientValueError: `argnums` points beyond the arguments.

    >>> grad(lambda w: (w["a"] * w["b"]))({"a": 2.0, "b": 5.0})
    {'a': Array(5., dtype=float32, weak_type=True), 'b': Array(2., dtype=float32, weak_type=True)}
    """
    both = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, custom_rules=custom_rules)

    @functools.wraps(fun)
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient_of


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    custom_rules: CustomRules = "honour",
) -> Callable[..., Any]:
    """A function that computes the Jacobian of `fun`, row by row in reverse mode.

    Args: as for `value_and_grad`, but `fun` may return any pytree of arrays.

    Returns:
        A function of the same arguments that returns the Jacobian: the output's structure, with at
        each leaf the argument's structure, with arrays of shape ``output.shape + argument.shape``.

    Raises:
        GradientTypeError: an argument to differentiate by, or an output, is not of floating dtype.
        GradientValueError: `argnums` points beyond the arguments.

    >>> import jax.numpy as jnp
    >>> jacrev(lambda x: x * x)(jnp.array([1.0, 2.0]))
    Array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    options = _options(custom_rules)

    @functools.wraps(fun)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen = choose(fun, argnums, args, kwargs)
        check_differentiable(chosen.primals, "jacrev", allow_int=allow_int, holomorphic=holomorphic)
        run = Recorded(chosen.fun, chosen.primals, has_aux, options)
        check_differentiable(run.output, "jacrev", holomorphic=holomorphic, role="output")
        rows = [_rows(run.tape, i) for i in range(len(run.outputs))]
        trees = [_gather(chosen, jax.tree.unflatten(run.in_tree, row)) for row in rows]
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
    return [_split_rows(leaf, aval.shape) for leaf in stacked]


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
) -> Callable[..., Any]:
    """A function that computes the Hessian of `fun`, as the Jacobian of the Jacobian.

    Args: as for `jacrev`.

    Returns:
        A function of the same arguments; for a scalar `fun` of an array of shape ``s`` the result
        has shape ``s + s``, for pytrees it is a tree of trees.

    >>> hessian(lambda x: x ** 3)(2.0)
    Array(12., dtype=float32, weak_type=True)
    """
    first = jacrev(fun, argnums, has_aux, holomorphic, custom_rules=custom_rules)
    return jacrev(first, argnums, has_aux, holomorphic, custom_rules=custom_rules)


def hvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    custom_rules: CustomRules = "honour",
) -> Any:
    """The product of the Hessian of a scalar function with a vector, without the Hessian.

    The Hessian is symmetric, so the pullback of the gradient, applied to the vector, is the product
    (Pearlmutter 1994, with reverse mode in the place of forward mode).

    Args:
        fun: a function of one or more pytrees whose output is a real scalar.
        primals: the point, a sequence with one pytree for each argument.
        tangents: the vector, of the same structure, shapes and dtypes as `primals`.
        custom_rules: see `vjp`.

    Returns:
        A pytree like the argument, or a tuple of them if `fun` has several arguments.

    Raises:
        GradientValueError: the vector does not fit the point.

    >>> hvp(lambda x: x ** 3, (2.0,), (10.0,))
    Array(120., dtype=float32, weak_type=True)
    """
    gradient = grad(fun, tuple(range(len(primals))), custom_rules=custom_rules)
    _, pull = vjp(gradient, *primals, custom_rules=custom_rules)
    product = pull(tuple(tangents))
    return product[0] if len(primals) == 1 else product


def tape(fun: Callable[..., Any], *args: Any, custom_rules: CustomRules = "honour") -> Tape:
    """The recorded tape of a call, with every value that took part.

    Args:
        fun: a function of pytrees of arrays.
        *args: the point.
        custom_rules: see `vjp`.

    Returns:
        An immutable `Tape` of `Step` records. ``print(tape(...))`` shows the program.

    >>> print(tape(lambda x: x * x + 1.0, 3.0))  # doctest: +ELLIPSIS
    tape(%0:f32[]):
      %1:f32[] = mul %0 %0...
      %2:f32[] = add %1 1.0...
      return %2
    """
    check_differentiable(args, "tape", allow_int=True)
    return cast(Tape, Recorded(fun, args, False, _options(custom_rules, keep_values=True)).tape)
