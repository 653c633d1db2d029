"""The planted faults are what they say: same function, same arguments, and a twin that is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.verify.corpus.cases import Case, Problem
from tests.verify.corpus.faults import FAULTS

KINDS = (
    *("sign", "scale", "relative error 1e-3", "relative error 1e-4", "relative error 1e-5"),
    *("relative error 1e-6", "axis", "broadcasting", "structure", "ties", "tails"),
    *("piecewise regions", "conjugation", "complex", "dtype", "dropped argument"),
    *("hidden small component", "one entry in thousands", "integer arguments"),
    *("second order only", "forward against reverse", "batch only", "jit only", "eager only"),
    *("repeat only", "stale cache", "cotangent-dependent", "primal changed"),
    *("loss", "layer", "linear algebra", "transform", "loop"),
)
SEED = 5
STEP = 1e-5
# Where the first gradient at the given point shows the fault; elsewhere it takes more to see it.
SHOWN_AT_ONCE = frozenset(
    (
        *("sign", "scale", "axis", "broadcasting", "dropped argument", "conjugation", "complex"),
        *("relative error 1e-3", "relative error 1e-4", "relative error 1e-5"),
        *("relative error 1e-6", "hidden small component", "one entry in thousands"),
        *("integer arguments", "loss", "layer", "linear algebra", "transform", "loop"),
    )
)
IN_64_BITS = tuple(case for case in FAULTS if "float64" in case.dtypes)


def _drawn(case: Case, dtype: str) -> tuple[Problem, Problem]:
    assert case.twin is not None
    first, second = (np.random.default_rng(SEED) for _ in range(2))
    return case.make(np.dtype(dtype), first), case.twin(np.dtype(dtype), second)


def _differentiable(args: tuple[Any, ...]) -> tuple[int, ...]:
    def inexact(arg: Any) -> bool:
        return all(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in jax.tree.leaves(arg))

    return tuple(index for index, arg in enumerate(args) if inexact(arg))


def _scalar(problem: Problem) -> Callable[..., Any]:
    """The function, its entries weighted if there are several."""

    def scalar(*args: Any) -> Any:
        y = problem.function(*args, **problem.kwargs)
        weights = 1 + np.cos(np.arange(y.size)) / 4
        return jnp.sum(y * jnp.asarray(weights.reshape(y.shape), y.dtype)) if y.ndim else y

    return scalar


def _gradient(problem: Problem) -> Any:
    if problem.gradient is not None:
        return problem.gradient(*problem.args)
    places = _differentiable(problem.args)
    argnums = places if len(places) > 1 else places[0]
    return jax.grad(_scalar(problem), argnums)(*problem.args)


def test_there_are_enough_of_each_kind() -> None:
    counts = Counter(case.kind for case in FAULTS)
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= 3, counts
    assert len(FAULTS) >= 90


def test_names_are_unique() -> None:
    names = Counter(case.name for case in FAULTS)
    assert max(names.values()) == 1, names.most_common(3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fault_and_twin_have_the_same_arguments_and_types(dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        for case in FAULTS:
            if dtype in case.dtypes:
                _assert_same_types(case, dtype)


def _assert_same_types(case: Case, dtype: str) -> None:
    faulty, right = _drawn(case, dtype)
    for one, other in zip(jax.tree.leaves(faulty.args), jax.tree.leaves(right.args), strict=True):
        assert one.dtype == other.dtype, case.name
        np.testing.assert_array_equal(one, other, err_msg=case.name)
    types = [jax.eval_shape(p.function, *p.args, **p.kwargs) for p in (faulty, right)]
    assert types[0] == types[1], case.name
    assert types[0].dtype == dtype, case.name


@pytest.mark.parametrize("case", IN_64_BITS, ids=lambda case: case.name)
def test_same_values_and_a_twin_that_agrees_with_a_difference_quotient(case: Case) -> None:
    with jax.enable_x64(True):
        faulty, right = _drawn(case, "float64")
        value, expected = (_scalar(problem)(*problem.args) for problem in (faulty, right))
        assert np.isfinite(value)
        assert value == expected
        gradient = _gradient(right)
        if case.smooth:
            _assert_slope(right, gradient)
        if case.kind in SHOWN_AT_ONCE:
            assert not _same(_gradient(faulty), gradient)


def _assert_slope(problem: Problem, gradient: Any) -> None:
    expected, received = _slopes(problem, gradient)
    assert abs(received - expected) <= 2e-6 * (1e-3 + abs(expected))


def _slopes(problem: Problem, gradient: Any) -> tuple[float, float]:
    """The derivative along a random direction: by central differences, and by the gradient."""
    places = _differentiable(problem.args)
    inputs = [problem.args[place] for place in places]
    leaves = jax.tree.leaves(inputs)
    rng = np.random.default_rng(SEED)
    directions = [_direction(rng, leaf) for leaf in leaves]

    def along(t: float) -> float:
        moved = [leaf + t * d for leaf, d in zip(leaves, directions, strict=True)]
        args = list(problem.args)
        for place, arg in zip(
            places, jax.tree.unflatten(jax.tree.structure(inputs), moved), strict=True
        ):
            args[place] = arg
        return float(_scalar(problem)(*args))

    numerical = (along(STEP) - along(-STEP)) / (2 * STEP)
    pairs = zip(jax.tree.leaves(gradient), directions, strict=True)
    return numerical, sum(float(np.sum(np.asarray(g) * d).real) for g, d in pairs)


def _direction(rng: np.random.Generator, leaf: Any) -> Any:
    drawn = rng.normal(size=leaf.shape)
    if np.iscomplexobj(leaf):
        drawn = drawn + 1j * rng.normal(size=leaf.shape)
    # As long as the entry, so that none comes near zero.
    return (drawn * np.minimum(np.abs(leaf), 1)).astype(leaf.dtype)


def _same(one: Any, other: Any) -> bool:
    # The smallest planted error is 8e-7, and the gradients are of 64 bits.
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.allclose(a, b, rtol=1e-8, atol=1e-300) for a, b in pairs)
