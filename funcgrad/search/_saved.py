"""A finding as a pytest file that stands by itself."""

from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np

from ._program import WIDE
from ._second import SYMMETRY
from ._verdicts import BOTH, JAX, Disagreement, title

_HEAD = '''"""{title}

{text}

Seed {seed}, program {number} of `funcgrad fuzz`; jax {version} on {backend}.
"""

import numpy as np
'''
_CLOSE = """
def close(received, expected):
    for got, want in zip(jax.tree.leaves(received), expected, strict=True):
        scale = max(np.max(np.abs(want)), 1e-30)
        np.testing.assert_allclose(np.asarray(got), want, rtol={rtol:g}, atol={rtol:g} * scale)
"""
_INNER = """
def inner(left, right):
    pairs = zip(jax.tree.leaves(left), right, strict=True)
    return sum(jnp.real(jnp.sum(a * jnp.asarray(b))) for a, b in pairs)
"""


def file_text(source: str, one: Disagreement, seed: int, number: int, dtype: str) -> str:
    """The text of a pytest file that fails as long as the defect is there.

    Args:
        source: of the program, as small as it became.
        one: the disagreement.
        seed, number: which program of which search it was.
        dtype: of the program.
    """
    wide = not _is_native(one)
    head = _HEAD.format(
        title=title(*one.label), text=one.text, seed=seed, number=number, version=jax.__version__,
        backend=jax.default_backend(),
    )  # fmt: skip
    parts = [head + source.removesuffix("\n")]
    if wide and WIDE not in source:
        parts.append('jax.config.update("jax_enable_x64", True)')
        parts.append("arguments = jax.tree.map(lambda a: a.astype(jnp.promote_types(a.dtype, "
                     "jnp.float64)), arguments)")  # fmt: skip
    if _engine(one) == "funcgrad":
        parts[0] = parts[0].replace("import jax\n", "import jax\nimport funcgrad\n", 1)
    for name in ("along", "expected"):
        value = getattr(one, name)
        if value is not None:
            parts.append(f"{name} = {_numbers(value)}")
    if one.along is not None:
        parts.append(_INNER.strip("\n"))
    if one.expected is not None:
        parts.append(_CLOSE.format(rtol=1e-6 if wide else _rtol(dtype)).strip("\n"))
    parts.append(_test(one))
    return "\n\n\n".join(parts) + "\n"


def _is_native(one: Disagreement) -> bool:
    return any(mark in one.what for mark in ("own precision", "under", "value")) or one.kind in (
        "dtype",
        "shape",
        "abort",
        "hang",
    )


def _rtol(dtype: str) -> float:
    return {"float64": 1e-7, "float32": 1e-4}.get(dtype, 0.05)


def _engine(one: Disagreement) -> str:
    return "jax" if one.who in (JAX, BOTH, "value") else "funcgrad"


def _numbers(value: Any) -> str:
    """Leaves as nested lists with all their digits."""
    if isinstance(value, (int, float)):
        return repr(float(value))
    leaves = [np.asarray(leaf) for leaf in value]
    wide = [a.astype(np.complex128 if np.iscomplexobj(a) else np.float64) for a in leaves]
    inside = ", ".join(f"np.array({a.tolist()!r})" for a in wide)
    return f"[{inside}]".replace("nan", "np.nan").replace("inf", "np.inf")


def _test(one: Disagreement) -> str:
    lines = _computed(one)
    name = re.sub(r"\W+", "_", one.what)
    if one.kind == "unstable":
        lines = [*lines, "first = received", *lines]
    body = [*lines, *_asserted(one)]
    return f"def test_{name}():\n" + "\n".join(f"    {line}" for line in body)


def _asserted(one: Disagreement) -> list[str]:
    if one.kind in ("dtype", "shape"):
        return [
            "for got, given in zip(jax.tree.leaves(received), jax.tree.leaves(arguments)):",
            "    assert (got.shape, got.dtype) == (given.shape, given.dtype)",
        ]
    if one.kind == "unstable":
        return ["jax.tree.map(np.testing.assert_array_equal, received, first)"]
    if one.what == SYMMETRY:
        return ["np.testing.assert_allclose(received, expected, rtol=1e-6)"]
    if isinstance(one.expected, (int, float)):
        return ["np.testing.assert_allclose(received, expected, rtol=1e-5)"]
    if one.expected is not None:
        return ["close(received, expected)"]
    return ["assert all(np.isfinite(a).all() for a in jax.tree.leaves(received))"]


_GRADIENT = "received = {engine}.grad(f, every)(*arguments)\n"
_EVERY = "every = tuple(range(len(arguments)))\n"
_TANGENT = """shaped = jax.tree.unflatten(jax.tree.structure(arguments), map(jnp.asarray, along))
_, received = jax.jvp({function}, arguments, shaped)
"""
_SECOND = """slope = lambda *args: inner({engine}.grad(f, every)(*args), along)
received = {engine}.grad(slope, every)(*arguments)
"""
_SYMMETRY = """def product(along, other):
    slope = lambda *args: inner({engine}.grad(f, every)(*args), along)
    return inner({engine}.grad(slope, every)(*arguments), other)
other = [np.cos(np.arange(a.size)).reshape(a.shape) for a in along]
received, expected = product(along, other), product(other, along)
"""
_EXAMINED = """jax.jit(f)(*arguments)
jax.grad(f)(*arguments)
received = funcgrad.grad(f)(*arguments)
"""
_COMPUTED = {
    "value": "received = f(*arguments)\n",
    "value under jit": "received = jax.jit(f)(*arguments)\n",
    "value eagerly": "received = f(*arguments)\n",
    "gradient": _EVERY + _GRADIENT,
    "gradient in its own precision": _EVERY + _GRADIENT,
    "gradient eagerly": _EVERY + _GRADIENT,
    "gradient under jit": _EVERY + "received = jax.jit({engine}.grad(f, every))(*arguments)\n",
    "gradient under vmap": _EVERY
    + """two = jax.tree.map(lambda a: jnp.stack([a, a]), arguments)
received = jax.tree.map(lambda a: a[0], jax.vmap({engine}.grad(f, every))(*two))
""",
    "gradient by strong_zeros": _EVERY
    + "received = funcgrad.grad(f, every, strong_zeros=True)(*arguments)\n",
    "forward derivative": _TANGENT.replace("{function}", "f"),
    "forward over reverse": _EVERY + _TANGENT.replace("{function}", "jax.grad(f, every)"),
    "second derivative": _EVERY + _SECOND,
    SYMMETRY: _EVERY + _SYMMETRY,
}


def _computed(one: Disagreement) -> list[str]:
    """The lines that compute what is wrong."""
    lines = _COMPUTED.get(one.what, _EXAMINED).format(engine=_engine(one)).splitlines()
    if one.what == "gradient" and isinstance(one.expected, (int, float)):
        lines.append("received = inner(received, along)")
    return lines
