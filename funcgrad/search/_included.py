"""Functions of a user's own as operations of random programs; what they take is found by trying.

A function of arrays is called with every combination of a few shapes, by its abstract values alone,
and then at random points of some intervals, until there is one where its values are finite.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigurationError
from .._target import describe, load_function
from ._domains import POOL, RARE, between
from ._kinds import Operation, Shape, Slot

FAMILY = "included"
_INTERVALS = ((-2.0, 2.0), (-0.9, 0.9), (0.1, 2.0), (1.1, 3.0), (0.05, 0.95))
_MOST_ARGUMENTS = 4
_TAKEN = re.compile(r"[xyzwutsrf]|v\d+|body\d+|weighed|arguments|jax|jnp|lax|np|funcgrad")
_POINTS = 5  # in each interval, for each of a few combinations of shapes
_COMBINATIONS = 4
Shapes = tuple[Shape, ...]


class Form(NamedTuple):
    """What a function returns: the text around its call, and how many real arrays that are."""

    template: str
    results: int


@functools.cache
def included(target: str) -> Operation:
    """The operation that calls a function.

    Args:
        target: ``"module:function"`` or ``"file.py:function"``, a function of one to four arrays
            that returns a pytree with real arrays. Arguments with defaults keep these.

    Raises:
        ConfigurationError: there is none, it takes none of the shapes that are tried, or its values
            are not finite in any of the intervals.

    >>> included("jax.numpy:hypot").template
    'hypot({0}, {1})'
    """
    function = load_function(target)
    definitions, name = _imported(target)
    forms = _forms(target, function)
    form = Counter(forms.values()).most_common(1)[0][0]
    taken = [shapes for shapes, found in forms.items() if found == form]
    domain = between(*_interval(target, function, taken))
    count = len(taken[0])
    slots = tuple(Slot(functools.partial(_fits, frozenset(taken)), domain) for _ in range(count))
    call = f"{name}({', '.join(f'{{{i}}}' for i in range(count))})"
    return Operation(
        name, FAMILY, form.template.replace("CALL", call), slots, results=form.results,
        definitions=definitions,
    )  # fmt: skip


def _imported(target: str) -> tuple[str, str]:
    """The lines that import it, and what it is called after them."""
    place, _, path = target.rpartition(":")
    first, *rest = path.split(".")
    alias = f"{first}_" if _TAKEN.fullmatch(first) else first
    bound = f" as {alias}" if alias != first else ""
    lines = [f"from {place} import {first}{bound}"]
    if place.endswith(".py"):
        folder = str(Path(place).parent.resolve())
        lines = ["import sys", f"sys.path.insert(0, {folder!r})",
                 f"from {Path(place).stem} import {first}{bound}"]  # fmt: skip
    return "\n".join(lines) + "\n", ".".join([alias, *rest])


def _fits(taken: frozenset[Shapes], shape: Shape, *before: Shape) -> bool:
    """Whether some combination begins with the shapes before, and this one after them."""
    begun = (*before, shape)
    return any(shapes[: len(begun)] == begun for shapes in taken)


# --- shapes ---------------------------------------------------------------------------------------


def _forms(target: str, function: Callable[..., Any]) -> dict[Shapes, Form]:
    """What comes back for each combination of shapes that the function takes."""
    count = _arguments(target, function)
    found: dict[Shapes, Form] = {}
    last = "it returns no real array"
    for shapes in _combinations(count):
        try:
            result = jax.eval_shape(
                function, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
            )
        except Exception as error:  # which error means "not these shapes" is the user's choice
            last = describe(error)
            continue
        form = _form(result)
        if form is not None:
            found[shapes] = form
    if not found:
        raise ConfigurationError(
            f"--include {target}: as a function of {count} float32 arrays it takes none of the "
            f"shapes {', '.join(map(str, _shapes(count)))}; name a function that calls it with "
            f"what it takes (last: {' '.join(last.split())[:160]})"
        )
    return found


def _shapes(count: int) -> Sequence[Shape]:
    return {1: (*POOL, *RARE), 2: (*POOL, *RARE), 3: POOL}.get(count, POOL[:4])


def _combinations(count: int) -> Iterator[Shapes]:
    return itertools.product(_shapes(count), repeat=count)


def _arguments(target: str, function: Callable[..., Any]) -> int:
    """How many arguments have no default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(q.kind in positional and q.default is q.empty for q in parameters)
    if not 1 <= count <= _MOST_ARGUMENTS:
        raise ConfigurationError(
            f"--include {target}: it has {count} arguments without a default; a function of 1 to "
            f"{_MOST_ARGUMENTS} arrays was expected; name one that calls it"
        )
    return count


def _form(result: Any) -> Form | None:
    """How the arrays of a result are reached; None if there is none of moderate size."""
    leaves, treedef = jax.tree.flatten(result)
    real = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    if not real or any(leaf.ndim > 4 or not 0 < leaf.size <= 64 for leaf in real):
        return None
    if jax.tree_util.treedef_is_leaf(treedef):
        return Form("CALL", 1)
    flat = isinstance(result, (tuple, list)) and len(real) == len(leaves) == len(result)
    flat = flat and all(jax.tree_util.all_leaves([entry]) for entry in result)
    reached = "CALL" if flat else _LEAVES
    return Form(reached if len(real) > 1 else f"({reached})[0]", len(real))


_LEAVES = "[v for v in jax.tree.leaves(CALL) if jnp.issubdtype(v.dtype, jnp.floating)]"


# --- where it is finite ---------------------------------------------------------------------------


def _interval(
    target: str, function: Callable[..., Any], taken: Sequence[Shapes]
) -> tuple[float, float]:
    """The first interval at whose random points all values are finite, and not all of them zero."""
    tried = taken[:: -(-len(taken) // _COMBINATIONS)]
    compiled = jax.jit(function)
    for low, high in _INTERVALS:
        sizes = [_size(compiled, shapes, low, high) for shapes in tried]
        if np.all(np.isfinite(sizes)) and any(sizes):
            return low, high
    raise ConfigurationError(
        f"--include {target}: its values are not finite, or all zero, at random points of the "
        f"intervals {', '.join(map(str, _INTERVALS))}; name a function that leads any numbers into "
        "its domain and calls it"
    )


def _size(function: Callable[..., Any], shapes: Shapes, low: float, high: float) -> float:
    """The largest value at some random points; not finite if any value, or the call, is not."""
    generator, most = np.random.default_rng(0), 0.0
    for _ in range(_POINTS):
        point = [generator.uniform(low, high, shape).astype(np.float32) for shape in shapes]
        try:
            leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(function(*point))]
        except Exception:
            return np.inf
        real = [np.abs(leaf).max() for leaf in leaves if leaf.dtype.kind == "f"]
        most = float(np.max([most, *real]))  # not a number if one is not
    return most
