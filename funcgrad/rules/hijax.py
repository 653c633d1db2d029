"""Primitives that JAX makes from classes: one that carries an object with methods of its own.

What such an object computes is said by its method `expand`, in terms of other primitives; so in
general the primitive is bound on the way forward, and its expansion recorded and swept on the way
back. Two kinds are different. An object to which a user gave a rule (`vjp_fwd` and `vjp_bwd`, or
`jvp`) is honoured like any custom rule. And JAX's library has some with an expansion into bits or
iterations, through which no gradient flows; these have a rule here, found by the class's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import structured
from .._reverse import sweep
from .._tape import Options
from .._trace import record, run_custom_jvp
from ._cases import shaped

Pull = Callable[..., list[Any]]


class Kept(NamedTuple):
    """What the primitive keeps for its way back, and how that goes."""

    values: Any
    pull: compat.Opaque  # (kept values, which operands are needed, cotangents) to cotangents


def _forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Kept]:
    made = params["_prim"]
    honour = options.custom_rules != "ignore"
    if honour and _differentiates(made, "vjp_fwd"):
        return _run_user_vjp(made, needed, operands)
    if honour and _differentiates(made, "jvp"):
        return _run_user_jvp(made, options, needed, operands)
    results = p.call_hi_primitive_p.bind(*operands, **params)
    rule = _LIBRARY.get(type(made).__name__) if _is_of_jax(type(made)) else None
    pull = _Expansion(made, options) if rule is None else _Library(rule, made)
    return list(results), Kept((tuple(operands), tuple(results)), compat.Opaque(pull))


def _backward(kept: Kept, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    results: list[Any] = kept.pull.value(kept.values, needed, arriving)
    return results


def _is_of_jax(definition: Any) -> bool:
    return str(getattr(definition, "__module__", "")).startswith("jax.")


def _differentiates(made: Any, method: str) -> bool:
    """Whether a user wrote this method, or JAX's class holds a user's custom rule in it."""
    if type(made).__name__ == {"vjp_fwd": "CustomVJPTraced", "jvp": "CustomJVPTraced"}[method]:
        return True
    return not _is_of_jax(getattr(type(made), method))


# --- by expansion ---------------------------------------------------------------------------------


class _Expansion(NamedTuple):
    """Record the expansion at the operands, and sweep it."""

    made: Any
    options: Options

    def __call__(self, values: Any, needed: tuple[bool, ...], arriving: Sequence[Any]) -> Any:
        def program(*flat: Any) -> list[Any]:
            found = self.made.expand(*self.made.in_tree.unflatten(flat))
            return list(jax.tree.leaves(found))

        _, tape = record(program, values[0], differentiate=needed, options=self.options)
        return sweep(tape, arriving)


# --- by a user's rule -----------------------------------------------------------------------------


class _UserVjp(NamedTuple):
    """Run the user's backward rule."""

    made: Any
    types: tuple[Any, ...]
    residuals: Any  # the structure of the values that are kept

    def __call__(self, values: Any, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
        dense = [
            compat.zeros(aval) if cotangent is None else cotangent
            for aval, cotangent in zip(self.types, arriving, strict=True)
        ]
        kept = jax.tree.unflatten(self.residuals, values)
        found = _run_user_backward(self.made, kept, self.made.out_tree.unflatten(dense))
        flat = jax.tree.leaves(found, is_leaf=compat.is_symbolic_zero)
        return [
            ct if wanted and not compat.is_symbolic_zero(ct) else None
            for wanted, ct in zip(needed, flat, strict=True)
        ]


def _run_user_backward(made: Any, kept: Any, cotangents: Any) -> Any:
    """In the form that returns the cotangents, which newer JAX also makes of the other forms."""
    if hasattr(made, "vjp_bwd_retval_logs"):
        return made.vjp_bwd_retval_logs(kept, cotangents)[0]
    return made.vjp_bwd_retval(kept, cotangents)


def _run_user_vjp(
    made: Any, needed: tuple[bool, ...], operands: Sequence[Any]
) -> tuple[list[Any], Kept]:
    unflatten = made.in_tree.unflatten
    answer, residuals = made.vjp_fwd(unflatten(needed), *unflatten(operands))[:2]
    results = jax.tree.leaves(answer)
    types = tuple(compat.cotangent_type(compat.typeof(result)) for result in results)
    flat, structure = jax.tree.flatten(residuals)
    return results, Kept(tuple(flat), compat.Opaque(_UserVjp(made, types, structure)))


class _FlatTangents(NamedTuple):
    """A user's `jvp` as the engine runs it: primals and tangents in, both out, all flat."""

    made: Any

    def call_wrapped(self, *values: Any) -> list[Any]:
        unflatten, half = self.made.in_tree.unflatten, len(values) // 2
        pair = self.made.jvp(unflatten(values[:half]), unflatten(values[half:]))
        return [x for tree in pair for x in jax.tree.leaves(tree, is_leaf=compat.is_symbolic_zero)]


class _UserJvp(NamedTuple):
    """Sweep the tape of the user's tangent map."""

    operands: tuple[int, ...]

    def __call__(self, values: Any, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
        results: list[Any] = [None] * len(needed)
        for operand, cotangent in zip(self.operands, sweep(values, arriving), strict=True):
            results[operand] = cotangent
        return results


def _run_user_jvp(
    made: Any, options: Options, needed: tuple[bool, ...], operands: Sequence[Any]
) -> tuple[list[Any], Kept]:
    reads = tuple(0 if wanted else None for wanted in needed)
    results, body = run_custom_jvp(options, _FlatTangents(made), list(operands), reads, False)
    return results, Kept(body.tape, compat.Opaque(_UserJvp(body.inputs.value)))


# --- JAX's library --------------------------------------------------------------------------------


class _Library(NamedTuple):
    """Apply a rule of the table below."""

    rule: Callable[..., Any]
    made: Any

    def __call__(self, values: Any, _needed: tuple[bool, ...], arriving: Sequence[Any]) -> Any:
        operands, results = values
        if all(cotangent is None for cotangent in arriving):
            return [None] * len(operands)
        return self.rule(self.made, arriving, results, operands)


def _ldexp(_made: Any, cts: Any, _ys: Any, operands: Any) -> list[Any]:
    """x 2^n moves by 2^n dx."""
    return [jnp.ldexp(cts[0], operands[1]), None]


def _frexp(_made: Any, cts: Any, ys: Any, _operands: Any) -> list[Any]:
    """The mantissa x 2^(-n) moves by 2^(-n) dx, the exponent n not at all."""
    return [jnp.ldexp(cts[0], -ys[1])]


# A root x of f(a, x) = 0 moves with a by G dx = -df/da da, where G = df/dx (the implicit function
# theorem). The user's `tangent_solve` applies the inverse of G, so its transpose gives the l with
# G^T l = ct, and the cotangent of a is -(df/da)^T l. Where the iteration began does not matter.
def _root(made: Any, cts: Any, ys: Any, operands: Any) -> list[Any]:
    trees = made.in_tree.unflatten(operands)
    _, _, constants, tangent_constants = trees
    structure, outer = jax.tree.structure(trees[1]), jax.tree.structure(constants)
    count = len(jax.tree.leaves(trees[1]))
    root = jax.tree.unflatten(structure, ys[:count])

    def solve(*right: Any) -> list[Any]:
        solved = made.tangent_solve(tangent_constants, root, jax.tree.unflatten(structure, right))
        return jax.tree.leaves(solved)

    def residue(*flat: Any) -> list[Any]:
        return jax.tree.leaves(made.f(jax.tree.unflatten(outer, flat), root))

    right = [lax.full_like(y, 0) for y in ys[:count]]
    multipliers = sweep(record(solve, right)[1], cts[:count])
    minus = [None if each is None else -each for each in multipliers]
    moved = sweep(record(residue, jax.tree.leaves(constants))[1], minus)
    before = [None] * sum(len(jax.tree.leaves(tree)) for tree in trees[:2])
    return [*before, *moved, *([None] * len(jax.tree.leaves(tangent_constants)))]


# The map v -> df/dx v that `tangent_solve` is given. The pullback of f is linear in its cotangent,
# and the pullback of that map is df/dx again; in this form it is differentiated by all operands.
def _root_map(made: Any, cts: Any, _ys: Any, operands: Any) -> list[Any]:
    def program(*flat: Any) -> list[Any]:
        constants, point, direction = made.in_tree.unflatten(flat)
        at, structure = jax.tree.flatten(point)

        def residue(*x: Any) -> list[Any]:
            return jax.tree.leaves(made.f(constants, jax.tree.unflatten(structure, x)))

        residues, tape = record(residue, at)
        zeros = [lax.full_like(y, 0) for y in residues]

        def pull(*cotangents: Any) -> list[Any]:
            swept = sweep(tape, cotangents)
            return [_dense(c, x) for c, x in zip(swept, at, strict=True)]

        _, again = record(pull, zeros)
        moved = sweep(again, jax.tree.leaves(direction))
        return [_dense(c, y) for c, y in zip(moved, residues, strict=True)]

    return sweep(record(program, operands)[1], cts)


def _dense(cotangent: Any, like: Any) -> Any:
    return lax.full_like(like, 0) if cotangent is None else cotangent


_LIBRARY: dict[str, Callable[..., Any]] = {
    "Frexp": _frexp,
    "Ldexp": _ldexp,
    "CustomRoot": _root,
    "_RootLinearMap": _root_map,
}


def _square_root(x: Any) -> Any:
    """By Newton's method, which is not differentiated."""

    def solve(f: Any, start: Any) -> Any:
        return lax.fori_loop(0, 30, lambda _, y: y - f(y) / (2 * y), start)

    return lax.custom_root(
        lambda y: y * y - x, jnp.ones_like(x), solve, lambda g, y: y / g(jnp.ones_like(y))
    )


_NEWER = "newer JAX: the older one has other forms of these"

structured(
    p.call_hi_primitive_p, _forward, _backward,
    cases=[
        shaped(lambda x: jnp.frexp(x)[0], (3,), (2, 3), dtypes="f", domain=(1.1, 1.9),
               note=_NEWER),
        shaped(lambda x: jnp.ldexp(x, jnp.array([1, -2, 3])), (3,), dtypes="f",
               note=_NEWER),
        shaped(_square_root, (), (3,), dtypes="f", domain=(0.5, 4), note=_NEWER),
    ],
)  # fmt: skip
