"""`shard_map` on one device has its body's gradient; for four devices see test_collectives."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import funcgrad
from funcgrad.rules.shard_maps import _unmentioned
from tests.comparing import assert_same


@pytest.mark.parametrize("typed", [True, False])
def test_on_one_device_the_gradient_is_the_bodys(typed: bool) -> None:
    mesh = jax.make_mesh((1,), ("i",), axis_types=(AxisType.Auto,))

    def body(x: Any, w: Any) -> Any:
        return jnp.sin(x) * jnp.exp(w)

    run = jax.shard_map(body, mesh=mesh, in_specs=(P("i"), P()), out_specs=P("i"), check_vma=typed)
    point = (jnp.arange(3.0), jnp.array([0.1, 0.2, 0.3]))
    ours = funcgrad.grad(lambda x, w: jnp.sum(run(x, w)), (0, 1))(*point)
    assert_same(ours, jax.grad(lambda x, w: jnp.sum(body(x, w)), (0, 1))(*point))


def test_the_axes_that_a_specification_leaves_out() -> None:
    axes = frozenset({"i", "j", "k"})
    assert _unmentioned(P("i", None), axes) == ["j", "k"]
    assert _unmentioned(P(("i", "k")), axes) == ["j"]
    assert _unmentioned(P(), axes) == ["i", "j", "k"]
