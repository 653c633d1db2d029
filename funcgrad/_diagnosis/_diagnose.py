"""The public entry: the cheap look, and the close one where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .._arguments import argument_names, check_callable, check_differentiable, split_aux
from .._errors import GradientValueError
from .._pullback import CustomRules, Recorded, backward, recording_options
from .._tape import Options
from .._trees import flatten, leaf_paths
from ._events import Watched, finite
from ._findings import Diagnosis, Finding
from ._flow import Flow, flow_of, vanishes
from ._inputs import Leaf, integer_findings
from ._layers import THRESHOLD, layer_findings
from ._nonfinite import culprit_events, nonfinite_findings
from ._watch import watch
from ._zeros import dead_end_events, zero_findings

BUDGET = 4_000  # operations that loops may be unrolled to: a few seconds
ROUNDS = 4  # of narrowing down long loops


class Look(NamedTuple):
    """A function's outputs and gradients, as they come out."""

    outputs: list[Any]
    gradients: list[Any]

    def sound(self) -> bool:
        """Whether outputs and gradients are finite."""
        return all(map(finite, self.outputs)) and all(map(_finite_gradient, self.gradients))


def diagnose(
    fun: Callable[..., Any],
    *args: Any,
    has_aux: bool = False,
    custom_rules: CustomRules = "honour",
    strong_zeros: bool = False,
) -> Diagnosis:
    """Find where a NaN, an infinity or a zero gradient of a function begins.

    The function is run and differentiated by all its arguments. If something is wrong, it is run
    once more with `jit`, `cond`, `scan`, `while_loop`, `checkpoint` and custom rules opened, and
    every value and every cotangent looked at.

    A finding is an output or a gradient that is not finite, a gradient that is zero throughout
    for a reason that training does not remove (underflow among them), one that vanishes or explodes
    along the layers, and that no argument is of a floating type.
    No finding is a zero of a stationary point (a perfect fit, a square at 0, contributions that
    cancel), of a factor that is a zero parameter with a gradient of its own (a layer that starts
    at zero), or of an input that the result does not use. Of the arguments beyond the first, also
    what is only compared or passed to `stop_gradient` is no finding. `notes` tells some of these.

    Args:
        fun: a function of pytrees of arrays. Outputs that are no scalar are summed with weights.
        *args: the point; any pytrees.
        has_aux: `fun` returns a pair, of which only the first is looked at.
        custom_rules: "honour" uses the custom_jvp and custom_vjp rules of functions that have
            them; "ignore" looks at their bodies instead.
        strong_zeros: as in `vjp`; a zero cotangent times a partial that is not finite is zero, as
            a finding may advise.

    Returns:
        A `Diagnosis`. ``print`` shows the report.

    Raises:
        GradientTypeError: `fun` is no function, or an argument holds a leaf that is no array.
        GradientValueError: called inside jit or another transformation.
        MissingRuleError: a gradient would pass a primitive without a rule.

    >>> import jax.numpy as jnp
    >>> found = diagnose(lambda x: jnp.sqrt(x), 0.0)
    >>> found.ok, found.findings[0].kind, found.findings[0].primitive
    (False, 'inf', 'sqrt')
    >>> diagnose(jnp.sin, 0.5).ok
    True
    """
    check_callable(fun, "diagnose")
    check_differentiable(args, "diagnose", allow_int=True)
    options = recording_options(custom_rules, strong_zeros, 64)
    name = getattr(fun, "__name__", type(fun).__name__)
    _refuse_unknown(jax.tree.leaves(args), name)
    look = _look(fun, args, has_aux, options)
    _refuse_unknown([*look.outputs, *look.gradients], name)
    leaves = _leaves(fun, args)
    norms = _norms(leaves, look)
    if look.sound() and not _suspicious(norms):
        return Diagnosis(tuple(integer_findings(leaves)), (), name, norms)
    findings, notes = _close_look(fun, args, has_aux, options, look, leaves)
    return Diagnosis(tuple(findings), tuple(notes), name, norms)


# --- the cheap look -------------------------------------------------------------------------------


def _look(fun: Callable[..., Any], args: Any, has_aux: bool, options: Options) -> Look:
    run = Recorded(fun, args, has_aux, options)
    gradients = backward(run.tape, seeds_of(run.outputs))
    return Look(list(run.outputs), gradients)


def seeds_of(outputs: Sequence[Any]) -> list[Any]:
    """A cotangent for each output: one, or weights of mean one, so that no symmetry cancels."""
    return [_seed(output) for output in outputs]


def _seed(output: Any) -> Any:
    aval = compat.typeof(output)
    if not compat.is_inexact(aval):
        return compat.zeros(compat.cotangent_type(aval))
    size = int(np.prod(aval.shape))
    weights = np.ones(()) if size == 1 else 1 + 0.5 * np.cos(1.0 + 2.4 * np.arange(size))
    return jnp.broadcast_to(jnp.asarray(weights.reshape(aval.shape), aval.dtype), aval.shape)


def _leaves(fun: Any, args: Any) -> list[Leaf]:
    names = argument_names(fun, args)
    return [
        Leaf(path, number, value)
        for number, tree in enumerate(args)
        for value, path in zip(jax.tree.leaves(tree), leaf_paths(tree, names[number]), strict=True)
    ]


def _norms(leaves: Sequence[Leaf], look: Look) -> dict[str, float]:
    """The largest entry of each gradient."""
    return {
        leaf.path: float(jnp.abs(gradient).max())
        for leaf, gradient in zip(leaves, look.gradients, strict=True)
        if not compat.is_float0(gradient) and gradient.size
    }


def _refuse_unknown(values: Sequence[Any], name: str) -> None:
    if any(compat.is_tracer(value) and compat.concrete(value) is None for value in values):
        raise GradientValueError(
            f"diagnose of `{name}` was asked for inside jit, vmap or another transformation, where "
            "values are not known yet; call it with numbers, and let the function hold the jit"
        )


def _suspicious(norms: dict[str, float]) -> bool:
    """Whether a gradient is zero throughout, or very small, or very large."""
    return any(norm < THRESHOLD or norm > 1 / THRESHOLD for norm in norms.values())


def _finite_gradient(gradient: Any) -> bool:
    return compat.is_float0(gradient) or finite(gradient)


# --- the close look -------------------------------------------------------------------------------


def _close_look(
    fun: Callable[..., Any], args: Any, has_aux: bool, options: Options, look: Look,
    leaves: Sequence[Leaf],
) -> tuple[list[Finding], list[Finding]]:  # fmt: skip
    zero = [
        place
        for place, gradient in enumerate(look.gradients)
        if not compat.is_float0(gradient) and gradient.size and vanishes(gradient)
    ]
    sound = look.sound()
    flow = _narrowed(fun, args, has_aux, options, None if not sound else zero)
    if not sound:
        found = nonfinite_findings(flow, leaves, _cured(fun, args, has_aux, options))
        return found or [_unlocated()], []
    findings, notes = zero_findings(flow, leaves, zero)
    return [*findings, *layer_findings(flow, leaves)], notes


def _unlocated() -> Finding:
    """Something is wrong, and the close look did not meet it: rounding, or another path taken."""
    return Finding(
        "nan", "backward", "unknown", "",
        "an output or a gradient is not finite, but it was when every operation ran by itself: "
        "compiled code rounds differently; look for values at the edge of overflow, or for a "
        "function that returns something else when it is called again",
    )  # fmt: skip


def _narrowed(
    fun: Callable[..., Any], args: Any, has_aux: bool, options: Options, zero: Sequence[int] | None
) -> Flow:
    """The flow, run again until the piece of a long loop that is at fault is unrolled."""
    windows: dict[int, tuple[int, int]] = {}
    for _ in range(ROUNDS):
        watched = watch_all(fun, args, has_aux, options, windows)
        flow = flow_of(watched, seeds_of(watched.values))
        events = culprit_events(flow) if zero is None else dead_end_events(flow, zero)
        piece = next((event.piece for event in events if event.piece is not None), None)
        if piece is None:
            break
        windows = {**windows, piece.loop: (piece.start, piece.stop)}
    return flow


def watch_all(
    fun: Callable[..., Any], args: Any, has_aux: bool, options: Options,
    windows: Mapping[int, tuple[int, int]],
) -> Watched:  # fmt: skip
    """Run a function of pytrees and write down everything that happens."""
    inputs = flatten(args)

    def flat(*leaves: Any) -> list[Any]:
        result = fun(*jax.tree.unflatten(inputs.treedef, leaves))
        output = split_aux(result, fun)[0] if has_aux else result
        return flatten(output).leaves

    keeping = options._replace(keep_values=True)
    watched, _ = watch(flat, inputs.leaves, keeping, BUDGET, windows=windows)
    return watched


def _cured(fun: Callable[..., Any], args: Any, has_aux: bool, options: Options) -> bool:
    """Whether strong_zeros=True makes every gradient finite."""
    return _look(fun, args, has_aux, options._replace(strong_zeros=True)).sound()
