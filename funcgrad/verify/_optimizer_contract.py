"""What every gradient transformation promises: types, repeatability, purity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _jaxcompat as compat
from .._target import describe
from .._trees import is_float_leaf, leaf_paths
from ._findings import INCONCLUSIVE, WRONG, Finding
from ._optimizer_subject import ROUNDING, Apart, Subject, difference, gradients, structure

_START = "the first step"


def first(optimizer: Any, params: Any, seed: int) -> tuple[Subject | None, list[Finding]]:
    """The optimiser at its start, unless `init` or `update` fails."""
    try:
        state = optimizer.init(params)
    except Exception as error:
        return None, [Finding("error", WRONG, f"init(params) fails: {describe(error)}")]
    strangers = [
        Finding(
            "structure", WRONG,
            f"the state holds a {type(leaf).__name__}, which is no array: jit, checkpoints and "
            "loops cannot carry it; make it an array, or register its class as a pytree",
            leaf=name, point="init",
        )
        for name, leaf in zip(leaf_paths(state, "state"), jax.tree.leaves(state), strict=True)
        if not _is_array(leaf)
    ]  # fmt: skip
    if strangers:
        return None, strangers
    subject = Subject(optimizer, params, state, gradients(params, seed), seed)
    try:
        result: Any = subject.update(subject.grads, state, params)
    except Exception as error:
        return None, [_failure(f"update(grads, state, params) fails: {describe(error)}")]
    if not isinstance(result, tuple) or len(result) != 2:
        text = (
            f"update returned {type(result).__name__} {result!r:.60}; the pair (updates, state) "
            "was expected"
        )
        return None, [Finding("structure", WRONG, text, point=_START)]
    return subject, []


def _failure(message: str) -> Finding:
    return Finding("error", WRONG, message, point=_START)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic, bool, int, float, complex))


# --- structure and types --------------------------------------------------------------------------


def conform(subject: Subject) -> list[Finding]:
    """Updates like the parameters, the next state like the last, and nothing changed in place."""
    given = (subject.grads, subject.state, subject.params)
    before = [jax.tree.flatten(tree) for tree in given]
    updates, state = subject.update(*given)
    found = [*_unlike(subject.params, updates, "updates", "the parameters")]
    found += _unlike(subject.state, state, "state", "the state before")
    for name, tree, (leaves, treedef) in zip(
        ("the gradients", "the state", "the parameters"), given, before, strict=True
    ):
        now = jax.tree.leaves(tree)
        if structure(tree) != treedef or any(a is not b for a, b in zip(leaves, now, strict=True)):
            text = f"update changes {name} in place; build new containers instead"
            found.append(Finding("repeat", WRONG, text, point=_START))
    return found


def _unlike(model: Any, tree: Any, root: str, what: str) -> list[Finding]:
    """Where the structure, a shape or a dtype is another than that of the model."""
    wanted, received = leaf_paths(model, root), leaf_paths(tree, root)
    if structure(model) != structure(tree):
        return [_other_structure(wanted, received, (model, tree), (root, what))]
    rows = zip(wanted, jax.tree.leaves(model), jax.tree.leaves(tree), strict=True)
    findings = []
    for name, left, right in rows:
        old, new = (compat.typeof(jnp.asarray(leaf)) for leaf in (left, right))
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            kind = "structure" if old.shape != new.shape else "dtype"
            text = (
                f"{root} have {new.str_short()} where {what} have {old.str_short()}"
                if root == "updates"
                else f"a leaf of the state turns from {old.str_short()} into {new.str_short()}"
            )
            meaning = "jit compiles anew, and lax.scan refuses it" if root == "state" else ""
            findings.append(
                Finding(kind, WRONG, text, leaf=name, point=_START, meaning=meaning)
            )  # fmt: skip
    return findings


def _other_structure(
    wanted: list[str], received: list[str], trees: tuple[Any, Any], names: tuple[str, str]
) -> Finding:
    (root, what), (model, tree) = names, trees
    lacking = [name for name in wanted if name not in received]
    extra = [name for name in received if name not in wanted]
    words = [f"lacks {', '.join(lacking[:3])}"] if lacking else []
    words += [f"has {', '.join(extra[:3])} besides"] if extra else []
    if not words:
        words = [f"is {structure(tree)} instead of {structure(model)}"]
    text = f"the structure of {root} is not that of {what}: it {' and '.join(words)}"
    return Finding("structure", WRONG, text, leaf=next(iter([*lacking, *extra]), ""), point=_START)


# --- repeatability --------------------------------------------------------------------------------


def repeated(subject: Subject) -> list[Finding]:
    """The same from the same arguments, to the last bit."""
    again = subject.optimizer.init(subject.params)
    if structure(again) == structure(subject.state):
        apart = difference(subject.state, again, "state", rounding=0.0)
        if apart is not None:
            return [_apart("repeat", "init gives another state when it is called again", apart)]
    results = [subject.update(subject.grads, subject.state, subject.params) for _ in range(3)]
    text = "update gives another result when it is called again with the same arguments"
    meaning = "a counter, a buffer or a random number outside of the state?"
    return _differing("repeat", text, results, meaning)


def copied(subject: Subject) -> list[Finding]:
    """The same from a state that was taken apart and put together, as a checkpoint does it."""
    leaves, treedef = jax.tree.flatten(subject.state)
    rebuilt = jax.tree.unflatten(treedef, [_copy(leaf) for leaf in leaves])
    plain = subject.update(subject.grads, subject.state, subject.params)
    try:
        other = subject.update(subject.grads, rebuilt, subject.params)
    except Exception as error:
        text = f"update fails with a state that was flattened and rebuilt: {describe(error)}"
        return [Finding("repeat", WRONG, text, point=_START)]
    text = "update gives another result from a state that was flattened and rebuilt"
    meaning = "something that matters is not among the state's leaves"
    return _differing("repeat", text, [plain, other], meaning)


def _copy(leaf: Any) -> Any:
    return leaf + 0 if isinstance(leaf, (int, float, complex)) else jnp.array(leaf)


def compiled(subject: Subject) -> list[Finding]:
    """The same under jit."""
    plain = subject.update(subject.grads, subject.state, subject.params)
    try:
        under = jax.jit(subject.update)(subject.grads, subject.state, subject.params)
    except Exception as error:
        text = f"update fails under jit: {describe(error)}"
        meaning = "Python control flow, or Python numbers, where values are traced?"
        return [Finding("jit", WRONG, text, point=_START, meaning=meaning)]
    text = "update gives another result under jit"
    return _differing("jit", text, [plain, under], rounding=ROUNDING)


def _differing(
    kind: str, text: str, results: Sequence[Any], meaning: str = "", rounding: float = 0.0
) -> list[Finding]:
    for other in results[1:]:
        if structure(other) != structure(results[0]):
            return [Finding(kind, WRONG, f"{text}: of another structure", meaning=meaning)]
        for part, root in enumerate(("updates", "state")):
            apart = difference(results[0][part], other[part], root, rounding)
            if apart is not None:
                return [_apart(kind, text, apart, meaning)]
    return []


def _apart(kind: str, text: str, apart: Apart, meaning: str = "") -> Finding:
    return Finding(
        kind, WRONG, text, "the first result", _START, apart.leaf, apart.index,
        apart.expected, apart.received, apart.bound, meaning,
    )  # fmt: skip


# --- zeros ----------------------------------------------------------------------------------------


def zeros(subject: Subject) -> list[Finding]:
    """No NaN from finite gradients: those given, zero ones, and at zero parameters."""
    nothing = jax.tree.map(jnp.zeros_like, subject.grads)
    origin = jax.tree.map(jnp.zeros_like, subject.params)
    cases = {
        "random gradients": (subject.grads, subject.params),
        "zero gradients": (nothing, subject.params),
        "zero parameters": (subject.grads, origin),
    }
    for words, (grads, params) in cases.items():
        updates, state = subject.update(grads, subject.state, params)
        for root, tree in (("updates", updates), ("state", state)):
            finding = _not_finite(tree, subject.state if root == "state" else None, root, words)
            if finding is not None:
                return [finding]
    return []


def _not_finite(tree: Any, before: Any, root: str, words: str) -> Finding | None:
    olds = jax.tree.leaves(before) if before is not None else [0.0] * len(jax.tree.leaves(tree))
    leaves = jax.tree.leaves(tree)
    if len(olds) != len(leaves):
        return None  # which `conform` has said
    for name, leaf, old in zip(leaf_paths(tree, root), leaves, olds, strict=True):
        # A state may begin with an infinity: the least loss so far.
        if not is_float_leaf(leaf) or not bool(jnp.isfinite(old).all()):
            continue
        bad = np.argwhere(~np.asarray(jnp.isfinite(leaf)))
        if len(bad):
            index = tuple(int(i) for i in bad[0])
            value = complex(np.asarray(leaf)[index])
            received = value if value.imag else value.real
            verb = "is" if root == "state" else "are"
            verdict = INCONCLUSIVE if root == "state" else WRONG
            return Finding(
                "nan", verdict, f"the {root} {verb} not finite at {words}",
                point=_START, leaf=name, index=index, received=received,
                meaning="a division by a norm or a root of zero?" if "zero" in words else "",
            )  # fmt: skip
    return None
