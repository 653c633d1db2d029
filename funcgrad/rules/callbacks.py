"""Calls out of the program: to Python on the host, and to foreign functions.

What only looks at a value (`jax.debug.print` and its like) sees it once, on the way forward. What
returns a value, or may act on one, has a derivative that nobody but its author knows; JAX refuses
to differentiate it, even if its result is a whole number or is not used, and so does this engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _jaxcompat as compat
from .._errors import MissingRuleError
from .._jaxcompat import primitives as p
from .._registry import no_derivative, structured
from .._tape import Options

no_derivative(
    p.debug_callback_p, p.debug_print_p, p.inspect_sharding_p, p.check_p, p.dce_sink_p,
)  # fmt: skip


def _refuse(primitive: Any, author: str) -> Callable[..., Any]:
    def forward(
        _options: Options,
        _needed: tuple[bool, ...],
        operands: Sequence[Any],
        _params: dict[str, Any],
    ) -> Any:
        where = compat.user_line()
        shapes = ", ".join(str(compat.typeof(operand)) for operand in operands)
        raise MissingRuleError(
            f"`{primitive}`, applied to ({shapes}) at {where}, has no derivative that an engine "
            f"could know: only the author of the {author} does. Wrap the function that makes the "
            "call in jax.custom_vjp, or cut its operands with funcgrad.detach if no gradient shall "
            "flow through it"
        )

    return forward


def _unreached(_kept: Any, _needed: tuple[bool, ...], _arriving: Sequence[Any]) -> list[Any]:
    raise AssertionError("the forward pass refuses these primitives")


for _primitive, _author in (
    (p.pure_callback_p, "callback"),
    (p.io_callback_p, "callback"),
    (p.ffi_call_p, "foreign function"),
):
    structured(_primitive, _refuse(_primitive, _author), _unreached)
