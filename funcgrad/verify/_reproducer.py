"""A program that repeats a check: the arguments rebuilt literally, and the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from .._arguments import argument_names
from ._captured import Written, written
from ._literals import classes, literal
from ._problem import is_plain_tuple

_IMPORTS = {  # what a literal may name, in the order of their imports
    "base64.": "import base64",
    "zlib.": "import zlib",
    "jax.": "import jax",
    "jnp.": "import jax.numpy as jnp",
    "np.": "import numpy as np",
}
_TAKEN = {"base64", "zlib", "jax", "jnp", "np", "funcgrad", "print"}


def reproducer(
    fun: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> str:
    """A short program that checks a function at given arguments.

    Args:
        fun: the function. It is imported where a module has it by its name; what else is a plain
            function is defined anew, with what it captures. Where neither can be done, or where a
            captured value cannot be written as text, `...` stands in its place, with a comment.
        args: its arguments, pytrees: a tuple of them, or else the one argument. Arrays are rebuilt
            to the last bit; what cannot be written as text, or only at great length, is left out
            with a comment.
        kwargs: its keyword arguments.
        options: of `check`.

    Returns:
        The program.

    >>> import jax.numpy as jnp
    >>> print(reproducer(jnp.tanh, (jnp.array([0.5, 0.0]),), options={"order": 1}))
    import jax.numpy as jnp
    import funcgrad
    from jax.numpy import tanh
    <BLANKLINE>
    x = jnp.array([0.5, 0.0], 'float32')
    print(funcgrad.check(tanh, x, order=1))
    """
    given = args if is_plain_tuple(args) else (args,)
    function = written(fun)
    named = dict(zip(_names(fun, given, function.name), given, strict=True))
    keywords = dict(kwargs or {})
    settings = dict(options or {})
    callables = {name: written(value, name) for name, value in settings.items() if callable(value)}
    functions = (function, *callables.values())
    lines = [line for each in functions for line in each.lines]
    for name, value in (*named.items(), *keywords.items()):
        lines += _assigned(name, value)
    passed = [*named, *(f"{name}={name}" for name in keywords)]
    passed += [f"{name}={_option(value, callables.get(name))}" for name, value in settings.items()]
    lines.append(f"print(funcgrad.check({', '.join([function.name, *passed])}))")
    imports = _imports("\n".join(lines), (*named.values(), *keywords.values()))
    preface = [*imports, *(line for each in functions for line in each.imports), ""]
    return "\n".join([*dict.fromkeys(preface), *_x64(), *lines])


def _names(fun: Any, args: tuple[Any, ...], function: str) -> list[str]:
    """The names of the parameters, where they can be used."""
    taken = _TAKEN | {function.split(".", 1)[0]}
    return [
        name if name.isidentifier() and name not in taken else f"argument{i}"
        for i, name in enumerate(argument_names(fun, args))
    ]


def _assigned(name: str, value: Any) -> list[str]:
    text = literal(value)
    if text is not None:
        return [f"{name} = {text}"]
    leaves = jax.tree.leaves(value)
    if len(leaves) == 1 and leaves[0] is value:
        return [f"{name} = ...  # {_described(value)}"]
    texts = ["    " + _leaf(leaf) for leaf in leaves]
    structure = f"jax.tree.structure(given)  # given: any {name} of the same structure"
    return ["leaves = [", *texts, "]", f"structure = {structure}",
            f"{name} = jax.tree.unflatten(structure, leaves)"]  # fmt: skip


def _leaf(value: Any) -> str:
    text = literal(value)
    return f"...,  # {_described(value)}" if text is None else f"{text},"


def _described(value: Any) -> str:
    """What stands beside a value that has no text."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}: more entries than can be printed"
    return f"the {type(value).__name__} that was given"


def _option(value: Any, function: Written | None) -> str:
    if function is not None:
        return function.name
    text = literal(value)
    return "..." if text is None else text


def _imports(text: str, values: Iterable[Any]) -> list[str]:
    found = [line for name, line in _IMPORTS.items() if _mentions(text, name)]
    if _x64() and _IMPORTS["jax."] not in found:
        found.append(_IMPORTS["jax."])
    kinds = dict.fromkeys(kind for value in values for kind in classes(value))
    named = [f"from {kind.__module__} import {kind.__qualname__}" for kind in kinds]
    return [*found, "import funcgrad", *named]


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}", text) is not None


def _x64() -> list[str]:
    on = jax.config.read("jax_enable_x64")
    return ['jax.config.update("jax_enable_x64", True)'] if on else []
