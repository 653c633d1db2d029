"""What is audited: the cases of the rule table, and some for primitives that carry programs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .. import _jaxcompat as compat
from .. import rules as _rules  # noqa: F401 -- fills the table
from .._registry import Case, Rule, rules
from ._records import DTYPES

Shapes = tuple[tuple[int, ...], ...]


class Example(NamedTuple):
    """One case of one rule."""

    rule: Rule
    number: int
    case: Case

    @property
    def name(self) -> str:
        return str(self.rule.primitive.name)

    @property
    def topic(self) -> str:
        """The module in which the rule is declared."""
        return Path(self.rule.where.rpartition(":")[0]).stem

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that the case is for, wide ones first."""
        kinds = {"complex128": "c", "complex64": "c"}
        return tuple(name for name in DTYPES if kinds.get(name, "f") in self.case.dtypes)

    @property
    def shapes(self) -> Shapes:
        """The largest of the case."""
        return max(self.case.shapes, key=lambda shapes: sum(map(math.prod, shapes)))

    @property
    def shapes_text(self) -> str:
        """Them in words."""
        return ", ".join("x".join(map(str, shape)) or "scalar" for shape in self.shapes)

    @property
    def has_numbers(self) -> bool:
        """Whether the value at one point says something about that at the next."""
        return not self.case.note.startswith("no numbers")


def examples() -> list[Example]:
    """Every case that this version of JAX can run, by primitive."""
    found = [
        Example(rule, number, case)
        for rule in _present()
        for number, case in enumerate(rule.cases or _PROGRAMS.get(str(rule.primitive), ()))
        if _IS_NEWER or not case.note.startswith("newer JAX")
    ]
    return sorted(found, key=lambda e: (e.name, e.number))


def uncovered() -> list[str]:
    """The primitives that can be differentiated and have no case."""
    covered = {example.name for example in examples()}
    names = {str(rule.primitive) for rule in _present() if rule.family != "none"}
    return sorted(names - covered)


_IS_NEWER = jax.__version_info__ >= (0, 12)


def _present() -> list[Rule]:
    """The rules whose primitives exist here; those of another version are stand-ins."""
    known = _found_in_jax()
    return [
        rule for rule in rules().values() if rule.primitive in known or "/rules/" not in rule.where
    ]


@functools.cache
def _found_in_jax() -> frozenset[Any]:
    return frozenset(
        value
        for home in compat.primitive_homes()
        for value in vars(home).values()
        if isinstance(value, compat.Primitive)
    )


# --- programs inside programs ---------------------------------------------------------------------
# Their rules declare no cases, because the tests of these rules go through many programs of their
# own; an audit wants a few that are typical.


def _program(
    function: Callable[..., Any], *shapes: tuple[int, ...], dtypes: str = "f", note: str = ""
) -> Case:
    return Case(function, ((0.3, 1.7),) * len(shapes), (shapes,), (), dtypes, 2, note)


def _scanned(start: Any, xs: Any) -> Any:
    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        after = jnp.sin(carry) * x
        return after, after + carry

    return lax.scan(step, start, xs)


def _branched(x: Any) -> Any:
    return lax.cond(jnp.sum(x) > 0, lambda a: jnp.sin(a) * a, jnp.cos, x)


def _switched(x: Any) -> Any:
    index = jnp.sum(x > 0).astype(jnp.int32) - x.size + 1
    return lax.switch(index, [jnp.cos, lambda a: a * a * a, jnp.exp], x)


def _looped(x: Any) -> Any:
    return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.sin(s[1]) + s[1]), (0, x))[1]


def _repeated(x: Any) -> Any:
    return lax.fori_loop(0, 3, lambda _, a: jnp.tanh(a) * x, x)


def _checkpointed(x: Any) -> Any:
    return jax.checkpoint(lambda a: jnp.sin(jnp.sin(a) * a))(x)


def _called_back(x: Any) -> Any:
    same = jax.ShapeDtypeStruct((), jnp.float32)
    return x * jnp.asarray(jax.pure_callback(lambda: np.float32(2.0), same), x.dtype)


def _mapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on a mesh of one device: that which is audited, or that of the reference."""

    def run(x: Any) -> Any:
        device = jax.config.jax_default_device or jax.devices()[0]
        mesh = jax.sharding.Mesh([device], ("i",))
        spec = jax.sharding.PartitionSpec("i")
        return jax.shard_map(function, mesh=mesh, in_specs=spec, out_specs=spec)(x)

    return run


_ONE_DEVICE = "on a mesh of one device"
_PROGRAMS: dict[str, tuple[Case, ...]] = {
    "scan": (_program(_scanned, (3,), (4, 3), dtypes="fc"),),
    "cond": (_program(_branched, (2, 3)), _program(_switched, (2, 3), note="three branches")),
    "while": (
        _program(_looped, (2, 3), note="JAX cannot reverse it"),
        _program(_repeated, (2, 3), note="of a known length"),
    ),
    "remat2": (_program(_checkpointed, (2, 3), dtypes="fc"),),
    "pure_callback": (_program(_called_back, (2, 3), note="constant beside the arguments"),),
    "shard_map": (_program(_mapped(lambda x: jnp.sin(x) * x), (4, 2), note=_ONE_DEVICE),),
    "psum": (_program(_mapped(lambda x: x * lax.psum(jnp.sin(x), "i")), (4, 2), note=_ONE_DEVICE),),
    "all_gather": (
        _program(_mapped(lambda x: jnp.sin(lax.all_gather(x, "i")[0])), (4, 2), note=_ONE_DEVICE),
    ),
    "reduce_scatter": (
        _program(
            _mapped(lambda x: jnp.sin(lax.psum_scatter(x, "i", tiled=True))), (4, 2),
            note=_ONE_DEVICE,
        ),
    ),
    "all_to_all": (
        _program(
            _mapped(lambda x: jnp.sin(lax.all_to_all(x, "i", 0, 1, tiled=True))), (4, 2),
            note=_ONE_DEVICE,
        ),
    ),
    "ppermute": (
        _program(_mapped(lambda x: jnp.sin(lax.ppermute(x, "i", [(0, 0)]))), (4, 2),
                 note=_ONE_DEVICE),
    ),
}  # fmt: skip
