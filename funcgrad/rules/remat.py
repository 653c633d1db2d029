"""`checkpoint` (rematerialisation): keep the inputs and what the policy saves, recompute the rest.

The forward pass runs the body and returns beside its outputs the values that the policy saves. The
backward pass runs the body again under the recorder, with each saved value in the place of the
operation that made it, and sweeps; operations that no cotangent needs are dropped as dead code. A
barrier before the second run keeps the compiler from merging it with the first, which would keep
every intermediate value alive and undo the saving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from .._registry import joint, lookup, structured
from .._reverse import sweep
from .._sharing import shared
from .._staging import Table, once_for
from .._tape import Options
from .._trace import record
from ._cases import several

Rule = Callable[[Any, list[Any]], list[Any]]


class Checkpoint(NamedTuple):
    """The two programs of a checkpointed body."""

    forward: Any
    backward: Any


class Kept(NamedTuple):
    """What a checkpoint keeps: its inputs, and the values that its policy saves."""

    inputs: tuple[Any, ...]
    saved: tuple[Any, ...]
    programs: compat.Opaque


def _prepare(options: Options, needed: tuple[bool, ...], params: dict[str, Any]) -> Checkpoint:
    body, barrier = params["jaxpr"], params["prevent_cse"]
    saves = _saved_equations(body, params["policy"])

    def make() -> Checkpoint:
        program = jaxprs.twin(body)

        def forward(*inputs: Any) -> tuple[list[Any], list[Any]]:
            return _run_and_save(program, saves, inputs)

        def backward(kept: Any, arriving: Sequence[Any]) -> list[Any]:
            if _prevents(barrier):
                kept, arriving = _behind_barrier((kept, arriving))
            return _replay(program, saves, needed, options, kept, arriving)

        # `keep_unused` keeps a loop from taking the body apart, and keeping what it computes again
        return Checkpoint(jax.jit(forward), jax.jit(backward, keep_unused=True))

    made: Checkpoint = once_for([body], ("remat", needed, options, saves, barrier), make)
    return made


def _prevents(barrier: Any) -> bool:
    """One boolean, or on newer JAX one for each input."""
    return any(barrier) if isinstance(barrier, (tuple, list)) else bool(barrier)


def _behind_barrier(tree: Any) -> Any:
    """Values behind a barrier, those of the mapped axes over which they vary behind one of theirs.

    On the older line of JAX a barrier makes its values vary alike, and a cotangent of a value that
    is the same on all devices of an axis would no longer be one.
    """
    leaves, structure = jax.tree.flatten(tree)
    kinds = [compat.varying_axes(compat.typeof(leaf)) for leaf in leaves]
    passed = list(leaves)
    for kind in dict.fromkeys(kinds):
        places = [i for i, other in enumerate(kinds) if other == kind]
        for i, leaf in zip(
            places, lax.optimization_barrier([leaves[i] for i in places]), strict=True
        ):
            passed[i] = leaf
    return jax.tree.unflatten(structure, passed)


_SAVES = Table()


def _saved_equations(body: Any, policy: Any) -> tuple[bool, ...]:
    """For each equation, jitted bodies opened, whether the policy keeps its outputs.

    This stands for the policy, which may be a new function each time and may close over data.
    """
    if policy is None:
        return ()
    try:
        known: dict[str, tuple[bool, ...]] = _SAVES.of(policy, shared(body))
    except TypeError:  # no weak reference to the policy
        known = {}
    if "saves" not in known:
        known["saves"] = tuple(_substitutes(policy, equation) for equation in _opened(body))
    return known["saves"]


def _opened(body: Any) -> Iterator[Any]:
    """The equations in the order in which `_interpret` applies them."""
    for equation in jaxprs.open_jaxpr(body)[0].eqns:
        if equation.primitive is p.jit_p:
            yield from _opened(equation.params["jaxpr"])
        else:
            yield equation


def _substitutes(policy: Any, equation: Any) -> bool:
    """A step with a body has residuals of its own, which its outputs cannot replace."""
    rule = lookup(equation.primitive)
    return (rule is None or rule.family != "structured") and _saves(policy, equation)


def _saves(policy: Any, equation: Any) -> bool:
    """Whether the policy keeps the outputs of an equation; offloading counts as keeping."""
    avals = [atom.aval for atom in equation.invars]
    verdict = policy(equation.primitive, *avals, **equation.params)
    return verdict if isinstance(verdict, bool) else type(verdict).__name__ != "RecomputeType"


# --- interpreting the body ------------------------------------------------------------------------


def _interpret(body: Any, inputs: Sequence[Any], apply: Rule) -> list[Any]:
    """Evaluate a jaxpr by `apply`; jitted bodies are opened, since a policy looks inside."""
    jaxpr, consts = jaxprs.open_jaxpr(body)
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *inputs), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if jaxprs.is_literal(atom) else known[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        if equation.primitive is p.jit_p:
            results = _interpret(equation.params["jaxpr"], operands, apply)
        else:
            results = apply(equation, operands)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _run_and_save(
    body: Any, saves: Sequence[bool], inputs: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    saved: list[Any] = []
    chosen = iter(saves)

    def apply(equation: Any, operands: list[Any]) -> list[Any]:
        results = jaxprs.bind_equation(equation, operands)
        if next(chosen, False):
            saved.extend(results)
        return results

    return _interpret(body, inputs, apply), saved


def _replay(
    body: Any, saves: Sequence[bool], needed: Sequence[bool], options: Options, kept: Any,
    arriving: Any,
) -> list[Any]:  # fmt: skip
    inputs, saved = kept
    chosen = iter(saves)
    waiting: Iterator[Any] = iter(saved)

    def apply(equation: Any, operands: list[Any]) -> list[Any]:
        if not next(chosen, False):
            return jaxprs.bind_equation(equation, operands)
        results = [next(waiting) for _ in equation.outvars]
        with compat.take_current_trace() as trace, compat.set_current_trace(trace):
            return list(trace.substitute(equation.primitive, operands, equation.params, results))

    def run(*operands: Any) -> list[Any]:
        return _interpret(body, operands, apply)

    _, tape = record(run, inputs, differentiate=needed, options=options)
    return sweep(tape, arriving)


# --- the rule -------------------------------------------------------------------------------------


def _remat_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Kept]:
    made = _prepare(options, needed, params)
    results, saved = made.forward(*operands)
    return results, Kept(tuple(operands), tuple(saved), compat.Opaque(made))


def _remat_backward(kept: Kept, _needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    backward = kept.programs.value.backward
    return list(backward((kept.inputs, kept.saved), list(arriving)))


structured(p.remat_p, _remat_forward, _remat_backward)


def _barrier_transpose(cts: Sequence[Any], _y: Any, *_operands: Any) -> list[Any]:
    """The cotangents pass a barrier of their own, so that the backward pass keeps the order too."""
    carrying = [i for i, ct in enumerate(cts) if not compat.is_float0(ct)]
    passed = _behind_barrier([cts[i] for i in carrying])
    results: list[Any] = [None] * len(cts)
    for i, ct in zip(carrying, passed, strict=True):
        results[i] = ct
    return results


joint(
    p.optimization_barrier_p, _barrier_transpose,
    cases=[several(lambda a, b: lax.optimization_barrier((a, b)), (3,), (2,)),
           several(lambda a, b: lax.optimization_barrier((a, b))[0], (3,), (2,))],
)  # fmt: skip
