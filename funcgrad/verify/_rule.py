"""`check_vjp_rule`: a custom derivative rule, by itself and against its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax

from .._arguments import misfit
from .._errors import ConfigurationError, GradientTypeError
from ._check import check
from ._findings import WRONG, Report
from ._problem import name_of
from ._rule_parts import Split, own_findings

_HOW = "check_vjp_rule takes the object that jax.custom_vjp or jax.custom_jvp made"


def check_vjp_rule(rule: Callable[..., Any], *args: Any, **options: Any) -> Report:
    """Say whether a custom derivative rule is right: its parts by themselves, then the whole.

    Beyond `funcgrad.check`, it insists on a rule; leaves the arguments of `nondiff_argnums` alone;
    and calls the rule's own functions: `fwd` (or the JVP rule) must return what the function
    returns; `bwd` one cotangent for each argument, in the structure, shapes and dtypes of that
    argument; and both must be linear, under several random cotangents (or tangents).

    Args:
        rule: a function made by `jax.custom_vjp` or `jax.custom_jvp`, its rule defined.
        *args: the point, all arguments by position, those of `nondiff_argnums` too.
        **options: those of `funcgrad.check`, but `gradient`.

    Returns:
        A `Report`, that of `check` with the rule's own findings in front.

    Raises:
        GradientTypeError: `rule` is no custom rule, or has none yet.
        ConfigurationError: an option is impossible, or the arguments do not fit.

    >>> import jax, jax.numpy as jnp
    >>> from funcgrad import verify
    >>> @jax.custom_vjp
    ... def scale(x, y):
    ...     return x * y
    >>> scale.defvjp(lambda x, y: (x + y, (x, y)), lambda xy, ct: (ct * xy[1], ct * xy[0]))
    >>> report = verify.check_vjp_rule(scale, jnp.array([1.0, 2.0]), 3.0)
    >>> report.verdict, report.findings[0].message
    ('wrong', "fwd's first result is not what the function returns")
    """
    _require_rule(rule)
    if "gradient" in options:
        raise ConfigurationError("check_vjp_rule checks the rule; for gradient= there is check")
    split = _split(rule, args)
    found = [*own_findings(split)]
    report = _whole(split, options)
    verdict = WRONG if found else report.verdict
    witnesses = (*report.witnesses, "the rule's own functions, called directly")
    return replace(
        report, verdict=verdict, findings=(*found, *report.findings), witnesses=witnesses
    )


def _require_rule(rule: Any) -> None:
    if isinstance(rule, (jax.custom_vjp, jax.custom_jvp)):
        parts = ("fwd", "bwd") if isinstance(rule, jax.custom_vjp) else ("jvp",)
        if any(getattr(rule, part, None) is None for part in parts):
            how = "defvjp" if len(parts) == 2 else "defjvp"
            raise GradientTypeError(
                f"{name_of(rule)} has no rule yet; call {name_of(rule)}.{how}(...) before it is "
                "checked"
            )
        return
    if not callable(rule):
        raise GradientTypeError(f"{_HOW}, but received {rule!r:.60} of type {type(rule).__name__}")
    inner = inspect.unwrap(rule, stop=lambda f: isinstance(f, (jax.custom_vjp, jax.custom_jvp)))
    if isinstance(inner, (jax.custom_vjp, jax.custom_jvp)):
        raise GradientTypeError(
            f"{_HOW}; {name_of(rule)} wraps one (in jax.jit?): give the one inside, "
            f"{name_of(rule)}.__wrapped__, or check the whole by funcgrad.check"
        )
    raise GradientTypeError(
        f"{_HOW}, but {name_of(rule)}, a {type(rule).__name__}, has no rule of its own; "
        "funcgrad.check checks any function, with the rules inside of it"
    )


def _split(rule: Any, args: tuple[Any, ...]) -> Split:
    error = misfit(rule, args)
    if error is not None:
        raise ConfigurationError(
            f"{name_of(rule)} was given {len(args)} arguments: {error}; give all by position"
        ) from error
    fixed = {number % len(args) for number in rule.nondiff_argnums} if args else set()
    places = tuple(i for i in range(len(args)) if i not in fixed)
    chosen = tuple(args[i] for i in sorted(fixed))
    return Split(rule, chosen, tuple(args[i] for i in places), places, args)


def _whole(split: Split, options: dict[str, Any]) -> Report:
    """`check` of the function of those arguments that are differentiated."""

    def fun(*primals: Any) -> Any:
        return split.function(*primals)

    fun.__name__ = name_of(split.rule)
    try:
        parameters = list(inspect.signature(split.rule).parameters.values())
        chosen = [parameters[i] for i in split.places]
        fun.__signature__ = inspect.Signature(chosen)  # type: ignore[attr-defined]  # for names
    except (TypeError, ValueError, IndexError):  # a builtin, or *args
        pass
    return check(fun, *split.primals, **options)
