"""A function run forward with its tape, and the pullback that `vjp` makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax import lax

from . import _jaxcompat as compat
from . import rules as _rules  # noqa: F401 -- fills the registry
from ._arguments import called, check_cotangent, check_returned, split_aux
from ._eager import is_concrete, sweep_concrete
from ._errors import GradientTypeError, GradientValueError, TraceEndedError
from ._reverse import sweep
from ._tape import Options, Tape
from ._trace import record
from ._trees import PyTree, flatten

CustomRules = Literal["honour", "ignore"]


def recording_options(
    custom_rules: str, strong_zeros: bool, checkpoints: int, keep_values: bool = False
) -> Options:
    """The options of a transform, checked."""
    if custom_rules not in {"honour", "ignore"}:
        raise GradientValueError(
            f'custom_rules must be "honour" or "ignore", but is {custom_rules!r}'
        )
    if not isinstance(checkpoints, int) or checkpoints < 1:
        raise GradientValueError(
            f"checkpoints must be a whole number of at least 1, but is {checkpoints!r}"
        )
    if not isinstance(strong_zeros, (bool, np.bool_)):
        raise GradientTypeError(f"strong_zeros must be True or False, but is {strong_zeros!r}")
    return Options(custom_rules, keep_values, checkpoints, bool(strong_zeros))


class Recorded:
    """A function that was run forward: its outputs, its tape and the trees around it."""

    __slots__ = ("aux", "in_tree", "name", "out_tree", "outputs", "tape")

    def __init__(
        self, fun: Callable[..., Any], args: tuple[Any, ...], has_aux: bool, options: Options
    ) -> None:
        inputs = flatten(args)
        held: list[Any] = []

        def flat(*leaves: Any) -> list[Any]:
            result = called(fun, jax.tree.unflatten(inputs.treedef, leaves), {})
            output, aux = split_aux(result, fun) if has_aux else (result, None)
            outputs, auxes = flatten(output), flatten(aux)
            check_returned(outputs.leaves, fun)
            held.extend([outputs.treedef, auxes.treedef, len(outputs.leaves)])
            return [*outputs.leaves, *auxes.leaves]

        results, tape = record(flat, inputs.leaves, options=options)
        self.out_tree, aux_tree, count = held
        self.in_tree = inputs.treedef
        self.name = getattr(fun, "__name__", repr(fun))
        self.outputs = results[:count]
        self.aux = jax.tree.unflatten(aux_tree, results[count:])
        self.tape = tape if count == len(results) else _with_outputs(tape, count)

    @property
    def output(self) -> PyTree:
        return jax.tree.unflatten(self.out_tree, self.outputs)

    def input_tree(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """One pytree for each argument from values for its flat inputs."""
        per_argument: tuple[Any, ...] = jax.tree.unflatten(self.in_tree, leaves)
        return per_argument


def _with_outputs(tape: Tape, count: int) -> Tape:
    """A tape with only so many of its outputs."""
    return Tape(
        tape.steps, tape.inputs, tape.outputs[:count], tape.input_types, tape.output_types[:count]
    )


class Pullback:
    """The function that `vjp` returns: cotangents of the output to cotangents of the inputs.

    A pytree: it can be returned from a `jit`, mapped over, stored, and applied any number of times.
    """

    __slots__ = ("in_tree", "name", "out_tree", "tape")

    def __init__(self, tape: Tape, in_tree: Any, out_tree: Any, name: str) -> None:
        self.tape, self.in_tree, self.out_tree, self.name = tape, in_tree, out_tree, name

    def __call__(self, cotangents: PyTree, *more: PyTree) -> Any:
        """The cotangents of the inputs, a tuple with one pytree for each argument."""
        if more:
            raise GradientTypeError(
                f"the pullback of `{self.name}` was given {1 + len(more)} arguments, but takes one "
                f"cotangent of the structure {self.out_tree}; put several into a tuple"
            )
        leaves = check_cotangent(cotangents, self.out_tree, self.tape.output_types, self.name)
        try:
            arrived = backward(self.tape, leaves)
        except jax.errors.UnexpectedTracerError as error:
            raise TraceEndedError(
                f"the pullback of `{self.name}` holds values of a transformation (jit, vmap, grad) "
                "that has ended; call it inside of that, or return it from there: it is a pytree"
            ) from error
        return jax.tree.unflatten(self.in_tree, arrived)

    def __repr__(self) -> str:
        return f"<pullback of {self.name}: {len(self.tape)} steps, {self.out_tree}>"


jax.tree_util.register_pytree_node(
    Pullback,
    lambda pull: ((pull.tape,), (pull.in_tree, pull.out_tree, pull.name)),
    lambda fixed, tapes: Pullback(tapes[0], *fixed),
)


def unit(output: Any) -> Any:
    """The cotangent of a scalar output by itself, with which its gradient begins."""
    if not compat.is_tracer(output):
        return _compiled_one_like(output)
    aval = compat.typeof(output)
    plain = compat.is_plain(aval) and not compat.is_extended(aval.dtype)
    return np.ones((), aval.dtype) if plain else _one_like(output)


def _one_like(output: Any) -> Any:
    return lax.full_like(output, 1)


_compiled_one_like = jax.jit(_one_like)  # a fraction of what JAX takes operation by operation


def backward(tape: Tape, cotangents: Sequence[Any], traced: bool = False) -> list[Any]:
    """The cotangent of every input, with zeros where none arrives.

    A tape without values, and a number as its cotangent, do not show that they were `traced`.
    """
    concrete = not traced and is_concrete(tape.steps, cotangents)
    arrived = (sweep_concrete if concrete else sweep)(tape, cotangents)
    return dense(arrived, tape.input_types)


def dense(arrived: Sequence[Any], types: Sequence[Any]) -> list[Any]:
    """Cotangents of the weakness of their types, with zeros where none arrived."""
    return [
        compat.zeros(compat.cotangent_type(aval))
        if cotangent is None
        else compat.matching_weakness(cotangent, aval)
        for aval, cotangent in zip(types, arrived, strict=True)
    ]
