"""How fine an examination was: what a finding says of it, and that it is true."""

from __future__ import annotations

import re

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._native import Native
from funcgrad.verify._problem import pose
from funcgrad.verify._resolution import Line, resolution
from tests.verify.planting import X, examined, reverse_off


@pytest.mark.parametrize(("size", "how"), [(3, "entry by entry"), (64, "by 6 random projections")])
def test_what_is_said_is_true(size: int, how: str) -> None:
    at = jnp.linspace(0.5, 1.25, size, dtype=jnp.float32)
    found = examined(reverse_off(1.0), at)
    assert not found.findings
    (remark,) = found.remarks
    assert f"to the first order only, in float32, {how}" in remark.message
    share = float(re.search(r"smaller than (\S+) of its norm by x", remark.message).group(1))  # type: ignore[union-attr]  # or the test fails
    assert 1e-6 < share < 1e-2
    # One entry off by a multiple of that is found, and by a small part of it is not.
    entry = jnp.zeros(size).at[1].set(np.sqrt(size))
    assert examined(reverse_off(1 + 10 * share * entry), at).findings
    assert not examined(reverse_off(1 + 0.01 * share * entry), at).findings


def test_where_there_is_a_fault_it_is_not_said() -> None:
    assert not examined(reverse_off(2.0), X).remarks


def test_the_coarsest_inputs_are_named() -> None:
    args = tuple(X for _ in range(5))
    problem = pose(lambda a, b, c, d, e: jnp.sum(a + b + c + d + e), args, {}, None)
    result = Native([], [np.full(3, 4.0)] * 4 + [np.zeros(3)])
    lines = [Line(i, "right", 0.01 * (i + 1) * np.sqrt(3)) for i in range(5)]
    lines += [Line(1, "useless", 9.0), Line(1, "kink", np.inf)]
    message = resolution(problem, result, lines, "in a way").message
    assert message.endswith(
        "in a way: an error of the gradient goes unseen if it is smaller than a size that is not "
        "known by e, 0.01 of its norm by d, 0.007 of its norm by c, and less by 2 more"
    )
