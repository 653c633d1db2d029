"""`check`: is a derivative right?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._errors import ConfigurationError
from ._examination import Examined, Options, examine
from ._findings import INCONCLUSIVE, KINK, RIGHT, WRONG, Finding, GradientError, Report
from ._judge import GIVEN
from ._problem import Problem, StructureError, name_of, pose
from ._resolution import PLAIN_WITNESSES

_STRICT = 'nothing but a kink, which kinks="fail" asks to have reported; by default it passes'
_CHOICES = {"kinks": ("pass", "fail"), "points": ("mined", "given")}


def check(
    fun: Callable[..., Any],
    *args: Any,
    gradient: Callable[..., Any] | None = None,
    order: int = 2,
    kinks: str = "pass",
    rtol: float | None = None,
    seed: int = 0,
    budget: float = 1.0,
    points: str = "mined",
    **kwargs: Any,
) -> Report:
    """Say whether the derivatives of a function are right.

    JAX's derivative (of the function as it stands, its `custom_vjp` and `custom_jvp` rules
    included), or the one given as `gradient`, is compared with independent witnesses: the primal
    body differentiated by this package's engine in 64 bits, entry by entry; numerical derivatives
    with error bounds; itself under `jit`, `vmap`, `scan`, other cotangents, and once more. It is
    examined at the given point and at points mined from the program.

    A gradient over several devices, by `jax.shard_map` or of arguments that are spread, is examined
    like any other. Where it is off by the size of a mesh axis, the finding says so, and names the
    line at which a sum over the axis is taken twice, if `funcgrad.parallel.check_collectives` sees
    it. (Hand over `jax.jit` of a map: outside of it JAX compiles every call anew.)

    Args:
        fun: a function of pytrees of arrays. Floating and complex leaves of the arguments are
            differentiated; others (integers, keys, strings) are passed on.
        *args: the point.
        gradient: a function of the same arguments that returns the gradient of the scalar `fun`, by
            the first argument alone or, as a tuple, by all; of any make, examined to first order.
        order: 2 examines the derivative of the gradient, too; 1 does not.
        kinks: "pass" accepts at a kink any gradient between those around it; "fail" reports it.
        rtol: the relative error that is still right. By default 1e-10, and what rounding explains,
            in 64 bits, whatever the dtype of the arguments.
        seed: of random directions and points.
        budget: how much work to do, relative to the default; it scales the number of points.
        points: "mined" visits other points, too; "given" does not.
        **kwargs: passed to `fun`; their floating leaves are differentiated, too.

    Returns:
        A `Report`; its `verdict` is "right", "kink", "inconclusive" or "wrong".

    Raises:
        GradientTypeError: `fun` or `gradient` is no function, no argument is floating, or a
            gradient is given of what is no scalar.
        ConfigurationError: an option has no such value.

    >>> import jax, jax.numpy as jnp, funcgrad
    >>> @jax.custom_vjp
    ... def square(x):
    ...     return x * x
    >>> square.defvjp(lambda x: (x * x, x), lambda x, ct: (x * ct,))
    >>> report = funcgrad.check(square, jnp.array([1.0, 2.0, 3.0]))
    >>> report.verdict, report.findings[0].meaning
    ('wrong', 'factor 0.5 in every entry: a missing factor 2?')
    """
    options = Options(order, kinks, rtol, seed, budget, points)
    _validate(options)
    start = time.perf_counter()
    try:
        report = _report(pose(fun, args, kwargs, gradient), options)
    except StructureError as error:
        return Report(name_of(fun), WRONG, (Finding("structure", WRONG, str(error)),), seed=seed)
    return replace(report, seconds=time.perf_counter() - start)


def _report(problem: Problem, options: Options) -> Report:
    with np.errstate(all="ignore"):  # what overflows at a point of ours is no news to the user
        found = examine(problem, options)
    # The gradient at a kink is judged in one way; whether a kink may be is asked at the end.
    if options.kinks == "fail":
        found = found._replace(findings=[_strictly(finding) for finding in found.findings])
    leaves = [
        f"{name} {leaf.dtype}[{','.join(map(str, leaf.shape))}]"
        for name, leaf in zip(problem.names, problem.leaves, strict=True)
    ]
    return Report(
        problem.name, _verdict(found), _ordered(found.findings), found.points, found.witnesses,
        tuple(leaves), _order(problem, found, options), options.seed,
    )  # fmt: skip


def _strictly(finding: Finding) -> Finding:
    if finding.verdict != KINK:
        return finding
    return finding._replace(verdict=WRONG, meaning=finding.meaning or _STRICT)


def _order(problem: Problem, found: Examined, options: Options) -> int:
    """The highest order that was examined: of a gradient by hand there is no second derivative,
    and none is taken in a function's own precision."""
    is_first = problem.gradient is not None or found.witnesses == PLAIN_WITNESSES
    return 1 if is_first else options.order


def assert_gradients(fun: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Raise unless the derivatives of a function are right.

    Args:
        fun, *args: see `check`.
        **options: see `check`.

    Raises:
        GradientError: the verdict is "wrong" or "inconclusive"; the message is the report.

    >>> import jax.numpy as jnp, funcgrad
    >>> funcgrad.assert_gradients(jnp.tanh, 0.5)
    """
    report = check(fun, *args, **options)
    if not report.ok:
        raise GradientError(str(report))


def _validate(options: Options) -> None:
    for name, allowed in _CHOICES.items():
        if getattr(options, name) not in allowed:
            raise ConfigurationError(
                f"{name} must be one of {', '.join(map(repr, allowed))}, but is "
                f"{getattr(options, name)!r}"
            )
    if isinstance(options.order, bool) or options.order not in (1, 2):
        raise ConfigurationError(f"order must be 1 or 2, but is {options.order!r}")
    if options.rtol is not None and not (_is_number(options.rtol) and 0 < options.rtol < 1):
        raise ConfigurationError(f"rtol must lie between 0 and 1, but is {options.rtol!r}")
    if not (_is_number(options.budget) and options.budget > 0):
        raise ConfigurationError(f"budget must be positive, but is {options.budget!r}")
    if not (isinstance(options.seed, int) and options.seed >= 0):
        raise ConfigurationError(f"seed must be a non-negative integer, but is {options.seed!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _verdict(found: Examined) -> str:
    verdicts = {finding.verdict for finding in found.findings}
    for verdict in (WRONG, INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return KINK if KINK in verdicts else RIGHT


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    weight = {WRONG: 0, INCONCLUSIVE: 1, KINK: 2, RIGHT: 3}
    return tuple(sorted(findings, key=lambda f: (weight[f.verdict], f.point != GIVEN)))
