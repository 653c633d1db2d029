"""The complex step: the derivative of an analytic program, almost without error.

Of a function that is analytic and real on the real line, f(x + ih v) = f(x) + ih f'(x) v + O(h^2);
with h as small as 1e-100 the imaginary part is the derivative, and nothing is subtracted (W. Squire
and G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40,
1998). No derivative rule takes part, neither JAX's nor ours.

Whether a program is analytic is decided from its primitives (`_reach`). Where a real function
has no derivative, the complex one would go on; there the result is NaN.

How far roundoff carries is seen from a few runs in which every result is rounded once more at
random (J. Vignes, "A stochastic arithmetic for reliable scientific computation", Mathematics and
Computers in Simulation 35, 1993).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from . import _lift as lifting
from . import _reach as reach
from ._extrapolation import Floats
from ._reach import NotAnalytic as NotAnalytic
from ._reach import is_analytic as is_analytic
from ._rounding import widen

Arrays = list[Floats]
_STEP = 1e-100
_EPSILON = 2.0**-52
# Of the extra roundings of each run; 0 makes none. In no ratio of small whole numbers, or a number
# that escapes one of them escapes the others.
_SEEDS = np.sqrt([0.0, 1.0, 2.0, 3.0, 5.0, 7.0])
_SAFETY = 8.0


def complex_step(
    closed: Any, leaves: Sequence[Any], direction: Sequence[Any]
) -> tuple[Arrays, Arrays]:
    """The directional derivative of every output of a program, and its bound.

    Args:
        closed: the jaxpr; its floats are taken in 64 bits, whatever they are.
        leaves: its inputs.
        direction: an array for every floating input; what stands for others is not read.

    Returns:
        The derivatives and their bounds, an array each for every output; the bound is infinite
        where the derivative is not finite.

    Raises:
        NotAnalytic: a complex step does not go through the program.
    """
    return complex_stepper(closed)(leaves, direction)


def complex_stepper(
    closed: Any,
) -> Callable[[Sequence[Any], Sequence[Any]], tuple[Arrays, Arrays]]:
    """`complex_step` of a program for several points and directions; it is compiled once."""
    floating = reach.floating_inputs(closed)
    reach.reached(closed, floating)
    samples = jax.jit(jax.vmap(partial(_sample, closed, floating), in_axes=(None, None, 0)))

    def step(leaves: Sequence[Any], direction: Sequence[Any]) -> tuple[Arrays, Arrays]:
        with jax.enable_x64(True):
            chosen = [
                np.asarray(v, np.float64) for v, f in zip(direction, floating, strict=True) if f
            ]
            # Of a size that leaves h its place between the largest and the smallest numbers.
            size = max((float(np.max(np.abs(v), initial=0.0)) for v in chosen), default=0.0) or 1.0
            runs = samples([widen(x) for x in leaves], [v / size for v in chosen], _SEEDS)
            return _bounded([size * np.asarray(run) for run in runs])

    return step


def _bounded(runs: Arrays) -> tuple[Arrays, Arrays]:
    """Of the runs, the one without extra rounding, and how far the others lie from it."""
    with np.errstate(all="ignore"):
        values = [run[0] for run in runs]
        spreads = [np.max(np.abs(run - run[0]), axis=0) for run in runs]
        bounds = [
            _SAFETY * (s + _EPSILON * np.abs(v)) for s, v in zip(spreads, values, strict=True)
        ]
    return values, [np.where(np.isfinite(bound), bound, np.inf) for bound in bounds]


def _sample(
    closed: Any, floating: Sequence[bool], leaves: list[Any], direction: list[Any], seed: Any
) -> list[Any]:
    """The derivatives of one run; a seed of 0 makes no extra roundings."""
    along = iter(direction)
    inputs = [
        lax.complex(x, _STEP * next(along)) if f else x
        for x, f in zip(leaves, floating, strict=True)
    ]
    outputs = _run(closed, seed, inputs)
    return [
        lax.imag(y) / _STEP if _is_complex(y) else jnp.zeros(compat.typeof(y).shape)
        for y in outputs
    ]


def _is_complex(value: Any) -> bool:
    dtype = compat.typeof(value).dtype
    return not compat.is_extended(dtype) and bool(jnp.issubdtype(dtype, np.complexfloating))


# --- the program in complex numbers ---------------------------------------------------------------


def _run(closed: Any, seed: Any, args: Sequence[Any]) -> list[Any]:
    jaxpr, consts = jaxprs.open_jaxpr(closed)
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*map(widen, consts), *args), strict=True))

    def read(atom: Any) -> Any:
        return widen(atom.val) if jaxprs.is_literal(atom) else known[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        results = _apply(equation, seed, operands)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, seed: Any, operands: list[Any]) -> list[Any]:
    primitive = equation.primitive
    if not any(map(_is_complex, operands)):
        try:
            return lifting._apply(equation, operands)
        except lifting.Unliftable as error:
            raise NotAnalytic(str(error)) from error
    if primitive in reach.SILENT:
        return []
    if primitive in reach.CALLS:
        return _run(lifting._inner(equation), seed, operands)
    if primitive in _LOOPS:
        return _LOOPS[primitive](equation, seed, operands)
    operands = [_as_complex(x) for x in operands]
    if primitive in reach.MOVES:
        return _compute(equation, operands)
    terms = 1
    # What an operation rounds on its way: its terms and partial sums, the exponent of a power.
    if primitive in reach.SUMS or primitive in _EXPONENTS:
        operands = [_rounded(x, seed, 1.0) for x in operands]
    if primitive in reach.SUMS:
        terms = max(1, *(np.size(x) for x in operands))
    return [_rounded(y, seed, terms**0.5) for y in _compute(equation, operands)]


def _as_complex(value: Any) -> Any:
    dtype = compat.typeof(value).dtype
    is_real = not compat.is_extended(dtype) and jnp.issubdtype(dtype, np.floating)
    return lax.convert_element_type(value, np.complex128) if is_real else value


def _compute(equation: Any, operands: list[Any]) -> list[Any]:
    primitive = equation.primitive
    if primitive in _SPECIAL:
        return list(_SPECIAL[primitive](equation, operands))
    params = {
        name: np.dtype(np.complex128) if name in lifting._DTYPES and value is not None else value
        for name, value in equation.params.items()
    }
    try:
        results = primitive.bind(*operands, **params)
    except Exception as error:
        raise NotAnalytic(f"`{primitive}` has no complex form: {error!s:.120}") from error
    results = list(results) if primitive.multiple_results else [results]
    return [_unary(equation, operands[0], *results)] if primitive in reach.UNARY else results


def _unary(equation: Any, z: Any, y: Any) -> Any:
    """The real part is the real function's, which XLA's complex one is not to the last digit."""
    real, imaginary = lax.real(z), lax.imag(y)
    if equation.primitive is p.expm1_p:  # whose imaginary part XLA gets by a subtraction
        imaginary = lax.imag(lax.exp(z))
    if equation.primitive is p.cosh_p:  # likewise
        imaginary = lax.sinh(real) * lax.sin(lax.imag(z))
    y = lax.complex(equation.primitive.bind(real, **equation.params), imaginary)
    inside = _DOMAIN.get(equation.primitive)
    return y if inside is None else _within(inside(real), y)


def _rounded(value: Any, seed: Any, units: float) -> Any:
    """Both parts moved by some roundings, up or down as their last digits and the seed have it."""
    if not _is_complex(value):
        return value

    def moved(part: Any) -> Any:
        digits, _ = jnp.frexp(part)
        return part * (1 + units * _EPSILON * jnp.sin(1e6 * seed * digits))

    return lax.complex(moved(lax.real(value)), moved(lax.imag(value) / _STEP) * _STEP)


def _within(inside: Any, z: Any) -> Any:
    """NaN where the real function has no derivative."""
    return jnp.where(inside, z, complex(np.nan, np.nan))


def _loop_values(values: list[Any], active: Sequence[bool]) -> list[Any]:
    shaped = [_as_complex(v) if a else v for v, a in zip(values, active, strict=True)]
    return lifting._as_carried(shaped)


def _scan(equation: Any, seed: Any, operands: list[Any]) -> list[Any]:
    params = equation.params
    consts, carried = jaxprs.scan_counts(params)
    active = reach.results_reached(equation, [_is_complex(x) for x in operands])[:carried]
    fixed, start = operands[:consts], operands[consts : consts + carried]

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        results = _run(params["jaxpr"], seed, [*fixed, *carry, *x])
        return _loop_values(results[:carried], active), results[carried:]

    last, ys = lax.scan(
        step, _loop_values(start, active), operands[consts + carried :], params["length"],
        params["reverse"], params["unroll"],
    )  # fmt: skip
    return [*last, *ys]


def _while(equation: Any, seed: Any, operands: list[Any]) -> list[Any]:
    params = equation.params
    first, second = params["cond_nconsts"], params["body_nconsts"]
    active = reach.results_reached(equation, [_is_complex(x) for x in operands])
    asked, fixed = operands[:first], operands[first : first + second]

    def body(carry: Any) -> Any:
        return _loop_values(_run(params["body_jaxpr"], seed, [*fixed, *carry]), active)

    return list(
        lax.while_loop(
            lambda carry: _run(params["cond_jaxpr"], seed, [*asked, *carry])[0],
            body,
            _loop_values(operands[first + second :], active),
        )
    )


def _cond(equation: Any, seed: Any, operands: list[Any]) -> list[Any]:
    active = reach.results_reached(equation, [_is_complex(x) for x in operands])

    def branch(closed: Any) -> Callable[..., list[Any]]:
        return lambda *args: _loop_values(_run(closed, seed, args), active)

    return list(
        lax.switch(operands[0], [branch(b) for b in equation.params["branches"]], *operands[1:])
    )


# --- the primitives -------------------------------------------------------------------------------


def _pow(equation: Any, operands: list[Any]) -> list[Any]:
    x, y = operands
    z = equation.primitive.bind(x, y)
    return [_within(lax.real(x) > 0, z) if _is_complex(y) else z]


def _convolution(equation: Any, operands: list[Any]) -> list[Any]:
    """By its real and imaginary parts, which JAX's product of three would mix."""
    kept = equation.params["preferred_element_type"]
    params = {**equation.params, "preferred_element_type": kept and np.dtype(np.float64)}
    bind = partial(equation.primitive.bind, **params)
    (a, b), (x, y) = ((lax.real(z), lax.imag(z)) for z in operands)
    return [lax.complex(bind(a, x), bind(a, y) + bind(b, x))]


def _same(_equation: Any, operands: list[Any]) -> list[Any]:
    return operands


_LOOPS: dict[Any, Callable[[Any, Any, list[Any]], list[Any]]] = {
    p.scan_p: _scan, p.while_p: _while, p.cond_p: _cond,
}  # fmt: skip
_SPECIAL: dict[Any, Callable[[Any, list[Any]], list[Any]]] = {
    p.pow_p: _pow, p.conv_general_dilated_p: _convolution, p.convert_element_type_p: _same,
    p.reduce_precision_p: _same,
    p.optimization_barrier_p: _same, p.stop_gradient_p: _same, p.name_p: _same,
    p.scatter_p: lifting._scatter("scatter"), p.scatter_add_p: lifting._scatter("scatter_add"),
}  # fmt: skip
_EXPONENTS = frozenset({p.pow_p, p.exp2_p, p.sinh_p, p.cosh_p})
_DOMAIN: dict[Any, Callable[[Any], Any]] = {
    **dict.fromkeys([p.log_p, p.sqrt_p, p.rsqrt_p], lambda re: re > 0),
    **dict.fromkeys([p.asin_p, p.acos_p, p.atanh_p], lambda re: jnp.abs(re) < 1),
    p.log1p_p: lambda re: re > -1,
    p.acosh_p: lambda re: re > 1,
}
