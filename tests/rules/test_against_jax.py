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
from rule_agreement import (
    agreement,
    eager_agreement,
    gradients,
    is_finite,
    of_both,
    types,
    widened,
)
from rule_points import (
    EXAMPLES,
    NARROW,
    Example,
    Point,
    Trial,
    by_dtype,
    dtypes_of,
    kinds,
    main_dtype,
    point_at_kink,
    point_kinds,
    points,
    trials,
)

from funcgrad import vjp

WITH_JAX = [example for example in EXAMPLES if example.case.order > 0]
IN_DTYPES = [(example, dtype) for example, dtype in by_dtype() if example.case.order > 0]


def largest_compared(
    example: Example, dtype: str, trial: Trial, compare: Callable[..., float]
) -> float:
    """Compare at the points of a trial; the magnitude of the largest entry that was compared."""
    sizes = [0.0]
    budget = settings.default.max_examples
    types_ = kinds(example.case, trial.shapes, dtype)

    @settings(max_examples=max(2, budget // (2 if trial.thorough else 6)))
    @given(points(example.case, types_))
    def run(point: Point) -> None:
        sizes.append(compare(example, point, dtype, trial))

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
    dtype = main_dtype(example.case)
    trial = trials(example.case, dtype)[0]._replace(thorough=False)
    size = largest_compared(example, dtype, trial, eager_agreement)
    assert (size > 0) != example.declares("constant")


@pytest.mark.parametrize("example", WITH_JAX, ids=str)
def test_types_are_those_of_jax(example: Example) -> None:
    """Shapes, dtypes and weak types, by abstract evaluation, which compiles nothing."""
    for dtype in dtypes_of(example.case):
        # The other orders, shapes and dtypes are compared together with the values.
        order = example.case.order if dtype in NARROW else 1
        structs = point_kinds(kinds(example.case, example.case.shapes[0], dtype))
        ours, jaxs = jax.eval_shape(functools.partial(of_both, example, order), structs)
        assert types(ours) == types(jaxs), dtype


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_gradient_is_as_weakly_typed_as_its_argument(example: Example) -> None:
    """JAX says so of tangents; whether its gradients are so differs from rule to rule."""
    dtype = main_dtype(example.case)
    structs = point_kinds(kinds(example.case, example.case.shapes[0], dtype, weak=True))
    ours = jax.eval_shape(functools.partial(gradients, vjp, example, 1), structs)
    assert types(ours.first) == types(structs.arguments)


WITH_KINKS = [(e, k) for e in WITH_JAX for k in e.case.kinks]


@pytest.mark.parametrize(("example", "kink"), WITH_KINKS, ids=str)
def test_at_a_kink_the_convention_is_that_of_jax(example: Example, kink: float) -> None:
    for dtype in dtypes_of(example.case):
        point = point_at_kink(example, kink, dtype)
        ours, jaxs = of_both(example, 1, point)
        assert is_finite(ours)
        np.testing.assert_equal(*(jax.tree.map(widened, part.first) for part in (ours, jaxs)))


def test_some_kinks_are_declared() -> None:
    assert len(WITH_KINKS) > 10
