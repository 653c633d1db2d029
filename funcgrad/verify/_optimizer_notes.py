"""What is worth knowing about an optimiser, and no fault."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._trees import is_float_leaf, leaf_paths
from ._findings import RIGHT, Finding
from ._optimizer_subject import Subject, difference, structure


def notes(subject: Subject) -> list[Finding]:
    """Remarks: about zero gradients, scales, and the parameters' part in the updates."""
    found = [_still(subject), _scale(subject), _without_params(subject), _slope(subject)]
    return [Finding("note", RIGHT, text) for text in [*found, *_rates(subject)] if text]


def _still(subject: Subject) -> str:
    zero = jax.tree.map(jnp.zeros_like, subject.grads)
    updates, _ = subject.update(zero, subject.state, subject.params)
    if difference(zero, updates, "updates", rounding=0.0) is None:
        return ""
    return "a zero gradient still moves the parameters: weight decay, or noise?"


def _scale(subject: Subject) -> str:
    plain, twice = (_updates(subject, factor) for factor in (1.0, 2.0))
    if difference(jax.tree.map(lambda x: 2 * x, plain), twice, "") is None:
        return "the first update is linear in the gradient"
    if difference(plain, twice, "") is None:
        return "the first update does not depend on the scale of the gradient"
    return ""


def _updates(subject: Subject, factor: float) -> Any:
    grads = jax.tree.map(lambda g: (factor * g).astype(g.dtype), subject.grads)
    return subject.update(grads, subject.state, subject.params)[0]


def _without_params(subject: Subject) -> str:
    try:
        bare, _ = subject.optimizer.update(subject.grads, subject.state)
    except Exception:
        return "update needs the parameters, as in update(grads, state, params)"
    given, _ = subject.update(subject.grads, subject.state, subject.params)
    same = structure(bare) == structure(given)
    if same and difference(given, bare, "") is None:
        return ""
    return "update gives another result without the parameters than with them"


def _slope(subject: Subject) -> str:
    """Whether the derivative of the updates is finite at a zero gradient."""
    zero = jax.tree.map(jnp.zeros_like, subject.grads)
    floating = [is_float_leaf(leaf) for leaf in jax.tree.leaves(zero)]

    def total(grads: Any) -> Any:
        updates = jax.tree.leaves(subject.update(grads, subject.state, subject.params)[0])
        parts = [jnp.sum(jnp.real(u)) for u, kept in zip(updates, floating, strict=True) if kept]
        return sum(part.astype(jnp.float32) for part in parts)

    try:
        slope = jax.jit(jax.grad(total, allow_int=True))(zero)
    except Exception:  # JAX cannot differentiate it: a loop
        return ""
    leaves = zip(jax.tree.leaves(slope), floating, strict=True)
    if all(bool(jnp.isfinite(leaf).all()) for leaf, kept in leaves if kept):
        return ""
    return (
        "the derivative of the updates is not finite at a zero gradient, which matters to those "
        "who differentiate through them (for Adam: eps_root=1e-8)"
    )


def _rates(subject: Subject) -> list[str]:
    """Learning rates in the state, as `optax.inject_hyperparams` puts them there."""
    found = []
    leaves, treedef = jax.tree.flatten(subject.state)
    plain = subject.update(subject.grads, subject.state, subject.params)[0]
    for place, name in enumerate(leaf_paths(subject.state, "state")):
        if not name.endswith("hyperparams['learning_rate']"):
            continue
        doubled = [2 * leaf if i == place else leaf for i, leaf in enumerate(leaves)]
        state = jax.tree.unflatten(treedef, doubled)
        updates = subject.update(subject.grads, state, subject.params)[0]
        twice = jax.tree.map(lambda x: 2 * x, plain)
        linear = difference(twice, updates, "") is None
        found.append(f"the update is {'' if linear else 'not '}proportional to {name}")
    return found
