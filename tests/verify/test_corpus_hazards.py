"""The hazards are what they claim to be: difficult, and right.

Along every entry (of a large input along random directions) the derivative is compared in 64 bits
with difference quotients over a ladder of steps, first and second order: at the best two
neighbouring steps they agree. On a kink it lies between the one-sided quotients.
"""

from __future__ import annotations

import collections
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.verify.corpus.cases import Case
from tests.verify.corpus.hazards import HAZARDS
from tests.verify.score_checkers import differentiable, is_float

WIDE = [case for case in HAZARDS if "float64" in case.dtypes]
SHARE = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 15
STEPS = 10.0 ** -np.arange(0.5, 9, 0.5)  # relative to the entry; below, rounding hides all
EPSILON = float(np.finfo(np.float64).eps)
MANY = 24  # entries, from which on directions are random
CODES = np.array([-2.0, -1.0, 1.0, 2.0])
WEIGHTS = np.array([1.0, -8.0, 8.0, -1.0]) / 12  # a central quotient of fourth order


class Scalar(NamedTuple):
    """A hazard as a real function of the entries of its inputs, in one vector."""

    value: Callable[[Any], Any]
    point: np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(autouse=True)
def _wide() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
    jax.clear_caches()


def scalar(case: Case, draw: int, dtype: str = "float64") -> Scalar:
    """A random combination of the outputs: a sum of them would be zero for a softmax."""
    generator = np.random.default_rng([zlib.crc32(case.name.encode()), draw])
    problem = case.make(np.dtype(jnp.dtype(dtype)), generator)
    flat, structure = jax.tree.flatten(problem.args)
    moving = [i for i, leaf in enumerate(flat) if is_float(leaf) and not isinstance(leaf, float)]
    function = differentiable(problem)
    weights = np.random.default_rng(draw)

    def of_leaves(leaves: list[Any]) -> list[Any]:
        filled = list(flat)
        for i, leaf in zip(moving, leaves, strict=True):
            filled[i] = leaf
        results = jax.tree.leaves(function(*jax.tree.unflatten(structure, filled)))
        return [part for y in results if is_float(y) for part in (jnp.real(y), jnp.imag(y))]

    mixing = [
        np.sign(weights.normal(size=y.shape)) * weights.uniform(0.5, 1.5, y.shape)
        for y in jax.eval_shape(of_leaves, [flat[i] for i in moving])
    ]
    parts = [_parts(flat[i]) for i in moving]
    sizes = [part.size for part in parts]

    def value(vector: Any) -> Any:
        pieces = jnp.split(vector, np.cumsum(sizes)[:-1]) if sizes else []
        leaves = [_like(flat[i], piece) for i, piece in zip(moving, pieces, strict=True)]
        terms = [jnp.sum(y * w) for y, w in zip(of_leaves(leaves), mixing, strict=True)]
        return sum(terms, jnp.zeros((), vector.dtype))

    return Scalar(value, np.concatenate(parts).astype(np.float64))


def _parts(leaf: Any) -> Any:
    x = np.asarray(leaf).ravel()
    return np.concatenate([x.real, x.imag]) if np.iscomplexobj(x) else x


def _like(leaf: Any, piece: Any) -> Any:
    if jnp.iscomplexobj(leaf):
        half = leaf.size
        return (piece[:half] + 1j * piece[half:]).reshape(leaf.shape).astype(leaf.dtype)
    return piece.reshape(leaf.shape).astype(leaf.dtype)


def directions(point: Any, generator: np.random.Generator) -> Any:
    """Each entry by its own size; of a large input three random directions."""
    size = np.where(point == 0, 1.0, np.abs(point))
    if point.size <= MANY:
        return np.diag(size)
    return generator.normal(size=(3, point.size)) * size


def along(value: Callable[[Any], Any], point: Any, lines: Any, steps: Any) -> Any:
    """The values at point + step * line, lines by steps."""
    at = jax.jit(lambda line, step: value(point + step * line))
    return np.array([[np.asarray(at(line, step)) for step in steps] for line in lines])


def agrees(values: Any, scale: Any, claimed: Any) -> Any:
    """Whether at two neighbouring steps the quotients agree with what is claimed."""
    stencil = values.reshape(len(values), len(STEPS), 4)
    quotients = stencil @ WEIGHTS / STEPS
    noise = 8 * EPSILON * np.max(np.abs(stencil), axis=-1) / STEPS + 1e-13 * scale
    close = np.abs(quotients - claimed[:, None]) <= 1e-5 * np.abs(claimed[:, None]) + noise
    return (close[:, 1:] & close[:, :-1]).any(axis=1)


def first_order(case: Case, draw: int) -> Any:
    """For each direction, whether the first derivative is right."""
    value, point = scalar(case, draw)
    gradient = np.asarray(jax.jit(jax.grad(value))(point))
    assert np.isfinite(gradient).all()
    lines = directions(point, np.random.default_rng(draw))
    values = along(value, point, lines, np.outer(STEPS, CODES).ravel())
    return agrees(values, 0.0, lines @ gradient)


def second_order(case: Case, draw: int) -> Any:
    """For each direction, whether the slope of the gradient along another one is right."""
    value, point = scalar(case, draw)
    generator = np.random.default_rng(draw)
    size = np.where(point == 0, 1.0, np.abs(point))
    other = generator.normal(size=point.shape) * size

    def slope(x: Any) -> Any:
        return jax.grad(value)(x) @ other

    lines = directions(point, generator)[:4]
    values = along(slope, point, lines, np.outer(STEPS, CODES).ravel())
    curvature = np.asarray(jax.jit(jax.grad(slope))(point))
    assert np.isfinite(curvature).all()
    largest = np.max(np.abs(values), where=np.isfinite(values), initial=0.0)
    return agrees(values, largest, lines @ curvature)


def chosen(cases: list[Case]) -> list[Case]:
    """One in fifteen of the cases, by their names; all of them in the thorough profile."""
    return [case for case in cases if zlib.crc32(case.name.encode()) % SHARE == 0]


@pytest.mark.parametrize("case", chosen([c for c in WIDE if c.smooth]), ids=lambda c: c.name)
def test_where_it_is_smooth_the_derivative_is_that_of_difference_quotients(case: Case) -> None:
    assert first_order(case, 0).all()
    assert second_order(case, 0).all()


@pytest.mark.parametrize("case", chosen([c for c in WIDE if not c.smooth]), ids=lambda c: c.name)
def test_on_a_kink_the_derivative_lies_between_the_one_sided_ones(case: Case) -> None:
    value, point = scalar(case, 0)
    gradient = np.asarray(jax.grad(value)(point))
    step = 1e-5
    values = along(value, point, np.eye(point.size), [-step, 0.0, step])
    left, right = (values[:, 1] - values[:, 0]) / step, (values[:, 2] - values[:, 1]) / step
    jump = np.maximum(np.abs(left), np.abs(right)) > 1e3
    low, high = np.fmin(left, right), np.fmax(left, right)
    between = (low - 1e-3 <= gradient) & (gradient <= high + 1e-3)
    assert (between | jump).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_in_lower_precision_too_values_and_derivatives_are_finite(dtype: str) -> None:
    for case in chosen([c for c in HAZARDS if dtype in c.dtypes]):
        value, point = scalar(case, 0, dtype)
        with jax.enable_x64(False):
            vector = jnp.asarray(point, "float32")
            result, gradient = jax.value_and_grad(value)(vector)
        assert np.isfinite(result), case.name
        assert np.isfinite(gradient).all(), case.name


def test_a_wrong_rule_would_be_seen() -> None:
    case = next(c for c in HAZARDS if c.name == "hand_circulant")

    def make(dtype: Any, generator: Any) -> Any:
        problem = case.make(dtype, generator)
        by_hand: Any = problem.gradient
        return problem._replace(gradient=lambda x: by_hand(x) * (1 + 1e-4))

    assert first_order(case, 0).all()
    assert not first_order(case._replace(make=make), 0).any()


def test_the_corpus_is_large_and_has_many_rules_of_its_own() -> None:
    names = collections.Counter(case.name for case in HAZARDS)
    assert max(names.values()) == 1
    assert len(HAZARDS) >= 100
    ruled = ("right rule", "subgradient", "hand-written gradient", "implicit function")
    kinds = collections.Counter(case.kind for case in HAZARDS)
    assert sum(kinds[kind] for kind in (*ruled, "adjoint rule")) >= 50
    assert all(case.twin is None for case in HAZARDS)


def test_a_draw_depends_on_its_generator_alone() -> None:
    for case in HAZARDS[::7]:
        first, second = _drawn(case), _drawn(case)
        assert len(first) == len(second)
        for x, y in zip(first, second, strict=True):
            np.testing.assert_array_equal(x, y)


def _drawn(case: Case) -> list[Any]:
    problem = case.make(np.dtype(np.float32), np.random.default_rng(1))
    return [np.asarray(x) for x in jax.tree.leaves(problem.args) if is_float(x)]
