"""Independent answers about one program, and where they differ.

In 64 bits: this package's gradient, JAX's, its forward derivative, and a numerical derivative with
an error bound, at first and second order. In the program's own precision: the same gradients, their
types, whether they repeat, and whether `jit` and `vmap` change them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from .. import _transform as engine
from ..verify._lift import Unliftable
from ..verify._programs import not_offered
from ._blame import SHARE, SLOPE_SAFETY, blamed, weighed
from ._customs import compare_rules, trace_gradient
from ._native import compiled, mapped, native
from ._program import Program
from ._second import second_order
from ._twin import (
    Flat,
    Values,
    direction,
    flatten,
    largest,
    moved,
    product,
    slope,
    widened,
)
from ._verdicts import (
    BOTH,
    JAX,
    NAN,
    OURS,
    VALUE,
    WRONG,
    Disagreement,
    Margin,
    described,
    distances,
    exceeds,
    is_nan,
    margin,
    raised,
)

_CLOSE = 1e-3  # a numerical derivative that is not known to this share decides nothing


class Effort(NamedTuple):
    """Which of the costly oracles are asked.

    Attributes:
        second: derivatives of second order.
        compiled: value and gradient under `jit`.
        mapped: the gradient under `vmap`.
        zeros: `strong_zeros=True`, which changes nothing that is finite.
        native: the gradients in the program's own precision, their types, and repetition.
    """

    second: bool = True
    compiled: bool = True
    mapped: bool = True
    zeros: bool = True
    native: bool = True


class Examined(NamedTuple):
    """What the oracles said of a program.

    Attributes:
        disagreements: where they differ.
        remarks: oracles that could not be heard, and why.
        closed: the program as JAX traced it; None if it could not be.
    """

    disagreements: list[Disagreement]
    remarks: list[str]
    closed: Any = None


class Silent(Exception):  # noqa: N818 -- it ends an attempt, and is no error
    """An oracle has nothing to say."""


def examine(program: Program, effort: Effort, seed: int = 0) -> Examined:
    """Ask every oracle about a program at its point."""
    found, remarks = list[Disagreement](), list[str]()
    try:
        flat = flatten(program)
    except Exception as error:  # what a random program may raise is not known
        reason = not_offered(error)
        if reason:
            return Examined(found, [f"not offered: {reason}"])
        return Examined([raised(VALUE, "value", error)], remarks)
    generator = np.random.default_rng([seed, 77])
    try:
        ruled = trace_gradient(flat) if program.reverse else None
        with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
            wide = widened(flat)
            truth, allowed = _wide(program, flat, wide, effort, generator, found)
            one = compare_rules(ruled, wide, truth, allowed) if ruled and not found else None
        found += [one] if one else []
        if effort.native and not found:
            comparable = program.reverse and not program.rounds
            found += native(flat, truth, allowed if comparable else None)
        if effort.compiled and not found:
            found += compiled(flat, allowed)
        if effort.mapped and not found:
            found += mapped(flat, allowed)
    except Silent as reason:
        remarks.append(str(reason))
    except Unliftable as reason:
        remarks.append(f"no 64-bit form: {reason}")
    return Examined(found, remarks, flat.closed)


# --- in 64 bits -----------------------------------------------------------------------------------


def _wide(
    program: Program,
    flat: Flat,
    wide: Flat,
    effort: Effort,
    generator: np.random.Generator,
    found: list[Disagreement],
) -> tuple[Values, Margin]:
    """The gradient to believe in, and what rounding explains; differences go to `found`."""
    value, terms = largest(wide)
    if not np.isfinite(value):
        raise Silent("the value is not finite")
    if not program.reverse:
        return _without_reverse(program, wide, generator, found)
    ours, theirs = _both(wide, found)
    again = jax.grad(wide.run, tuple(range(len(wide.leaves))))(*moved(wide, generator, SHARE))
    allowed = margin(theirs, again, SHARE, flat.leaves[0].dtype, terms)
    if is_nan(theirs) and is_nan(ours):
        raise Silent("no gradient is finite")
    if allowed.is_hopeless and not is_nan(theirs):
        raise Silent("the derivative is infinitely sensitive")
    along = direction(wide, generator)
    _compared(wide, ours, theirs, allowed, found)
    if program.differences and not found:
        _numerical(wide, theirs, along, allowed, found)
    if not found:
        _forward(wide, theirs, along, allowed, found)
    if effort.zeros and not found:
        _strong_zeros(wide, ours, allowed, found)
    if effort.second and program.order > 1 and not found:
        second_order(wide, generator, terms, found)
    return theirs, allowed


def _without_reverse(
    program: Program, wide: Flat, generator: np.random.Generator, found: list[Disagreement]
) -> tuple[Values, Margin]:
    """Of a program without a reverse mode in JAX: our gradient against forward and numbers."""
    ours = _gradient(OURS, engine.grad, wide, found)
    near = Flat(wide.run, moved(wide, generator, SHARE))
    allowed = margin(ours, _gradient(OURS, engine.grad, near, found), SHARE, np.float64, 1.0)
    if is_nan(ours) or allowed.is_hopeless:
        raise Silent("the gradient is not finite")
    along = direction(wide, generator)
    if program.differences:
        _numerical(wide, ours, along, allowed, found)
        found[:] = [one._replace(who=OURS) for one in found]
    if not found:
        _forward(wide, ours, along, allowed, found)
    return ours, allowed


def _gradient(who: str, transform: Any, wide: Flat, found: list[Disagreement]) -> Values:
    """One engine's gradient; `Silent` if it has none."""
    try:
        return list(transform(wide.run, tuple(range(len(wide.leaves))))(*wide.leaves))
    except Exception as error:
        reason = not_offered(error)
        if not reason:
            found.append(raised(who, "gradient", error))
        raise Silent(reason or "a gradient raises") from None


def _both(wide: Flat, found: list[Disagreement]) -> tuple[Values, Values]:
    """Our gradient and JAX's."""
    ours = _gradient(OURS, engine.grad, wide, found)
    return ours, _gradient(JAX, jax.grad, wide, found)


def _compared(
    wide: Flat, ours: Values, theirs: Values, allowed: Margin, found: list[Disagreement]
) -> None:
    """Our gradient against JAX's."""
    if is_nan(ours) != is_nan(theirs):
        who, bad, good = (OURS, ours, theirs) if is_nan(ours) else (JAX, theirs, ours)
        found.append(Disagreement(who, NAN, "gradient", described(bad, good), good))
    elif exceeds(distances(ours, theirs), allowed.wide):
        found.append(blamed(wide.run, wide.leaves, (ours, theirs), "gradient"))


def _numerical(
    wide: Flat, gradient: Values, along: Values, allowed: Margin, found: list[Disagreement]
) -> None:
    """The numerical derivative along one direction."""
    estimate = slope(wide, along)
    terms = [float(np.sum(np.abs(np.asarray(g) * w))) for g, w in zip(gradient, along, strict=True)]
    slack = SLOPE_SAFETY * estimate.error + 1e-6 * sum(terms) + weighed(allowed.wide, along)
    if estimate.kind != "smooth" or estimate.error > _CLOSE * max(sum(terms), abs(estimate.value)):
        return
    received = product(gradient, along)
    if abs(received - estimate.value) > slack:
        text = f"along a direction: {received:.9g}, numerically {estimate.value:.9g}"
        text += f" +- {estimate.error:.1e}"
        found.append(Disagreement(BOTH, WRONG, "gradient", text, estimate.value, along))


def _forward(
    wide: Flat, gradient: Values, along: Values, allowed: Margin, found: list[Disagreement]
) -> None:
    """Forward against reverse: <gradient, w> is the tangent of the value along w."""
    try:
        tangent = float(np.real(jax.jvp(wide.run, tuple(wide.leaves), tuple(along))[1]))
    except Exception as error:
        if not not_offered(error):
            found.append(raised(JAX, "forward derivative", error))
        return
    received = product(gradient, along)
    terms = [float(np.sum(np.abs(np.asarray(g) * w))) for g, w in zip(gradient, along, strict=True)]
    slack = 1e-9 * sum(terms) + weighed(allowed.wide, along)
    if not abs(tangent - received) <= slack:
        text = f"along a direction: {tangent:.9g} forward, {received:.9g} by the gradient"
        kind = WRONG if np.isfinite(tangent) else NAN
        found.append(Disagreement(JAX, kind, "forward derivative", text, received, along))


def _strong_zeros(wide: Flat, ours: Values, allowed: Margin, found: list[Disagreement]) -> None:
    """Where everything is finite, `strong_zeros` changes nothing."""
    every = tuple(range(len(wide.leaves)))
    try:
        strong = list(engine.grad(wide.run, every, strong_zeros=True)(*wide.leaves))
    except Exception as error:
        found.append(raised(OURS, "gradient by strong_zeros", error))
        return
    if exceeds(distances(strong, ours), allowed.wide):
        text = described(strong, ours)
        found.append(Disagreement(OURS, WRONG, "gradient by strong_zeros", text, ours))
