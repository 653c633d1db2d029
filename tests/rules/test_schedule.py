"""Every step of a chain is reversed once, the last one first, from the state before it."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from funcgrad.rules._schedule import reverse_steps


@given(count=st.integers(0, 40), checkpoints=st.integers(1, 9))
def test_each_step_meets_its_state(count: int, checkpoints: int) -> None:
    def advance(state: list[Any], step: Any) -> list[Any]:
        return [state[0] + jnp.where(step == state[0], 1, 1000)]

    def reverse(state: list[Any], step: Any, gathered: Any) -> Any:
        seen, place = gathered
        return lax.dynamic_update_index_in_dim(seen, 1000 * step + state[0], place, 0), place + 1

    seen = jnp.full(max(count, 1), -1)
    seen, place = reverse_steps(
        count, [jnp.int32(0)], (seen, jnp.int32(0)),
        checkpoints=checkpoints, advance=advance, reverse=reverse,
    )  # fmt: skip
    assert int(place) == count
    assert seen[:count].tolist() == [1001 * step for step in reversed(range(count))]
