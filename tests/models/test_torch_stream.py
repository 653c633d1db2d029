"""The literal numbers in this file were printed by PyTorch 2.13 on a CPU."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import GradientTypeError, GradientValueError
from funcgrad.models._torch_stream import Floats, linspace, normals, uniforms, within

Draw = Callable[[int, int], Floats]
SEEDS = st.integers(-(2**63), 2**64 - 1)

# seed: numbers 0, 1, 512, 1536 of rand(1537); 0, 1, 14 of randn(15); 0, 7, 8, 15 of randn(16);
# 0, 16, 17, 25, 32 of randn(33), where 17 and later come from the fresh block of the tail
ZERO = (
    [0.4962566, 0.7682218, 0.3612727, 0.3337468],
    [1.5409961, -0.2934289, -1.0711874],
    [-1.1258398, -2.1152194, 0.32227492, -0.24727815],
    [-1.1258398, -1.3526537, 0.03159274, 0.792444, 1.2032237],
)
LARGEST_WORD = (
    [0.9937994, 0.57130635, 0.35086387, 0.7844077],
    [1.219763, -0.39297947, 0.6128689],
    [-2.6642976, 0.79364425, -1.7514946, 0.14090961],
    [-2.6642976, 1.7933999, 1.7220553, -0.99843055, 0.04037104],
)
PYTORCH = {
    0: ZERO,
    1: (
        [0.7576316, 0.27931088, 0.12614602, 0.4120596],
        [0.66135216, 0.2669241, 0.42241532],
        [-1.5255959, -1.6090963, -0.7121446, 0.4676355],
        [-1.5255959, -0.6969724, -0.07213178, 0.29273525, 2.4069781],
    ),
    2021: (
        [0.13043904, 0.513387, 0.27406043, 0.3665275],
        [2.287092, 0.6413473, -1.0042424],
        [-0.14520994, -1.6452011, 0.5083776, 1.968415],
        [-0.14520994, -0.8396272, 1.1425326, -0.41127485, 0.7248561],
    ),
    2**32 - 1: LARGEST_WORD,
    2**32: ZERO,
    2**63 + 11: (
        [0.14904171, 0.48655313, 0.5554648, 0.43879533],
        [0.7376295, 1.9459292, 0.16479844],
        [-0.51079756, -0.52428246, -0.24873711, -0.007992205],
        [-0.51079756, 0.24788003, 0.5217604, -0.7438219, -0.43013054],
    ),
    2**64 - 1: LARGEST_WORD,
    -1: LARGEST_WORD,
    -2021: (
        [0.5092942, 0.62866557, 0.16296333, 0.27423298],
        [0.80193543, 0.40451384, 0.38068056],
        [1.1224715, 1.6841856, -0.40481964, 1.5296389],
        [1.1224715, -0.2974103, 1.8612628, 0.9187473, -0.92582756],
    ),
    -(2**63): ZERO,
}


@pytest.mark.parametrize("seed", PYTORCH)
def test_uniforms_are_those_of_pytorch_to_the_bit(seed: int) -> None:
    expected = np.array(PYTORCH[seed][0], np.float32)
    np.testing.assert_array_equal(uniforms(seed, 1537)[[0, 1, 512, 1536]], expected)


@pytest.mark.parametrize("seed", PYTORCH)
def test_normals_are_those_of_pytorch(seed: int) -> None:
    _, few, one_block, with_tail = PYTORCH[seed]
    np.testing.assert_array_equal(normals(seed, 15)[[0, 1, 14]], np.array(few, np.float32))
    # PyTorch's own float32 logarithm, sine and cosine differ in their last bits by processor.
    np.testing.assert_allclose(normals(seed, 16)[[0, 7, 8, 15]], one_block, rtol=5e-7)
    np.testing.assert_allclose(normals(seed, 33)[[0, 16, 17, 25, 32]], with_tail, rtol=5e-7)


@given(seed=SEEDS, count=st.integers(0, 100), more=st.integers(0, 100))
def test_fewer_uniforms_are_a_prefix_of_more(seed: int, count: int, more: int) -> None:
    fewer = uniforms(seed, count)
    assert fewer.shape == (count,)
    assert fewer.dtype == np.float32
    assert ((fewer >= 0) & (fewer < 1)).all()
    np.testing.assert_array_equal(fewer, uniforms(seed, count + more)[:count])


@given(seed=SEEDS, blocks=st.integers(1, 4), more=st.integers(0, 100))
def test_full_blocks_of_normals_are_a_prefix(seed: int, blocks: int, more: int) -> None:
    """All but the last block that a tail may have overwritten."""
    count = 16 * blocks
    longer = normals(seed, count + more)
    kept = count if more % 16 == 0 else count - 16 + more % 16 if more < 16 else count
    np.testing.assert_array_equal(normals(seed, count)[:kept], longer[:kept])


@given(seed=SEEDS, count=st.integers(0, 14), more=st.integers(0, 15))
def test_few_normals_are_a_prefix_of_few(seed: int, count: int, more: int) -> None:
    more = min(more, 15 - count)
    np.testing.assert_array_equal(normals(seed, count), normals(seed, count + more)[:count])


@given(seed=SEEDS, count=st.integers(0, 70))
def test_only_the_lowest_32_bits_of_a_seed_count(seed: int, count: int) -> None:
    np.testing.assert_array_equal(normals(seed, count), normals(seed % 2**32, count))
    assert np.isfinite(normals(seed, count)).all()


def test_many_normals_look_normal() -> None:
    numbers = normals(2021, 160_000).astype(np.float64)
    assert abs(numbers.mean()) < 4 / 400  # four standard errors
    assert abs(numbers.var() - 1) < 4 * 2**0.5 / 400
    assert abs((np.abs(numbers) < 1).mean() - 0.6827) < 4 * 0.4655 / 400


@pytest.mark.parametrize("draw", [uniforms, normals])
@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_seeds_that_pytorch_refuses_are_refused(draw: Draw, seed: int) -> None:
    with pytest.raises(GradientValueError, match=rf"between -2\*\*63 and 2\*\*64 - 1.*got {seed};"):
        draw(seed, 16)


@pytest.mark.parametrize("draw", [uniforms, normals])
def test_counts_and_seeds_are_integers(draw: Draw) -> None:
    with pytest.raises(GradientTypeError, match=r"seed must be an integer, got 1\.5 of type float"):
        draw(1.5, 16)  # type: ignore[arg-type]  # the fault under test
    with pytest.raises(GradientTypeError, match=r"count must be an integer, got 16\.0"):
        draw(1, 16.0)  # type: ignore[arg-type]  # the fault under test
    with pytest.raises(GradientValueError, match="count must be 0 or more, got -1"):
        draw(1, -1)


@given(seed=SEEDS, bound=st.floats(2**-10, 2**10, width=32))
def test_spread_numbers_stay_within_the_bound(seed: int, bound: float) -> None:
    draws = uniforms(seed, 20)
    spread = within(bound, draws)
    assert spread.dtype == np.float32
    assert (np.abs(spread) <= bound).all()
    np.testing.assert_allclose((spread / bound + 1) / 2, draws, atol=2**-23)


def test_linspace_is_that_of_pytorch() -> None:
    points = linspace(-1.0, 1.0, 32)
    expected = np.array([-1.0, -0.9354839, -0.032258093, 0.032258093, 0.9354839, 1.0], np.float32)
    np.testing.assert_array_equal(points[[0, 1, 15, 16, 30, 31]], expected)
    np.testing.assert_array_equal(linspace(-1.0, 1.0, 1), np.array([-1.0], np.float32))


@given(count=st.integers(2, 500))
def test_linspace_is_even_and_symmetric(count: int) -> None:
    points = linspace(-1.0, 1.0, count)
    assert points.dtype == np.float32
    if count % 2 == 0:
        np.testing.assert_array_equal(points, -points[::-1])
    np.testing.assert_allclose(points, np.linspace(-1, 1, count), atol=2e-7)


def test_linspace_needs_a_point() -> None:
    with pytest.raises(GradientValueError, match="count must be 1 or more, got 0"):
        linspace(-1.0, 1.0, 0)
