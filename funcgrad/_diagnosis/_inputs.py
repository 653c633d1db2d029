"""Findings for a non-finite number that an input or a constant brings in from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from .. import _jaxcompat as compat
from . import _advice_texts as texts
from ._events import Event, Key, Watched, finite
from ._findings import Finding
from ._numbers import describe
from ._origins import Origin
from ._places import line_of


class Leaf(NamedTuple):
    """One input of the function."""

    path: str
    argument: int
    value: Any


def leaf_of(key: Key, watched: Watched, leaves: Sequence[Leaf]) -> Leaf | None:
    """The input that a value is."""
    pairs = zip(watched.inputs, leaves, strict=True)
    return next((leaf for own, leaf in pairs if own == key and key is not None), None)


def brought_in(
    origin: Origin, watched: Watched, leaves: Sequence[Leaf], reached: tuple[str, ...]
) -> Finding:
    """The finding for what was not finite before anything was computed."""
    held = [leaf_of(key, watched, leaves) for key in origin.keys]
    given = list(dict.fromkeys(leaf.path for leaf in held if leaf is not None))
    source, code = line_of(origin.event.frames)
    what, it = _named(given)
    return Finding(
        "input" if given else "constant", "forward", origin.event.primitive, source,
        f"{what} {_kind(origin.value)} before anything is computed: clean the data (check "
        f"`jnp.isfinite(x).all()` where it is loaded), or, if {it} a parameter, look at the step "
        f"before, whose gradient overflowed{_mask(origin.value)}",
        code, reached, origin.event.inside, (("value", describe(origin.value)),),
    )  # fmt: skip


def _named(given: Sequence[str]) -> tuple[str, str]:
    if not given:
        return "a constant of the function holds", "it is"
    if len(given) == 1:
        return f"the input {given[0]} holds", "it is"
    return f"the inputs {', '.join(given[:-1])} and {given[-1]} hold", "one is"


def _kind(value: Any) -> str:
    return "a NaN" if _any_nan(value) else f"an infinity ({_infinity(value)})"


def _any_nan(value: Any) -> bool:
    return bool(jnp.isnan(jnp.asarray(value)).any())


def _infinity(value: Any) -> str:
    return "-inf" if _only_negative(value) else "inf"


def _only_negative(value: Any) -> bool:
    """Whether what is not finite is -inf throughout, as a mask is."""
    array = jnp.asarray(value)
    return not finite(value) and bool((jnp.isfinite(array) | (array == -jnp.inf)).all())


def _mask(value: Any) -> str:
    return f". If it is a mask: {texts.DIFFERENCE}" if _only_negative(value) else ""


def passed_through(key: Key, watched: Watched, leaves: Sequence[Leaf]) -> Finding:
    """The finding for an output that is an input or a constant itself."""
    leaf = leaf_of(key, watched, leaves)
    text = f"the output is the non-finite {f'input {leaf.path}' if leaf else 'constant'} itself"
    names = (leaf.path,) if leaf else ()
    return Finding(
        "input" if leaf else "constant", "forward", "none", "", text, leaves=names
    )  # fmt: skip


def input_finding(event: Event, leaf: Leaf, names: tuple[str, ...]) -> Finding:
    """The finding for a non-finite input that only the gradient meets."""
    source, code = line_of(event.frames)
    test = "isnan" if _any_nan(leaf.value) else "isinf"
    return Finding(
        "input", "backward", event.primitive, source,
        f"the input {leaf.path} holds {_kind(leaf.value)}, which the gradient meets although the "
        f"value does not: replace it before the computation, as in `jnp.where(jnp.{test}(x), "
        "0.0, x)`",
        code, names, event.inside, (("value", describe(leaf.value)),),
    )  # fmt: skip


def integer_findings(leaves: Sequence[Leaf]) -> list[Finding]:
    """The finding where no input at all can carry a gradient."""
    if not leaves or any(compat.is_inexact(compat.typeof(leaf.value)) for leaf in leaves):
        return []
    held = ", ".join(f"{leaf.path} is {_shown(leaf.value)}" for leaf in leaves[:3])
    paths = tuple(leaf.path for leaf in leaves)
    return [
        Finding(
            "missing", "backward", "none", "",
            f"no input carries a gradient: {held}, which is not a floating type. Pass a floating "
            "number, as 3.0 instead of 3, or an array after `.astype(float)`",
            leaves=paths,
        )
    ]  # fmt: skip


def _shown(value: Any) -> str:
    aval = compat.typeof(value)
    kind = "an integer" if jnp.issubdtype(aval.dtype, jnp.integer) else "no floating number"
    return f"{kind} ({aval.str_short(short_dtypes=True)})"
