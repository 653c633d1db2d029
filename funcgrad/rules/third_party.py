"""Primitives of Equinox and Lineax, on which Diffrax and Optimistix are built.

None of these packages is imported here: a primitive is found by the name of its home once it is
met, when its package is there already. A rule is either the primitive's own linearity, or the
pullback of what the primitive computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._registry import foreign, general, no_derivative, structured
from .._reverse import sweep
from .._tape import Options
from .._trace import record
from ._matrices import known


class Kept(NamedTuple):
    """The operands of a primitive with several results, its results, and what is no array."""

    operands: tuple[Any, ...]
    results: tuple[Any, ...]
    static: compat.Opaque  # options and the primitive's parameters


def _keeping(primitive: Any, *names: str) -> Callable[..., tuple[list[Any], Kept]]:
    """The way forward: the primitive as it is."""

    def forward(
        options: Options, _needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
    ) -> tuple[list[Any], Kept]:
        known(primitive, params, *names)
        results = primitive.bind(*operands, **params)
        return list(results), Kept(
            tuple(operands), tuple(results), compat.Opaque((options, params))
        )

    return forward


# --- Equinox: identities and choices --------------------------------------------------------------


def _nondifferentiable_backward(primitive: Any) -> None:
    """An identity whose author refuses a cotangent other than zero.

    JAX refuses one as soon as it traces, if `symbolic`: then a zero must be known by its type. Our
    sweep has zeros among its numbers where JAX has none; so only numbers are refused.
    """

    def refuse(ct: Any, _y: Any, _x: Any, *, msg: str) -> Any:
        return import_module("equinox").error_if(ct, (ct != 0).any(), msg)

    general(primitive, refuse, ignores=("symbolic",))


def _select_if_vmap(primitive: Any) -> None:
    """`select` where the condition is batched; else the first value, whatever the condition."""
    general(
        primitive,
        None,
        lambda ct, _y, pred, _a, _b: primitive.bind(pred, ct, lax.full_like(ct, 0)),
        lambda ct, _y, pred, _a, _b: primitive.bind(pred, lax.full_like(ct, 0), ct),
    )


def _maybe_set(primitive: Any) -> None:
    """An entry of a buffer is set, under a condition: as its implementation in JAX says."""

    def backward(kept: Kept, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
        options, params = kept.static.value

        def program(*operands: Any) -> list[Any]:
            return list(primitive.impl(*operands, **params))

        _, tape = record(program, kept.operands, differentiate=needed, options=options)
        return sweep(tape, arriving)

    names = ("i_static", "i_treedef", "kwargs", "makes_false_steps")
    structured(primitive, _keeping(primitive, *names), backward)


# --- Equinox: a primitive under vmap --------------------------------------------------------------


def _vprim(primitive: Any) -> None:
    """Another primitive, each operand batched along an axis or not: its pullback is batched."""
    names = ("prim", "__axis_size", "__axis_name", "__batch_axes", "params")
    structured(primitive, _keeping(primitive, *names), _vprim_backward)


def _vprim_backward(kept: Kept, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    options, params = kept.static.value
    axes = tuple(params["__batch_axes"])
    chosen = [i for i, wanted in enumerate(needed) if wanted]

    def pull(operands: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        def program(*at: Any) -> list[Any]:
            return list(params["prim"].bind(*at, **dict(params["params"])))

        _, tape = record(program, operands, differentiate=needed, options=options)
        found = sweep(tape, cotangents)
        return [lax.full_like(operands[i], 0) if found[i] is None else found[i] for i in chosen]

    batched = jax.vmap(
        pull,
        in_axes=(axes, 0),
        out_axes=[0 if axes[i] is None else axes[i] for i in chosen],
        axis_name=params["__axis_name"],
        axis_size=params["__axis_size"],
    )
    results: list[Any] = [None] * len(needed)
    for i, found in zip(chosen, batched(kept.operands, list(arriving)), strict=True):
        results[i] = jnp.sum(found, axis=0) if axes[i] is None else found
    return results


# --- Lineax ---------------------------------------------------------------------------------------

# A solver returns x = P b with P the pseudoinverse of the matrix A. Its differential
# (Golub and Pereyra, 1973), with r = b - A x and the conjugate transpose written ^H, is
#     dx = P (db - dA x) + P P^H dA^H r + (I - P A) dA^H P^H x.
# For the cotangent g, which pairs by g . dx without conjugation, w = P^T g is that of b; and that
# of A is the sum of three pullbacks of the product v -> A v, of which the second vanishes where
# the columns of A are independent, and the third where its rows are:
#     of A x by -w,   of A P conj(w) by conj(r),   of A conj(g - A^T w) by conj(P^H x).
# Each solve goes through Lineax's primitive again; so gradients of every order exist, and no
# solver is ever differentiated. Beside the solution a solver returns information, with no gradient.


class System(NamedTuple):
    """The arguments of Lineax's primitive."""

    operator: Any
    state: Any
    vector: Any
    options: Any
    solver: Any
    throw: Any


def _linear_solve(primitive: Any) -> None:
    def backward(kept: Kept, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
        return _solve_backward(primitive, kept, needed, arriving)

    structured(primitive, _keeping(primitive, "treedef", "static", "flatten"), backward)


def _solve_backward(
    primitive: Any, kept: Kept, needed: tuple[bool, ...], arriving: Sequence[Any]
) -> list[Any]:
    options, params = kept.static.value
    system = _system(kept.operands, params)
    like = system.operator.in_structure()
    count = len(jax.tree.leaves(like))
    results: list[Any] = [None] * len(needed)
    if all(cotangent is None for cotangent in arriving[:count]):
        return results
    g = _dense(arriving[:count], like)
    w = _solve(primitive, _transposed(system), g)
    parts = [_arrays(system.operator), _arrays(system.state), _arrays(system.vector)]
    start = len(parts[0]) + len(parts[1])
    results[start : start + len(parts[2])] = jax.tree.leaves(w)
    if any(needed[: len(parts[0])]):
        solution = jax.tree.unflatten(jax.tree.structure(like), kept.results[:count])
        pairs = _products(primitive, system, solution, g, w)
        found = [_pull_product(system.operator, v, ct, needed, options) for v, ct in pairs]
        results[: len(parts[0])] = [_total(terms) for terms in zip(*found, strict=True)]
    return [ct if wanted else None for ct, wanted in zip(results, needed, strict=True)]


def _system(operands: Sequence[Any], params: dict[str, Any]) -> System:
    """The arguments of `filter_primitive_bind`: arrays from the operands, all else as it was."""
    missing = import_module("equinox.internal._primitive")._missing_dynamic
    arrays = iter(operands)
    flat = [next(arrays) if each is missing else each for each in params["static"]]
    return System(*jax.tree.unflatten(params["treedef"], flat))


def _products(
    primitive: Any, system: System, solution: Any, g: Any, w: Any
) -> list[tuple[Any, Any]]:
    """Vectors v and cotangents of A v, which make up the cotangent of A."""
    operator, solver = system.operator, system.solver
    rows, columns = operator.out_size(), operator.in_size()
    full = solver.assume_full_rank()
    pairs = [(solution, jax.tree.map(lax.neg, w))]
    if not (full and columns <= rows):
        adjoint = _transposed(_conjugated(system))
        rest = jax.tree.map(lax.sub, g, operator.transpose().mv(w))
        pairs.append((_conj(rest), _conj(_solve(primitive, adjoint, solution))))
    if not (full and rows <= columns):
        residue = jax.tree.map(lax.sub, system.vector, operator.mv(solution))
        pairs.append((_solve(primitive, system, _conj(w)), _conj(residue)))
    return pairs


def _pull_product(
    operator: Any, vector: Any, cotangent: Any, needed: tuple[bool, ...], options: Options
) -> list[Any]:
    """The cotangents of the operator's arrays when its product with a vector takes one."""
    flat, structure = jax.tree.flatten(operator)
    places = [i for i, leaf in enumerate(flat) if isinstance(leaf, jax.Array)]

    def product(*arrays: Any) -> list[Any]:
        leaves = list(flat)
        for i, array in zip(places, arrays, strict=True):
            leaves[i] = array
        return jax.tree.leaves(jax.tree.unflatten(structure, leaves).mv(vector))

    arrays, wanted = [flat[i] for i in places], needed[: len(places)]
    _, tape = record(product, arrays, differentiate=wanted, options=options)
    return sweep(tape, jax.tree.leaves(cotangent))


def _transposed(system: System) -> System:
    state, options = system.solver.transpose(system.state, system.options)
    return system._replace(operator=system.operator.transpose(), state=state, options=options)


def _conjugated(system: System) -> System:
    state, options = system.solver.conj(system.state, system.options)
    operator = import_module("lineax").conj(system.operator)
    return system._replace(operator=operator, state=state, options=options)


def _solve(primitive: Any, system: System, vector: Any) -> Any:
    bind = import_module("equinox.internal").filter_primitive_bind
    return bind(primitive, *system._replace(vector=vector, throw=True))[0]


def _conj(tree: Any) -> Any:
    return jax.tree.map(jnp.conj, tree)


def _arrays(tree: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.Array)]


def _dense(cotangents: Sequence[Any], like: Any) -> Any:
    leaves, structure = jax.tree.flatten(like)
    dense = [
        jnp.zeros(leaf.shape, leaf.dtype) if cotangent is None else cotangent
        for cotangent, leaf in zip(cotangents, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, dense)


def _total(terms: Sequence[Any]) -> Any:
    """The sum of those that are there."""
    there = [term for term in terms if term is not None]
    return sum(there[1:], start=there[0]) if there else None


# --- where they are -------------------------------------------------------------------------------

_LOOPS = "equinox.internal._loop.common"
_REFUSALS = "equinox.internal._nontraceable"

foreign("maybe_set", _LOOPS, "maybe_set_p", _maybe_set)
foreign("select_if_vmap", _LOOPS, "select_if_vmap_p", _select_if_vmap)
foreign(
    "nondifferentiable_backward", _REFUSALS, "nondifferentiable_backward_p",
    _nondifferentiable_backward,
)  # fmt: skip
foreign("vprim", "equinox.internal._primitive", "_vprim_p", _vprim)
for _name in ("unvmap_all", "unvmap_any", "unvmap_max"):
    foreign(_name, "equinox._unvmap", f"{_name}_p", no_derivative)
foreign("linear_solve", "lineax._solve", "linear_solve_p", _linear_solve)
