"""Primitives that carry a program and promise something about it beside its meaning.

`composite` asks a compiler to replace its program by a kernel, `custom_vmap` names the batched
form, `remat_opt` (of `custom_vjp(..., optimize_remat=True)`) may run without residuals. So on the
way forward the primitive itself is bound, promise and all; on the way back its program is run again
under the recorder, from the operands, and swept. (JAX has no derivative of a composite; its meaning
is that of its program, and so is its derivative.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import linear_call

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from .._registry import structured
from .._reverse import sweep
from .._staging import Kept, keep, once_for, pull_body, stage
from .._tape import Options
from .._trace import record
from ._cases import several


class Replay(NamedTuple):
    """What is kept of a program that is run again: its operands, and its backward program."""

    operands: tuple[Any, ...]
    backward: compat.Opaque


def _replay(
    body: Any, needed: tuple[bool, ...], options: Options, operands: Sequence[Any]
) -> Replay:
    program = jaxprs.twin(body)

    def backward(operands: Sequence[Any], arriving: Sequence[Any]) -> list[Any]:
        function = jaxprs.jaxpr_function(program)
        _, tape = record(function, operands, differentiate=needed, options=options)
        return sweep(tape, arriving)

    made = once_for([body], ("replay", needed, options), lambda: jax.jit(backward))
    return Replay(tuple(operands), compat.Opaque(made))


def _replay_backward(kept: Replay, _needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    return list(kept.backward.value(kept.operands, list(arriving)))


def _carrying(primitive: Any, *names: str) -> Callable[..., Any]:
    """The forward pass of a primitive whose program is the parameter of one of the names."""

    def forward(
        options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
    ) -> tuple[list[Any], Replay]:
        body = next(params[name] for name in names if name in params)
        results = primitive.bind(*operands, **params)
        return list(results), _replay(body, needed, options, operands)

    return forward


# --- composite, custom_vmap and remat_opt ---------------------------------------------------------


def _composite(x: Any, y: Any) -> Any:
    return lax.composite(lambda x, y: (jnp.sin(x) * y, x + y), name="here.wave")(x, y)


@custom_vmap
def _batched(x: Any, y: Any) -> Any:
    return jnp.sin(x) * y


@_batched.def_vmap
def _rule(_size: int, _in_batched: Any, x: Any, y: Any) -> tuple[Any, bool]:
    return jnp.sin(x) * y, True


structured(
    p.composite_p, _carrying(p.composite_p, "jaxpr", "call_jaxpr"), _replay_backward,
    cases=[several(_composite, (2, 3), (2, 3), order=0, note="JAX has no derivative")],
)  # fmt: skip
structured(
    p.custom_vmap_p, _carrying(p.custom_vmap_p, "call"), _replay_backward,
    cases=[
        several(_batched, (2, 3), (2, 3), order=0, note="JAX cannot reverse it"),
        several(jax.jit(_batched), (3,), (3,), order=0, note="JAX cannot reverse it"),
    ],
)  # fmt: skip
structured(p.remat_opt_p, _carrying(p.remat_opt_p, "fwd_jaxpr"), _replay_backward)

# --- a program for its own sake -------------------------------------------------------------------


def _eval_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Kept]:
    body = params["call_jaxpr"] if "call_jaxpr" in params else params["jaxpr"]
    staged = stage(body, needed, options)
    results = jaxprs.jaxpr_function(staged.forward)(*operands)
    return results[: staged.outputs], keep(staged, operands, results)


def _eval_backward(kept: Kept, _needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    return pull_body(kept, arriving)


# On the newer line of JAX these are one primitive.
for _primitive in dict.fromkeys([p.eval_jaxpr_p, p.closed_call_p, p.call_p]):
    structured(_primitive, _eval_forward, _eval_backward)

# `run_state` (of Pallas) runs a program on references that it makes of its operands, and returns
# what they hold in the end: the program, rewritten as one of values.


def _state_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Kept]:
    body = params["jaxpr"]
    chosen = [True] * len(operands)
    pure = once_for([body], "pure", lambda: compat.discharge_references(jaxprs.close(body), chosen))
    return _eval_forward(options, needed, operands, {"jaxpr": pure})


structured(p.run_state_p, _state_forward, _eval_backward)

# --- linear_call ----------------------------------------------------------------------------------

# The user states a map that is linear in its last operands, and its transpose, which is linear
# again and has the first map for its own transpose. The other operands ("residuals") are
# differentiated through the program, which JAX refuses to do.


class Linear(NamedTuple):
    """What a linear_call keeps."""

    operands: tuple[Any, ...]
    call: compat.Opaque


def _linear_forward(
    options: Options, _needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Linear]:
    results = p.linear_call_p.bind(*operands, **params)
    call = (options, tuple(params.items()))
    return list(results), Linear(tuple(operands), compat.Opaque(call))


def _linear_backward(kept: Linear, needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    options, items = kept.call.value
    params = dict(items)
    start = params["num_callee_consts"] + params["num_res"]
    fixed = tuple(wanted and i < start for i, wanted in enumerate(needed))
    results = [None] * start
    if any(fixed):
        replay = _replay(params["callee"], fixed, options, kept.operands)
        results = _replay_backward(replay, fixed, arriving)[:start]
    return [*results, *_transposed(kept.operands[:start], params, arriving)]


def _transposed(fixed: Sequence[Any], params: dict[str, Any], arriving: Sequence[Any]) -> Any:
    callee, count = params["callee"], params["num_callee_consts"]
    types = [compat.cotangent_type(aval) for aval in callee.out_avals]
    cotangents = [
        compat.zeros(aval) if ct is None else ct for aval, ct in zip(types, arriving, strict=True)
    ]
    transpose, consts = params["transpose_thunk"]()
    back = {
        "callee": transpose,
        "transpose_thunk": lambda: (callee, fixed[:count]),
        "num_callee_consts": len(consts),
    }
    return p.linear_call_p.bind(*consts, *fixed[count:], *cotangents, **params | back)


def _scaled(x: Any, y: Any) -> Any:
    factor = jnp.asarray(1.5, y.dtype)
    return linear_call(lambda r, t: r * t, lambda r, ct: r * ct, factor, y) + x


structured(
    p.linear_call_p, _linear_forward, _linear_backward,
    cases=[several(_scaled, (2, 3), (2, 3)), several(jax.jit(_scaled), (3,), (3,))],
)  # fmt: skip
