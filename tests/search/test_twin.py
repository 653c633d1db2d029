"""A program in its own precision and in 64 bits."""

from __future__ import annotations

import jax
import numpy as np

from funcgrad.search._draw import draw_program
from funcgrad.search._twin import flatten, largest, widened
from tests.search.small import program


def test_the_flat_function_gives_what_the_plain_one_gives() -> None:
    one = draw_program(np.random.default_rng(5), operations=(3, 5), families=["elementwise"])
    flat = flatten(one)
    expected = one.function()(*one.arguments())
    np.testing.assert_allclose(flat.run(*flat.leaves), expected, rtol=1e-5)
    names = {e.primitive.name for e in flat.closed.jaxpr.eqns}
    assert not names & {"pjit", "jit"}


def test_the_twin_has_64_bits_and_knows_its_largest_number() -> None:
    flat = flatten(program("exp", "sin", point=3.0))
    with jax.enable_x64(True):
        wide = widened(flat)
        value, most = largest(wide)
        assert wide.leaves[0].dtype == np.float64
    np.testing.assert_allclose(value, np.sin(np.exp(3.0)) * 0.5, rtol=1e-14)
    np.testing.assert_allclose(most, np.exp(3.0), rtol=1e-14)
