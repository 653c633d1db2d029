"""The only module that touches what JAX does not plainly publish; every version difference is here.

Supported lines: jax 0.10.2 (the last for Python 3.11) and 0.12 or newer.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, cast

import jax
import numpy as np
from jax import core, lax
from jax._src import dtypes as _dtypes
from jax._src import sharding_impls
from jax._src import tree_util as _tree_util
from jax._src.ad_util import Zero as _InternalZero
from jax._src.ad_util import zeros_like_aval
from jax._src.array import ArrayImpl as _Array
from jax._src.core import get_referent as _get_referent
from jax._src.core import to_concrete_value as _to_concrete_value
from jax._src.interpreters.partial_eval import DynamicJaxprTracer as _DynamicJaxprTracer
from jax._src.lax.lax import _convert_element_type
from jax._src.source_info_util import is_user_filename as _is_user_filename
from jax._src.source_info_util import user_frame as _user_frame
from jax._src.source_info_util import user_frames as _user_frames
from jax._src.state.discharge import discharge_state as _discharge_state
from jax.custom_derivatives import SymbolicZero
from jax.extend import core as extend_core
from jax.extend import source_info_util
from jax.ref import AbstractRef as _AbstractRef
from jax.sharding import SingleDeviceSharding

from ._jaxprimitives import Primitive as Primitive
from ._jaxprimitives import primitive_homes as primitive_homes
from ._jaxprimitives import primitives as primitives
from ._jaxtypes import FLOAT0 as FLOAT0
from ._jaxtypes import cotangent_type as cotangent_type
from ._jaxtypes import deferred_sums as deferred_sums
from ._jaxtypes import explicit_sharding as explicit_sharding
from ._jaxtypes import is_complex as is_complex
from ._jaxtypes import is_extended as is_extended
from ._jaxtypes import is_float0 as is_float0
from ._jaxtypes import is_inexact as is_inexact
from ._jaxtypes import is_plain as is_plain
from ._jaxtypes import strengthen as strengthen
from ._jaxtypes import tangent_type as tangent_type
from ._jaxtypes import varying_axes as varying_axes
from ._opaque import Opaque as Opaque

Aval = core.AbstractValue
# JAX publishes both classes; their type parameters exist on one line only.
Trace: Any = core.Trace
Tracer: Any = core.Tracer
UNSPECIFIED: Any = vars(sharding_impls)["UNSPECIFIED"]  # a sharding left open

set_current_trace: Callable[[Any], AbstractContextManager[None]] = extend_core.set_current_trace
take_current_trace = cast(Callable[[], AbstractContextManager[Any]], extend_core.take_current_trace)
current_source = source_info_util.current


# --- types of values ------------------------------------------------------------------------------


def typeof(value: Any) -> Any:
    """The abstract value: shape, dtype, weak type, sharding and varying axes."""
    # Asked several times a step. Of an array on one device its own is the whole answer.
    if type(value) is _Array and type(value.sharding) is SingleDeviceSharding:
        return value.aval
    return value.aval if isinstance(value, core.Tracer) else jax.typeof(value)


def zeros(aval: Any) -> Any:
    """A zero of cotangent type `aval`: its shape, dtype, weak type, sharding and varying axes."""
    return np.zeros(aval.shape, FLOAT0) if aval.dtype == FLOAT0 else zeros_like_aval(aval)


def scalar(number: float, dtype: Any) -> Any:
    """A number beside arrays of a dtype; `lax.full` takes long to trace."""
    return lax.full((), number, dtype) if is_extended(dtype) else np.asarray(number, dtype)


def filled(number: float, like: Any, dtype: Any = None) -> Any:
    """One number for every entry of `like`, in its dtype or another: an operand, and no result.

    `lax.full_like` takes four times as long to trace, to find out what is plain here.
    """
    aval: Any = like if isinstance(like, Aval) else typeof(like)
    kind = aval.dtype if dtype is None else dtype
    if is_extended(kind) or not is_plain(aval):
        return lax.full_like(like, number, kind)
    entry = np.asarray(number, kind)
    return (
        entry
        if aval.ndim == 0
        else primitives.broadcast_in_dim_p.bind(
            entry, shape=aval.shape, broadcast_dimensions=(), sharding=None
        )
    )


def as_array(value: Any) -> Any:
    """`value` as a JAX array of the very type that JAX gives it, where it is a Python number."""
    if type(value) is _Array or isinstance(value, jax.Array) or is_float0(value):
        return value
    aval = typeof(value)
    return _convert_element_type(value, aval.dtype, weak_type=bool(aval.weak_type))


def matching_weakness(value: Any, aval: Any) -> Any:
    """`value` as an array with the weak type of `aval`, as the result of a transform must be."""
    weak = bool(aval.weak_type)
    mine = typeof(value)
    if bool(getattr(mine, "weak_type", weak)) == weak:
        return as_array(value)
    return _convert_element_type(value, aval.dtype, weak_type=weak)


def concrete(value: Any) -> Any:
    """The array behind `value` if it is known now, else None."""
    return _to_concrete_value(value)


def referent(value: Any) -> Any:
    """The object that stands for `value` where JAX compares values by identity."""
    return _get_referent(value)


class _Differentiated(_DynamicJaxprTracer):
    """Tells `jax.closure_convert`, which knows JAX's own tracers only, to take a value along."""

    aval = core.ShapedArray((), np.dtype(np.float32))

    def __init__(self) -> None:
        """Of the class it needs nothing else."""


PERTURBED = [("value", _Differentiated())]


def is_tracer(value: Any) -> bool:
    return isinstance(value, core.Tracer)


# --- symbolic zeros of custom rules ---------------------------------------------------------------


def symbolic_zero(aval: Any) -> Any:
    """What a custom_jvp rule with `symbolic_zeros=True` receives in place of a zero tangent."""
    return SymbolicZero(tangent_type(aval))


def symbolic_zero_of_cotangent(aval: Any) -> Any:
    """What a custom_vjp rule with `symbolic_zeros=True` receives for a zero of this very type."""
    return SymbolicZero(aval)


def is_symbolic_zero(value: Any) -> bool:
    return isinstance(value, (SymbolicZero, _InternalZero))


def zero_tangent(aval: Any) -> Any:
    """A zero of the tangent type of `aval`."""
    return zeros(tangent_type(aval))


def dense_tangent(tangent: Any, primal: Any) -> Any:
    """A tangent of `primal` as an array, where a custom rule gave a symbolic zero."""
    if is_symbolic_zero(tangent):
        return zero_tangent(typeof(primal))
    return tangent


# --- binding and custom calls ---------------------------------------------------------------------


def bind_with(trace: Any, primitive: Any, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """Bind `primitive` as if `trace` were the current one; only while a trace processes another.

    It is a third lighter than `bind` there, which looks for faults in operands that were looked at
    when the outer trace was called.
    """
    operands = tuple([_dtypes.canonicalize_value(value) for value in values])
    return primitive.bind_with_trace(trace, operands, tuple(map(typeof, operands)), params)


def run_custom_forward(
    fwd: Any, out_trees: Callable[[], Any], values: Sequence[Any], perturbed: Sequence[bool]
) -> tuple[list[Any], list[Any]]:
    """The residuals and the primal outputs of a custom_vjp's forward rule."""
    pairs = [part for pair in zip(values, perturbed, strict=True) for part in pair]
    results = list(fwd.call_wrapped(*pairs))
    _, residual_tree, forwarded = out_trees()
    count = residual_tree.num_leaves - sum(source is not None for source in forwarded)
    saved, outputs = iter(results[:count]), results[count:]
    residuals = [next(saved) if source is None else values[source] for source in forwarded]
    return residuals, outputs


def run_custom_backward(bwd: Any, residuals: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    """The cotangents that a custom_vjp's backward rule gives; None where it gives a zero."""
    results = bwd.call_wrapped(*residuals, *cotangents)
    if isinstance(results, tuple) and len(results) == 2 and isinstance(results[0], list):
        results = results[0]  # newer JAX returns (cotangents, logs)
    return [None if is_symbolic_zero(result) else result for result in results]


def sum_over(value: Any, axes: Sequence[int]) -> Any:
    """The sum over some axes, as the one primitive that it is."""
    return primitives.reduce_sum_p.bind(value, axes=tuple(axes), out_sharding=None)


def reference_type(aval: Any, params: dict[str, Any]) -> Any:
    """The type of a reference to a value."""
    return _AbstractRef(aval, params.get("memory_space"), params.get("kind"))


def discharge_references(closed: Any, chosen: Sequence[bool]) -> Any:
    """A jaxpr without the chosen references: contents come in, and go out as further outputs."""
    return _discharge_state(closed, should_discharge=list(chosen), lower=False)


def map_shards(
    trace: Any, primitive: Any, function: Any, operands: Sequence[Any], params: dict[str, Any]
) -> list[Any]:
    """Bind a shard_map of `function`, which returns a flat list and its output specs."""

    def flat(*values: Any) -> Any:
        results, specs = function(*values)
        return _flat_tree(results).with_aux(tuple(specs))

    debug_info = params["debug_info"].with_unknown_names()
    call = params | {"subfuns": (flat,), "debug_info": debug_info}
    avals = tuple(jax.typeof(value) for value in operands)
    return list(primitive.bind_with_trace(trace, tuple(operands), avals, call))


def _flat_tree(values: list[Any]) -> Any:
    home = getattr(_tree_util, "FlatTree", None) or import_module("jax._src.flattree")
    return home.flatten(values)


# --- source lines ---------------------------------------------------------------------------------

# The user's line is the innermost that is neither JAX's nor the engine's; models count as users.
for _part in ("_", "rules"):
    source_info_util.register_exclusion(os.path.join(os.path.dirname(__file__), _part))


def source_of(results: Sequence[Any], operands: Sequence[Any]) -> Any:
    """Where the user's code made the first of some results: noted on it, or found on the stack.

    A result that is an operand handed through has the note of the operation that made it.
    """
    first = results[0] if results else None
    noted = getattr(first, "_line_info", None) if is_tracer(first) else None
    handed = noted is None or any(first is operand for operand in operands)
    return current_source() if handed else noted


def source_line(source: Any) -> str | None:
    """`file.py:17` of the user's code behind a recorded source, if it is known."""
    frame = _user_frame(getattr(source, "traceback", source))
    return None if frame is None else f"{frame.file_name}:{frame.start_line}"


def source_frames(source: Any) -> tuple[Any, ...]:
    """The frames of the user's and of libraries' code behind a recorded source, innermost first.

    Each has `file_name`, `function_name`, and the place of the call: `start_line`, `start_column`,
    `end_line`, `end_column`.
    """
    return tuple(_user_frames(getattr(source, "traceback", None)))


def scopes(source: Any) -> tuple[str, ...]:
    """The names of the scopes (`jax.named_scope`) around a recorded source, outermost first."""
    stack = getattr(source, "name_stack", None)
    names = (getattr(entry, "name", None) for entry in getattr(stack, "stack", ()))
    return tuple(part for name in names if name for part in str(name).split("/"))


def user_line() -> str:
    """The user's line that is running: the recorded one, or, where that is JAX's, of the stack."""
    recorded = source_line(current_source())
    frame = None if recorded else inspect.currentframe()
    while frame is not None and not _is_user_filename(frame.f_code.co_filename):
        frame = frame.f_back
    return recorded or (
        f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown line"
    )
