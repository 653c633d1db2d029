"""Data sets for the models: generated, packaged with scikit-learn, or a user's own CSV file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from funcgrad._errors import ConfigurationError
from funcgrad.models._csv import Table, read_table
from funcgrad.models._prepare import apply_standard, fit_standard, split_rows
from funcgrad.models._torch_stream import linspace, normals

Kind = Literal["regression", "classification"]


class Dataset(NamedTuple):
    """Examples to train on and, where there is a split, examples to test on.

    Attributes:
        x: features, float32, shape `(n, features)`.
        y: for a regression, targets, float32, shape `(n, 1)`, like the predictions of a network
            with one output; for a classification, labels, int32, shape `(n,)`.
        kind: `"regression"` or `"classification"`.
        name: what the data are called; a CSV file's name.
        x_test, y_test: the examples kept for the test; None without a split.
        feature_names: one for each column of `x`.
        target_name: the name of what is predicted.
        classes: the number of classes; None for a regression.
        feature_mean, feature_scale: what each feature was shifted and divided by, float64, shape
            `(features,)`; None where features are as they came.
        target_mean, target_scale: the same for the target of a regression, so that
            `prediction * target_scale + target_mean` is in the units of the data.

    >>> noisy_sine(seed=2021)
    Dataset(name='noisy sine', kind='regression', x=(32, 1), y=(32, 1))
    """

    x: jax.Array
    y: jax.Array
    kind: Kind
    name: str
    x_test: jax.Array | None = None
    y_test: jax.Array | None = None
    feature_names: tuple[str, ...] = ("x",)
    target_name: str = "y"
    classes: int | None = None
    feature_mean: NDArray[np.float64] | None = None
    feature_scale: NDArray[np.float64] | None = None
    target_mean: float = 0.0
    target_scale: float = 1.0

    def __repr__(self) -> str:
        """Show shapes instead of thousands of numbers."""
        arrays = {"x": self.x, "y": self.y, "x_test": self.x_test, "y_test": self.y_test}
        shapes = [f"{name}={array.shape}" for name, array in arrays.items() if array is not None]
        return f"Dataset(name={self.name!r}, kind={self.kind!r}, {', '.join(shapes)})"


def noisy_sine(seed: int = 2021, points: int = 32) -> Dataset:
    """Make the course's regression: `y = sin(pi x) + noise / 4` on evenly spaced x in [-1, 1].

    The numbers are those of `torch.manual_seed(seed)`, `x = torch.linspace(-1, 1, points)` and
    `torch.sin(torch.pi * x) + torch.randn(points) / 4`: x to the bit, y to a few units in the
    last place.

    Args:
        seed: an integer from -2**63 to 2**64 - 1.
        points: the number of examples, 1 or more.

    Returns:
        A regression; x and y are float32 of shape `(points, 1)`, not standardised.

    Raises:
        GradientTypeError: `seed` or `points` is not an integer.
        GradientValueError: `seed` or `points` is outside its domain.

    >>> noisy_sine(seed=2021).x[:2, 0]
    Array([-1.       , -0.9354839], dtype=float32)
    """
    x = linspace(-1.0, 1.0, points)
    angle = (np.float32(np.pi) * x).astype(np.float64)
    y = np.sin(angle).astype(np.float32) + normals(seed, points) / np.float32(4)
    return Dataset(
        jnp.asarray(x[:, None]), jnp.asarray(y[:, None]), kind="regression", name="noisy sine"
    )


def diabetes(seed: int = 0, test_fraction: float = 0.2) -> Dataset:
    """Load the diabetes regression: ten measurements of 442 patients, and the disease a year on.

    Features and target are standardised by the mean and standard deviation of the training
    examples. The data are part of scikit-learn (Efron, Hastie, Johnstone and Tibshirani, "Least
    angle regression", 2004); nothing is downloaded.

    Args:
        seed: an integer, 0 or more; it decides which examples are kept for the test.
        test_fraction: the share of the examples kept for the test, 0 or more and less than 1.

    Returns:
        A regression with `x` of shape `(n, 10)` and `y` of shape `(n, 1)`.

    Raises:
        ConfigurationError: scikit-learn is not installed.
        GradientTypeError: `seed` is not an integer.
        GradientValueError: `seed` or `test_fraction` is outside its domain.
        DataError: `test_fraction` leaves no example for the training or for the test.

    >>> data = diabetes()
    >>> data.x.shape, data.y.shape, data.feature_names[:3]
    ((354, 10), (354, 1), ('age', 'sex', 'bmi'))
    """
    bunch = _packaged_sets().load_diabetes(scaled=False)
    names = (*bunch.feature_names, "progression")
    table = Table(names, np.column_stack([bunch.data, bunch.target]))
    return _regression("diabetes", table, "progression", test_fraction, seed)


def digits(seed: int = 0, test_fraction: float = 0.2) -> Dataset:
    """Load the digits classification: 1,797 handwritten digits of 8 by 8 pixels.

    The pixels are standardised by the mean and standard deviation of the training examples; one
    that never changes becomes 0. The data are part of scikit-learn (Alpaydin and Kaynak, 1998);
    nothing is downloaded.

    Args:
        seed: an integer, 0 or more; it decides which examples are kept for the test.
        test_fraction: the share of the examples kept for the test, 0 or more and less than 1.

    Returns:
        A classification with `x` of shape `(n, 64)`, `y` of shape `(n,)` and 10 classes.

    Raises:
        ConfigurationError: scikit-learn is not installed.
        GradientTypeError: `seed` is not an integer.
        GradientValueError: `seed` or `test_fraction` is outside its domain.
        DataError: `test_fraction` leaves no example for the training or for the test.

    >>> data = digits()
    >>> data.x.shape, data.y.shape, data.classes
    ((1438, 64), (1438,), 10)
    """
    bunch = _packaged_sets().load_digits()
    names, labels = tuple(bunch.feature_names), bunch.target.astype(np.int32)
    train, test = split_rows(len(labels), test_fraction, seed)
    standard = fit_standard(bunch.data[train])
    features = apply_standard(standard, bunch.data, names)
    return Dataset(
        jnp.asarray(features[train]),
        jnp.asarray(labels[train]),
        kind="classification",
        name="digits",
        x_test=jnp.asarray(features[test]) if test.size else None,
        y_test=jnp.asarray(labels[test]) if test.size else None,
        feature_names=names,
        target_name="digit",
        classes=10,
        feature_mean=standard.mean,
        feature_scale=standard.scale,
    )


def read_csv(
    path: str | os.PathLike[str], target: str, *, test_fraction: float = 0.0, seed: int = 0
) -> Dataset:
    """Read a regression from a CSV file of numbers: every column but the target is a feature.

    Features and target are standardised by the mean and standard deviation of the training
    examples; a column that never changes becomes 0.

    Args:
        path: a comma-separated UTF-8 text file with a header line.
        target: the name of the column to predict.
        test_fraction: the share of the rows kept for the test, 0 or more and less than 1; 0 keeps
            every row for training, in the order of the file.
        seed: an integer, 0 or more; it decides which rows are kept for the test.

    Returns:
        A regression with `x` of shape `(n, columns - 1)` and `y` of shape `(n, 1)`.

    Raises:
        DataError: the file cannot be read, is empty, has no row, a name twice, no column `target`
            (the columns there are are listed) or no other column; a row has too few or too many
            cells or a cell that is not a finite number (its line and column are named); a value is
            too large to standardise; or `test_fraction` leaves one of the parts empty.
        GradientTypeError: `seed` is not an integer.
        GradientValueError: `seed` or `test_fraction` is outside its domain.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "houses.csv")
    ...     _ = file.write_text("area,rooms,price\\n50,2,100\\n80,3,170\\n")
    ...     houses = read_csv(file, target="price")
    >>> houses
    Dataset(name='houses.csv', kind='regression', x=(2, 2), y=(2, 1))
    >>> houses.feature_names, houses.target_mean
    (('area', 'rooms'), 135.0)
    """
    return _regression(Path(path).name, read_table(path, target), target, test_fraction, seed)


def _regression(
    name: str, table: Table, target_name: str, test_fraction: float, seed: int
) -> Dataset:
    place = table.names.index(target_name)
    feature_names = table.names[:place] + table.names[place + 1 :]
    columns, target = np.delete(table.values, place, axis=1), table.values[:, place, None]
    train, test = split_rows(len(columns), test_fraction, seed)
    of_x, of_y = fit_standard(columns[train]), fit_standard(target[train])
    x = apply_standard(of_x, columns, feature_names)
    y = apply_standard(of_y, target, (target_name,))
    return Dataset(
        jnp.asarray(x[train]),
        jnp.asarray(y[train]),
        kind="regression",
        name=name,
        x_test=jnp.asarray(x[test]) if test.size else None,
        y_test=jnp.asarray(y[test]) if test.size else None,
        feature_names=feature_names,
        target_name=target_name,
        feature_mean=of_x.mean,
        feature_scale=of_x.scale,
        target_mean=float(of_y.mean[0]),
        target_scale=float(of_y.scale[0]),
    )


def _packaged_sets() -> Any:
    try:
        from sklearn import datasets  # noqa: PLC0415  an optional dependency, and a slow import
    except ImportError as error:
        raise ConfigurationError(
            "the diabetes and digits data come with scikit-learn, which cannot be imported "
            f'({error}); install it by pip install "funcgrad[data]"'
        ) from error
    return datasets
