"""The functions of a custom derivative rule, called directly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .._arguments import argument_names
from .._target import describe
from .._trees import is_float_leaf, leaf_paths
from ._findings import WRONG, Finding
from ._judge import GIVEN
from ._optimizer_subject import difference, gradients

_COTANGENTS, _ROUNDING = 4, 64.0


class Split(NamedTuple):
    """A call of a rule, its arguments sorted.

    Attributes:
        rule: the `custom_vjp` or `custom_jvp` object.
        fixed: the arguments of `nondiff_argnums`.
        primals: the others.
        places: where the others stand.
        args: all of them.
    """

    rule: Any
    fixed: tuple[Any, ...]
    primals: tuple[Any, ...]
    places: tuple[int, ...]
    args: tuple[Any, ...]

    def function(self, *primals: Any) -> Any:
        """The rule's function of those arguments that are differentiated."""
        full = list(self.args)
        for place, value in zip(self.places, primals, strict=True):
            full[place] = value
        return self.rule(*full)


def own_findings(split: Split) -> Iterator[Finding]:
    """What is wrong with the functions of a rule; nothing where only JAX can call them."""
    rule = split.rule
    flags = ("symbolic_zeros", "with_logs", "with_accums")
    if any(getattr(rule, flag, False) for flag in flags):
        return
    value = rule.fun(*split.args)
    if isinstance(rule, jax.custom_jvp):
        yield from _forward_rule(split, value)
    else:
        yield from _backward_rule(split, value)


def _backward_rule(split: Split, value: Any) -> Iterator[Finding]:
    try:
        result = split.rule.fwd(*split.args)
    except Exception as error:
        yield Finding("error", WRONG, f"fwd fails: {describe(error)}")
        return
    if not isinstance(result, tuple) or len(result) != 2:
        yield _ill(
            f"fwd returned {type(result).__name__}; the pair (result, residuals) was expected"
        )
        return
    yield from _primal(value, result[0], "fwd's first result")

    def back(cotangent: Any) -> Any:
        return split.rule.bwd(*split.fixed, result[1], cotangent)

    try:
        results = [back(ct) for ct in _draws(value)]
    except Exception as error:
        yield Finding("error", WRONG, f"bwd fails: {describe(error)}")
        return
    wrong = _misfit(split, results[0])
    yield from wrong
    if not wrong:
        yield from _linear(results, "bwd", "the cotangent")


def _forward_rule(split: Split, value: Any) -> Iterator[Finding]:
    try:
        pairs = [split.rule.jvp(*split.fixed, split.primals, t) for t in _draws(split.primals)]
    except Exception as error:
        yield Finding("error", WRONG, f"the JVP rule fails: {describe(error)}")
        return
    if not isinstance(pairs[0], (tuple, list)) or len(pairs[0]) != 2:
        kind = type(pairs[0]).__name__
        yield _ill(f"the JVP rule returned {kind}; the pair (result, tangent) was expected")
        return
    yield from _primal(value, pairs[0][0], "the JVP rule's first result")
    tangents = [pair[1] for pair in pairs]
    wrong = _types(value, tangents[0], "tangent", "the result")
    yield from wrong
    if not wrong:
        yield from _linear(tangents, "the JVP rule", "the tangent")


def _draws(tree: Any) -> list[Any]:
    """Cotangents: some random ones, their sum, and zero; those of integers are float0."""
    drawn = [_tangent(gradients(tree, 101 + n), tree) for n in range(_COTANGENTS)]
    total = jax.tree.map(lambda *xs: sum(xs[1:], xs[0]) if _adds(xs[0]) else xs[0], *drawn)
    zero = jax.tree.map(lambda x: x * 0 if _adds(x) else x, drawn[0])
    return [*drawn, total, zero]


def _tangent(drawn: Any, tree: Any) -> Any:
    def each(value: Any, leaf: Any) -> Any:
        return value if is_float_leaf(leaf) else np.zeros(np.shape(leaf), jax.dtypes.float0)

    return jax.tree.map(each, drawn, tree)


def _adds(leaf: Any) -> bool:
    return not compat.is_float0(leaf)


# --- comparisons ----------------------------------------------------------------------------------


def _primal(value: Any, received: Any, what: str) -> list[Finding]:
    """Whether a rule returns the value of the function."""
    wrong = _types(value, received, what, "the function's result")
    if wrong:
        return wrong
    apart = difference(value, received, "result", _ROUNDING)
    if apart is None:
        return []
    return [
        Finding(
            "value", WRONG, f"{what} is not what the function returns", "the function itself",
            GIVEN, apart.leaf, apart.index, apart.expected, apart.received, apart.bound,
        )
    ]  # fmt: skip


def _misfit(split: Split, cotangents: Any) -> list[Finding]:
    """Where the result of bwd does not fit the arguments."""
    count = len(split.primals)
    if not isinstance(cotangents, (tuple, list)) or len(cotangents) != count:
        kind = type(cotangents).__name__
        size = f" of {len(cotangents)}" if isinstance(cotangents, (tuple, list)) else ""
        return [_ill(f"bwd returned a {kind}{size}; a tuple of {count} was expected, one "
                     "cotangent for each argument that is differentiated")]  # fmt: skip
    names = argument_names(split.rule, split.args)
    found = []
    for place, primal, cotangent in zip(split.places, split.primals, cotangents, strict=True):
        if cotangent is not None:  # None stands for zeros
            found += _types(primal, cotangent, f"bwd's cotangent of {names[place]}", names[place])
    return found


def _types(model: Any, tree: Any, what: str, like: str) -> list[Finding]:
    """Where structure, shape or dtype is not that of the model; those of integers are free."""
    wanted: Any = jax.tree.structure(model, is_leaf=_is_none)
    received: Any = jax.tree.structure(tree, is_leaf=_is_none)
    if wanted != received:
        return [_ill(f"{what} has the structure {received}, but {like} has {wanted}")]
    found = []
    rows = zip(leaf_paths(model), jax.tree.leaves(model), jax.tree.leaves(tree), strict=True)
    for path, left, right in rows:
        if not is_float_leaf(left):
            continue
        old, new = (compat.typeof(jnp.asarray(leaf)) for leaf in (left, right))
        if old.shape != new.shape:
            found.append(_ill(f"{what}{path} has the shape {new.shape}, but {like} {old.shape}"))
        elif old.dtype != new.dtype:
            text = f"{what}{path} is of {new.dtype}, but {like} of {old.dtype}"
            found.append(Finding("dtype", WRONG, text))
    return found


def _is_none(value: Any) -> bool:
    return value is None


def _linear(results: Sequence[Any], what: str, by: str) -> list[Finding]:
    """Whether the last results are the sum of those before, and zero."""
    *drawn, total, zero = [_floats(result) for result in results]
    added = [sum(parts[1:], parts[0]) for parts in zip(*drawn, strict=True)]
    nothing = [x * 0 for x in zero]
    for expected, received, words in (
        (added, total, "its value at a sum is not the sum of its values"),
        (nothing, zero, "at zero it is not zero"),
    ):
        if not all(bool(jnp.isfinite(x).all()) for x in expected):
            continue  # which `check` judges
        apart = difference(expected, received, what)
        if apart is not None:
            return [
                Finding(
                    "cotangent", WRONG, f"{what} is not linear in {by}: {words}", "its own values",
                    GIVEN, "", apart.index, apart.expected, apart.received, apart.bound,
                )
            ]  # fmt: skip
    return []


def _floats(result: Any) -> list[Any]:
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(result) if is_float_leaf(leaf)]


def _ill(message: str) -> Finding:
    return Finding("structure", WRONG, message)
