"""The derivative under transformations: it must be the same under `vmap` and inside `scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._batch import Row
from ._devices import placed
from ._findings import WRONG, Finding
from ._judge import first_index, number
from ._native import Native, error_finding, run, widened
from ._points import NEAR
from ._problem import Problem
from ._programs import like, not_offered, pulled
from ._rounding import epsilon

_ROUNDING = 512.0  # units of rounding of the largest entry
Flat = Callable[..., Any]


class Variant(NamedTuple):
    """A way to compute the derivative at two rows at once."""

    kind: str
    words: str
    fun: Flat


def variants(problem: Problem, rows: Sequence[Row]) -> list[Finding]:
    """Findings where a transformed derivative differs from the plain one.

    Args:
        problem: what is checked.
        rows: where the function is finite; the given point first, under two cotangents.
    """
    # Points that differ by signs only do not tell a batch from its reverse.
    far = next((row for row in rows if row.point == NEAR), rows[-1])
    pairs = [
        (Variant("batch", "under vmap over the inputs", _mapped(problem)), [rows[0], far]),
        (Variant("scan", "inside scan", _scanned(problem)), [rows[0], far]),
    ]
    if len(rows) > 1 and rows[1].point == rows[0].point and problem.gradient is None:
        variant = Variant("batch", "under vmap over the cotangents", _mapped_cotangents(problem))
        pairs.append((variant, [rows[0], rows[1]]))
    findings = []
    for variant, pair in pairs:
        finding = _compare(problem, variant, pair)
        if finding is not None:
            findings.append(finding)
    return findings


def _pull(problem: Problem, xs: Sequence[Any], cs: Sequence[Any]) -> list[Any]:
    if problem.gradient is not None:
        return [g * like(cs[0], g) for g in problem.gradient(*xs)]
    return pulled(problem.function, xs, cs)[1]


def _mapped(problem: Problem) -> Flat:
    return jax.vmap(lambda xs, cs: _pull(problem, xs, cs))


def _mapped_cotangents(problem: Problem) -> Flat:
    mapped: Flat = jax.vmap(lambda xs, cs: _pull(problem, xs, cs), in_axes=(None, 0))
    return lambda xs, cs: mapped([x[0] for x in xs], cs)


def _scanned(problem: Problem) -> Flat:
    if problem.gradient is not None:
        return lambda xs, cs: lax.scan(lambda k, r: (k, _pull(problem, *r)), 0, (xs, cs))[1]

    def each(xs: list[Any]) -> Any:
        return lax.scan(lambda carry, row: (carry, problem.function(*row)), 0, xs)[1]

    def scanned(xs: list[Any], cs: list[Any]) -> list[Any]:
        ys, pullback = jax.vjp(each, xs)
        return list(pullback([like(c, y) for c, y in zip(cs, ys, strict=True)])[0])

    return scanned


def _compare(problem: Problem, variant: Variant, rows: Sequence[Row]) -> Finding | None:
    columns = [zip(*(getattr(row, name) for row in rows), strict=True) for name in ("xs", "cs")]
    xs, cs = ([np.stack(leaf) for leaf in column] for column in columns)
    stacked = [placed(xs, problem.leaves, rows=True), [jnp.asarray(c) for c in cs]]
    # Outside of a compiled program JAX refuses to stack what lies on an Explicit mesh.
    fun = jax.jit(variant.fun) if problem.devices.sizes else variant.fun
    try:
        arrays = widened(fun(*stacked))
        plain = [run(problem, row) for row in rows]
    except Exception as error:
        if not_offered(error):
            return None
        return error_finding(f"the derivative fails {variant.words}", error)
    return _differing(problem, variant, rows, (arrays, plain))


def _differing(
    problem: Problem, variant: Variant, rows: Sequence[Row], found: tuple[list[Any], list[Native]]
) -> Finding | None:
    arrays, plain = found
    for leaf, array in enumerate(arrays):
        eps = epsilon(problem.leaves[leaf].dtype)
        for k, row in enumerate(rows):
            alone = plain[k].gradient[leaf]
            allowed = _ROUNDING * eps * np.max(np.abs(alone), initial=0.0)
            off = ~((np.abs(array[k] - alone) <= allowed) | ~np.isfinite(alone))
            if off.any():
                index = first_index(off)
                return Finding(
                    variant.kind, WRONG, f"the gradient is another one {variant.words}",
                    "the same derivative without it", row.point, problem.names[leaf], index,
                    number(alone[index]), number(array[k][index]), float(allowed),
                )  # fmt: skip
    return None
