"""Every operation of the table: drawn, run, differentiated by us and by JAX."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import funcgrad
from funcgrad import rules as _rules  # noqa: F401 -- fills the registry
from funcgrad._registry import rules
from funcgrad.search._admission import examine
from funcgrad.search._choices import RandomChoices
from funcgrad.search._operations import BY_NAME, FAMILIES, TABLE
from funcgrad.search._program import Program
from tests.search.small import draw_one

NAMES = [operation.name for operation in TABLE]
# Of one precision. What an operation's condition adds to it is in the margins of its domain.
TOLERANCE = 3e-4


# Every operation compiles for a while; the thorough profile has them all.
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def sampled(name: str, share: int) -> bool:
    return zlib.crc32(name.encode()) % share == 0


SAMPLE = [name for name in NAMES if THOROUGH or sampled(name, 16)]


def theirs(program: Program) -> tuple[Any, ...]:
    """JAX's gradient; by its forward mode where it has no reverse mode."""
    arguments = program.arguments()
    numbers = tuple(range(len(arguments)))
    if not program.reverse:
        return forwards(program)
    with jax.disable_jit():
        return tuple(jax.grad(program.function(), numbers)(*arguments))


def forwards(program: Program) -> tuple[Any, ...]:
    """The gradient entry by entry, each a forward derivative."""
    flat, unravel = ravel_pytree(program.arguments())

    def value(vector: Any) -> Any:
        return program.function()(*unravel(vector))

    with jax.disable_jit():
        slopes = [jax.jvp(value, (flat,), (row,))[1] for row in np.eye(flat.size, dtype=flat.dtype)]
    return tuple(unravel(jnp.stack(slopes)))


def ours(program: Program) -> tuple[Any, ...]:
    arguments = program.arguments()
    with jax.disable_jit():
        return tuple(funcgrad.grad(program.function(), tuple(range(len(arguments))))(*arguments))


def drawn(name: str) -> tuple[Program, tuple[Any, ...]]:
    """A program with an operation, and JAX's gradient of it, which is not zero."""
    for seed in range(8):
        program = draw_one(RandomChoices(np.random.default_rng(1 + seed)), name)
        assert program is not None, f"no operand leads to {name}"
        gradient = theirs(program)
        if max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)) > 1e-3:
            return program, gradient
    raise AssertionError(f"the gradient through {name} is always zero")


@pytest.mark.parametrize("name", SAMPLE)
def test_the_gradient_of_an_operation_is_that_of_jax(name: str) -> None:
    program, expected = drawn(name)
    assert name in program.operations
    assert examine(program) is not None
    for mine, reference in zip(
        jax.tree.leaves(ours(program)), jax.tree.leaves(expected), strict=True
    ):
        assert mine.dtype == reference.dtype
        scale = float(np.abs(reference).max())
        np.testing.assert_allclose(mine, reference, rtol=0, atol=TOLERANCE * max(scale, 1.0))


def test_names_are_unique_and_families_are_many() -> None:
    assert len(BY_NAME) == len(TABLE) > 300
    assert len(FAMILIES) >= 18


# --- reach ----------------------------------------------------------------------------------------

_MESH = "needs a mesh of devices"
_EFFECT = "calls out of the program, or places it: no formula to search in"
_NONE = "JAX has no derivative to compare with"
_INNER = "JAX makes it only inside of its own library"
# Primitives with a rule that no operation reaches, and why.
UNREACHED = {
    **dict.fromkeys([
        "all_gather", "all_gather_invariant", "all_gather_reduced", "all_to_all", "pbroadcast",
        "pbroadcast_dynamic", "ppermute", "preduced", "psum", "psum_invariant", "pvary",
        "ragged_all_to_all", "reduce_scatter", "reduced_vary_cast", "reduced_vary_cast_p",
        "reshard", "shard_map",
        "sharding_constraint", "unreduced_psum", "unreduced_reduce_scatter", "vary_unreduced_cast",
        "vary_unreduced_cast_p",
    ], _MESH),
    **dict.fromkeys([
        "ffi_call", "io_callback", "pure_callback", "layout_constraint", "relayout",
        "with_memory_space_constraint", "stage", "run_state",
    ], _EFFECT),
    **dict.fromkeys(["composite", "custom_vmap_call", "nextafter", "igamma_grad_a"], _NONE),
    **dict.fromkeys([
        "eval_jaxpr", "from_edtype", "to_edtype", "remat_opt", "tie", "call_hi_primitive",
    ], _INNER),
}  # fmt: skip
# Those that only one of the supported lines of JAX has, or reaches by its own functions.
BY_VERSION = {
    "call", "call_hi_primitive", "closed_call", "igamma_grad_a", "linear_call", "log2",
    "one_minus_square", "polynomial", "stage", "tie",
}  # fmt: skip


def primitives(jaxpr: Any) -> Iterator[str]:
    """The names of the primitives of a jaxpr and of those inside it."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        leaves = jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
        )
        for leaf in leaves:
            inner = getattr(leaf, "jaxpr", leaf)
            if hasattr(inner, "eqns"):
                yield from primitives(inner)


@pytest.mark.skipif(not THOROUGH, reason="draws every operation")
def test_every_primitive_with_a_rule_is_reached_or_has_a_reason_not_to_be() -> None:
    found: set[str] = set()
    for name in NAMES:
        program = draw_one(RandomChoices(np.random.default_rng(1)), name)
        assert program is not None
        found |= set(primitives(jax.make_jaxpr(program.function())(*program.arguments()).jaxpr))
    wanted = {
        str(rule.primitive)
        for rule in rules().values()
        if "/rules/" in rule.where and rule.family != "none"
    }
    assert wanted - found - BY_VERSION == set(UNREACHED) & wanted - BY_VERSION
    assert len(wanted & found) > 100


@pytest.mark.parametrize("name", [n for n in NAMES if sampled(n, 24 if THOROUGH else 96)])
def test_an_operation_has_the_same_gradient_compiled(name: str) -> None:
    program, expected = drawn(name)
    arguments = program.arguments()
    compiled = jax.jit(funcgrad.grad(program.function(), tuple(range(len(arguments)))))
    for mine, reference in zip(
        jax.tree.leaves(compiled(*arguments)), jax.tree.leaves(expected), strict=True
    ):
        scale = float(np.abs(reference).max())
        np.testing.assert_allclose(mine, reference, rtol=0, atol=TOLERANCE * max(scale, 1.0))
