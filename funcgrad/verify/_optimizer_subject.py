"""An optimiser with what it needs to run, and the comparison of two of its results."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .. import _jaxcompat as compat
from .._trees import is_float_leaf, leaf_paths
from ._judge import first_index
from ._rounding import epsilon

# Compiled and eager code round apart; 1 - 0.999**t, as Adam has it, makes a thousand times as much.
ROUNDING, _LEAST_DIGITS = 4096.0, 0.1


class Subject(NamedTuple):
    """An optimiser, parameters, and the state that it made of them.

    Attributes:
        optimizer: the pair of functions.
        params, state: of the start.
        grads: random gradients.
        seed: of these and others.
    """

    optimizer: Any
    params: Any
    state: Any
    grads: Any
    seed: int

    def update(self, grads: Any, state: Any, params: Any) -> tuple[Any, Any]:
        """The updates and the next state; with a loss for those optimisers that look at it."""
        if not isinstance(self.optimizer, optax.GradientTransformationExtraArgs):
            found: tuple[Any, Any] = self.optimizer.update(grads, state, params)
            return found
        loss = quadratic(self.params, self.seed, 1.0)
        extra = {"value": loss(params), "grad": grads, "value_fn": loss}
        with_loss: tuple[Any, Any] = self.optimizer.update(grads, state, params, **extra)
        return with_loss


class Apart(NamedTuple):
    """The element in which two trees of one structure differ most, in units of what is allowed."""

    leaf: str
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index, unused
    expected: Any
    received: Any
    bound: float


def gradients(params: Any, seed: int, scale: float = 1.0) -> Any:
    """Random gradients like the parameters; zero for those that are not floating."""
    random = np.random.default_rng(seed)

    def draw(leaf: Any) -> Any:
        array = jnp.asarray(leaf)
        if not is_float_leaf(array):
            return jnp.zeros_like(array)
        values = random.standard_normal(array.shape)
        if jnp.iscomplexobj(array):
            values = values + 1j * random.standard_normal(array.shape)
        return jnp.asarray(scale * values).astype(array.dtype)

    return jax.tree.map(draw, params)


def quadratic(params: Any, seed: int, curvature: float) -> Any:
    """A convex quadratic with its least value about as far from the parameters as they are long."""
    apart = gradients(params, seed + 7)
    minimum = jax.tree.map(
        lambda x, d: x + d * jnp.maximum(1.0, jnp.max(jnp.abs(x), initial=0.0)).astype(d.dtype),
        params,
        apart,
    )

    def loss(at: Any) -> Any:
        pairs = zip(jax.tree.leaves(at), jax.tree.leaves(minimum), strict=True)
        terms = [jnp.sum(jnp.abs(x - m) ** 2) for x, m in pairs if is_float_leaf(x)]
        return 0.5 * curvature * sum(term.astype(jnp.float32) for term in terms)

    return loss


def difference(expected: Any, received: Any, root: str, rounding: float = ROUNDING) -> Apart | None:
    """Where two trees of one structure differ by more than rounding, or at all; NaN is no number.

    Args:
        expected, received: the trees.
        root: how their paths begin.
        rounding: how many units of rounding are allowed; with 0 every bit counts.
    """
    rows = zip(
        leaf_paths(expected, root), jax.tree.leaves(expected), jax.tree.leaves(received),
        strict=True,
    )  # fmt: skip
    for name, left, right in rows:
        wide, other = plain_numbers(left), plain_numbers(right)
        allowed = _allowed(left, wide, rounding)
        with np.errstate(all="ignore"):
            off = ~((np.abs(wide - other) <= allowed) | (wide == other))
        off &= ~(np.isnan(wide) & np.isnan(other))
        if off.any():
            index = first_index(off)
            return Apart(name, index, wide[index].item(), other[index].item(), allowed)
    return None


def _allowed(leaf: Any, wide: Any, rounding: float) -> float:
    if not is_float_leaf(leaf):
        return 0.0
    eps = epsilon(jnp.asarray(leaf).dtype)
    finite = np.abs(wide[np.isfinite(wide)])
    return min(rounding * eps, _LEAST_DIGITS) * float(np.max(finite, initial=0.0))


def structure(tree: Any) -> Any:
    """The structure of a tree, which JAX's types take for possibly None."""
    return jax.tree.structure(tree)


def plain_numbers(leaf: Any) -> Any:
    """A leaf as an array of double precision; random keys as their numbers."""
    if hasattr(leaf, "dtype") and compat.is_extended(leaf.dtype):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
