"""What a picture shows is looked at by people; here it is that there is one for every run."""

import io
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from funcgrad._errors import ConfigurationError
from funcgrad.models import Dataset, init_widenet, noisy_sine, widenet_loss
from funcgrad.train import picture
from funcgrad.train.compare import GradientDifference
from funcgrad.train.options import Config
from funcgrad.train.report import Outcome
from funcgrad.train.run import Trained
from funcgrad.train.task import Task


def outcome(data: Dataset, losses: list[float], stop: Any = "complete") -> Outcome:
    params = init_widenet(0, 8, data.x.shape[1], data.classes or 1)
    config = Config("sine", None, "gd", 3, 0.1, 0, None, 8, 0, False, Path("unused"))
    trained = Trained(params, params, np.array(losses, np.float32), stop, 0.1, 0.1)
    task = Task(data, params, widenet_loss, None, 0)
    same = GradientDifference(0.0, 0.0)
    return Outcome(config, task, trained, 1.0, same, same, None, None, None, "cpu")


def table(rows: int, columns: int, **more: Any) -> Dataset:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(rows, columns)), jnp.float32)
    names = tuple(f"column {i}" for i in range(columns))
    return Dataset(x, x[:, :1], "regression", "t.csv", feature_names=names, **more)


def classes() -> Dataset:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(9, 4)), jnp.float32)
    y = jnp.arange(9) % 3
    return Dataset(x, y, "classification", "c", x_test=x, y_test=y, classes=3, target_name="class")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn."""
    made: list[Figure] = []

    def record(*args: Any, **kwargs: Any) -> Figure:
        made.append(Figure(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(picture, "Figure", record)
    return made


def draw(made: Outcome) -> bytes:
    file = io.BytesIO()
    picture.draw(made, made.trained.params, file)
    return file.getvalue()


SCALED = {"feature_mean": np.array([100.0]), "feature_scale": np.array([10.0])}


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (noisy_sine(), "Data and fit after 3 steps"),
        (table(5, 1, **SCALED), "Data and fit after 3 steps"),
        (table(20, 3), "Predicted against true"),
        (table(1, 2), "Predicted against true"),
        (table(20, 3, x_test=jnp.ones((4, 3)), y_test=jnp.ones((4, 1))), "Predicted against true"),
        (classes(), "9 test examples, "),
        (classes()._replace(x_test=None, y_test=None), "9 training examples, "),
    ],
)
def test_every_kind_of_data_has_a_picture(data: Dataset, title: str, figures: list[Figure]) -> None:
    png = draw(outcome(data, [1.0, 0.5, 0.25]))
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (1760, 768)
    learned, loss = figures[0].axes
    assert learned.get_title().startswith(title)
    assert loss.get_title() == "Loss from 1 to 0.25"
    assert loss.get_yscale() == "log"
    (line,) = loss.lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 1.0], [2, 0.5], [3, 0.25]])


@pytest.mark.parametrize(
    "losses",
    [
        [0.5] * 10,
        [0.5, 0.4999, 0.4998],
        [2.0, 0.5],
        [1e3, 1.0],
        [1e5, 1e32, float("inf")],
        [1.0, 0.0, float("nan")],
    ],
)
def test_every_course_of_the_loss_has_labels(losses: list[float], figures: list[Figure]) -> None:
    draw(outcome(noisy_sine(), losses))
    axis = figures[0].axes[1].yaxis
    low, high = sorted(axis.get_view_interval())
    assert any(low <= place <= high for place in axis.get_majorticklocs())


@pytest.mark.parametrize("losses", [[], [0.0, 0.0], [float("inf")]])
def test_a_loss_that_cannot_be_drawn_is_left_out(losses: list[float]) -> None:
    assert draw(outcome(noisy_sine(), losses, "diverged")).startswith(b"\x89PNG")


def test_predictions_that_are_not_finite_are_drawn_far_away(figures: list[Figure]) -> None:
    made = outcome(table(9, 3), [1.0], "diverged")
    made.trained.params["b2"] = jnp.asarray([jnp.inf])
    assert draw(made).startswith(b"\x89PNG")
    assert figures[0].axes[0].get_ylim()[1] > 1e38


def test_the_data_are_shown_in_their_units(figures: list[Figure]) -> None:
    data = table(5, 1, target_mean=-3.0, target_scale=2.0, **SCALED)
    made = outcome(data, [1.0])
    draw(made._replace(config=replace(made.config, data="t.csv")))
    points, fit = (np.asarray(line.get_xydata()) for line in figures[0].axes[0].lines)
    np.testing.assert_allclose(points[:, 0], 100 + 10 * np.asarray(data.x)[:, 0], rtol=1e-5)
    np.testing.assert_allclose(points[:, 1], 2 * np.asarray(data.y)[:, 0] - 3, rtol=1e-5)
    assert fit[:, 0].min() == points[:, 0].min()


def test_confusions_are_counted(figures: list[Figure]) -> None:
    data = classes()
    made = outcome(data, [1.0])
    made.trained.params["w2"] = jnp.zeros((8, 3))  # always the same class
    made.trained.params["b2"] = jnp.asarray([0.0, 1.0, 0.0])
    draw(made)
    (image,) = figures[0].axes[0].images
    np.testing.assert_array_equal(image.get_array(), [[0, 3, 0], [0, 3, 0], [0, 3, 0]])
    assert figures[0].axes[0].get_title() == "9 test examples, 33.3% correct"


def test_odd_names_are_drawn_as_they_are() -> None:
    data = table(5, 1)._replace(
        feature_names=("price in $ or $$",), target_name="日本_^{" + 90 * "x"
    )
    assert draw(outcome(data._replace(name="a$b_{$.csv"), [1.0])).startswith(b"\x89PNG")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "funcgrad.train.picture")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r'pip install "funcgrad\[plot\]"'):
        import funcgrad.train.picture  # noqa: F401  the import is the test
