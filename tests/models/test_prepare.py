import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from funcgrad._errors import DataError, GradientTypeError, GradientValueError
from funcgrad.models._prepare import Standard, apply_standard, fit_standard, split_rows

COLUMNS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 3)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: round(x, 3)),
)


@given(count=st.integers(2, 60), seed=st.integers(0, 2**32), share=st.floats(0.0, 0.9))
def test_every_row_is_in_one_part(count: int, seed: int, share: float) -> None:
    tests = round(count * share)
    if share > 0 and tests in (0, count):
        with pytest.raises(DataError, match="each needs one at least"):
            split_rows(count, share, seed)
        return
    train, test = split_rows(count, share, seed)
    assert len(test) == tests
    assert sorted([*train, *test]) == list(range(count))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()


def test_the_seed_decides_the_split() -> None:
    once, again, other = (split_rows(100, 0.3, seed)[1] for seed in (5, 5, 6))
    np.testing.assert_array_equal(once, again)
    assert once.tolist() != other.tolist()


@pytest.mark.parametrize("share", [-0.1, 1.0, 2, float("nan")])
def test_a_share_outside_its_range_is_named(share: float) -> None:
    with pytest.raises(GradientValueError, match=f"test_fraction must be 0 or more.*got {share}"):
        split_rows(10, share, 0)


def test_an_empty_part_is_named() -> None:
    with pytest.raises(DataError, match=r"0\.1 of 2 rows leaves 2 for training and 0 for the test"):
        split_rows(2, 0.1, 0)


def test_the_seed_of_a_split_is_a_natural_number() -> None:
    with pytest.raises(GradientValueError, match="seed must be 0 or more, got -1"):
        split_rows(10, 0.5, -1)
    with pytest.raises(GradientTypeError, match=r"seed must be an integer, got 0\.5"):
        split_rows(10, 0.5, 0.5)  # type: ignore[arg-type]  # the fault under test


@given(COLUMNS)
def test_the_measures_are_those_of_numpy(columns: NDArray[np.float64]) -> None:
    standard = fit_standard(columns)
    size = np.abs(columns).max(axis=0) + 1
    np.testing.assert_allclose(standard.mean / size, columns.mean(axis=0) / size, atol=1e-12)
    constant = (columns == columns[0]).all(axis=0)
    expected = np.where(constant, 1.0, columns.std(axis=0))
    np.testing.assert_allclose(standard.scale / size, expected / size, atol=1e-12)


@given(COLUMNS)
def test_a_standardised_column_has_mean_0_and_deviation_1_or_0(
    columns: NDArray[np.float64],
) -> None:
    names = tuple("abc"[: columns.shape[1]])
    result = apply_standard(fit_standard(columns), columns, names)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-5)
    constant = (columns == columns[0]).all(axis=0)
    np.testing.assert_allclose(result.std(axis=0), np.where(constant, 0, 1), atol=1e-5)


@pytest.mark.parametrize("value", [0.1, 1e-300, 1e300, -7.3])
def test_a_constant_column_becomes_exactly_zero(value: float) -> None:
    columns = np.full((7, 1), value)  # the mean of seven times 0.1 is not 0.1 in floating point
    standard = fit_standard(columns)
    assert (standard.mean.tolist(), standard.scale.tolist()) == ([value], [1.0])
    np.testing.assert_array_equal(apply_standard(standard, columns, ("a",)), 0)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_neither_small_nor_large_units_lose_a_column(unit: float) -> None:
    columns = np.array([[1.0], [2.0], [3.0]])
    expected = apply_standard(fit_standard(columns), columns, ("a",))
    scaled = apply_standard(fit_standard(columns * unit), columns * unit, ("a",))
    np.testing.assert_allclose(scaled, expected, rtol=1e-6)


def test_a_value_without_a_standardised_one_is_named() -> None:
    columns = np.array([[1.0, -1.7e308], [2.0, 1.7e308]])
    with pytest.raises(DataError, match=r"column 'mass' has the value -1.7e\+308, which has no"):
        apply_standard(fit_standard(columns), columns, ("area", "mass"))


def test_a_test_value_too_large_for_float32_is_named() -> None:
    standard = Standard(np.array([0.0]), np.array([1.0]))
    with pytest.raises(DataError, match=r"column 'area' has the value 1e\+39.*mean 0\.0"):
        apply_standard(standard, np.array([[1e39]]), ("area",))
