"""`custom_linear_solve` in reverse: the solution of a linear system, by whatever solver.

The system A(c) x = b is given by four programs: its product x -> A x with constants c, the product
with the transpose, and a solver for each. (`jnp.linalg.solve` and the Krylov solvers of
`jax.scipy.sparse.linalg` are built on it.) The differential of the system is
    A dx = db - (dA) x,
so that with the cotangent g of x, and w the solution of the transposed system A^T w = g,
    the cotangent of b is w, that of the constants c is the pullback of  c -> -A(c) x  at w.
The transposed system is a `custom_linear_solve` again, with the programs in exchanged roles; so
gradients of every order exist, and no solver is ever differentiated. What a solver returns beside
the solution is information, without a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._errors import MissingRuleError
from .._jaxcompat import primitives as p
from .._registry import structured
from .._reverse import sweep
from .._tape import Options
from .._trace import record
from ._cases import at_least_single, several
from ._matrices import dominant, known, product, transposed


class Solved(NamedTuple):
    """What is kept of a solved system: the constants, the solution, and how to pull back."""

    consts: tuple[Any, ...]
    solution: tuple[Any, ...]
    system: compat.Opaque  # options, and the lengths and programs of the four parts


def _solve_forward(
    options: Options, _needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Solved]:
    known(p.linear_solve_p, params, "const_lengths", "jaxprs")
    lengths, programs = params["const_lengths"], params["jaxprs"]
    if programs.transpose_solve is None:
        raise MissingRuleError(
            "custom_linear_solve came without transpose_solve, which the gradient of a solution "
            "needs: pass it, or symmetric=True if the matrix is symmetric"
        )
    results = list(p.linear_solve_p.bind(*operands, **params))
    count = sum(lengths)
    solution = tuple(results[: len(operands) - count])
    system = compat.Opaque((options, lengths, programs))
    return results, Solved(tuple(operands[:count]), solution, system)


def _solve_backward(kept: Solved, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    options, lengths, programs = kept.system.value
    cotangents = list(arriving[: len(kept.solution)])
    if all(cotangent is None for cotangent in cotangents):
        return [None] * len(needed)
    found = _solve_transposed(kept, lengths, programs, cotangents)
    results: list[Any] = [None] * len(kept.consts)
    count = lengths[0]
    if any(needed[:count]):
        wanted = (*needed[:count], *(False for _ in found))
        inputs = [*kept.consts[:count], *kept.solution]
        product_of = jaxprs.jaxpr_function(programs.matvec)
        _, tape = record(product_of, inputs, differentiate=wanted, options=options)
        results[:count] = sweep(tape, [lax.neg(w) for w in found])[:count]
    return [*results, *found]


def _solve_transposed(
    kept: Solved, lengths: Any, programs: Any, cotangents: Sequence[Any]
) -> list[Any]:
    """The solution of the transposed system, a missing cotangent being zero."""
    right = [
        compat.zeros(compat.cotangent_type(compat.typeof(x))) if cotangent is None else cotangent
        for cotangent, x in zip(cotangents, kept.solution, strict=True)
    ]
    ends = list(accumulate(lengths, initial=0))
    parts = [kept.consts[start:end] for start, end in pairwise(ends)]
    consts = [const for part in _exchange(parts) for const in part]
    exchanged = {
        "const_lengths": type(lengths)(*_exchange(lengths)),
        "jaxprs": type(programs)(*_exchange(programs)),
    }
    return list(p.linear_solve_p.bind(*consts, *right, **exchanged))[: len(right)]


def _exchange(four: Sequence[Any]) -> list[Any]:
    """What belongs to the transposed system in the place of the system's, and the reverse."""
    times, transposed_times, solver, transposed_solver = four
    return [transposed_times, times, transposed_solver, solver]


# --- cases ----------------------------------------------------------------------------------------


def _solve_dense(a: Any, b: Any) -> Any:
    """By a product with the inverse, which is not to be differentiated; with auxiliary output."""
    a, b = dominant(a), at_least_single(b)
    inverse = lax.stop_gradient(jnp.linalg.inv(a))
    solution, _ = lax.custom_linear_solve(
        lambda x: product(a, x),
        b,
        lambda _, g: (product(inverse, g), {"steps": jnp.sum(g)}),
        lambda _, g: (product(transposed(inverse), g), {"steps": jnp.sum(g)}),
        has_aux=True,
    )
    return solution


def _solve_pair(a: Any, b: Any) -> Any:
    """A symmetric system of two unknowns in a pytree, of which one is used."""
    a, b = at_least_single(a), at_least_single(b)

    def matvec(x: Any) -> Any:
        return {"u": (4 + a) * x["u"] + x["v"], "v": x["u"] - jnp.exp(a) * x["v"]}

    def solve(_: Any, g: Any) -> Any:
        determinant = 1 + (4 + a) * jnp.exp(a)
        u = (jnp.exp(a) * g["u"] + g["v"]) / determinant
        return lax.stop_gradient({"u": u, "v": (g["u"] - (4 + a) * g["v"]) / determinant})

    return lax.custom_linear_solve(matvec, {"u": b, "v": 2 * b}, solve, symmetric=True)["v"]


structured(
    p.linear_solve_p, _solve_forward, _solve_backward,
    cases=[
        several(lambda a, b: jnp.linalg.solve(dominant(a), at_least_single(b)), (3, 3), (3, 2),
                domain=(-1.0, 1.0)),
        several(lambda a, b: jnp.linalg.solve(dominant(a), at_least_single(b)), (2, 3, 3),
                (2, 3, 1), domain=(-1.0, 1.0)),
        several(lambda a, b: jnp.linalg.solve(dominant(a), at_least_single(b)), (3, 3), (3,),
                domain=(-1.0, 1.0)),
        several(_solve_dense, (3, 3), (3, 2), domain=(-1.0, 1.0), note="with auxiliary output"),
        several(_solve_pair, (2, 3), (2, 3), domain=(-1.0, 1.0), note="symmetric"),
    ],
)  # fmt: skip
