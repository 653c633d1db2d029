"""Every rule of the table against JAX's gradient of the same case: one oracle of two.

The table is walked; no primitive is named here. What a case cannot do, it says itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest
from hypothesis import given, settings

from tests.rules.rule_agreement import (
    agreement,
    eager_agreement,
    is_finite,
    of_jax,
    of_ours,
    types,
    widened,
)
from tests.rules.rule_points import (
    EXAMPLES,
    Example,
    Point,
    Trial,
    by_dtype,
    dtypes_of,
    kinds,
    main_dtype,
    main_shapes,
    point_at_kink,
    point_kinds,
    points,
    trials,
)

WITH_JAX = [example for example in EXAMPLES if example.case.order > 0]
IN_DTYPES = [(example, dtype) for example, dtype in by_dtype() if example.case.order > 0]


def largest_compared(
    example: Example, dtype: str, trial: Trial, compare: Callable[..., float]
) -> float:
    """Compare at the points of a trial; the magnitude of the largest entry that was compared."""
    sizes = [0.0]
    assert settings.default is not None
    share = 2 if trial.order > 1 and dtype == main_dtype(example.case) else 6

    @settings(max_examples=max(2, settings.default.max_examples // share))
    @given(points(example.case, kinds(example.case, trial.shapes, dtype)))
    def run(point: Point) -> None:
        sizes.append(compare(example, point, dtype, trial.order))

    run()
    return max(sizes)


@pytest.mark.parametrize(("example", "dtype"), IN_DTYPES, ids=str)
def test_compiled_gradients_are_those_of_jax(example: Example, dtype: str) -> None:
    sizes = [
        largest_compared(example, dtype, trial, agreement) for trial in trials(example.case, dtype)
    ]
    assert (max(sizes) > 0) != example.declares("constant")


@pytest.mark.parametrize("example", WITH_JAX, ids=str)
def test_eager_gradients_are_those_of_jax(example: Example) -> None:
    trial = Trial(main_shapes(example.case), 1)
    size = largest_compared(example, main_dtype(example.case), trial, eager_agreement)
    assert (size > 0) != example.declares("constant")


@pytest.mark.parametrize(("example", "dtype"), IN_DTYPES, ids=str)
def test_types_are_those_of_jax(example: Example, dtype: str) -> None:
    """Shapes, dtypes and weak types, by abstract evaluation, which compiles nothing."""
    main = Trial(main_shapes(example.case), example.case.order)
    others = [Trial(shapes, 1) for shapes in example.case.shapes if shapes != main.shapes]
    for shapes, order in [main, *others] if dtype == main_dtype(example.case) else [main]:
        structs = point_kinds(kinds(example.case, shapes, dtype))
        ours, jaxs = (
            jax.eval_shape(functools.partial(function, example, order), structs)
            for function in (of_ours, of_jax)
        )
        assert types(ours) == types(jaxs), shapes


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_gradient_is_as_weakly_typed_as_its_argument(example: Example) -> None:
    """JAX says so of tangents; whether its gradients are so differs from rule to rule."""
    dtype = main_dtype(example.case)
    structs = point_kinds(kinds(example.case, main_shapes(example.case), dtype, weak=True))
    ours = jax.eval_shape(functools.partial(of_ours, example, 1), structs)
    assert types(ours.first) == types(structs.arguments)


WITH_KINKS = [(e, k) for e in WITH_JAX for k in e.case.kinks]


@pytest.mark.parametrize(("example", "kink"), WITH_KINKS, ids=str)
def test_at_a_kink_the_convention_is_that_of_jax(example: Example, kink: float) -> None:
    for dtype in dtypes_of(example.case):
        point = point_at_kink(example, kink, dtype)
        ours, jaxs = of_ours(example, 1, point).first, of_jax(example, 1, point).first
        assert is_finite(ours)
        np.testing.assert_equal(jax.tree.map(widened, ours), jax.tree.map(widened, jaxs))


def test_some_kinks_are_declared() -> None:
    assert len(WITH_KINKS) > 10
