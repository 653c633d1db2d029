"""Independent answers about one program, and where they differ.

In 64 bits: this package's gradient, JAX's, its forward derivative, and a numerical derivative with
an error bound, at first and second order. In the program's own precision: the same gradients, their
types, and whether `vmap` changes them. All that is traced, and run by NumPy. On the device, for a
sample of the programs: values and gradients eagerly and under `jit`, and whether they repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import _transform as engine
from ..verify._lift import Unliftable
from ..verify._lines import inner
from ..verify._programs import not_offered
from ._blame import SHARE, SLOPE_SAFETY, blamed, one_not_finite, weighed
from ._customs import RuleError, compare_rules, follows_rules, trace_gradient
from ._device import compiled, eager
from ._native import mapped, native
from ._program import Program
from ._second import second_order
from ._twin import Flat, Values, direction, flatten, largest, moved, slope, weights, widened
from ._verdicts import (
    BOTH,
    JAX,
    NAN,
    OURS,
    SEARCH,
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


_NATIVE = (("native", native), ("mapped", mapped), ("compiled", compiled), ("eager", eager))


class Effort(NamedTuple):
    """Which of the costly oracles are asked.

    Attributes:
        second: derivatives of second order.
        zeros: `strong_zeros=True`, which changes nothing that is finite.
        native: the gradients in the program's own precision, and their types.
        mapped: the gradient under `vmap`.
        compiled: value and gradients under `jit`, on the device.
        eager: value and gradients operation by operation, on the device.
    """

    second: bool = True
    zeros: bool = True
    native: bool = True
    mapped: bool = True
    compiled: bool = True
    eager: bool = True


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
            truth, allowed = _wide(program, wide, flat.leaves[0].dtype, effort, generator, found)
            if ruled and found and follows_rules(ruled, wide, found[0]):
                found.clear()
                raise Silent("a rule stands for a formula that has a kink at the point")
            one = compare_rules(ruled, wide, truth, allowed) if ruled and not found else None
        found += [one] if one else []
        for asked, oracle in _NATIVE:
            if not found and getattr(effort, asked):
                found += _heard(asked, partial(oracle, flat, truth, allowed, program))
    except Silent as reason:
        remarks.append(str(reason))
    except Unliftable as reason:
        remarks.append(f"no 64-bit form: {reason}")
    except RuleError as error:
        found.append(error.args[0])
    except Exception as error:  # a long search does not end at what nobody foresaw
        found.append(raised(SEARCH, "comparison in 64 bits", error))
    return Examined(found, remarks, flat.closed)


def _heard(name: str, oracle: Callable[[], list[Disagreement]]) -> list[Disagreement]:
    """What an oracle says; an error of its own is a finding about it."""
    try:
        return oracle()
    except (Silent, Unliftable):
        raise
    except Exception as error:
        return [raised(SEARCH, f"{name} oracle", error)]


# --- in 64 bits -----------------------------------------------------------------------------------


def _wide(
    program: Program,
    wide: Flat,
    dtype: Any,
    effort: Effort,
    generator: np.random.Generator,
    found: list[Disagreement],
) -> tuple[Values, Margin]:
    """The gradient to believe in, and what rounding explains; differences go to `found`."""
    value, terms = largest(wide)
    if not np.isfinite(value):
        raise Silent("the value is not finite")
    if not program.reverse:
        return _without_reverse(program, wide, dtype, generator, found)
    ours, _ = _gradient(OURS, engine.grad, wide, found)
    theirs, gradient = _gradient(JAX, jax.grad, wide, found)
    again = gradient(*moved(wide, generator, SHARE))
    allowed = margin(theirs, again, SHARE, dtype, terms)
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
    program: Program,
    wide: Flat,
    dtype: Any,
    generator: np.random.Generator,
    found: list[Disagreement],
) -> tuple[Values, Margin]:
    """Of a program without a reverse mode in JAX: our gradient against forward and numbers."""
    ours, gradient = _gradient(OURS, engine.grad, wide, found)
    allowed = margin(ours, gradient(*moved(wide, generator, SHARE)), SHARE, dtype, 1.0)
    if is_nan(ours) or allowed.is_hopeless:
        raise Silent("the gradient is not finite")
    along = direction(wide, generator)
    if program.differences:
        _numerical(wide, ours, along, allowed, found)
        found[:] = [one._replace(who=OURS) for one in found]
    if not found:
        _forward(wide, ours, along, allowed, found)
    return ours, allowed


def _gradient(
    who: str, transform: Any, wide: Flat, found: list[Disagreement]
) -> tuple[Values, Callable[..., Values]]:
    """One engine's gradient at the point, and as a function; `Silent` if it has none."""
    try:
        gradient = wide.gradient(transform)
        return gradient(*wide.leaves), gradient
    except Exception as error:
        reason = not_offered(error)
        if not reason:
            found.append(raised(who, "gradient", error))
        raise Silent(reason or "a gradient raises") from None


def _compared(
    wide: Flat, ours: Values, theirs: Values, allowed: Margin, found: list[Disagreement]
) -> None:
    """Our gradient against JAX's."""
    one = one_not_finite(ours, theirs, "gradient")
    if one:
        found.append(one)
    elif exceeds(distances(ours, theirs), allowed.wide):
        found.append(blamed(wide.value, wide.leaves, (ours, theirs), "gradient"))


def _numerical(
    wide: Flat, gradient: Values, along: Values, allowed: Margin, found: list[Disagreement]
) -> None:
    """The numerical derivative along one direction."""
    estimate, terms = slope(wide, along), weights(gradient, along)
    slack = SLOPE_SAFETY * estimate.error + 1e-6 * terms + weighed(allowed.wide, along)
    if estimate.kind != "smooth" or estimate.error > _CLOSE * max(terms, abs(estimate.value)):
        return
    received = inner(gradient, along)
    if abs(received - estimate.value) > slack:
        text = f"along a direction: {received:.9g}, numerically {estimate.value:.9g}"
        text += f" +- {estimate.error:.1e}"
        found.append(Disagreement(BOTH, WRONG, "gradient", text, estimate.value, along))


def _forward(
    wide: Flat, gradient: Values, along: Values, allowed: Margin, found: list[Disagreement]
) -> None:
    """Forward against reverse: <gradient, w> is the tangent of the value along w."""
    try:
        forward = wide.staged(lambda *xs: jax.jvp(wide.run, xs, tuple(along))[1])
        tangent = float(np.real(forward(*wide.leaves)[0]))
    except Exception as error:
        if not not_offered(error):
            found.append(raised(JAX, "forward derivative", error))
        return
    received = inner(gradient, along)
    slack = 1e-9 * weights(gradient, along) + weighed(allowed.wide, along)
    if not abs(tangent - received) <= slack:
        text = f"along a direction: {tangent:.9g} forward, {received:.9g} by the gradient"
        kind = WRONG if np.isfinite(tangent) else NAN
        found.append(Disagreement(JAX, kind, "forward derivative", text, received, along))


def _strong_zeros(wide: Flat, ours: Values, allowed: Margin, found: list[Disagreement]) -> None:
    """Where everything is finite, `strong_zeros` changes nothing."""
    try:
        strong = wide.gradient(partial(engine.grad, strong_zeros=True))(*wide.leaves)
    except Exception as error:
        found.append(raised(OURS, "gradient by strong_zeros", error))
        return
    if exceeds(distances(strong, ours), allowed.wide):
        text = described(strong, ours)
        found.append(Disagreement(OURS, WRONG, "gradient by strong_zeros", text, ours))
