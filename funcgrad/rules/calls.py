"""Primitives that carry programs: `jit`, and the calls of custom_jvp and custom_vjp functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .. import _jaxcompat as compat
from .._forward_trace import Moved, moved
from .._jaxcompat import primitives as p
from .._registry import structured
from .._reverse import sweep
from .._staging import Kept, keep, pull_body, stage
from .._tape import CustomBackward, Options, TangentMap
from ._cases import several, shaped

# --- jit ------------------------------------------------------------------------------------------


def _jit_forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], Kept]:
    staged = stage(params["jaxpr"], needed, options)
    # A step may keep an operand: donating it would delete what the sweep reads.
    call = params | {"donated_invars": (False,) * len(operands)}
    # Without residuals too: where the body calls a custom rule, that runs in place of the function.
    results = p.jit_p.bind(*operands, **call | _with_residuals(params, staged))
    return results[: staged.outputs], keep(staged, operands, results)


def _with_residuals(params: dict[str, Any], staged: Any) -> dict[str, Any]:
    """The parameters that differ where the program also returns residuals."""
    extra = staged.residuals
    return {
        "jaxpr": staged.forward,
        "out_shardings": (*params["out_shardings"], *[compat.UNSPECIFIED] * extra),
        "out_layouts": (*params["out_layouts"], *[None] * extra),
    }


def _jit_backward(kept: Kept, _needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    return pull_body(kept, arriving)


def _jit_tangents(
    options: Options, params: dict[str, Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]] | None:
    body = moved(params["jaxpr"], [tangent is not None for tangent in tangents], options)
    if body is None:
        return None
    call = params | _with_tangents(params, body)
    return body.split(p.jit_p.bind(*body.flat(primals, tangents), **call))


def _with_tangents(params: dict[str, Any], body: Moved) -> dict[str, Any]:
    """The parameters that differ where the program also takes and returns tangents."""
    sides = {"in": body.moving, "out": body.reached}
    names = ("shardings", "layouts")
    placed = {
        f"{side}_{name}": _doubled(params[f"{side}_{name}"], chosen)
        for side, chosen in sides.items()
        for name in names
    }
    inputs = len(body.moving) + sum(body.moving)
    return placed | {"jaxpr": body.program, "donated_invars": (False,) * inputs}


def _doubled(each: Sequence[Any], chosen: Sequence[bool]) -> tuple[Any, ...]:
    """What holds of some values, which holds of the tangents of the chosen ones, too."""
    return (*each, *(one for one, there in zip(each, chosen, strict=True) if there))


structured(
    p.jit_p, _jit_forward, _jit_backward, tangents=_jit_tangents,
    cases=[
        shaped(jax.jit(lambda x: jnp.sin(x) * x), (), (2, 3)),
        several(jax.jit(lambda a, b: (jax.jit(jnp.exp)(a) * b, b + 1)), (3,), (3,)),
        shaped(jax.jit(lambda x: x), (3,)),
    ],
)  # fmt: skip


# --- custom rules ---------------------------------------------------------------------------------


def _custom_vjp_backward(
    kept: CustomBackward, needed: tuple[bool, ...], arriving: Sequence[Any]
) -> list[Any]:
    bwd, types, symbolic_zeros = kept.call.value
    fill = compat.symbolic_zero_of_cotangent if symbolic_zeros else compat.zeros
    cotangents = [
        fill(aval) if cotangent is None else compat.as_array(cotangent)
        for aval, cotangent in zip(types, arriving, strict=True)
    ]
    results = compat.run_custom_backward(bwd, kept.residuals, cotangents)
    return [result if wanted else None for result, wanted in zip(results, needed, strict=True)]


def _custom_jvp_backward(
    kept: TangentMap, needed: tuple[bool, ...], arriving: Sequence[Any]
) -> list[Any]:
    results: list[Any] = [None] * len(needed)
    for operand, cotangent in zip(kept.inputs.value, sweep(kept.tape, arriving), strict=True):
        results[operand] = cotangent
    return results


@jax.custom_vjp
def _product_with_vjp(a: Any, b: Any) -> Any:
    return a * b


_product_with_vjp.defvjp(
    lambda a, b: (a * b, (a, b)), lambda kept, ct: (ct * kept[1], ct * kept[0])
)


@jax.custom_jvp
def _product_with_jvp(a: Any, b: Any) -> Any:
    return a * b


_product_with_jvp.defjvp(lambda at, by: (_product_with_jvp(*at), by[0] * at[1] + at[0] * by[1]))

structured(
    p.custom_vjp_call_p, None, _custom_vjp_backward,
    cases=[several(_product_with_vjp, (2, 3), (2, 3)),
           several(jax.jit(_product_with_vjp), (3,), (3,))],
)  # fmt: skip
structured(
    p.custom_jvp_call_p, None, _custom_jvp_backward,
    cases=[several(_product_with_jvp, (2, 3), (2, 3)),
           several(jax.jit(_product_with_jvp), (3,), (3,))],
)  # fmt: skip
