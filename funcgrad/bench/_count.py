"""How many operations a program takes, counted from its jaxpr.

XLA's own analysis sees a call into LAPACK as free, and the body of a loop once. Here the costs are
those of the textbook: an elementwise operation costs 1 for each entry of its result, one that the
processor has no instruction for costs 10; a reduction 1 for each entry of its operand; a product
of matrices 2 for each term of its sums; a Cholesky factor n^3 / 3, a triangular solution n^2 for
each column. Moving, comparing shapes and making numbers is free. The body of a loop counts as
often as it runs, and of the branches of a condition the dearest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

_DEAR = 10.0
_TRANSCENDENTAL = """
exp exp2 expm1 log log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh
logistic erf erfc erf_inv lgamma digamma pow cbrt sqrt rsqrt
"""
_FREE = """
reshape broadcast_in_dim transpose slice dynamic_slice dynamic_update_slice concatenate pad
squeeze expand_dims gather iota rev copy copy_p convert_element_type stop_gradient split
bitcast_convert_type device_put optimization_barrier random_bits random_wrap random_unwrap
random_seed threefry2x32 empty reduce_precision sharding_constraint scatter pvary
"""
_OVER_OPERAND = """
reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or reduce_xor argmax argmin
cumsum cumprod cummax cummin cumlogsumexp reduce select_and_gather_add
"""
_COSTS: dict[str, float] = dict.fromkeys(_FREE.split(), 0.0) | dict.fromkeys(
    _TRANSCENDENTAL.split(), _DEAR
)
_REDUCTIONS = frozenset(_OVER_OPERAND.split())


def operations(jaxpr: Any, trips: int = 0) -> float:
    """Count the operations of a program.

    Args:
        jaxpr: of `jax.make_jaxpr`, or an open one.
        trips: how often the body of a `while` loop runs; it is not written in the program.

    Returns:
        The count; NaN if a loop is met whose `trips` are not known.

    >>> import jax, jax.numpy as jnp
    >>> operations(jax.make_jaxpr(lambda a, b: a @ b)(jnp.ones((2, 3)), jnp.ones((3, 4))))
    48.0
    >>> operations(jax.make_jaxpr(jnp.sin)(jnp.ones(5)))
    50.0
    """
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    return float(sum(_equation(equation, trips) for equation in inner.eqns))


def equations(jaxpr: Any) -> int:
    """How many equations a program has, those of its bodies included."""
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    return sum(1 + sum(equations(body) for body in _bodies(eqn)) for eqn in inner.eqns)


def _equation(equation: Any, trips: int) -> float:
    name = equation.primitive.name
    special = _SPECIAL.get(name)
    if special is not None:
        return special(equation)
    if name == "scan":
        return float(equation.params["length"]) * _inside(equation, trips)
    if name == "while":
        body = operations(equation.params["body_jaxpr"], trips)
        condition = operations(equation.params["cond_jaxpr"], trips)
        return trips * (body + condition) if trips else math.nan
    if name == "cond":
        return max(operations(branch, trips) for branch in equation.params["branches"])
    bodies = list(_bodies(equation))
    if bodies and not name.startswith("scatter") and name not in _REDUCTIONS:
        return operations(bodies[0], trips)
    return _entries(equation, name)


def _inside(equation: Any, trips: int) -> float:
    return sum(operations(body, trips) for body in _bodies(equation))


def _bodies(equation: Any) -> Iterator[Any]:
    for value in equation.params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(item, "eqns") or hasattr(getattr(item, "jaxpr", None), "eqns"):
                yield item


def _entries(equation: Any, name: str) -> float:
    if name in _REDUCTIONS:
        return _size(equation.invars[0])
    if name.startswith("scatter") and name not in _COSTS:
        return _size(equation.invars[2])
    return _COSTS.get(name, 1.0) * sum(_size(out) for out in equation.outvars)


def _size(variable: Any) -> float:
    return float(math.prod(getattr(variable.aval, "shape", ())))


# --- operations that are no more than their sizes -------------------------------------------------


def _dot(equation: Any) -> float:
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = equation.invars[0].aval.shape
    terms = math.prod(shape[axis] for axis in contracted)
    return float(2 * terms * _size(equation.outvars[0]))


def _convolution(equation: Any) -> float:
    numbers = equation.params["dimension_numbers"]
    kernel = equation.invars[1].aval.shape
    terms = math.prod(kernel) / kernel[numbers.rhs_spec[0]]
    groups = equation.params["batch_group_count"]
    return float(2 * terms * _size(equation.outvars[0]) / groups)


def _window(equation: Any) -> float:
    return float(_size(equation.outvars[0]) * math.prod(equation.params["window_dimensions"]))


def _window_scatter(equation: Any) -> float:
    return float(_size(equation.invars[0]) * math.prod(equation.params["window_dimensions"]))


def _cholesky(equation: Any) -> float:
    return float(_size(equation.invars[0]) * equation.invars[0].aval.shape[-1] / 3)


def _triangular(equation: Any) -> float:
    matrix, right = (variable.aval.shape for variable in equation.invars)
    return float(math.prod(right) * matrix[-1])


def _factor(terms: float) -> Callable[[Any], float]:
    return lambda equation: (
        terms * _size(equation.invars[0]) * min(equation.invars[0].aval.shape[-2:])
    )


def _fft(equation: Any) -> float:
    lengths = math.prod(equation.params["fft_lengths"])
    return float(5 * _size(equation.outvars[0]) * math.log2(max(2, lengths)))


def _sort(equation: Any) -> float:
    operand = equation.invars[0]
    length = operand.aval.shape[equation.params.get("dimension", -1)]
    return _size(operand) * math.log2(max(2, length))


_SPECIAL: dict[str, Callable[[Any], float]] = {
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "reduce_window_sum": _window,
    "reduce_window_max": _window,
    "reduce_window_min": _window,
    "reduce_window": _window,
    "select_and_scatter_add": _window_scatter,
    "cholesky": _cholesky,
    "triangular_solve": _triangular,
    "lu": _factor(2 / 3),
    "geqrf": _factor(4 / 3),
    "eigh": _factor(9.0),
    "svd": _factor(12.0),
    "fft": _fft,
    "sort": _sort,
}
