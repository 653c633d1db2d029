"""An optimiser over several steps: it carries its state on, and it descends."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from .. import _jaxcompat as compat
from .._target import describe
from .._trees import is_float_leaf, leaf_paths
from ._findings import WRONG, Finding
from ._optimizer_subject import Subject, difference, gradients, plain_numbers, quadratic

_STEPS = 8  # after which a state that is carried on has moved
_CURVATURES = (1.0, 0.01, 1e-4)  # a large learning rate descends where it is flat
_UPHILL = "the sign: updates are added to the parameters, so that they have to point downhill"


class Trip(NamedTuple):
    """A run on a quadratic: its loss before and after, and the slope along the whole way."""

    start: float
    end: float
    uphill: bool
    moved: bool


def course(subject: Subject, steps: int) -> list[Finding]:
    """Whether it descends on a convex quadratic, a steep one or a flat one."""
    trips = []
    for curvature in _CURVATURES:
        try:
            trip = _run(subject, steps, curvature)
        except Exception as error:
            text = f"update fails inside lax.scan: {describe(error)}"
            return [Finding("scan", WRONG, text, point=f"{steps} steps on a convex quadratic")]
        if trip.end < trip.start:
            return []
        trips.append((curvature, trip))
    curvature, trip = next((pair for pair in trips if pair[1].moved), trips[-1])
    still = "the parameters never move" if not trip.moved else "it does not descend"
    meaning = _UPHILL if trip.uphill else ""
    return [
        Finding(
            "descent", WRONG,
            f"{still}: the loss goes from {trip.start:.4g} to {trip.end:.4g} in {steps} steps "
            "(descends=False for a part of a chain)",
            "the loss before", f"a convex quadratic of curvature {curvature:g}", meaning=meaning,
        )
    ]  # fmt: skip


def _run(subject: Subject, steps: int, curvature: float) -> Trip:
    loss = quadratic(subject.params, subject.seed, curvature)

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        # JAX's gradient of a complex variable points the wrong way; Optax expects its conjugate.
        grads = jax.tree.map(jnp.conj, jax.grad(loss, allow_int=True)(params))
        grads = jax.tree.map(_without_float0, grads, params)
        updates, state = subject.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    begin = (jax.tree.map(jnp.asarray, subject.params), jax.tree.map(_array, subject.state))
    (end, _), _ = jax.jit(lambda carry: lax.scan(step, carry, None, length=steps))(begin)
    apart = difference(subject.params, end, "params", rounding=0.0)
    before, after = float(loss(subject.params)), float(loss(end))
    slope = jax.grad(loss, allow_int=True)(subject.params)
    way = [
        np.vdot(np.conj(plain_numbers(g)), plain_numbers(b) - plain_numbers(a)).real
        for g, a, b in zip(*map(jax.tree.leaves, (slope, subject.params, end)), strict=True)
        if is_float_leaf(a)
    ]
    return Trip(before, after, sum(way) >= 0 and apart is not None, apart is not None)


def _without_float0(gradient: Any, param: Any) -> Any:
    return jnp.zeros_like(param) if compat.is_float0(gradient) else gradient


def _array(leaf: Any) -> Any:
    return leaf if hasattr(leaf, "dtype") else jnp.asarray(leaf)


# --- memory ---------------------------------------------------------------------------------------


def remembers(subject: Subject) -> list[Finding]:
    """Parts of the state which the updates depend on, and which never change.

    A learning rate in the state, or the parameters of the start, may stay; a moment, which begins
    with zeros, a counter and a random key may not.
    """
    # From parameters without zeros, so that a state which keeps them does not look like a moment.
    params = jax.tree.map(_away_from_zero, subject.params)
    begin = subject.optimizer.init(params)
    subject = subject._replace(params=params, state=begin)
    states = [jax.tree.map(_array, begin)]
    update = jax.jit(subject.update)
    for number in range(_STEPS + 1):
        grads = gradients(subject.params, subject.seed + 11 + number)
        states.append(update(grads, states[-1], subject.params)[1])
    leaves = [jax.tree.leaves(state) for state in states]
    grads = gradients(subject.params, subject.seed + 11 + _STEPS)
    plain = update(grads, states[-2], subject.params)[0]
    findings = []
    for place, name in enumerate(leaf_paths(subject.state, "state")):
        history = [values[place] for values in leaves]
        if not _must_change(history[0]) or not _same(history):
            continue
        bumped = list(leaves[-2])
        bumped[place] = _bumped(bumped[place])
        state = jax.tree.unflatten(jax.tree.structure(states[-2]), bumped)
        other = update(grads, state, subject.params)[0]
        if difference(plain, other, "updates", rounding=0.0) is not None:
            text = (
                f"the state is not carried on: this part never changed in {_STEPS + 1} steps of "
                "different gradients, though the updates depend on it"
            )
            findings.append(Finding("state", WRONG, text, leaf=name, meaning=_forgotten(name)))
    return findings


def _away_from_zero(leaf: Any) -> Any:
    return jnp.where(leaf == 0, jnp.ones_like(leaf), leaf) if is_float_leaf(leaf) else leaf


def _forgotten(name: str) -> str:
    return f"update returns the old {name.rpartition('.')[2]} instead of the new one?"


def _must_change(leaf: Any) -> bool:
    """Whether a part of a state is a counter, a key, or a moment; a number may be an option."""
    if not is_float_leaf(leaf):
        return bool(leaf.dtype != jnp.bool_)
    return leaf.ndim > 0 and leaf.size > 0 and not bool(jnp.any(leaf))


def _same(values: list[Any]) -> bool:
    return all(np.array_equal(plain_numbers(values[0]), plain_numbers(v)) for v in values[1:])


def _bumped(leaf: Any) -> Any:
    if compat.is_extended(leaf.dtype):
        return jax.vmap(lambda key: jax.random.fold_in(key, 1))(leaf.reshape(-1)).reshape(
            leaf.shape
        )
    return leaf + jnp.ones((), leaf.dtype)
