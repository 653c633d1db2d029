"""What is to be drawn for a function, as one strategy for its arguments."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import _jaxcompat as compat
from .._arguments import misfit
from .._errors import ConfigurationError, GradientTypeError
from ._hypothesis import st
from ._problem import is_plain_tuple, name_of
from .strategies import like

# What `check` takes beside the function and its arguments.
OPTIONS = ("gradient", "order", "kinks", "rtol", "seed", "budget", "points")


class Call(NamedTuple):
    """The arguments of one call."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __repr__(self) -> str:
        # Hypothesis prints what it found, and warns of what is long: models are
        return f"Call({len(self.args)} arguments, keywords {', '.join(self.kwargs) or 'none'})"


def calls(spec: Any) -> st.SearchStrategy[Call]:
    """A strategy for calls, from what stands for the arguments.

    A strategy draws the one argument, or a tuple of them. A tuple holds one item an argument, a
    dict in which there is a strategy one for each keyword; an item is a strategy, or a pytree of
    arrays and `jax.ShapeDtypeStruct` that the argument is to be like. Any other pytree is what the
    one argument is to be like.

    Raises:
        GradientTypeError: it stands for no argument.
        ConfigurationError: a keyword is an option of `check`.
    """
    if isinstance(spec, st.SearchStrategy):
        return spec.map(_call_of)
    if isinstance(spec, dict) and any(isinstance(v, st.SearchStrategy) for v in spec.values()):
        return _keywords(spec)
    if is_plain_tuple(spec):
        return st.tuples(*(_argument(item) for item in spec)).map(lambda args: Call(args, {}))
    return _argument(spec).map(lambda value: Call((value,), {}))


def require_fitting(fun: Any, spec: Any) -> None:
    """Refuse several strategies for a function that does not take as many arguments.

    How many a strategy for tuples draws is not known before it has drawn.
    """
    if not is_plain_tuple(spec):
        return
    error = misfit(fun, spec)
    if error is not None:
        shown = ", ".join(f"{item!r:.40}" for item in spec)
        raise GradientTypeError(
            f"{len(spec)} strategies stand for {len(spec)} arguments ({shown}), but "
            f"{name_of(fun)} cannot be called with them: {error}; "
            "give one strategy for each argument, and options by name, as max_examples=50"
        )


def _call_of(drawn: Any) -> Call:
    return Call(drawn if is_plain_tuple(drawn) else (drawn,), {})


def _keywords(spec: dict[Any, Any]) -> st.SearchStrategy[Call]:
    wrong = [name for name in spec if not isinstance(name, str) or name in OPTIONS]
    if wrong:
        raise ConfigurationError(
            f"a dict of strategies is one of keyword arguments, but {wrong[0]!r} cannot be one "
            f"(options of check are {', '.join(OPTIONS)}); give the strategies as a tuple"
        )
    named = {name: _argument(item) for name, item in spec.items()}
    return st.fixed_dictionaries(named).map(lambda kwargs: Call((), kwargs))


def _argument(item: Any) -> st.SearchStrategy[Any]:
    if isinstance(item, st.SearchStrategy):
        return item
    leaves = jax.tree.leaves(item)
    inner = next((leaf for leaf in leaves if isinstance(leaf, st.SearchStrategy)), None)
    if inner is not None:
        raise GradientTypeError(
            f"a strategy must stand for a whole argument, but {inner!r:.80} is inside of "
            f"{type(item).__name__}; build the tree by hypothesis.strategies.builds or "
            "fixed_dictionaries, or give `like(tree)`"
        )
    if not any(_is_array_like(leaf) for leaf in leaves):
        raise GradientTypeError(
            f"expected a strategy, or a pytree of arrays or jax.ShapeDtypeStruct to draw others "
            f"like it, but received {item!r:.80} of type {type(item).__name__}"
        )
    return like(item)


def _is_array_like(leaf: Any) -> bool:
    kinds = (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct, int, float, complex)
    return isinstance(leaf, kinds)


def fingerprint(call: Call) -> bytes:
    """The same for calls with equal arguments, to the last bit."""
    leaves, treedef = jax.tree.flatten((call.args, dict(call.kwargs)))
    digest = hashlib.sha256(str(treedef).encode())
    for leaf in leaves:
        if not isinstance(leaf, (jax.Array, np.ndarray)):
            digest.update(f"{type(leaf)}{leaf!r};".encode())
            continue
        data = jax.random.key_data(leaf) if compat.is_extended(leaf.dtype) else leaf
        digest.update(f"{data.dtype}{data.shape};".encode())
        digest.update(np.ascontiguousarray(data).tobytes())
    return digest.digest()
