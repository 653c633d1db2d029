"""JAX's primitives by name, on every supported line; a part of `_jaxcompat`, which hands it on."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from jax.extend import core as extend_core

Primitive = extend_core.Primitive

# Where primitives are found: those that JAX publishes in the first two modules, others by their
# private homes, of which one line may lack some.
_HOMES = (
    "extend.core.primitives", "lax", "_src.ad_checkpoint", "_src.callback", "_src.checkify",
    "_src.core", "_src.custom_batching", "_src.custom_derivatives", "_src.debugging", "_src.ffi",
    "_src.lax.eval_jaxpr", "_src.lax.lax", "_src.lax.parallel", "_src.pjit", "_src.random.core",
    "_src.random.prng", "_src.shard_map", "_src.state.discharge", "_src.state.primitives",
)  # fmt: skip


class _Primitives:
    """JAX's primitives by name, where one that this JAX lacks is a stand-in never bound.

    A rule may then be declared for a primitive of either supported line without a version test.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        candidates = (getattr(home, name, None) for home in primitive_homes())
        found = next((each for each in candidates if isinstance(each, Primitive)), None)
        if found is None:
            found = Primitive(name.removesuffix("_p"))
        setattr(self, name, found)
        return found


@cache
def primitive_homes() -> list[Any]:
    """The modules of JAX in which primitives are looked up."""
    return [import_module(f"jax.{home}") for home in _HOMES if find_spec(f"jax.{home}")]


primitives = _Primitives()
