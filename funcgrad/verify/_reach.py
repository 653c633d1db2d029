"""Whether a program is analytic, in those of its inputs that are floating.

What counts are operations that JAX computes for complex numbers with tiny imaginary parts as
exactly as for real ones, and to which the complex function is the continuation of the real one.
Values that no floating input reaches may be computed by anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from . import _lift as lifting


class NotAnalytic(Exception):  # noqa: N818 -- it ends an attempt, and is no error of the user's
    """A program that no complex step goes through; the message names the operation."""


def is_analytic(closed: Any) -> bool:
    """Whether a complex step goes through a program, as far as its primitives tell."""
    try:
        reached(closed, floating_inputs(closed))
    except NotAnalytic:
        return False
    return True


def _is_floating(atom: Any) -> bool:
    dtype = getattr(atom.aval, "dtype", None)
    if dtype is None or compat.is_extended(dtype):
        return False
    return bool(jnp.issubdtype(dtype, np.floating))


def floating_inputs(closed: Any) -> list[bool]:
    return [_is_floating(var) for var in jaxprs.open_jaxpr(closed)[0].invars]


def reached(closed: Any, inputs: Sequence[bool]) -> list[bool]:
    """Which outputs the given inputs reach, through analytic operations alone."""
    jaxpr, _ = jaxprs.open_jaxpr(closed)
    active = {var for var, is_active in zip(jaxpr.invars, inputs, strict=True) if is_active}

    def reads(atom: Any) -> bool:
        return not jaxprs.is_literal(atom) and atom in active

    if any(_is_complex_type(var) for var in (*jaxpr.invars, *jaxpr.constvars)):
        raise NotAnalytic("an input is complex")
    for equation in jaxpr.eqns:
        if any(map(_is_complex_type, equation.outvars)):
            raise NotAnalytic(f"`{equation.primitive}` gives a complex number")
        operands = [reads(atom) for atom in equation.invars]
        if any(operands):
            results = results_reached(equation, operands)
            active.update(
                v for v, is_active in zip(equation.outvars, results, strict=True) if is_active
            )
    return [reads(atom) for atom in jaxpr.outvars]


def _is_complex_type(var: Any) -> bool:
    dtype = getattr(var.aval, "dtype", None)
    if dtype is None or compat.is_extended(dtype):
        return False
    return bool(jnp.issubdtype(dtype, np.complexfloating))


def results_reached(equation: Any, operands: list[bool]) -> list[bool]:
    """Which results of one equation its active operands reach."""
    primitive, params = equation.primitive, equation.params
    if primitive in CALLS:
        return reached(lifting._inner(equation), operands)
    if primitive is p.scan_p:
        consts, carried = jaxprs.scan_counts(params)
        return _carried(params["jaxpr"], operands, consts, carried)
    if primitive is p.while_p:
        asked = params["cond_nconsts"]
        results = _carried(params["body_jaxpr"], operands[asked:], params["body_nconsts"], None)
        reached(params["cond_jaxpr"], [*operands[:asked], *results])
        return results
    if primitive is p.cond_p and not operands[0]:
        branches = [reached(branch, operands[1:]) for branch in params["branches"]]
        return [any(each) for each in zip(*branches, strict=True)]
    if primitive in SILENT:
        return [False for _ in equation.outvars]
    if primitive not in ANALYTIC or not all(map(_is_floating, equation.outvars)):
        raise NotAnalytic(f"`{primitive}` is not analytic")
    return [True for _ in equation.outvars]


def _carried(body: Any, operands: list[bool], consts: int, carried: int | None) -> list[bool]:
    """What a loop's results are: what is carried is active if it becomes so at any turn."""
    end = len(operands) if carried is None else consts + carried
    carry, before = operands[consts:end], None
    while carry != before:
        before = carry
        results = reached(body, [*operands[:consts], *carry, *operands[end:]])
        carry = [old or new for old, new in zip(carry, results, strict=False)]
    return [*carry, *results[len(carry) :]]


CALLS = frozenset(
    {p.jit_p, p.custom_jvp_call_p, p.custom_vjp_call_p, p.remat_p, p.closed_call_p, p.call_p,
     p.eval_jaxpr_p, p.composite_p}
)  # fmt: skip
SILENT = frozenset({p.debug_callback_p, p.debug_print_p})
SUMS = frozenset(
    {p.reduce_sum_p, p.reduce_prod_p, p.dot_general_p, p.conv_general_dilated_p, p.cumsum_p,
     p.cumprod_p, p.reduce_window_sum_p, p.scatter_add_p}
)  # fmt: skip
MOVES = frozenset(
    {p.copy_p, p.broadcast_in_dim_p, p.reshape_p, p.transpose_p, p.squeeze_p, p.slice_p,
     p.dynamic_slice_p, p.dynamic_update_slice_p, p.gather_p, p.concatenate_p, p.pad_p, p.rev_p,
     p.expand_dims_p, p.split_p, p.select_n_p, p.neg_p, p.scatter_p, p.convert_element_type_p,
     p.reduce_precision_p, p.optimization_barrier_p, p.stop_gradient_p, p.name_p}
)  # fmt: skip
UNARY = frozenset(
    {p.exp_p, p.exp2_p, p.expm1_p, p.log_p, p.log1p_p, p.sin_p, p.cos_p, p.tan_p, p.tanh_p,
     p.sinh_p, p.cosh_p, p.asin_p, p.acos_p, p.atan_p, p.asinh_p, p.acosh_p, p.atanh_p, p.sqrt_p,
     p.rsqrt_p, p.logistic_p}
)  # fmt: skip
ANALYTIC = frozenset(
    {*SUMS, *MOVES, *UNARY, p.add_p, p.sub_p, p.mul_p, p.div_p, p.integer_pow_p, p.pow_p,
     p.square_p, p.add_jaxvals_p}
)  # fmt: skip
