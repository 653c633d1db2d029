"""A custom_jvp rule as a function of tangents alone: the linear map that the engine transposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _jaxcompat as compat


def tangent_function(
    jvp: Any, primals: list[Any], reads: Any, symbolic_zeros: bool
) -> tuple[Callable[..., list[Any]], list[Any], tuple[int, ...], list[Any]]:
    """A rule as a function of some tangents, their zeros, their operands, and where outputs go."""
    avals = [compat.typeof(primal) for primal in primals]
    chosen = tuple(i for i, slot in enumerate(reads) if slot is not None)
    held: list[Any] = []

    def tangents_of(*given: Any) -> list[Any]:
        missing = compat.symbolic_zero if symbolic_zeros else compat.zero_tangent
        tangents = [missing(aval) for aval in avals]
        for i, tangent in zip(chosen, given, strict=True):
            tangents[i] = tangent
        results = list(jvp.call_wrapped(*primals, *tangents))
        half = len(results) // 2
        held.extend(results[:half])
        pairs = zip(results[half:], results[:half], strict=True)
        return [compat.dense_tangent(tangent, primal) for tangent, primal in pairs]

    return tangents_of, [compat.zero_tangent(avals[i]) for i in chosen], chosen, held
