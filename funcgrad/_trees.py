"""Pytrees: leaves and their paths, what can carry a gradient, sums and products of whole trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax

from . import _jaxcompat as compat
from ._errors import GradientTypeError, TreeError

PyTree = Any
TreeDef = Any


class Flat(NamedTuple):
    """A pytree taken apart."""

    leaves: list[Any]
    treedef: TreeDef


def flatten(tree: PyTree) -> Flat:
    leaves, treedef = jax.tree.flatten(tree)
    return Flat(leaves, treedef)


def leaf_paths(tree: PyTree, root: str = "") -> list[str]:
    """The path of each leaf as one would write it in Python, e.g. ``params['w1']``."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [root + jax.tree_util.keystr(path) for path, _ in pairs]


def is_float_leaf(leaf: Any) -> bool:
    """Whether a leaf can carry a gradient: a floating or complex array or number."""
    try:
        return compat.is_inexact(compat.typeof(leaf))
    except TypeError:
        return False


def same_structure(expected: TreeDef, received: TreeDef, what: str) -> None:
    """Raise `TreeError` unless two tree structures are equal."""
    if expected != received:
        raise TreeError(
            f"{what} must have the tree structure {expected}, but has {received}; "
            "give every leaf its counterpart in the same containers"
        )


def _same_shapes(tree: PyTree, left: list[Any], right: list[Any]) -> None:
    for path, x, y in zip(leaf_paths(tree), left, right, strict=True):
        here, there = _shape(x, path), _shape(y, path)
        if here != there:
            raise TreeError(
                f"the leaves tree{path} have the shapes {here} and {there}; give two trees of the "
                "same shapes"
            )


def _shape(leaf: Any, path: str) -> tuple[int, ...]:
    if compat.is_float0(leaf):
        return tuple(leaf.shape)
    try:
        return tuple(compat.typeof(leaf).shape)
    except TypeError as error:
        raise GradientTypeError(
            f"the leaf tree{path} is {leaf!r:.60} of type {type(leaf).__name__}; an array or a "
            "number was expected"
        ) from error


def inner_product(left: PyTree, right: PyTree) -> jax.Array:
    """The sum over all leaves of the products of their entries (no complex conjugation).

    Args:
        left: a pytree of arrays.
        right: a pytree of arrays with the same structure and shapes.

    Returns:
        A scalar array.

    Raises:
        TreeError: the structures or the shapes differ.
        GradientTypeError: a leaf is no array.

    >>> import jax.numpy as jnp
    >>> float(inner_product({"a": jnp.ones(3)}, {"a": jnp.arange(3.0)}))
    3.0
    """
    a, b = flatten(left), flatten(right)
    same_structure(a.treedef, b.treedef, "the second tree of an inner product")
    _same_shapes(left, a.leaves, b.leaves)
    terms = [jax.numpy.sum(x * y) for x, y in zip(a.leaves, b.leaves, strict=True)]
    return sum(terms[1:], start=terms[0]) if terms else jax.numpy.zeros(())


def add_cotangents(left: Any, right: Any) -> Any:
    """The sum of two cotangents of one value; a float0 holds nothing and stays as it is."""
    if compat.is_extended(left.dtype):  # which has an addition of its own
        return compat.primitives.add_jaxvals_p.bind(left, right)
    return left if compat.is_float0(left) else lax.add(left, right)


def tree_sum(left: PyTree, right: PyTree) -> PyTree:
    """The sum of two gradient trees, leaf by leaf: what PyTorch's accumulation into `.grad` does.

    Args:
        left: a pytree of arrays.
        right: a pytree of arrays with the same structure and shapes.

    Returns:
        A pytree of the same structure; a leaf of dtype float0 holds nothing and stays as it is.

    Raises:
        TreeError: the structures or the shapes differ.
        GradientTypeError: a leaf is no array.

    >>> tree_sum({"w": 1.0}, {"w": 2.5})["w"].item()
    3.5
    """
    a, b = flatten(left), flatten(right)
    same_structure(a.treedef, b.treedef, "the second tree of a sum")
    _same_shapes(left, a.leaves, b.leaves)
    return jax.tree.map(lambda x, y: x if compat.is_float0(x) else jax.numpy.add(x, y), left, right)


def detach(tree: PyTree) -> PyTree:
    """Cut every array of a tree from the graph: its value stays, no gradient flows through it.

    Args:
        tree: a pytree; leaves that are not arrays pass through.

    Returns:
        A tree of the same structure.

    >>> import funcgrad
    >>> float(funcgrad.grad(lambda x: x * funcgrad.detach(x))(3.0))
    3.0
    """
    return jax.tree.map(lambda leaf: lax.stop_gradient(leaf) if is_float_leaf(leaf) else leaf, tree)


def partition(
    tree: PyTree, trainable: PyTree | Callable[[str, Any], bool]
) -> tuple[PyTree, PyTree]:
    """Split a tree of parameters into a trainable and a frozen half.

    Args:
        tree: a pytree of parameters.
        trainable: either a tree of booleans that is a prefix of `tree` (``{"w1": True, "b1":
            False}``), or a function of a leaf's path (such as ``"['w1']"``) and the leaf.

    Returns:
        Two trees of the shape of `tree`; each holds ``None`` where the other holds a leaf.

    Raises:
        TreeError: the tree of booleans is no prefix of `tree`.

    >>> partition({"w": 1.0, "b": 2.0}, {"w": True, "b": False})
    ({'b': None, 'w': 1.0}, {'b': 2.0, 'w': None})
    """
    flat = flatten(tree)
    if callable(trainable):
        chosen = [
            bool(trainable(path, leaf))
            for path, leaf in zip(leaf_paths(tree), flat.leaves, strict=True)
        ]
    else:
        chosen = _spread_mask(trainable, tree)
    halves = [
        [leaf if keep is side else None for leaf, keep in zip(flat.leaves, chosen, strict=True)]
        for side in (True, False)
    ]
    first, second = (jax.tree.unflatten(flat.treedef, half) for half in halves)
    return first, second


def _spread_mask(mask: PyTree, tree: PyTree) -> list[bool]:
    try:
        spread = jax.tree.map(lambda flag, part: jax.tree.map(lambda _: flag, part), mask, tree)
    except ValueError as error:
        raise TreeError(
            f"the mask {mask} is no prefix of the tree with structure {jax.tree.structure(tree)}; "
            "give one boolean for each leaf or for a whole branch"
        ) from error
    flags = jax.tree.leaves(spread)
    wrong = [flag for flag in flags if not isinstance(flag, bool)]
    if wrong:
        raise TreeError(f"a mask holds booleans, but this one holds {wrong[0]!r}")
    return flags


def merge(first: PyTree, second: PyTree) -> PyTree:
    """Put the two halves of `partition` together again.

    Args:
        first: a pytree with ``None`` for each leaf that `second` holds.
        second: a pytree of the same structure with ``None`` for each leaf that `first` holds.

    Returns:
        The whole tree.

    Raises:
        TreeError: the structures differ, or a place holds two leaves or none.

    >>> merge({"w": 1.0, "b": None}, {"w": None, "b": 2.0})
    {'b': 2.0, 'w': 1.0}
    """
    left, left_def = jax.tree.flatten(first, is_leaf=_is_none)
    right, right_def = jax.tree.flatten(second, is_leaf=_is_none)
    same_structure(left_def, right_def, "the second half of a merge")
    doubled = [i for i, (a, b) in enumerate(zip(left, right, strict=True)) if _both(a, b)]
    if doubled:
        raise TreeError(
            f"leaf {doubled[0]} is present in both halves of a merge; "
            "exactly one half holds each leaf, the other holds None"
        )
    leaves = [b if a is None else a for a, b in zip(left, right, strict=True)]
    return jax.tree.unflatten(left_def, leaves)


def _is_none(leaf: Any) -> bool:
    return leaf is None


def _both(left: Any, right: Any) -> bool:
    return left is not None and right is not None
