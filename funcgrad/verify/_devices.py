"""Arguments and gradients over several devices: where they lie, and what goes wrong with sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from ..parallel._repeated import mesh_axes, repeated_sums


class Devices(NamedTuple):
    """The devices of a check.

    Attributes:
        axes: the mesh axes over which the programs map or the arguments are spread, with sizes.
        sums: places in the gradient function where a sum over devices is taken twice.
    """

    axes: Mapping[str, int] = {}
    sums: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[tuple[int, str], ...]:
        """The numbers of devices by which a gradient may be off, in words."""
        real = [(name, size) for name, size in self.axes.items() if size > 1]
        found: dict[int, str] = {}
        for count in range(1, len(real) + 1):
            for group in combinations(real, count):
                size = 1
                for _, length in group:
                    size *= length
                found.setdefault(size, _named([name for name, _ in group]))
        return tuple(found.items())


def _named(axes: Sequence[str]) -> str:
    if len(axes) == 1:
        return f"the size of the mesh axis {axes[0]!r}"
    return f"the product of the sizes of the mesh axes {', '.join(map(repr, axes))}"


def devices_of(leaves: Sequence[Any], programs: Iterable[Any], gradients: Iterable[Any]) -> Devices:
    """The devices of arguments and of programs, of which some compute the gradient under test."""
    axes: dict[str, int] = {}
    for leaf in leaves:
        sharding = _sharding(leaf)
        axes |= {} if sharding is None else dict(sharding.mesh.shape)
    for program in programs:
        axes |= mesh_axes(program)
    sums = [found.place for program in gradients for found in repeated_sums(program)]
    return Devices(axes, tuple(dict.fromkeys(sums)))


def placed(values: Sequence[Any], leaves: Sequence[Any], *, rows: bool = False) -> list[jax.Array]:
    """Values as arrays that lie where the user's do.

    Args:
        values: numbers for each leaf.
        leaves: the user's arrays.
        rows: whether the values have a first axis more than the leaves, which is not split.
    """
    return [_placed(v, _sharding(leaf), rows) for v, leaf in zip(values, leaves, strict=True)]


def _placed(value: Any, sharding: NamedSharding | None, rows: bool) -> jax.Array:
    if sharding is None:
        return jnp.asarray(value)
    spec = PartitionSpec(None, *sharding.spec) if rows else sharding.spec
    moved: jax.Array = jax.device_put(value, NamedSharding(sharding.mesh, spec))
    return moved


def _sharding(leaf: Any) -> NamedSharding | None:
    """Where on a mesh an array lies; None if on one device alone."""
    found = getattr(leaf, "sharding", None)
    is_spread = isinstance(found, NamedSharding) and len(found.device_set) > 1
    return found if is_spread else None
