"""Rules that users add for primitives of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import rules as _rules  # noqa: F401 -- a user's rule must not collide with ours unnoticed
from ._registry import general


def register_vjp(
    primitive: Any, *pullbacks: Callable[..., Any] | None, ignores: Sequence[str] = ()
) -> None:
    """Add a VJP rule for a primitive of your own.

    Args:
        primitive: the `jax.extend.core.Primitive`.
        *pullbacks: for each operand a function ``(cotangent, output, *operands, **params)`` that
            returns the operand's cotangent, or None where no cotangent can flow. An argument whose
            name begins with an underscore is handed over as its type only, and its value is not
            kept alive. Every parameter of the primitive that a function reads is named in its
            signature, after a bare ``*``.
        ignores: parameters of the primitive that no function needs.

    Raises:
        RuleError: the primitive has a rule already, or a function takes ``**params``.

    >>> from jax.extend.core import Primitive
    >>> double = Primitive("double")
    >>> _ = double.def_impl(lambda x: 2 * x)
    >>> _ = double.def_abstract_eval(lambda x: x)
    >>> register_vjp(double, lambda ct, _y, _x: 2 * ct)
    >>> import funcgrad
    >>> float(funcgrad.grad(double.bind)(1.0))
    2.0
    """
    general(primitive, *pullbacks, ignores=ignores)
