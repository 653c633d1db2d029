"""The literal numbers of the noisy sine were printed by PyTorch 2.13 on a CPU."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import ConfigurationError, DataError, GradientTypeError, GradientValueError
from funcgrad.models import Dataset, diabetes, digits, noisy_sine, read_csv
from funcgrad.models._torch_stream import linspace

PYTORCH = {  # seed: targets 0, 15 and 31 of 32
    0: [-0.28145987, -0.16298795, -0.21091928],
    1: [-0.3813989, 0.015740462, -0.032905888],
    2021: [-0.0363024, 0.39093533, -0.278564],
    2**32 - 1: [-0.66607434, -0.06594101, 0.49197277],
}


@pytest.mark.parametrize("seed", PYTORCH)
def test_the_noisy_sine_is_that_of_pytorch(seed: int) -> None:
    data = noisy_sine(seed=seed)
    assert data.x.shape == data.y.shape == (32, 1)
    assert data.x.dtype == data.y.dtype == jnp.float32
    np.testing.assert_array_equal(data.x[:, 0], linspace(-1.0, 1.0, 32))
    np.testing.assert_allclose(data.y[[0, 15, 31], 0], PYTORCH[seed], rtol=1e-6)


@pytest.mark.parametrize("points", [1, 2, 15, 16, 1000])
def test_the_noisy_sine_has_any_number_of_points(points: int) -> None:
    data = noisy_sine(points=points)
    assert data.x.shape == data.y.shape == (points, 1)
    noise = 4 * (np.asarray(data.y) - np.sin(np.pi * np.asarray(data.x)))
    assert 0 < np.abs(noise).max() < 5


def test_the_noisy_sine_is_a_regression_without_a_test() -> None:
    data = noisy_sine()
    assert (data.kind, data.name, data.feature_names) == ("regression", "noisy sine", ("x",))
    assert data.x_test is data.y_test is None
    assert data.classes is None
    assert data.feature_mean is None
    assert (data.target_mean, data.target_scale) == (0, 1)


def test_the_noisy_sine_checks_its_arguments() -> None:
    with pytest.raises(GradientValueError, match="count must be 1 or more, got 0"):
        noisy_sine(points=0)
    with pytest.raises(GradientTypeError, match="seed must be an integer, got 'a'"):
        noisy_sine(seed="a")  # type: ignore[arg-type]  # the fault under test


def test_the_representation_shows_shapes() -> None:
    x = jnp.ones((3, 2))
    data = Dataset(x, x[:, :1], "regression", "mine", x_test=x[:1], y_test=x[:1, :1])
    shown = (
        "Dataset(name='mine', kind='regression', x=(3, 2), y=(3, 1), x_test=(1, 2), y_test=(1, 1))"
    )
    assert repr(data) == shown


def test_diabetes_is_a_standardised_regression() -> None:
    data = diabetes()
    assert (data.kind, data.name, data.classes) == ("regression", "diabetes", None)
    assert data.feature_names == ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    assert data.x_test is not None
    assert data.y_test is not None
    assert (data.x.shape, data.y.shape) == ((354, 10), (354, 1))
    assert (data.x_test.shape, data.y_test.shape) == ((88, 10), (88, 1))
    for trained in (data.x, data.y):
        assert trained.dtype == jnp.float32
        np.testing.assert_allclose(trained.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(trained.std(axis=0), 1, atol=1e-5)


def test_diabetes_keeps_the_values_that_scikit_learn_packs() -> None:
    from sklearn.datasets import load_diabetes

    raw, data = load_diabetes(scaled=False), diabetes(test_fraction=0)
    assert data.feature_mean is not None
    restored = np.asarray(data.x) * data.feature_scale + data.feature_mean
    np.testing.assert_allclose(restored, raw.data, rtol=1e-5)
    targets = np.asarray(data.y[:, 0]) * data.target_scale + data.target_mean
    np.testing.assert_allclose(targets, raw.target, rtol=1e-5)


def test_the_test_examples_do_not_touch_the_measures() -> None:
    from sklearn.datasets import load_diabetes

    raw, data = load_diabetes(scaled=False), diabetes()
    assert data.feature_mean is not None
    assert data.x_test is not None
    assert np.abs(data.feature_mean - raw.data.mean(axis=0)).min() > 0
    restored = np.asarray(data.x_test) * data.feature_scale + data.feature_mean
    gaps = np.abs(restored[:, None] - raw.data[None]).max(axis=2).min(axis=1)
    assert gaps.max() < 1e-3  # each is a row of the original


def test_digits_is_a_classification_of_ten_digits() -> None:
    data = digits()
    assert (data.kind, data.name, data.classes) == ("classification", "digits", 10)
    assert data.x_test is not None
    assert data.y_test is not None
    assert (data.x.shape, data.y.shape) == ((1438, 64), (1438,))
    assert (data.x_test.shape, data.y_test.shape) == ((359, 64), (359,))
    assert data.y.dtype == jnp.int32
    assert set(data.y.tolist()) == set(data.y_test.tolist()) == set(range(10))
    np.testing.assert_array_equal(data.x[:, 0], 0)  # the corner is never inked
    np.testing.assert_allclose(data.x[:, 20].std(), 1, atol=1e-5)
    assert len(data.feature_names) == 64


def test_digits_keeps_image_and_label_together() -> None:
    from sklearn.datasets import load_digits

    raw, data = load_digits(), digits(test_fraction=0)
    assert data.feature_mean is not None
    assert data.x_test is data.y_test is None
    restored = np.asarray(data.x) * data.feature_scale + data.feature_mean
    np.testing.assert_allclose(restored, raw.data, atol=1e-4)
    np.testing.assert_array_equal(data.y, raw.target)


@pytest.mark.parametrize("load", [diabetes, digits])
def test_the_seed_decides_the_split(load: Callable[..., Dataset]) -> None:
    once, again, other = load(seed=3), load(seed=3), load(seed=4)
    np.testing.assert_array_equal(once.y, again.y)
    np.testing.assert_array_equal(once.x, again.x)
    assert (once.y != other.y).any()


@pytest.mark.parametrize("load", [diabetes, digits])
def test_a_missing_package_is_named(
    load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ConfigurationError, match=r'pip install "funcgrad\[data\]"'):
        load()


def test_importing_the_models_imports_no_optional_package() -> None:
    code = (
        "import sys, funcgrad.models, funcgrad.models.data\n"
        "print([name for name in ('sklearn', 'flax', 'matplotlib') if name in sys.modules])\n"
        "funcgrad.models.digits()\n"
        "print('sklearn' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["[]", "True"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "houses.csv"
    path.write_text("area,price,rooms\n50,100,2\n80,170,2\n110,240,2\n20,10,2\n")
    return path


def test_a_csv_file_is_a_regression_on_all_other_columns(file: Path) -> None:
    data = read_csv(file, "price")
    assert (data.kind, data.name, data.target_name) == ("regression", "houses.csv", "price")
    assert data.feature_names == ("area", "rooms")
    assert data.x_test is data.y_test is None
    assert data.x.dtype == data.y.dtype == jnp.float32
    area = np.array([50, 80, 110, 20.0])
    np.testing.assert_allclose(data.x[:, 0], (area - 65) / area.std(), rtol=1e-6)
    np.testing.assert_array_equal(data.x[:, 1], 0)  # constant
    price = np.asarray(data.y) * data.target_scale + data.target_mean
    np.testing.assert_allclose(price, [[100], [170], [240], [10]], rtol=1e-6)


def test_a_csv_file_can_be_split(file: Path) -> None:
    data, again = (read_csv(str(file), "price", test_fraction=0.25, seed=2) for _ in range(2))
    assert data.x_test is not None
    assert data.y_test is not None
    assert (data.x.shape, data.y_test.shape) == ((3, 2), (1, 1))
    assert data.feature_mean is not None
    assert data.feature_scale is not None
    rows = [*np.asarray(data.x), *np.asarray(data.x_test)]
    areas = sorted(row[0] * data.feature_scale[0] + data.feature_mean[0] for row in rows)
    np.testing.assert_allclose(areas, [20, 50, 80, 110], rtol=1e-5)
    np.testing.assert_array_equal(data.x_test, again.x_test)


def test_an_error_in_a_csv_file_reaches_the_caller(file: Path) -> None:
    with pytest.raises(DataError, match=r"has no column 'prize' \(did you mean 'price'\?\)"):
        read_csv(file, "prize")
    with pytest.raises(DataError, match=r"test_fraction 0\.1 of 4 rows leaves 4 for training"):
        read_csv(file, "price", test_fraction=0.1)
    file.write_text("area,price\n1.7e308,1\n-1.7e308,2\n")
    with pytest.raises(DataError, match="column 'area' has the value"):
        read_csv(file, "price")
    with pytest.raises(DataError, match="column 'area' has the value"):
        read_csv(file, "area")
    file.write_text("area,price\n50,oops\n")
    with pytest.raises(DataError, match=r"line 2, column 2 \('price'\): 'oops' is not a number"):
        read_csv(file, "price")
