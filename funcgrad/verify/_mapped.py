"""`shard_map` in a lifted program: the body in 64 bits, over the same devices.

The mesh's axes are automatic there, whatever they were: where values lie is no part of a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

from . import _rounding as rounding


def mapped(run: Callable[..., list[Any]], equation: Any, operands: Sequence[Any]) -> list[Any]:
    """The results of a shard_map whose body `run` evaluates.

    What moves literals and rounds operations goes in beside the operands, the same for all devices;
    a body may close over nothing of the program around it.
    """
    params = equation.params
    draws = rounding.draws()

    def body(drawn: Sequence[Any], *values: Any) -> list[Any]:
        with rounding.drawing(drawn):
            return run(params["jaxpr"], *values)

    over_devices: Callable[..., list[Any]] = jax.shard_map(
        body, mesh=_automatic(params["mesh"]),
        in_specs=(jax.P(), *params["in_specs"]), out_specs=list(params["out_specs"]),
        axis_names=set(params["newly_manual_axes"]), check_vma=params["check_vma"],
    )  # fmt: skip
    return over_devices(draws, *operands)


def _automatic(mesh: Any) -> Any:
    """A mesh of automatic axes; None, for the mesh around, where one is only named."""
    if not isinstance(mesh, Mesh):
        return None
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))
