"""What a check knows of devices, on one of them; over several: `on_eight_devices_check.py`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

from funcgrad.verify._devices import Devices, devices_of, placed

P = PartitionSpec


def program(body: Any) -> Any:
    mesh = AbstractMesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    mapped = jax.shard_map(body, mesh=mesh, in_specs=P(), out_specs=P(), axis_names={"data"})
    return jax.make_jaxpr(jax.jit(mapped))(jnp.ones(3))


def test_the_axes_and_sums_of_a_program() -> None:
    summed = program(lambda x: lax.psum(x, "data"))
    right = program(lambda x: lax.pmean(x * lax.axis_index("data"), "data"))
    found = devices_of([jnp.ones(3)], [summed, right], [summed, right])
    assert found.axes == {"data": 4}
    (place,) = found.sums
    assert place.startswith("test_devices.py:")
    assert place.endswith("psum over 'data'")
    assert devices_of([np.ones(3)], [], []) == Devices()
    assert not devices_of([], [summed, right], [right]).sums


def test_sizes_are_told_once_and_none_of_one() -> None:
    assert Devices({"one": 1}).sizes == ()
    sizes = Devices({"a": 2, "b": 4, "c": 2, "d": 1}).sizes
    assert [size for size, _ in sizes] == [2, 4, 8, 16]
    assert dict(sizes)[2] == "the size of the mesh axis 'a'"
    assert dict(sizes)[16] == "the product of the sizes of the mesh axes 'a', 'b', 'c'"


def test_what_is_on_one_device_stays_there() -> None:
    (value,) = placed([np.ones(3)], [jnp.ones(3)])
    assert isinstance(value, jax.Array)
    (rows,) = placed([np.ones((2, 3))], [np.ones(3)], rows=True)
    assert rows.shape == (2, 3)
