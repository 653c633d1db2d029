"""The function that users call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from .._arguments import check_callable
from .._errors import GradientValueError
from .._trees import PyTree
from ._body import strong, traced
from ._cost import Checkpoints, places
from ._rule import run


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: PyTree,
    xs: PyTree = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
    *,
    checkpoints: Checkpoints = "sqrt",
) -> tuple[PyTree, PyTree]:
    """`jax.lax.scan` whose gradient holds few states of the carry, and recomputes the others.

    The value, and the gradient up to rounding, are those of `jax.lax.scan`, by this package's
    transforms and by JAX's. In reverse mode `scan` of JAX keeps what every step needs; this one
    keeps `xs` and as many states of the carry as there are checkpoints.

    Args:
        f: ``f(carry, x) -> (carry, y)``, pytrees of arrays; may close over others, which are
            differentiated by, too.
        init: the first carry.
        xs: pytrees of arrays of which each step sees an entry of the leading axis; or None.
        length: the number of steps, where `xs` does not say it.
        reverse: from the last entry of `xs` to the first.
        unroll: of the forward loop, as for `jax.lax.scan`.
        checkpoints: how many states of the carry are held; see `scan_cost`.

    Returns:
        ``(carry, ys)``: the last carry, and the stacked `y`.

    Raises:
        GradientValueError: `checkpoints` is impossible, or the length is not known or not the same.
        GradientTypeError: `f` is no function, or the carry changes its structure or types.

    Forward mode is not defined (`jax.jvp` raises), and a second derivative is by this package only.

    >>> import funcgrad
    >>> def compounded(rate):
    ...     return scan(lambda x, _: (x * rate, None), 1.0, length=1000, checkpoints=10)[0]
    >>> round(float(funcgrad.grad(compounded)(1.001)), -1)
    2710.0
    """
    check_callable(f, "scan")
    carry, in_tree = jax.tree.flatten(init)
    entries, xs_tree = jax.tree.flatten(xs)
    count = _length(entries, length)
    held = places(count, checkpoints)
    carry = [strong(leaf) for leaf in carry]
    entries = [jnp.asarray(leaf) for leaf in entries]
    body = traced(f, carry, in_tree, entries, xs_tree)
    whole = partial(run, body.flat, count, bool(reverse), unroll, held)
    last, ys = whole(body.consts, carry, entries)
    return jax.tree.unflatten(in_tree, last), jax.tree.unflatten(body.out_tree, ys)


def _length(entries: list[Any], length: int | None) -> int:
    lengths = {jnp.shape(leaf)[:1] for leaf in entries}
    if () in lengths:
        raise GradientValueError(
            "scan: xs holds a scalar; arrays with a leading axis were expected"
        )
    known = {n for (n,) in lengths} | (set() if length is None else {int(length)})
    if len(known) != 1:
        raise GradientValueError(
            f"scan: the lengths are {sorted(known) or 'not given'}; the leading axes of xs, and "
            "`length` if it is given, must say one number"
        )
    return int(known.pop())
