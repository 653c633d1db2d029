"""The picture of a run: the fit, the predictions or the confusions, and beside it the loss."""

from __future__ import annotations

import warnings
from typing import IO, Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from funcgrad._errors import ConfigurationError
from funcgrad.models import widenet
from funcgrad.models.widenet import WideNetParams
from funcgrad.train.report import Outcome, clipped

try:
    from matplotlib import colors, ticker
    from matplotlib.figure import Figure
except ImportError as error:
    raise ConfigurationError(
        f"the picture needs Matplotlib, which cannot be imported ({error}); install it by "
        f'pip install "funcgrad[plot]"'
    ) from error

DATA, FIT, LOSS, QUIET = "#1f2933", "#d1495b", "#00798c", "#9aa5b1"
LARGEST = float(np.finfo(np.float32).max)
Array = NDArray[np.float64]


def draw(outcome: Outcome, params: WideNetParams, file: IO[bytes]) -> None:
    """Draw a run as a PNG: what it learned on the left, how the loss fell on the right.

    Args:
        outcome: the run.
        params: the parameters whose predictions are shown.
        file: an open binary file.
    """
    figure = Figure(figsize=(11, 4.8), dpi=160)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1, wspace=0.04)
    learned, loss = figure.subplots(1, 2, width_ratios=(1.1, 1))
    data = outcome.task.data
    if data.kind == "classification":
        _confusion(learned, outcome, params)
    elif data.x.shape[1] == 1:
        _fit(learned, outcome, params)
    else:
        _predicted_against_true(learned, outcome, params)
    _loss_curve(loss, outcome)
    config = outcome.config
    how = f"{config.optimizer}, rate {config.learning_rate:g}, width {config.width}"
    title = f"WideNet on {clipped(data.name)}: {how}, seed {config.seed}"
    figure.suptitle(_plain(title), fontsize=13)
    with warnings.catch_warnings():
        # A column may be named in a script that the font lacks; the boxes it draws say as much.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing", category=UserWarning)
        figure.savefig(file, format="png")


def _plain(text: str) -> str:
    # Matplotlib reads a formula between dollars, and a long label squeezes the axes.
    return clipped(text, 100).replace("$", r"\$")


def _open_frame(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)


# --- what was learned -----------------------------------------------------------------------------


def _predict(params: WideNetParams, x: Any) -> Array:
    predicted = np.asarray(widenet(params, jnp.asarray(x, jnp.float32)), np.float64)
    return np.nan_to_num(predicted, posinf=LARGEST, neginf=-LARGEST)  # an axis needs finite ends


def _fit(axes: Any, outcome: Outcome, params: WideNetParams) -> None:
    data = outcome.task.data
    x = np.asarray(data.x, np.float64)
    grid = np.linspace(np.min(x), np.max(x), 500)[:, None]
    scale = 1.0 if data.feature_scale is None else data.feature_scale[0]
    mean = 0.0 if data.feature_mean is None else data.feature_mean[0]
    shown, fitted = (_in_units(outcome, y) for y in (data.y, _predict(params, grid)))
    axes.plot(x * scale + mean, shown, "o", color=DATA, markersize=5.5, label="data")
    axes.plot(grid * scale + mean, fitted, color=FIT, linewidth=2.5, label="fit")
    if outcome.config.data == "sine":
        axes.plot(grid, np.sin(np.pi * grid), "--", color=QUIET, label="sin πx, without noise")
    what = f"after {len(outcome.trained.losses)} steps"
    if outcome.trained.stop == "diverged":
        what = "before the loss was no longer finite"
    axes.set(
        xlabel=_plain(data.feature_names[0]),
        ylabel=_plain(data.target_name),
        title=f"Data and fit {what}",
    )
    axes.legend(frameon=False)
    _open_frame(axes)


def _in_units(outcome: Outcome, target: Any) -> Array:
    data = outcome.task.data
    return np.asarray(target, np.float64)[:, 0] * data.target_scale + data.target_mean


def _predicted_against_true(axes: Any, outcome: Outcome, params: WideNetParams) -> None:
    data = outcome.task.data
    sets = [("training", data.x, data.y, LOSS, 30)]
    if data.x_test is not None and data.y_test is not None:
        sets = [("training", data.x, data.y, QUIET, 14)]
        sets.append(("test", data.x_test, data.y_test, FIT, 26))
    ends: list[Array] = []
    for name, x, y, color, size in sets:
        true, predicted = _in_units(outcome, y), _in_units(outcome, _predict(params, x))
        label = f"{name}: {len(true)} examples, R² = {_explained(true, predicted):.2f}"
        axes.scatter(true, predicted, s=size, color=color, edgecolors="white",
                     linewidths=0.4, label=label)  # fmt: skip
        ends += [true, predicted]
    low, high = np.min(np.concatenate(ends)), np.max(np.concatenate(ends))
    axes.plot([low, high], [low, high], color=DATA, linewidth=1, linestyle="--")
    axes.set(
        xlabel=_plain(f"true {data.target_name}"),
        ylabel=_plain(f"predicted {data.target_name}"),
        title="Predicted against true",
    )
    axes.legend(frameon=False, loc="upper left")
    _open_frame(axes)


def _explained(true: Array, predicted: Array) -> float:
    """The share of the variance that is explained; of a constant nothing can be."""
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that float64 cannot square
        around_mean = np.sum((true - true.mean()) ** 2)
        if around_mean == 0:
            return float("nan")
        return float(1 - np.sum((true - predicted) ** 2) / around_mean)


def _confusion(axes: Any, outcome: Outcome, params: WideNetParams) -> None:
    data = outcome.task.data
    x, y, name = data.x, data.y, "training"
    if data.x_test is not None and data.y_test is not None:
        x, y, name = data.x_test, data.y_test, "test"
    classes = data.classes or 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (np.asarray(y), _predict(params, x).argmax(axis=1)), 1)
    axes.imshow(counts, cmap="Blues", norm=colors.PowerNorm(0.5, vmin=0, vmax=counts.max()))
    for (true, predicted), count in np.ndenumerate(counts):
        if count:
            color = "white" if count > counts.max() / 3 else DATA
            axes.text(predicted, true, count, ha="center", va="center", color=color, fontsize=9)
    axes.set(
        xticks=range(classes),
        yticks=range(classes),
        xlabel=_plain(f"predicted {data.target_name}"),
        ylabel=_plain(f"true {data.target_name}"),
        title=f"{len(y)} {name} examples, {np.trace(counts) / len(y):.1%} correct",
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


# --- the loss -------------------------------------------------------------------------------------


def _loss_curve(axes: Any, outcome: Outcome) -> None:
    losses = np.asarray(outcome.losses, np.float64)
    what = "mean squared error"
    if outcome.task.data.kind == "classification":
        what = "cross entropy"
    axes.set(xlabel="step", ylabel=f"training loss ({what})")
    _open_frame(axes)
    if not len(losses):
        axes.set(title="No step was recorded", xticks=(), yticks=())
        return
    seen = np.isfinite(losses) & (losses > 0)  # what a logarithmic axis can show
    axes.plot(1 + np.flatnonzero(seen), losses[seen], color=LOSS, linewidth=1.8)
    axes.set_title(f"Loss from {losses[0]:.4g} to {losses[-1]:.4g}")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, nbins=7))
    if seen.any():
        _logarithmic(axes, float(np.log10(np.max(losses[seen]) / np.min(losses[seen]))))


def _logarithmic(axes: Any, decades: float) -> None:
    """A logarithmic axis that has labels, too, where it spans less than a decade."""
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    if decades < 0.6:
        axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=7))
    elif decades < 3:
        labelled = (1, 2, 3, 4, 6, 8) if decades < 1.2 else (1, 2, 5)
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=labelled, numticks=30))
    if decades < 3:
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
