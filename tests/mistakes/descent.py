"""Mistakes with gradient descent and with trees of parameters."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax

import funcgrad as fg
from tests.mistakes.kinds import INTS, THREE, Mistake, S, T, V, X, f, mean, ours, squares, tree, two

RATE = optax.sgd(0.1)


class Unhashable:
    __hash__ = None  # type: ignore[assignment] # which is what it is for

    def __call__(self, w: Any) -> Any:
        return jnp.sum(w)


DESCENT = (
    ours("a negative rate", V, "learning rate must be positive and finite, but is -1.0",
         lambda: fg.gd_step(f, X, -1.0)),
    ours("a rate that is no number", V, "must be positive and finite, but is nan",
         lambda: fg.gd_step(f, X, float("nan"))),
    ours("an infinite rate", V, "must be positive and finite, but is inf",
         lambda: fg.descend(f, X, float("inf"), 1)),
    ours("a rate in quotes", T, "must be a real number, but is '0.1' of type str",
         lambda: fg.gd_step(f, X, "0.1")),  # type: ignore[arg-type] # the mistake
    ours("no rate", T, "must be a real number, but is None",
         lambda: fg.gradient_descent(None)),  # type: ignore[arg-type] # the mistake
    ours("a rate for each entry", V, r"must be a scalar, but has shape \(3,\)",
         lambda: fg.gd_step(f, X, THREE)),
    ours("integer parameters", T, "no leaf of the parameters is of floating dtype",
         lambda: fg.gd_step(f, INTS, 0.1)),
    ours("no parameters", T, "no leaf of the parameters is of floating dtype.*{}",
         lambda: fg.descend(lambda _: 1.0, {}, 0.1, 2)),
    ours("a string among the parameters", T, r"hold 'a' of type str at params\['n'\]; an array",
         lambda: fg.descend(tree, {"w": X, "n": "a"}, 0.1, 2)),
    ours("a loss of an array", T, r"but `squares` returned an array of shape \(2,\)",
         lambda: fg.gd_step(squares, X, 0.1)),
    ours("a loss that takes more", T, "`two` cannot be called with 1 .*: missing .* 'y'",
         lambda: fg.gd_step(two, X, 0.1)),
    ours("a loss that is no function", T, "takes a function first, but received 1.0",
         lambda: fg.descend(1.0, X, 0.1, 2)),  # type: ignore[arg-type] # the mistake
    ours("a loss that cannot be hashed", V, "must be hashable, .* but Unhashable",
         lambda: fg.descend(Unhashable(), X, 0.1, 2)),
    ours("negative steps", V, "steps must be a whole number of at least 0, but is -1",
         lambda: fg.descend(f, X, 0.1, -1)),
    ours("half a step", V, "steps must be a whole number of at least 0, but is 2.5",
         lambda: fg.descend(f, X, 0.1, 2.5)),  # type: ignore[arg-type] # the mistake
    ours("steps in quotes", V, "steps must be a whole number of at least 0, but is '3'",
         lambda: fg.descend(f, X, 0.1, "3")),  # type: ignore[arg-type] # the mistake
    ours("True steps", V, "steps must be a whole number of at least 0, but is True",
         lambda: fg.descend(f, X, 0.1, True)),
    ours("a history in words", V, 'history must be "all", None, or a whole number k .* is \'none\'',
         lambda: fg.descend(f, X, 0.1, 2, history="none")),  # type: ignore[arg-type] # the mistake
)  # fmt: skip

MINIMIZE = (
    ours("neither steps nor batches", V, "was given neither steps nor batches; say steps=",
         lambda: fg.minimize(f, X, RATE)),
    ours("data and batches", V, r"data or batches, but was given 1 array\(s\) and batches",
         lambda: fg.minimize(f, X, RATE, X, batches=[X])),
    ours("no batch", V, "was given no batch", lambda: fg.minimize(two, X, RATE, batches=[])),
    ours("an iterator that is used up", V, "an iterator that was used up is empty",
         lambda: fg.minimize(two, X, RATE, batches=iter(()))),
    ours("a number of batches", T, "batches must be an iterable of batches, but is 3 of type int",
         lambda: fg.minimize(two, X, RATE, batches=3)),  # type: ignore[arg-type] # the mistake
    ours("a prefetch of less than nothing", V, "prefetch must be a whole number of at least 0",
         lambda: fg.minimize(two, X, RATE, batches=[X], prefetch=-1)),
    ours("an optimizer by name", T, "must be an optax.GradientTransformation, but is 'sgd'",
         lambda: fg.minimize(f, X, "sgd", steps=2)),
    ours("an optimizer that was not called", T, "but is <function sgd.*; call it",
         lambda: fg.minimize(f, X, optax.sgd, steps=2)),
    ours("the state of another optimizer", S, "the state of this optimizer must have .* but has",
         lambda: fg.minimize(f, X, optax.adam(0.1), steps=2, state=RATE.init(X))),
    ours("no micro-batches", V, "micro_batches must be a whole number of at least 1, but is 0",
         lambda: fg.minimize(two, X, RATE, X, steps=1, micro_batches=0)),
    ours("micro-batches that do not divide", V, r"shape \(3, 2\) cannot be split into 2 equal",
         lambda: fg.minimize(mean, X, RATE, jnp.ones((3, 2)), steps=1, micro_batches=2)),
    ours("micro-batches of a number", V, r"shape \(\) cannot be split into 2 equal",
         lambda: fg.minimize(mean, X, RATE, 2.0, steps=1, micro_batches=2)),
    ours("micro-batches of nothing", V, r"shape \(0, 2\) cannot be split into 2",
         lambda: fg.accumulate_gradients(mean, X, jnp.ones((0, 2)), micro_batches=2)),
)  # fmt: skip

TREES = (
    ours("a mask of another structure", S, "the mask .* is no prefix of the tree with structure",
         lambda: fg.partition({"w": X, "b": X}, {"w": True})),
    ours("a mask of words", S, "a mask holds booleans, but this one holds 'yes'",
         lambda: fg.partition({"w": X}, {"w": "yes"})),
    ours("halves of two trees", S, "must have the tree structure .* but has",
         lambda: fg.merge({"w": X}, {"b": X})),
    ours("a leaf in both halves", S, "present in both halves of a merge; exactly one half",
         lambda: fg.merge({"w": X}, {"w": X})),
    ours("a sum of two structures", S, "must have the tree structure .* but has",
         lambda: fg.tree_sum({"w": X}, {"b": X})),
    ours("a sum of two shapes", S, r"tree\['w'\] have the shapes \(2,\) and \(3,\)",
         lambda: fg.tree_sum({"w": X}, {"w": THREE})),
    ours("a product of two structures", S, "must have the tree structure .* but has",
         lambda: fg.inner_product({"w": X}, {"b": X})),
    ours("a product of two shapes", S, r"have the shapes \(2,\) and \(3,\)",
         lambda: fg.inner_product({"w": X}, {"w": THREE})),
    ours("a product of strings", T, "is 'a' of type str; an array or a number was expected",
         lambda: fg.inner_product("a", "b")),
)  # fmt: skip

DESCENTS: tuple[Mistake, ...] = (*DESCENT, *MINIMIZE, *TREES)
