"""Where values lie: devices, memories, shardings and layouts. The cotangent travels back.

Each of these is the identity on values, so the transpose is the identity too; what a rule decides
is where the cotangent ends up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax import lax
from jax.experimental.layout import Layout, with_layout_constraint

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import joint, linear, structured
from .._tape import Options
from ._cases import several, shaped

# --- devices and memories -------------------------------------------------------------------------


def _put_forward(
    _options: Options, _needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], compat.Opaque]:
    results = p.device_put_p.bind(*operands, **params)
    pairs = zip(operands, params["srcs"], strict=True)
    return list(results), compat.Opaque(tuple(source or _home(x) for x, source in pairs))


def _home(operand: Any) -> Any:
    """Where a value was: its devices if it is bound to them, else the kind of its memory."""
    if not compat.is_tracer(operand) and getattr(operand, "committed", False):
        return operand.sharding
    return compat.typeof(operand).memory_space


def _put_backward(
    kept: compat.Opaque, needed: tuple[bool, ...], arriving: Sequence[Any]
) -> list[Any]:
    return [
        jax.device_put(ct, home) if wanted and ct is not None else None
        for home, wanted, ct in zip(kept.value, needed, arriving, strict=True)
    ]


def _put_both(x: Any, y: Any) -> Any:
    first, second = jax.device_put((x, y), jax.memory.Space.Device)
    return first * second


structured(
    p.device_put_p, _put_forward, _put_backward,
    cases=[shaped(lambda x: jax.device_put(x, jax.devices()[0]), (), (2, 3)),
           several(_put_both, (2, 3), (2, 3))],
)  # fmt: skip

# --- shardings and layouts ------------------------------------------------------------------------


def _constrain(
    ct: Any, _y: Any, _x: Any, *, sharding: Any, layout: Any, context_mesh: Any,
    unconstrained_dims: Any,
) -> Any:  # fmt: skip
    return p.sharding_constraint_p.bind(
        ct, sharding=sharding, layout=layout, context_mesh=context_mesh,
        unconstrained_dims=unconstrained_dims,
    )  # fmt: skip


def _on_one_device(x: Any) -> Any:
    return lax.with_sharding_constraint(x, jax.sharding.SingleDeviceSharding(jax.devices()[0]))


linear(p.sharding_constraint_p, _constrain,
       cases=[shaped(_on_one_device, (), (2, 3))])  # fmt: skip
linear(
    p.layout_constraint_p,
    lambda ct, _y, _x, *, layout: with_layout_constraint(ct, layout),
    cases=[shaped(jax.jit(lambda x: with_layout_constraint(x, Layout((1, 0)))), (2, 3))],
)  # fmt: skip
# The change of a sharding or layout that is part of the type: back to the operand's.
linear(
    p.reshard_p,
    lambda ct, _y, _x: jax.sharding.reshard(ct, compat.cotangent_type(_x).sharding),
    ignores=["dst_sharding", "concrete_mesh"],
)
linear(
    p.relayout_p,
    lambda ct, _y, _x: p.relayout_p.bind(ct, dst_layout=compat.cotangent_type(_x).layout),
    ignores=["dst_layout"],
)
linear(
    p.with_memory_space_constraint_p,
    lambda ct, _y, _x: p.with_memory_space_constraint_p.bind(ct, memory_space=_x.memory_space),
    ignores=["memory_space"],
)
linear(p.stage_p, lambda ct, _y, _x: ct)
joint(p.tie_p, lambda ct, _y, _a, _x: [None, ct])  # the second operand, computed with the first
