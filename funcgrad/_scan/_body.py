"""One step as a flat function, with what it closes over as arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._errors import GradientTypeError


def strong(leaf: Any) -> Any:
    """An array whose type a loop keeps."""
    return lax.convert_element_type(leaf, compat.typeof(leaf).dtype) if _is_plain(leaf) else leaf


def _is_plain(leaf: Any) -> bool:
    return not compat.is_extended(compat.typeof(leaf).dtype)


class Body(NamedTuple):
    """The function of a step on flat leaves, with what it closes over."""

    flat: Callable[..., Any]
    consts: list[Any]
    out_tree: Any


def traced(
    f: Callable[..., Any], carry: list[Any], in_tree: Any, entries: list[Any], xs_tree: Any
) -> Body:
    """Trace a step, and see that the carry keeps its types."""
    trees: list[Any] = []

    def step(*leaves: Any) -> list[Any]:
        before = jax.tree.unflatten(in_tree, leaves[: len(carry)])
        result = f(before, jax.tree.unflatten(xs_tree, leaves[len(carry) :]))
        if not isinstance(result, tuple) or len(result) != 2:
            raise GradientTypeError(
                f"scan: f must return a pair (carry, y), but returned {type(result).__name__}"
            )
        after, tree = jax.tree.flatten(result[0])
        ys, out_tree = jax.tree.flatten(result[1])
        _check_carry(in_tree, tree, carry, after)
        trees.append(out_tree)
        return [*(strong(jnp.asarray(leaf)) for leaf in after), *map(jnp.asarray, ys)]

    one = [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in entries]
    closed = jax.make_jaxpr(step)(*carry, *one)
    jaxpr, consts = jaxprs.open_jaxpr(closed)

    def flat(consts: Any, carry: Any, x: Any) -> tuple[list[Any], list[Any]]:
        results = jax.core.eval_jaxpr(jaxpr, consts, *carry, *x)
        return results[: len(carry)], results[len(carry) :]

    return Body(flat, list(consts), trees[0])


def _check_carry(expected: Any, received: Any, before: list[Any], after: list[Any]) -> None:
    if expected != received:
        raise GradientTypeError(
            f"scan: the carry must keep its tree structure {expected}, but f returned {received}"
        )
    for old, new in zip(before, after, strict=True):
        want, got = compat.typeof(old), compat.typeof(jnp.asarray(new))
        if (want.shape, want.dtype) != (got.shape, got.dtype):
            raise GradientTypeError(
                f"scan: the carry must keep its types, but f takes {want.str_short()} and returns "
                f"{got.str_short()}; convert it in f, or give an init of that type"
            )
