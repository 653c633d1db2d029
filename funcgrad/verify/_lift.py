"""Precision lift: a program run in 64 bits, whatever its own numbers were.

A program is evaluated equation by equation, where every float32, bfloat16 and float16 is a float64
and every complex64 a complex128. What it computes is then its formula almost without rounding, so
that a derivative with a wrong formula is told from one that is only rounded.

What stays rounded are the program's literals (0.1 in float32 is 0.1 + 1.5e-9); `_rounding` moves
them by half a unit of their last place, to see what that does to a result. What cannot be lifted
are operations on the bits of a number, and calls out of the program; they raise `Unliftable`, with
the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from . import _rounding as rounding
from ._mapped import mapped
from ._rounding import wide, widen

Flat = Callable[..., list[Any]]


class Unliftable(Exception):  # noqa: N818 -- it ends an attempt, and is no error of the user's
    """A program that has no 64-bit form; the message says which operation, and why."""


_KEPT_STOPS: ContextVar[bool] = ContextVar("_KEPT_STOPS", default=False)


@contextmanager
def kept_stops() -> Iterator[None]:
    """While it lasts, `stop_gradient` stays in lifted programs, and cuts what it cut before."""
    token = _KEPT_STOPS.set(True)
    try:
        yield
    finally:
        _KEPT_STOPS.reset(token)


def lift(closed: Any) -> Flat:
    """The program of a jaxpr as a function of flat arrays, all of its floats in 64 bits.

    To be called, and traced, with 64-bit numbers enabled.
    """
    return partial(_run, closed)


def _run(closed: Any, *args: Any) -> list[Any]:
    jaxpr, consts = jaxprs.open_jaxpr(closed)
    values = [*(rounding.moved(c, compat.typeof(c).dtype) for c in consts), *map(widen, args)]
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), values, strict=True))

    def read(atom: Any) -> Any:
        return rounding.moved(atom.val, atom.aval.dtype) if jaxprs.is_literal(atom) else known[atom]

    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars])
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, operands: list[Any]) -> list[Any]:
    special = _SPECIAL.get(equation.primitive)
    if special is not None:
        return list(special(equation, operands))
    params = {name: _parameter(name, value) for name, value in equation.params.items()}
    try:
        results = equation.primitive.bind(*operands, **params)
    except Unliftable:
        raise
    except Exception as error:
        raise Unliftable(f"`{equation.primitive}` has no 64-bit form: {error!s:.120}") from error
    listed = list(results) if equation.primitive.multiple_results else [results]
    return listed if equation.primitive in _EXACT else rounding.rerounded(listed)


_PLACES = frozenset({"sharding", "out_sharding"})  # where values lie is no part of a formula
_DTYPES = frozenset({"new_dtype", "dtype", "preferred_element_type", "out_dtype", "out_type"})


def _parameter(name: str, value: Any) -> Any:
    """A parameter that names the dtype of floats, or holds a program, in its wide form."""
    if name in _PLACES:
        return None
    if name in _DTYPES and value is not None:
        return wide(np.dtype(value) if not compat.is_extended(value) else value) or value
    if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
        raise Unliftable(f"a parameter `{name}` holds a program")
    return value


# --- programs inside programs ---------------------------------------------------------------------


def _inner(equation: Any) -> Any:
    names = ("jaxpr", "call_jaxpr", "fun_jaxpr", "call")
    return jaxprs.close(next(equation.params[n] for n in names if n in equation.params))


def _inline(equation: Any, operands: list[Any]) -> list[Any]:
    return _run(_inner(equation), *operands)


def _as_carried(values: Sequence[Any]) -> list[Any]:
    """Without weak types, which a loop's body would not give back."""
    return [
        lax.convert_element_type(v, compat.typeof(v).dtype)
        if not compat.is_extended(compat.typeof(v).dtype)
        else v
        for v in values
    ]


def _scan(equation: Any, operands: list[Any]) -> list[Any]:
    params = equation.params
    consts, carried = jaxprs.scan_counts(params)
    fixed, start = operands[:consts], operands[consts : consts + carried]
    xs = operands[consts + carried :]
    body = lift(params["jaxpr"])

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        results = body(*fixed, *carry, *x)
        return _as_carried(results[:carried]), results[carried:]

    last, ys = lax.scan(
        step, _as_carried(start), xs, params["length"], params["reverse"], params["unroll"]
    )
    return [*last, *ys]


def _while(equation: Any, operands: list[Any]) -> list[Any]:
    params = equation.params
    first, second = params["cond_nconsts"], params["body_nconsts"]
    asked, fixed = operands[:first], operands[first : first + second]
    condition, body = lift(params["cond_jaxpr"]), lift(params["body_jaxpr"])

    def goes_on(carry: Any) -> Any:
        return jnp.any(condition(*asked, *carry)[0])

    def step(carry: Any) -> Any:
        after = _as_carried(body(*fixed, *carry))
        going = condition(*asked, *carry)[0]
        if not jnp.ndim(going):
            return after
        # A loop under vmap: each row stops by itself.
        pairs = zip(after, carry, strict=True)
        return [_chosen(going, new, old) for new, old in pairs]

    return list(lax.while_loop(goes_on, step, _as_carried(operands[first + second :])))


def _chosen(rows: Any, new: Any, old: Any) -> Any:
    shape = rows.shape + (1,) * (jnp.ndim(new) - rows.ndim)
    return jnp.where(rows.reshape(shape), new, old)


def _cond(equation: Any, operands: list[Any]) -> list[Any]:
    branches = [
        lambda *args, b=branch: _as_carried(_run(b, *args))
        for branch in equation.params["branches"]
    ]
    return list(lax.switch(operands[0], branches, *operands[1:]))


def _solve(equation: Any, operands: list[Any]) -> list[Any]:
    """A custom linear solve as such: its gradient is that of the solution, not of the solver."""
    lengths, programs = equation.params["const_lengths"], equation.params["jaxprs"]
    consts: dict[str, list[Any]] = {}
    start = 0
    for name, count in lengths._asdict().items():
        consts[name], start = operands[start : start + count], start + count

    def part(name: str) -> Any:
        program = getattr(programs, name)
        return None if program is None else lambda flat: _run(program, *consts[name], *flat)

    def solver(name: str) -> Any:
        solve = part(name)
        return None if solve is None else lambda _matvec, right: solve(right)

    def matvec(flat: list[Any]) -> list[Any]:
        with rounding.plain_operations():  # JAX transposes it; rounding otherwise is not linear
            return _run(programs.matvec, *consts["matvec"], *flat)

    # What was declared symmetric is so at second order, too, where tangents need not be.
    symmetric = programs.vecmat is programs.matvec
    solvers = solver("solve"), solver("transpose_solve")
    return list(lax.custom_linear_solve(matvec, operands[start:], *solvers, symmetric=symmetric))


# --- single operations ----------------------------------------------------------------------------


def _natively(equation: Any, operands: list[Any]) -> list[Any]:
    """On the numbers as they were, since the operation reads their bits."""
    narrow = [
        x if wide(atom.aval.dtype) is None else x.astype(atom.aval.dtype)
        for x, atom in zip(operands, equation.invars, strict=True)
    ]
    return [widen(equation.primitive.bind(*narrow, **equation.params))]


def _same(_equation: Any, operands: list[Any]) -> list[Any]:
    return operands


def _stop(_equation: Any, operands: list[Any]) -> list[Any]:
    """The derivative of what is computed; whether it is cut on purpose the checker asks."""
    return [lax.stop_gradient(x) for x in operands] if _KEPT_STOPS.get() else operands


def _scatter(name: str) -> Callable[[Any, list[Any]], list[Any]]:
    def scatter(equation: Any, operands: list[Any]) -> list[Any]:
        params = equation.params
        return [
            getattr(lax, name)(
                *operands, params["dimension_numbers"], mode=params["mode"],
                indices_are_sorted=params["indices_are_sorted"],
                unique_indices=params["unique_indices"],
            )
        ]  # fmt: skip

    return scatter


def _refuse(equation: Any, _operands: list[Any]) -> list[Any]:
    raise Unliftable(f"`{equation.primitive}` leaves the program")


def _silent(_equation: Any, _operands: list[Any]) -> list[Any]:
    return []


# Operations that select, move or repeat numbers, and round none.
_EXACT = frozenset(
    {p.copy_p, p.broadcast_in_dim_p, p.reshape_p, p.transpose_p, p.squeeze_p, p.slice_p,
     p.dynamic_slice_p, p.dynamic_update_slice_p, p.gather_p, p.concatenate_p, p.pad_p, p.rev_p,
     p.select_n_p, p.max_p, p.min_p, p.clamp_p, p.neg_p, p.abs_p, p.sign_p, p.floor_p, p.ceil_p,
     p.round_p, p.sort_p, p.reduce_max_p, p.reduce_min_p, p.convert_element_type_p, p.iota_p,
     p.real_p, p.imag_p, p.complex_p, p.conj_p, p.stop_gradient_p, p.expand_dims_p}
)  # fmt: skip

_SPECIAL: dict[Any, Callable[[Any, list[Any]], list[Any]]] = {
    **dict.fromkeys(
        [p.jit_p, p.custom_jvp_call_p, p.custom_vjp_call_p, p.remat_p, p.closed_call_p,
         p.eval_jaxpr_p, p.call_p, p.custom_vmap_p, p.composite_p], _inline),
    p.scan_p: _scan,
    p.while_p: _while,
    p.cond_p: _cond,
    p.shard_map_p: partial(mapped, _run),
    p.linear_solve_p: _solve,
    p.bitcast_convert_type_p: _natively,
    p.nextafter_p: _natively,
    **dict.fromkeys([p.reduce_precision_p, p.reshard_p, p.sharding_constraint_p], _same),
    p.optimization_barrier_p: _same,
    p.stop_gradient_p: _stop,
    p.scatter_p: _scatter("scatter"),
    p.scatter_add_p: _scatter("scatter_add"),
    p.scatter_sub_p: _scatter("scatter_sub"),
    p.scatter_mul_p: _scatter("scatter_mul"),
    p.scatter_min_p: _scatter("scatter_min"),
    p.scatter_max_p: _scatter("scatter_max"),
    **dict.fromkeys([p.pure_callback_p, p.io_callback_p, p.ffi_call_p], _refuse),
    **dict.fromkeys([p.debug_callback_p, p.debug_print_p], _silent),
}  # fmt: skip
