"""Meshes by name: what stands behind ``--mesh data=4,model=2``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import jax
from jax.sharding import AxisType, Mesh

from funcgrad._errors import ConfigurationError

_EXAMPLE = "give axes and their sizes, for example data=8 or data=4,model=2"


def parse_mesh(text: str) -> dict[str, int]:
    """Read the axes of a mesh and their sizes from a text.

    Raises:
        ConfigurationError: an axis has no name or no size, or is named twice.

    >>> parse_mesh("data=4,model=2")
    {'data': 4, 'model': 2}
    """
    axes: dict[str, int] = {}
    for part in text.split(","):
        name, _, size = (word.strip() for word in part.partition("="))
        if name in axes:
            raise ConfigurationError(f"the mesh {text!r} has the axis {name!r} twice; {_EXAMPLE}")
        if not name.isidentifier() or not size.isdecimal() or int(size) < 1:
            raise ConfigurationError(
                f"{part.strip()!r} in the mesh {text!r} is no axis; {_EXAMPLE}"
            )
        axes[name] = int(size)
    return axes


def make_mesh(
    axes: Mapping[str, int],
    *,
    devices: Sequence[jax.Device] | None = None,
    explicit: bool = False,
) -> Mesh:
    """Lay devices out along named axes.

    Args:
        axes: the names of the axes and their sizes, in order.
        devices: which devices; by default the first of `jax.devices()`, as many as are needed.
        explicit: whether the sharding of every array is part of its type (`AxisType.Explicit`), or
            left to XLA's partitioner (`AxisType.Auto`).

    Raises:
        ConfigurationError: there are fewer devices than the mesh has places.

    >>> dict(make_mesh({"data": 1}).shape)
    {'data': 1}
    """
    found = list(jax.devices() if devices is None else devices)
    places = math.prod(axes.values())
    if places > len(found):
        there = "is 1 device" if len(found) == 1 else f"are {len(found)} devices"
        raise ConfigurationError(
            f"a mesh of {', '.join(f'{name}={size}' for name, size in axes.items())} has {places} "
            f"places, but there {there} ({found[0].platform}); choose a smaller "
            "one, or for a trial on the CPU set XLA_FLAGS="
            f"--xla_force_host_platform_device_count={-(-places // jax.process_count())}"
        )
    kind = AxisType.Explicit if explicit else AxisType.Auto
    return jax.make_mesh(
        tuple(axes.values()), tuple(axes), (kind,) * len(axes), devices=found[:places]
    )
