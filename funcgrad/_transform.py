"""The transforms that users call: `vjp`, `grad`, `value_and_grad` and `tape`.

Their signatures and results are JAX's where JAX has the function, so that one import is all that
changes in a program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import _jaxcompat as compat
from ._arguments import check_callable, check_differentiable, check_scalar, choose
from ._pullback import CustomRules, Pullback, Recorded, backward, recording_options, unit
from ._tape import Tape


def vjp(
    fun: Callable[..., Any],
    *primals: Any,
    has_aux: bool = False,
    custom_rules: CustomRules = "honour",
    strong_zeros: bool = False,
    checkpoints: int = 64,
) -> Any:
    """Run a function and return its value with its pullback (vector-Jacobian product).

    Args:
        fun: a function of pytrees of arrays that returns a pytree of arrays.
        *primals: the point; any pytrees.
        has_aux: `fun` returns a pair, of which only the first is differentiated.
        custom_rules: "honour" uses the custom_jvp and custom_vjp rules of functions that have
            them; "ignore" differentiates their bodies.
        strong_zeros: in elementwise rules zero times non-finite is zero, whichever of cotangent and
            partial is the zero, so that a branch that `where` did not choose adds no NaN.
            Contractions and non-finite values of the function itself are not covered.
        checkpoints: how many states a compiled `while_loop` may hold to be reversed.

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
    check_callable(fun, "vjp")
    check_differentiable(primals, "vjp", allow_int=True)
    options = recording_options(custom_rules, strong_zeros, checkpoints)
    run = Recorded(fun, primals, has_aux, options)
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
    strong_zeros: bool = False,
    checkpoints: int = 64,
) -> Callable[..., tuple[Any, Any]]:
    """A function that computes both the value of `fun` and its gradient.

    Args:
        fun: a function whose output is a real scalar (a complex one with `holomorphic`).
        argnums: the position, or the positions, of the arguments to differentiate by.
        has_aux: `fun` returns a pair, of which only the first is differentiated.
        holomorphic: `fun` is a holomorphic function of complex arguments.
        allow_int: accept integer arguments; their gradient is of dtype float0.
        custom_rules, strong_zeros, checkpoints: see `vjp`.

    Returns:
        A function of the same arguments that returns ``(value, gradient)``, or
        ``((value, aux), gradient)``. The gradient has the structure, shapes and dtypes of the
        argument, and is a tuple if `argnums` is a sequence.

    Raises:
        GradientTypeError: an argument to differentiate by is not of floating dtype, or the output
            is not a scalar.
        ArgumentNumberError: `argnums` points beyond the arguments, or at one of them twice.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (Array(9., dtype=float32, weak_type=True), Array(6., dtype=float32, weak_type=True))
    """
    check_callable(fun, "grad")
    options = recording_options(custom_rules, strong_zeros, checkpoints)

    @functools.wraps(fun)
    def computed(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        chosen = choose(fun, argnums, args, kwargs)
        check_differentiable(chosen.primals, "grad", allow_int=allow_int, holomorphic=holomorphic)
        run = Recorded(chosen.fun, chosen.primals, has_aux, options)
        check_scalar(run, holomorphic)
        output = run.outputs[0]
        gradients = backward(run.tape, [unit(output)], traced=compat.is_tracer(output))
        gradient = chosen.gather(run.input_tree(gradients))
        return ((run.output, run.aux) if has_aux else run.output), gradient

    return computed


def grad(
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
    """A function that computes the gradient of `fun`; the arguments are those of `value_and_grad`.

    Returns:
        A function of the same arguments that returns the gradient, or ``(gradient, aux)``.

    Raises:
        GradientTypeError: an argument to differentiate by is not of floating dtype, or the output
            is not a scalar.
        ArgumentNumberError: `argnums` points beyond the arguments, or at one of them twice.

    >>> grad(lambda w: (w["a"] * w["b"]))({"a": 2.0, "b": 5.0})
    {'a': Array(5., dtype=float32, weak_type=True), 'b': Array(2., dtype=float32, weak_type=True)}
    """
    both = value_and_grad(
        fun, argnums, has_aux, holomorphic, allow_int,
        custom_rules=custom_rules, strong_zeros=strong_zeros, checkpoints=checkpoints,
    )  # fmt: skip

    @functools.wraps(fun)
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient_of


def tape(
    fun: Callable[..., Any],
    *args: Any,
    custom_rules: CustomRules = "honour",
    strong_zeros: bool = False,
    checkpoints: int = 64,
) -> Tape:
    """The recorded tape of a call, with every value that took part.

    Args:
        fun: a function of pytrees of arrays.
        *args: the point.
        custom_rules, strong_zeros, checkpoints: see `vjp`.

    Returns:
        An immutable `Tape` of `Step` records. ``print(tape(...))`` shows the program.

    >>> print(tape(lambda x: x * x + 1.0, 3.0))  # doctest: +ELLIPSIS
    tape(%0:f32[]):
      %1:f32[] = mul %0 %0...
      %2:f32[] = add %1 1.0...
      return %2
    """
    check_callable(fun, "tape")
    check_differentiable(args, "tape", allow_int=True)
    options = recording_options(custom_rules, strong_zeros, checkpoints, keep_values=True)
    return Recorded(fun, args, False, options).tape
