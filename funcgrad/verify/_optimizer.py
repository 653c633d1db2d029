"""`check_optimizer`: does a gradient transformation keep its contract, and does it descend?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import optax

from .._errors import ConfigurationError, GradientTypeError, GradientValueError
from .._trees import is_float_leaf, leaf_paths
from ._check import check
from ._findings import INCONCLUSIVE, RIGHT, WRONG, Finding, Report
from ._optimizer_contract import compiled, conform, copied, first, repeated, zeros
from ._optimizer_course import course, remembers
from ._optimizer_notes import notes
from ._optimizer_subject import Subject, gradients

_WITNESSES = (
    "the structure and the dtypes of the parameters and of the state",
    "the same update again, under jit, and from a copy of the state",
    "convex quadratics, which it has to descend",
    "funcgrad.check of the updates as a function of gradients and parameters",
)


def check_optimizer(
    optimizer: optax.GradientTransformation,
    params: Any,
    *,
    steps: int = 100,
    descends: bool = True,
    differentiable: bool = True,
    seed: int = 0,
) -> Report:
    """Say whether an optimiser is right: a pair of pure functions that descends.

    `init` and `update` must agree with the parameters, and one state with the next, in structure,
    shape and dtype. `update` must be repeatable, the same under `jit` and from a copy of the state,
    finite at zero gradients, and must carry its state on. Its steps must descend on a convex
    quadratic, and JAX must differentiate them rightly. What is only worth knowing (that a zero
    gradient still moves the parameters, that `params` is needed) is a remark.

    Args:
        optimizer: an `optax.GradientTransformation`: one of Optax's, a chain, or your own.
        params: parameters as it will meet them: a pytree of arrays. Their values count little.
        steps: how many steps to descend.
        descends: False for a part of a chain, which need not descend by itself.
        differentiable: False leaves out the derivative of the updates.
        seed: of the gradients and of the quadratics.

    Returns:
        A `Report`; its `verdict` is "right", "inconclusive" or "wrong".

    Raises:
        GradientTypeError: `optimizer` is no pair of `init` and `update`, or no leaf of `params` is
            floating.
        GradientValueError: `params` are not finite.
        ConfigurationError: `steps` is less than 1.

    >>> import jax.numpy as jnp, optax
    >>> from funcgrad import verify
    >>> params = {"w": jnp.ones((2, 3)), "b": jnp.zeros(3)}
    >>> verify.check_optimizer(optax.adam(1e-2), params).verdict
    'right'
    >>> uphill = optax.scale_by_adam()  # without the learning rate and its sign
    >>> verify.check_optimizer(uphill, params).findings[0].meaning
    'the sign: updates are added to the parameters, so that they have to point downhill'
    """
    start = time.perf_counter()
    _require(optimizer, params, steps)
    found = list(_findings(optimizer, params, (steps, descends, differentiable), seed))
    weight = {WRONG: 0, INCONCLUSIVE: 1}
    found.sort(key=lambda finding: weight.get(finding.verdict, 2))
    worst = found[0].verdict if found else RIGHT
    leaves = zip(leaf_paths(params, "params"), jax.tree.leaves(params), strict=True)
    kinds = tuple(f"{name} {jax.typeof(leaf).str_short()}" for name, leaf in leaves)
    return Report(
        _name(optimizer), worst, tuple(found),
        (f"{steps} step{'s' if steps > 1 else ''} on a convex quadratic",) if descends else (),
        _WITNESSES[: 3 + differentiable] if descends else _WITNESSES[:2],
        kinds, 0, seed, time.perf_counter() - start,
    )  # fmt: skip


def _findings(
    optimizer: Any, params: Any, asked: tuple[int, bool, bool], seed: int
) -> Iterator[Finding]:
    """What is wrong, or worth a remark; what builds on a part that fails is not examined."""
    steps, descends, differentiable = asked
    subject, failures = first(optimizer, params, seed)
    yield from failures
    if subject is None:
        return
    contract = [f for part in (conform, repeated, copied, zeros) for f in part(subject)]
    contract += compiled(subject)
    yield from contract
    if any(finding.kind in ("structure", "dtype", "jit", "error") for finding in contract):
        return
    yield from remembers(subject)
    if descends:
        yield from course(subject, steps)
    if differentiable and not contract:
        yield from _derivative(subject)
    yield from notes(subject)


def _derivative(subject: Subject) -> list[Finding]:
    """Whether the derivative of the updates by gradients and parameters is right."""
    grads = gradients(subject.params, subject.seed + 3)
    # Where the parameters have left their start: some methods divide by the distance from it.
    moves, state = subject.update(subject.grads, subject.state, subject.params)
    params = optax.apply_updates(subject.params, moves)

    def updates(grads: Any, params: Any) -> Any:
        return subject.update(grads, state, params)[0]

    try:
        report = check(updates, grads, params, order=1, points="given", seed=subject.seed)
    except Exception as error:  # what is no derivative of JAX's need not be a fault
        text = f"its updates could not be differentiated: {type(error).__name__}: {error}"
        return [Finding("note", RIGHT, text)]
    if report.verdict == WRONG:
        return [
            finding._replace(message=f"updates, differentiated: {finding.message}")
            for finding in report.findings
            if finding.verdict == WRONG
        ]
    if report.verdict == INCONCLUSIVE:
        why = report.findings[0].message
        return [Finding("note", RIGHT, f"whether its updates' derivative is right is open: {why}")]
    return []


# --- what was given -------------------------------------------------------------------------------


def _require(optimizer: Any, params: Any, steps: int) -> None:
    parts = [getattr(optimizer, name, None) for name in ("init", "update")]
    if not all(map(callable, parts)) or isinstance(optimizer, type):
        hint = "; call it, as in optax.adam(1e-3)" if callable(optimizer) else ""
        raise GradientTypeError(
            "check_optimizer takes an optax.GradientTransformation, a pair of init and update, but "
            f"received {optimizer!r:.60} of type {type(optimizer).__name__}{hint}"
        )
    leaves = jax.tree.leaves(params)
    if not any(map(is_float_leaf, leaves)):
        raise GradientTypeError(
            f"check_optimizer: params {params!r:.60} have no floating leaf; parameters as the "
            "optimiser will meet them were expected, a pytree of arrays"
        )
    _require_finite(params, leaves)
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise ConfigurationError(f"steps must be an integer of at least 1, but is {steps!r}")


def _require_finite(params: Any, leaves: Sequence[Any]) -> None:
    for name, leaf in zip(leaf_paths(params, "params"), leaves, strict=True):
        if is_float_leaf(leaf) and not jax.numpy.isfinite(leaf).all():
            raise GradientValueError(
                f"check_optimizer: {name} is not finite; parameters as at the start of a run were "
                "expected"
            )


def _name(optimizer: Any) -> str:
    """The name of the function that made it, as far as that shows."""
    name = getattr(optimizer.update, "__qualname__", "")
    return name.split(".")[0] or type(optimizer).__name__
